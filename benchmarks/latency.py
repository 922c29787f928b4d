"""What does each mode cost with 100,000 documents, and what does looking words up cost?

    python benchmarks/latency.py                  the bundled model; Kiwi too, where it is installed

Cold: a whole process, the installed command with its default options, one query after an uncounted
one. Warm: `Collection.search` in one process, 200 queries: nouns of two syllables and generated
sentences, in turn through the modes. Indexing: documents with their vectors into a store, without
full-text rows, with bigrams, and with Kiwi's morphemes; the bytes are those of the compacted store.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from machine import ROOT, headline, machine, median, save, time_processes
from sentences import sentences

sys.path.insert(0, str(ROOT / "tests"))
from test_lexical import NOUNS

from kcsearch import Collection, Document
from kcsearch.analyzer import analyzer_of
from kcsearch.hangul import TOKENIZER_VERSION
from kcsearch.store.text_store import NewRow, TextStore
from kcsearch.types import Mode, Words

QUERY = "돈을 언제 돌려받나요"
N_QUERIES = 200
BATCH = 8_192  # rows a commit, as `kcsearch index` grows to
MODES: tuple[Mode, ...] = get_args(Mode)


class NoWords:
    """An Analyzer for a store whose full-text index stays empty."""

    name: Words = "bigrams"
    version: int | str = TOKENIZER_VERSION

    def of_texts(self, texts: Sequence[str]) -> list[list[str]]:
        return [[] for _ in texts]

    def of_query(self, query: str) -> list[list[str]]:
        return []


def cold(collections: dict[str, Path], n_repeats: int) -> dict[str, list[float]]:
    """Seconds of whole processes, by mode and the words of the collection."""
    command = shutil.which("kcsearch", path=str(Path(sys.executable).parent)) or "kcsearch"
    commands = {
        f"{mode}, {words}": [command, "query", QUERY, "--mode", mode, "-c", str(path)]
        for words, path in collections.items()
        for mode in MODES
        if words == "bigrams" or mode != "dense"
    }
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the first run leaves ours compiled, too
    return time_processes(commands, n_repeats, environment)


def warm(collections: dict[str, Path], texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Milliseconds of a search, by mode and the words of the collection: median and 95 %."""
    half = N_QUERIES // 2
    queries = [*NOUNS[:half], *texts[:: len(texts) // half][:half]]
    report = {}
    for words, path in collections.items():
        with Collection(path) as opened:
            opened.search(QUERY)  # loads the model, the index and Kiwi
            seconds: dict[Mode, list[float]] = {mode: [] for mode in MODES}
            for query in queries:
                for mode in MODES:
                    start = time.perf_counter()
                    opened.search(query, mode=mode)
                    seconds[mode].append(time.perf_counter() - start)
        for mode in MODES:
            if words == "bigrams" or mode != "dense":
                at_95 = float(np.quantile(seconds[mode], 0.95))
                report[f"{mode}, {words}"] = {
                    "median_ms": 1000 * median(seconds[mode]),
                    "p95_ms": 1000 * at_95,
                }
    return report


def indexing(texts: Sequence[str], vectors: np.ndarray, work: Path) -> dict[str, dict[str, float]]:
    """Seconds to write rows with their vectors, and the bytes of the store, by analyzer."""
    report = {}
    for name in ("none", *kinds()):
        path = work / f"store-{name}.db"
        settings = {"dim": vectors.shape[1], "words": "bigrams" if name == "none" else name}
        store = TextStore.create(path, settings)
        if name == "none":
            store.analyzer = NoWords()
        else:
            analyzer_of(store.analyzer.name).of_texts(["하나"])  # loads Kiwi
        start = time.perf_counter()
        for at in range(0, len(texts), BATCH):
            store.write(
                [
                    NewRow(Document(texts[i], str(i)), vectors[i])
                    for i in range(at, min(at + BATCH, len(texts)))
                ]
            )
        seconds = time.perf_counter() - start
        store.compact()
        store.close()
        report[name] = {"seconds": seconds, "bytes": path.stat().st_size}
    return report


def kinds() -> list[Words]:
    return ["bigrams", "kiwi"] if importlib.util.find_spec("kiwipiepy") else ["bigrams"]


def measure(n: int, n_repeats: int) -> dict[str, Any]:
    report: dict[str, Any] = {
        "machine": machine("kiwipiepy", "kiwipiepy_model"),
        "n_documents": n,
        "query": QUERY,
    }
    texts = sentences(n)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        collections: dict[str, Path] = {words: work / words for words in kinds()}
        start = time.perf_counter()
        with Collection(collections["bigrams"]) as made:
            made.add(Document(text, str(i)) for i, text in enumerate(texts))
            report["seconds_of_indexing"] = time.perf_counter() - start
            rows = work / "rows.jsonl"
            made.export(rows, vectors=True)
            vectors = made.vectors([str(i) for i in range(n)])
        for words in kinds()[1:]:
            with Collection(collections[words], words=words) as other:
                other.import_(rows)
        report["indexing"] = indexing(texts, vectors, work)
        report["cold_seconds"] = cold(collections, n_repeats)
        report["warm"] = warm(collections, texts)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=100_000, help="documents")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    report = measure(options.n, options.repeats)
    print(headline(report["machine"]))
    print(
        f"{options.n:,} documents, median of {options.repeats} cold runs, {N_QUERIES} warm ones\n"
    )
    print("| mode, words | cold, s | warm, ms | 95 %, ms |\n|---|---|---|---|")
    for name, seconds in report["cold_seconds"].items():
        of_warm = report["warm"][name]
        print(
            f"| {name} | {median(seconds):.2f} | {of_warm['median_ms']:.1f} |"
            f" {of_warm['p95_ms']:.1f} |"
        )
    print(f"\nIndexing, with encoding: {report['seconds_of_indexing']:.1f} s. The store alone:\n")
    print("| words | s | MB |\n|---|---|---|")
    for name, cost in report["indexing"].items():
        print(f"| {name} | {cost['seconds']:.1f} | {cost['bytes'] / 1e6:.0f} |")
    print(save("latency", report))


if __name__ == "__main__":
    main()
