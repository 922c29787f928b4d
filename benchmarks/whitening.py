"""What does PCA whitening do for a BERT that only learnt to fill in words?

    python benchmarks/whitening.py --train corpus.txt --minutes 15 --model work/masked-lm
    python benchmarks/whitening.py --model work/masked-lm --eval EVAL

The first trains such a model on lines of text, over the bundled model's pieces: 2 layers x 256,
15 % of the pieces masked (Devlin et al. 2018), no pairs of any kind. Any other model folder can be
measured as well. The second measures, for [CLS] and for the mean of all pieces, and by the number
of dimensions kept: the median cosine of random pairs, KorSTS dev (Spearman), and how often a
KorQuAD question has its paragraph first (R@1, R@10, dense). Whitening is fitted on the paragraphs,
as a collection fits it on what it holds; for KorSTS on its own sentences.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import headline, machine, save
from transformers import BertConfig, BertForMaskedLM

from kcsearch import TextEncoder, models
from kcsearch.errors import InputError
from kcsearch.evaluation import spearman
from kcsearch.whitening import Whitening

LENGTH, BATCH, RATE = 48, 64, 5e-4
DIMS = (32, 64, 128, 256)


def train(lines: Path, minutes: float, folder: Path, seed: int = 1) -> None:
    """Write a folder with weights that have only seen masked words; prints its losses."""
    folder.mkdir(parents=True)
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(models.BUNDLED / name, folder / name)
    tokenizer = TextEncoder(models.resolve())._tokenizer
    mask, size = tokenizer.token_to_id("[MASK]"), tokenizer.get_vocab_size()
    random, _ = np.random.default_rng(seed), torch.manual_seed(seed)
    texts = lines.read_text(encoding="utf-8").splitlines()
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=size, hidden_size=256, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=1024, max_position_embeddings=300,
        )
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    started, step, losses = time.monotonic(), 0, []
    while (gone := (time.monotonic() - started) / 60) < minutes:
        chosen = [texts[i] for i in random.integers(0, len(texts), BATCH)]
        rows = [encoding.ids[:LENGTH] for encoding in tokenizer.encode_batch(chosen)]
        ids = np.zeros((BATCH, max(map(len, rows))), np.int64)
        for place, row in zip(ids, rows, strict=True):
            place[: len(row)] = row
        is_hidden = (random.random(ids.shape) < 0.15) & (ids > 4)
        hidden = np.where(is_hidden, np.where(random.random(ids.shape) < 0.9, mask, ids), ids)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, step / 200) * (1 - gone / minutes)
        loss = model(
            input_ids=torch.from_numpy(hidden),
            attention_mask=torch.from_numpy((ids > 0).astype(np.int64)),
            labels=torch.from_numpy(np.where(is_hidden, ids, -100)),
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        step += 1
        if step % 200 == 0:
            print(f"step {step}, {gone:.1f} minutes, loss {np.mean(losses[-200:]):.3f}", flush=True)
    model.bert.save_pretrained(folder)
    training = {"steps": step, "minutes": minutes, "loss": float(np.mean(losses[-200:]))}
    declared = {"pooling": "cls", "name": "masked-lm", "training": training}
    (folder / "kcsearch.json").write_text(json.dumps(declared), encoding="utf-8")


def measure(encoder: TextEncoder, folder: Path) -> dict[str, Any]:
    """Figures by number of dimensions; "as they are" first."""
    pairs = _lines(folder / "korsts_dev.jsonl")
    paragraphs = _lines(folder / "korquad_paragraphs.jsonl")
    questions = _lines(folder / "korquad_questions.jsonl")
    a, b = (encoder.encode([row[side] for row in pairs]) for side in "ab")
    passages = encoder.encode([_first_window(encoder, row["text"]) for row in paragraphs])
    queries = encoder.encode([row["text"] for row in questions], "query")
    place = {row["key"]: i for i, row in enumerate(paragraphs)}
    relevant = np.array([place[row["relevant"]] for row in questions])
    scores = [row["score"] for row in pairs]
    found = {"as they are": _figures(a, b, passages, queries, relevant, scores)}
    for dim in (dim for dim in DIMS if dim <= encoder.dim):
        try:
            of_pairs = Whitening.fit(np.concatenate([a, b]), dim).apply
            of_passages = Whitening.fit(passages, dim).apply
        except InputError as error:  # the vectors do not vary in so many directions
            print(f"{dim}: {error}")
            continue
        found[str(dim)] = _figures(
            of_pairs(a), of_pairs(b), of_passages(passages), of_passages(queries), relevant, scores
        )
    return found


def _figures(
    a: np.ndarray, b: np.ndarray, passages: np.ndarray, queries: np.ndarray,
    relevant: np.ndarray, scores: list[float],
) -> dict[str, float]:  # fmt: skip
    cosines = queries @ passages.T
    ranks = (cosines > np.take_along_axis(cosines, relevant[:, None], 1)).sum(axis=1)
    random = np.random.default_rng(0).integers(0, len(passages), (2, 20_000))
    return {
        "median_random_pair": float(np.median((passages[random[0]] * passages[random[1]]).sum(1))),
        "korsts_dev": spearman((a * b).sum(axis=1), scores),
        "korquad_r1": float((ranks < 1).mean()),
        "korquad_r10": float((ranks < 10).mean()),
    }


def _first_window(encoder: TextEncoder, text: str) -> str:
    return encoder.split(text)[0]


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--train", type=Path, metavar="FILE", help="lines of text to learn from")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--eval", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.train:
        train(options.train, options.minutes, options.model)
    if options.eval is None:
        return
    folder = models.resolve(options.model)
    report: dict[str, Any] = {"machine": machine(), "model": folder.fingerprint(), "poolings": {}}
    declared = json.loads((options.model / "kcsearch.json").read_text(encoding="utf-8"))
    report["training"] = declared.get("training")
    print(headline(report["machine"]))
    for pooling in ("cls", "mean"):
        found = measure(TextEncoder(replace(folder, pooling=pooling)), options.eval)
        report["poolings"][pooling] = found
        print(f"\n| {pooling} | median of random pairs | KorSTS dev | KorQuAD R@1 / R@10 |")
        print("|---|---|---|---|")
        for dim, row in found.items():
            print(
                f"| {dim} | {row['median_random_pair']:.2f} | {row['korsts_dev']:.3f} |"
                f" {row['korquad_r1']:.3f} / {row['korquad_r10']:.3f} |"
            )
    print(save("whitening", report))


if __name__ == "__main__":
    main()
