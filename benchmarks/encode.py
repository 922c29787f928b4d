"""How many sentences a second does each way of encoding do, with the same weights on this machine?

    python benchmarks/encode.py                        the bundled model
    python benchmarks/encode.py --model kcbert-shape   12 layers x 768, random weights
    python benchmarks/encode.py --texts FILE --n 5000  one sentence a line

Every repeat runs each way once over the same texts, tokenising included, one after the other, so
that a busy moment hits all of them; the table shows medians and benchmarks/results/ keeps all.
`share`: multiplications that our engine does for real tokens, against the best speed that one
matrix product reaches here at these shapes. `top 10`: how many of each sentence's ten nearest
others are the same as with the tutorial's vectors.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from machine import headline, machine, save
from sentences import sentences
from transformers import BertConfig, BertModel, BertTokenizer

from kcsearch import models
from kcsearch.encoder import TextEncoder
from kcsearch.engines.bert_layout import BertShape, read_shape
from kcsearch.engines.torch_linear import cpu_flags, linear_maker

ROOT = Path(__file__).parents[1]
Encode = Callable[[list[str]], Any]  # rows of pooler vectors, or None where the way has others


def read_texts(path: Path | None, n: int) -> list[str]:
    """Lines of a file, again and again if they are too few, or generated sentences."""
    if path is None:
        return sentences(n)
    lines = path.read_text(encoding="utf-8").splitlines()
    texts = [line.strip() for line in lines if line.strip()]
    return [texts[i % len(texts)] for i in range(n)]


def make_kcbert_shape(folder: Path) -> Path:
    """kcbert-base's shape with random weights, over the bundled model's pieces."""
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(models.BUNDLED / name, folder / name)
    n_pieces = len((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=n_pieces, max_position_embeddings=300)).save_pretrained(folder)
    return folder


def tutorial(folder: Path) -> Encode:
    """The usual loop: batches of 32 in input order, padded to their longest, fp32."""
    tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False)
    model = BertModel.from_pretrained(folder, dtype=torch.float32).eval()

    def encode(texts: list[str]) -> np.ndarray:
        rows = []
        for start in range(0, len(texts), 32):
            batch = tokenizer(texts[start : start + 32], padding=True, return_tensors="pt")
            with torch.no_grad():
                rows.append(model(**batch).pooler_output.numpy())
        return np.concatenate(rows)

    return encode


def transformers_sorted(folder: Path, dtype: torch.dtype) -> Encode:
    """The same sorted by length: what a careful user of transformers writes."""
    tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False)
    model = BertModel.from_pretrained(folder, dtype=dtype).eval()

    def encode(texts: list[str]) -> np.ndarray:
        ids = tokenizer(texts)["input_ids"]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = np.zeros((len(ids), model.config.hidden_size), np.float32)
        for start in range(0, len(ids), 64):
            own = order[start : start + 64]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in own]}, return_tensors="pt")
            with torch.inference_mode():
                vectors[own] = model(**batch).pooler_output.float().numpy()
        return vectors

    return encode


def sentence_transformers(folder: Path, dtype: torch.dtype) -> Encode:
    """SentenceTransformer.encode as it comes, [CLS] pooling."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import models as modules

    transformer = modules.Transformer(str(folder))
    pooling = modules.Pooling(transformer.get_word_embedding_dimension(), pooling_mode="cls")
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu").to(dtype)

    def encode(texts: list[str]) -> None:
        model.encode(texts, show_progress_bar=False, convert_to_tensor=True)

    return encode


def ours(folder: Path, precision: Any) -> Encode:
    encoder = TextEncoder(models.resolve(folder), precision=precision, device="cpu", engine="torch")
    return encoder.pool


def all_ways(folder: Path, wanted: list[str]) -> dict[str, Encode]:
    """The ways by name; others' bf16 only with AMX, because it is slow without."""
    makers: dict[str, Callable[[], Encode]] = {
        "tutorial fp32": lambda: tutorial(folder),
        "transformers sorted fp32": lambda: transformers_sorted(folder, torch.float32),
    }
    has_peer = any(d.name == "sentence-transformers" for d in importlib.metadata.distributions())
    if has_peer:
        makers["sentence-transformers fp32"] = lambda: sentence_transformers(folder, torch.float32)
    if "amx_bf16" in cpu_flags():
        makers["transformers sorted bf16"] = lambda: transformers_sorted(folder, torch.bfloat16)
        if has_peer:
            makers["sentence-transformers bf16"] = lambda: sentence_transformers(
                folder, torch.bfloat16
            )
    for precision in ("fp32", "bf16", "int8"):
        makers[f"kcsearch {precision}"] = lambda precision=precision: ours(folder, precision)
    return {
        name: make()
        for name, make in makers.items()
        if not wanted or any(word in name for word in wanted)
    }


def matrix_speeds(shape: BertShape, n_repeats: int = 9, n_rows: int = 2_048) -> dict[str, float]:
    """FLOP/s of one product at the four shapes of a layer, weighted by their work: median time."""
    wide, deep = shape.hidden, shape.intermediate
    sizes = [(wide, 3 * wide), (wide, wide), (wide, deep), (deep, wide)]
    speeds = {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        ways: dict[str, float] = {"torch.mm": 0.0, "packed": 0.0}
        for n_in, n_out in sizes:
            x, weight = torch.randn(n_rows, n_in).to(dtype), torch.randn(n_out, n_in).to(dtype)
            with torch.inference_mode():
                make = linear_maker(precision, torch.device("cpu"))
                linear = make(weight, torch.zeros(n_out, dtype=dtype), "none")
                calls = {
                    "torch.mm": lambda x=x, w=weight: torch.mm(x, w.T),
                    "packed": lambda x=x, linear=linear: linear(x),
                }
                for way, times in timed(calls, n_repeats).items():
                    ways[way] += statistics.median(times)
        work = sum(2 * n_rows * n_in * n_out for n_in, n_out in sizes)
        speeds |= {f"{way} {precision}": work / seconds for way, seconds in ways.items()}
    return speeds


def timed(calls: dict[str, Callable[[], Any]], n_repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, interleaved, after one run that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(n_repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def work_of(shape: BertShape, lengths: list[int]) -> int:
    """Multiply-adds x 2 that our engine does: the last layer asks for [CLS] only, and multiplies
    a few rows a sentence instead of the keys and values of its pieces.
    """
    wide, deep = shape.hidden, shape.intermediate
    row = 2 * (4 * wide * wide + 2 * wide * deep)  # query, key, value, output, feed-forward
    return sum(
        (shape.n_layers - 1) * n * (row + 4 * n * wide) + row + 4 * n * shape.n_heads * wide
        for n in lengths
    )


def worst_cosine(ours: np.ndarray | None, theirs: np.ndarray) -> float | None:
    if ours is None:
        return None
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(1) / norms).min())


def neighbours_kept(ours: np.ndarray | None, theirs: np.ndarray, k: int = 10) -> float | None:
    """The share of each row's k nearest other rows that are the same with both vectors."""
    if ours is None:
        return None
    found = []
    for vectors in (ours, theirs):
        rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = rows @ rows.T
        np.fill_diagonal(cosines, -np.inf)
        found.append(np.argpartition(-cosines, k, axis=1)[:, :k])
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*found, strict=True)]))


def measure(
    model: str, texts: list[str], wanted: list[str], n_repeats: int, n_compared: int
) -> dict[str, Any]:
    """The whole report, ready for JSON. n_compared: texts whose vectors are compared."""
    report: dict[str, Any] = {"machine": machine(), "model": model, "n_sentences": len(texts)}
    with tempfile.TemporaryDirectory() as scratch:
        is_made = model == "kcbert-shape"
        folder = models.resolve(make_kcbert_shape(Path(scratch)) if is_made else model)
        shape = read_shape(folder)
        ways = all_ways(folder.path, wanted)
        some = texts[:n_compared]
        reference = tutorial(folder.path)(some)
        vectors = {name: way(some) for name, way in ways.items()}
        cosines = {name: worst_cosine(rows, reference) for name, rows in vectors.items()}
        kept = {name: neighbours_kept(rows, reference) for name, rows in vectors.items()}
        lengths = [len(ids) for ids in TextEncoder(folder).tokenize(texts)["input_ids"]]
        calls = {name: lambda way=way: way(texts) for name, way in ways.items()}
        seconds = timed(calls, n_repeats)
    speeds = matrix_speeds(shape)
    report |= {"n_pieces": sum(lengths), "matrix_flops": speeds, "ways": {}}
    for name, times in seconds.items():
        median, precision = statistics.median(times), name.split()[-1]
        share = None
        if name.startswith("kcsearch") and precision != "int8":
            best = max(speeds[f"torch.mm {precision}"], speeds[f"packed {precision}"])
            share = work_of(shape, lengths) / median / best
        report["ways"][name] = {
            "sentences_per_second": len(texts) / median,
            "share_of_matrix_speed": share,
            "min_cosine_to_tutorial": cosines[name],
            "top_10_kept": kept[name],
            "seconds": times,
        }
    return report


def show(report: dict[str, Any]) -> None:
    print(headline(report["machine"]))
    print(f"{report['model']}: {report['n_sentences']} sentences, {report['n_pieces']} pieces")
    speeds = {name: f"{speed / 1e9:.0f}" for name, speed in report["matrix_flops"].items()}
    print("matrix GFLOP/s:", ", ".join(f"{name} {speed}" for name, speed in speeds.items()))
    print(f"{'way':28} {'sentences/s':>12} {'share':>6} {'min cosine':>11} {'top 10':>7}")
    for name, way in report["ways"].items():
        share, cosine = way["share_of_matrix_speed"], way["min_cosine_to_tutorial"]
        kept = way["top_10_kept"]
        cells = [
            "-" if share is None else f"{share:.0%}",
            "-" if cosine is None else f"{cosine:.6f}",
            "-" if kept is None else f"{kept:.1%}",
        ]
        speed = f"{way['sentences_per_second']:12.1f}"
        print(f"{name:28} {speed} {cells[0]:>6} {cells[1]:>11} {cells[2]:>7}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="bundled", help="bundled, a folder, or kcbert-shape")
    parser.add_argument("--texts", type=Path, help="one sentence a line, UTF-8")
    parser.add_argument("--n", type=int, default=5_000, help="sentences")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compared", type=int, default=2_000, help="sentences for the cosines")
    parser.add_argument("--ways", nargs="*", default=[], help="words that a way's name holds")
    options = parser.parse_args()
    texts = read_texts(options.texts, options.n)
    report = measure(options.model, texts, options.ways, options.repeats, options.compared)
    show(report)
    print(save(f"encode-{Path(options.model).name}", report))


if __name__ == "__main__":
    main()
