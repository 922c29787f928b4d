"""Step 4: train the BERT itself, on what a bag of pieces cannot know.

    python -m training.train_bert --work DIR --start MODEL --table WORK/table.npz --out MODEL

Each step takes one set: pairs whose batch is filled with near misses (neighbours of a pair by the
table, so that other rows of the batch are hard negatives), similarity scores and
inference labels by their order, and sentences altered by rule. Reads WORK/pairs/ and the corpus,
writes a model folder. A checkpoint every few minutes; run the same command again to go on.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertModel

from kcsearch.finetuning.forward import embed
from kcsearch.finetuning.losses import contrast, cosent, nearer
from kcsearch.finetuning.run import Pace, Run
from training.model_folder import write_model_folder
from training.ragged import Ragged, draw_runs, read_npz, write_npz
from training.table import embed as embed_by_table
from training.table import row_hashes, texts_of, weighted

CLS, SEP = 2, 3
SHARES = {"section": 0.13, "title": 0.07, "parallel": 0.10, "rest": 0.07, "korsts": 0.16,
          "documentation": 0.03, "parakqc": 0.05, "law": 0.03, "petitions": 0.03,
          "questions": 0.03, "naver": 0.02, "chatbot": 0.03, "everyday": 0.06, "halves": 0.08,
          "inference": 0.06, "pawsx": 0.02, "altered": 0.10}  # fmt: skip
ORDERED = ("korsts", "inference", "pawsx")  # sets with a score
MINED = ("section", "title", "rest", "documentation", "law", "petitions")


@dataclass(frozen=True)
class Settings:
    """What the run depends on."""

    steps: int = 1_500
    rate: float = 1e-4
    warmup: int = 50
    tokens: int = 6_000  # of a batch
    max_pieces: int = 64
    temperature: float = 0.05
    cosent_scale: float = 20.0
    neighbours: int = 12
    pool: int = 25_000  # pairs of a set that neighbours are looked for in
    dropout: float = 0.1
    seed: int = 1
    only: str = ""  # train the weights whose names begin so
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))


def nearest(a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
    """For each row of a the n nearest other rows of b: int32 (len(a), n)."""
    found = []
    whole = torch.from_numpy(b)
    for first in range(0, len(a), 2_000):
        scores = torch.from_numpy(a[first : first + 2_000]) @ whole.T
        rows = torch.arange(len(scores))
        scores[rows, rows + first] = -torch.inf
        found.append(scores.topk(n, dim=1).indices.numpy().astype(np.int32))
    return np.concatenate(found)


class TextSet:
    """Columns a, b (and c) of one set, and batches of them as ids with [CLS] and [SEP]."""

    def __init__(self, path: Path, settings: Settings):
        self.name, self.settings = path.stem, settings
        self.columns = read_npz(path)
        self.sides = {side: Ragged.from_columns(self.columns, side)
                      for side in "abc" if f"{side}_flat" in self.columns}  # fmt: skip
        self.n_rows = len(self.sides["a"])
        if self.name == "naver" or self.name == "nli":
            self.sides.pop("c", None)
        self.hashes = {side: row_hashes(self.columns, side) for side in "ab"}
        self.members: np.ndarray | None = None  # rows that have neighbours
        self.neighbours: np.ndarray | None = None  # places among the members

    def ids(self, side: str, rows: np.ndarray) -> list[list[int]]:
        """Piece ids of some rows, cut, with the special pieces."""
        chosen = self.sides[side].select(rows, self.settings.max_pieces - 2)
        return [[CLS, *row.tolist(), SEP] for row in chosen.rows()]

    def batch_size(self) -> int:
        """Rows that fill a batch, by the mean length."""
        cut = self.settings.max_pieces - 2
        mean = sum(np.minimum(side.lengths, cut).mean() + 2 for side in self.sides.values())
        return int(self.settings.tokens / mean)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Rows of a batch: random ones, one a group, some in runs or with their neighbours."""
        n = min(self.batch_size(), self.n_rows)
        if "group" in self.columns:
            order = rng.permutation(self.n_rows)
            _, first = np.unique(self.columns["group"][order], return_index=True)
            return rng.permutation(order[first])[:n]
        if "run" in self.columns:
            return draw_runs(rng, self.n_rows, n, int(self.columns["run"][0]))
        if self.neighbours is None:
            return rng.choice(self.n_rows, n, replace=False)
        assert self.members is not None
        seeds = rng.choice(len(self.members), max(1, n // 4), replace=False)
        picked = np.array([rng.choice(row, 3, replace=False) for row in self.neighbours[seeds]])
        return self.members[np.unique(np.concatenate([seeds, picked.ravel()]))]

    def same(self, rows: np.ndarray) -> torch.Tensor:
        """Which pairs of a batch share a text: bool (n, n)."""
        same = np.zeros((len(rows), len(rows)), bool)
        for keys in self.hashes.values():
            same |= keys[rows][:, None] == keys[rows][None, :]
        np.fill_diagonal(same, False)
        return torch.from_numpy(same)

    def loss(self, model: BertModel, rng: np.random.Generator) -> torch.Tensor:
        """Loss of a fresh batch, a scalar."""
        rows, settings = self.draw(rng), self.settings
        ids = {side: self.ids(side, rows) for side in self.sides}
        vectors = embed(model, [row for side in ids.values() for row in side], "pooler")
        parts = dict(zip(ids, vectors.split(len(rows)), strict=True))
        if "score" in self.columns:
            scores = torch.from_numpy(self.columns["score"][rows])
            return cosent((parts["a"] * parts["b"]).sum(-1), scores, settings.cosent_scale)
        if "c" in parts:
            return nearer(parts["a"], parts["b"], parts["c"], settings.temperature)
        return contrast(parts["a"], parts["b"], self.same(rows), settings.temperature)

    def mine(
        self, table: torch.Tensor, codes: torch.Tensor | None, rng: np.random.Generator
    ) -> None:
        """Find neighbours of a random part of the pairs: other b near an a, by the table."""
        self.members = rng.permutation(self.n_rows)[: self.settings.pool]
        a, b = (
            embed_by_table(
                table, weighted(texts_of(self.columns, side, self.members, 96), codes)
            ).numpy()
            for side in "ab"
        )
        self.neighbours = nearest(a, b, self.settings.neighbours)


def read_sets(work: Path, table: Path, settings: Settings) -> dict[str, TextSet]:
    """The sets that have a share, mined ones with their neighbours (kept in WORK/neighbours)."""
    sets = {}
    for path in sorted((work / "pairs").glob("*.npz")):
        if settings.shares.get(path.stem, 0) <= 0:
            continue
        one = TextSet(path, settings)
        kept = work / "neighbours" / f"{path.stem}.npz"
        if path.stem in MINED:
            if not kept.exists():
                start = time.monotonic()
                tensors = {key: torch.from_numpy(array) for key, array in read_npz(table).items()}
                rng = np.random.default_rng(settings.seed)
                one.mine(tensors["table"], tensors.get("codes"), rng)
                write_npz(kept, {"members": one.members, "neighbours": one.neighbours})
                print(f"{one.name}: mined in {time.monotonic() - start:.0f} s", flush=True)
            found = read_npz(kept)
            one.members, one.neighbours = found["members"], found["neighbours"]
        sets[one.name] = one
    return sets


def set_dropout(model: BertModel, share: float) -> None:
    """Drop this share within the layers; never of the embeddings, whose rows were written."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0 if name.startswith("embeddings") or "attention.output" in name else share


def main(argv: list[str] | None = None) -> None:
    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--start", type=Path, required=True, help="model folder to start from")
    parser.add_argument("--table", type=Path, required=True, help="the .npz it was built from")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument("--tokens", type=int, default=defaults.tokens, help="of a batch")
    parser.add_argument("--temperature", type=float, default=defaults.temperature)
    parser.add_argument("--pool", type=int, default=defaults.pool)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument(
        "--only", default="", metavar="NAME", help="train only what begins so: encoder.layer.0"
    )
    parser.add_argument("--until", type=int, help="stop after this step")
    parser.add_argument("--bf16", action="store_true", help="where the processor is quick at it")
    parser.add_argument(
        "--share", action="append", default=[], metavar="SET=SHARE", help="other share of a set"
    )
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    changed = {name: float(n) for name, n in (pair.split("=", 1) for pair in args.share)}
    settings = Settings(
        steps=args.steps, rate=args.rate, tokens=args.tokens, temperature=args.temperature,
        pool=args.pool, seed=args.seed, only=args.only, shares=SHARES | changed,
    )  # fmt: skip
    model = BertModel.from_pretrained(args.start, dtype=torch.float32).eval()
    sets = read_sets(args.work, args.table, settings)
    names = list(sets)
    shares = np.array([settings.shares[name] for name in names])
    shares /= shares.sum()
    losses: dict[str, list[float]] = {}
    drawn = [""]

    def loss_of(rng: np.random.Generator) -> torch.Tensor:
        drawn[0] = str(rng.choice(names, p=shares))
        return sets[drawn[0]].loss(model, rng)

    def progress(run: Run, loss: float) -> None:
        losses.setdefault(drawn[0], []).append(loss)
        if run.step % 100 == 0:
            pace = (time.monotonic() - began) / (run.step - first)
            means = [f"{name} {np.mean(losses[name]):.2f}" for name in sorted(losses)]
            print(f"step {run.step}, {pace:.2f} s each:", *means, flush=True)
            losses.clear()

    set_dropout(model, settings.dropout)
    for name, weights in model.named_parameters():
        weights.requires_grad_(name.startswith(settings.only))
    run = Run(
        model, loss_of, Pace(settings.steps, settings.rate, settings.warmup),
        args.work / f"{args.out.name}_checkpoint.pt", seed=settings.seed,
        mark=json.dumps(asdict(settings), sort_keys=True), autocast=args.bf16,
    )  # fmt: skip
    began, first = time.monotonic(), run.step
    run.run(until=args.until, progress=progress)
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    print(json.dumps(write_model_folder(model, tokenizer, args.out), indent=1))


if __name__ == "__main__":
    main()
