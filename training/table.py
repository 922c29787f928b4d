"""Step 2, second half: one table of piece vectors, learnt from pairs and running text together.

    python -m training.table --work DIR [--out NAME] [--start FILE] [--weight korsts=0.4]

A sentence is the sum of its pieces' rows, normalised: no order. The length of a row learns how much
its piece counts; with --crowding like pieces of a text share a count (crowding.py). Reads
WORK/pairs/ and WORK/cooccurrence.npz (the start, unless --start names an earlier table), writes
WORK/<out>.npz with table float32 (n_pieces, width), and the codes if there are any. A checkpoint
every few minutes; run the same command again to go on. Every step draws from its own seed, so a
resumed run ends where an unbroken one does, to the last bit.
"""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from kcsearch.finetuning.losses import contrast, cosent
from training.crowding import crowd_weights, piece_codes
from training.ragged import Ragged, draw_runs, read_npz, write_npz
from training.vocabulary import N_SPECIAL

# Share of the steps that each set gets (halves apart: `halves_share` of all steps).
WEIGHTS = {"section": 0.25, "title": 0.15, "parallel": 0.15, "rest": 0.12, "korsts": 0.10,
           "documentation": 0.05, "parakqc": 0.05, "nli": 0.04, "law": 0.02, "petitions": 0.02,
           "questions": 0.02, "naver": 0.02, "chatbot": 0.01, "everyday": 0.04}  # fmt: skip
EVERYDAY_WEIGHTS = {"section": 0.22, "title": 0.12, "parallel": 0.17, "rest": 0.10, "korsts": 0.12,
                    "documentation": 0.04, "parakqc": 0.05, "nli": 0.04, "law": 0.02,
                    "petitions": 0.05, "questions": 0.03, "naver": 0.04,
                    "chatbot": 0.04, "everyday": 0.06}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the run depends on; all of it is kept in the result."""

    steps: int = 2_400
    batch: int = 1_536
    halves_batch: int = 2_048
    halves_share: float = 0.3
    rate: float = 0.003
    temperature: float = 0.05
    max_pieces: int = 96
    whole_pieces: int = 256  # of passages drawn in runs
    cosent_scale: float = 20.0  # of CoSENT, su.jianlin 2022
    common: float = 3e-4  # a piece of frequency p starts with length common / (common + p)
    seed: int = 1
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    temperatures: dict[str, float] = field(default_factory=dict)  # of sets with one of their own

    @property
    def sets(self) -> set[str]:
        """The names of the sets to read."""
        return {name for name, weight in self.weights.items() if weight > 0} | {"halves"}


def start_table(vectors: np.ndarray, counts: np.ndarray, common: float) -> np.ndarray:
    """Skip-gram rows without their mean and first principal direction, long if rare.

    vectors float32 (n_pieces, width), counts (n_pieces,) -> float32 (n_pieces, width); the weight
    common / (common + p) and the removed direction are those of Arora et al. 2017.
    """
    seen = counts > 0
    centred = vectors - vectors[seen].mean(0)
    _, _, directions = np.linalg.svd(centred[seen], full_matrices=False)
    centred -= np.outer(centred @ directions[0], directions[0])
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    weight = common / (common + counts / counts.sum())
    weight[~seen] = 0.3  # directions of these are noise: keep them quiet until the pairs speak
    return (centred * weight[:, None]).astype(np.float32)


# Ids (n_pieces,), offsets (n_texts,) and what each piece counts (n_pieces,); None: all alike.
Texts = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]


def texts_of(columns: dict[str, np.ndarray], side: str, rows: np.ndarray, cut: int) -> Texts:
    """The pieces of some rows, as F.embedding_bag takes them."""
    return bags(Ragged.from_columns(columns, side).select(rows, cut))


def bags(texts: Ragged) -> Texts:
    """Whole texts, their pieces counting alike."""
    return torch.from_numpy(texts.flat.astype(np.int64)), torch.from_numpy(texts.offsets[:-1]), None


def weighted(texts: Texts, codes: torch.Tensor | None) -> Texts:
    """The same texts, like pieces sharing a count, if there are codes."""
    ids, offsets, _ = texts
    return ids, offsets, None if codes is None else crowd_weights(codes, ids, offsets)


def row_hashes(columns: dict[str, np.ndarray], side: str) -> np.ndarray:
    """A number for each text, equal for equal texts: int64 (n_rows,)."""
    return np.array([hash(row.tobytes()) for row in Ragged.from_columns(columns, side).rows()])


def embed(table: torch.Tensor, texts: Texts) -> torch.Tensor:
    """Sum the rows of each text and normalise. Shape: (n_texts, width)."""
    ids, offsets, weights = texts
    bagged = F.embedding_bag(ids, table, offsets, mode="sum", per_sample_weights=weights)
    return F.normalize(bagged, dim=-1)


class PairSet:
    """One training set: draws a batch and computes its loss."""

    def __init__(self, path: Path, settings: Settings, codes: torch.Tensor | None = None):
        self.name, self.settings = path.stem, settings
        self.columns = read_npz(path)
        self.temperature = settings.temperatures.get(self.name, settings.temperature)
        self.cut = settings.whole_pieces if "run" in self.columns else settings.max_pieces
        self.n_rows = len(self.columns["a_offsets"]) - 1
        self.batch = settings.halves_batch if self.name == "halves" else settings.batch
        self.hashes = {side: row_hashes(self.columns, side) for side in "ab"}
        self.weights: dict[str, Ragged] = {}
        if codes is not None:
            sides = [side for side in "abc" if f"{side}_flat" in self.columns]
            self.weights = {side: self.weigh(side, codes) for side in sides}

    def weigh(self, side: str, codes: torch.Tensor) -> Ragged:
        """What each piece of each text counts, of the texts as they are cut."""
        texts = Ragged.from_columns(self.columns, side).select(np.arange(self.n_rows), self.cut)
        _, _, weights = weighted(bags(texts), codes)
        assert weights is not None
        return Ragged(weights.numpy().astype(np.float16), texts.offsets)

    def texts(self, side: str, rows: np.ndarray) -> Texts:
        """Some rows of a side, cut."""
        ids, offsets, _ = texts_of(self.columns, side, rows, self.cut)
        if side not in self.weights:
            return ids, offsets, None
        return ids, offsets, torch.from_numpy(self.weights[side].select(rows).flat.astype("f4"))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Choose the rows of a batch; of a grouped set one row a group, of others some in runs."""
        if "group" in self.columns:
            order = rng.permutation(self.n_rows)
            _, first = np.unique(self.columns["group"][order], return_index=True)
            return order[first][: self.batch]
        if "run" in self.columns:
            return draw_runs(rng, self.n_rows, self.batch, int(self.columns["run"][0]))
        return rng.choice(self.n_rows, min(self.batch, self.n_rows), replace=False)

    def loss(self, table: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Loss of a fresh batch, a scalar."""
        rows = self.draw(rng)
        a, b = (embed(table, self.texts(side, rows)) for side in "ab")
        if "score" in self.columns:
            scores = torch.from_numpy(self.columns["score"][rows])
            return cosent((a * b).sum(-1), scores, self.settings.cosent_scale)
        same = np.zeros((len(rows), len(rows)), bool)
        for side in "ab":
            keys = self.hashes[side][rows]
            same |= keys[:, None] == keys[None, :]
        np.fill_diagonal(same, False)
        if "c_flat" in self.columns:
            b = torch.cat([b, embed(table, self.texts("c", rows))])
        return contrast(a, b, torch.from_numpy(same), self.temperature)


def read_sets(
    folder: Path, settings: Settings, codes: torch.Tensor | None = None
) -> dict[str, PairSet]:
    """All training sets of a folder that have anything to contrast."""
    paths = [path for path in sorted(folder.glob("*.npz")) if path.stem in settings.sets]
    sets = {path.stem: PairSet(path, settings, codes) for path in paths}
    return {name: one for name, one in sets.items() if one.n_rows > 1}


class TableRun:
    """A training run that can be stopped and gone on with."""

    def __init__(
        self, start: np.ndarray, sets: dict[str, PairSet], settings: Settings, checkpoint: Path
    ):
        self.sets, self.settings, self.checkpoint = sets, settings, checkpoint
        self.table = torch.nn.Parameter(torch.from_numpy(start.copy()))
        self.table.data[:N_SPECIAL] = 0.0  # they count nothing, as in the BERT
        self.adam = torch.optim.Adam([self.table], lr=settings.rate)
        self.step = 0
        rest = {name: settings.weights[name] for name in sets if name != "halves"}
        scale = (1 - settings.halves_share * ("halves" in sets)) / sum(rest.values())
        self.shares = {name: weight * scale for name, weight in rest.items()}
        if "halves" in sets:
            self.shares["halves"] = settings.halves_share
        if checkpoint.exists():
            self.load()

    def load(self) -> None:
        """Take up table, optimizer and step of the checkpoint."""
        state = torch.load(self.checkpoint, weights_only=True)
        self.table.data.copy_(state["table"])
        self.adam.load_state_dict(state["adam"])
        self.step = state["step"]

    def save(self) -> None:
        """Write the checkpoint beside its place and rename it."""
        beside = self.checkpoint.with_name(self.checkpoint.name + ".part")
        state = {"table": self.table.data, "adam": self.adam.state_dict(), "step": self.step}
        torch.save(state, beside)
        beside.rename(self.checkpoint)

    def one_step(self) -> tuple[str, float]:
        """Train on one batch of one set; returns its name and loss."""
        # The random state is the step's number: nothing to save, nothing to restore.
        rng = np.random.default_rng((self.settings.seed, self.step))
        name = str(rng.choice(list(self.shares), p=list(self.shares.values())))
        for group in self.adam.param_groups:
            group["lr"] = self.settings.rate * (1 - self.step / self.settings.steps)
        loss = self.sets[name].loss(self.table, rng)
        self.adam.zero_grad()
        loss.backward()
        assert self.table.grad is not None
        self.table.grad[:N_SPECIAL] = 0.0
        self.adam.step()
        self.step += 1
        return name, loss.item()

    def run(self, until: int | None = None, save_every: float = 120) -> np.ndarray:
        """Train to the last step (or `until`), saving every so many seconds; returns the table."""
        losses: dict[str, list[float]] = {}
        saved = began = time.monotonic()
        first = self.step
        while self.step < (until or self.settings.steps):
            name, loss = self.one_step()
            losses.setdefault(name, []).append(loss)
            if self.step % 200 == 0:
                pace = (time.monotonic() - began) / (self.step - first)
                means = [f"{name} {np.mean(losses[name]):.2f}" for name in sorted(losses)]
                print(f"step {self.step}, {pace:.2f} s each:", *means, flush=True)
                losses = {}
            if time.monotonic() - saved > save_every:
                self.save()
                saved = time.monotonic()
        self.save()
        return self.table.detach().numpy().copy()


def numbers_by_name(given: list[str]) -> dict[str, float]:
    """{"law": 0.1} of ["law=0.1"]."""
    pairs = (pair.split("=", 1) for pair in given)
    return {name: float(number) for name, number in pairs}


def main(argv: list[str] | None = None) -> None:
    defaults = Settings()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--out", default="table", help="name of the result and its checkpoint")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument("--halves-share", type=float, default=defaults.halves_share)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--vectors", default="cooccurrence", help="name of the vectors to start at")
    parser.add_argument("--start", type=Path, help="go on from the table of this .npz")
    parser.add_argument(
        "--weight", action="append", default=[], metavar="SET=SHARE", help="other share of a set"
    )
    parser.add_argument(
        "--temperature", action="append", default=[], metavar="SET=T", help="other one of a set"
    )
    parser.add_argument("--everyday", action="store_true", help="more of the everyday sets")
    parser.add_argument(
        "--crowding", action="store_true", help="like pieces share a count, also if --start has not"
    )
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    changed, temperatures = map(numbers_by_name, (args.weight, args.temperature))
    settings = Settings(
        steps=args.steps,
        rate=args.rate,
        halves_share=args.halves_share,
        seed=args.seed,
        weights=(EVERYDAY_WEIGHTS if args.everyday else WEIGHTS) | changed,
        temperatures=temperatures,
    )
    if args.start:
        begun = read_npz(args.start)
    else:
        running = read_npz(args.work / f"{args.vectors}.npz")
        begun = {"table": start_table(running["vectors"], running["counts"], settings.common)}
    if args.crowding and "codes" not in begun:
        begun["codes"] = piece_codes(begun["table"])
    codes = torch.from_numpy(begun["codes"]) if "codes" in begun else None
    sets = read_sets(args.work / "pairs", settings, codes)
    if unknown := sorted(set(temperatures) - {n for n in sets if "score" not in sets[n].columns}):
        parser.error(f"--temperature {unknown[0]}: no such set, or one of scores, which has none")
    run = TableRun(begun["table"], sets, settings, args.work / f"{args.out}_checkpoint.pt")
    write_npz(args.work / f"{args.out}.npz", begun | {"table": run.run()})
    print(f"{run.step} steps -> {args.work / (args.out + '.npz')}")


if __name__ == "__main__":
    main()
