"""How long does one query take, as a whole process, with 100,000 documents?

    python benchmarks/cold_query.py                          the bundled model
    python benchmarks/cold_query.py --model kcbert-shape     12 layers x 768, random weights

The installed command with its default options, against a sentence-transformers script over the same
vectors (float32 in a .npy, compared by matrix product) and against txtai over the same documents
(its own index, the same model folder), in turn in one run, after one uncounted run of each, so that
all files are in memory. The bundled model embeds generated sentences; for kcbert's shape the stored
vectors are random, which changes nothing of what a query does.
Peers that are not installed are left out: pip install sentence-transformers txtai.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from encode import make_kcbert_shape
from machine import headline, machine, median, save, time_processes
from sentences import sentences

from kcsearch import Collection, models

QUERY = "돈을 언제 돌려받나요"

_SENTENCE_TRANSFORMERS = """
import sys, json, numpy as np
from sentence_transformers import SentenceTransformer, models
folder, vectors, texts, query = sys.argv[1:]
transformer = models.Transformer(folder)
pooling = models.Pooling(transformer.get_word_embedding_dimension(), pooling_mode="cls")
model = SentenceTransformer(modules=[transformer, pooling, models.Normalize()], device="cpu")
scores = np.load(vectors, mmap_mode="r") @ model.encode(query)
lines = open(texts, encoding="utf-8").read().splitlines()
for i in np.argsort(-scores)[:10]:
    print(scores[i], lines[i])
"""
_TXTAI = """
import sys
from txtai import Embeddings
embeddings = Embeddings()
embeddings.load(sys.argv[1])
for hit in embeddings.search(sys.argv[2], 10):
    print(hit)
"""


class RandomVectors:
    """An Encoder for filling a collection in seconds: the folder's identity, random unit rows."""

    def __init__(self, folder: models.ModelFolder) -> None:
        self._folder, self._random = folder, np.random.default_rng(0)

    @property
    def dim(self) -> int:
        return self._folder.dim

    def fingerprint(self) -> dict[str, Any]:
        return self._folder.fingerprint()

    def split(self, text: str) -> list[str]:
        return [text]

    def encode(self, texts: Sequence[str], role: str = "passage") -> np.ndarray:
        rows = self._random.standard_normal((len(texts), self.dim), np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def fill(folder: models.ModelFolder, texts: list[str], work: Path, *, is_random: bool) -> None:
    """The collection, and its vectors as vectors.npy for the peer."""
    (work / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    with Collection(work / "collection", folder.path) as made:
        if is_random:
            made._encoder = RandomVectors(folder)
        made.add(texts)
        ids = made._store.row_ids()
        np.save(work / "vectors.npy", made._store.vectors(ids.tolist()))


def fill_txtai(folder: models.ModelFolder, work: Path) -> None:
    """txtai's own index of the same texts; it gets the stored vectors instead of encoding."""
    from txtai import Embeddings

    vectors = np.load(work / "vectors.npy")
    texts = (work / "texts.txt").read_text(encoding="utf-8").splitlines()
    place = {text: i for i, text in enumerate(texts)}
    config = {"format": "json", "content": True, "backend": "faiss"}
    embeddings = Embeddings(
        {
            **config,
            "method": "external",
            "transform": lambda batch: np.stack([vectors[place[text]] for text in batch]),
        }
    )
    embeddings.index((i, text, None) for i, text in enumerate(texts))
    embeddings.config.pop("transform")
    embeddings.config |= {"path": str(folder.path), "method": "clspooling"}
    embeddings.save(str(work / "txtai"))


def measure(model: str, n: int, n_repeats: int) -> dict[str, Any]:
    report: dict[str, Any] = {"machine": machine("txtai"), "model": model, "n_documents": n}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "model").mkdir()
        is_random = model == "kcbert-shape"
        if is_random:
            make_kcbert_shape(work / "model")
        else:
            shutil.copytree(models.resolve(model).path, work / "model", dirs_exist_ok=True)
        folder = models.resolve(work / "model")
        fill(folder, sentences(n), work, is_random=is_random)
        command = shutil.which("kcsearch", path=str(Path(sys.executable).parent)) or "kcsearch"
        commands = {
            "kcsearch": [command, "query", QUERY, "-c", str(work / "collection")],
            "kcsearch --help": [command, "--help"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        if importlib.util.find_spec("sentence_transformers"):
            script = [sys.executable, "-c", _SENTENCE_TRANSFORMERS, str(folder.path)]
            files = [str(work / "vectors.npy"), str(work / "texts.txt")]
            commands["sentence-transformers"] = [*script, *files, QUERY]
        if importlib.util.find_spec("txtai"):
            fill_txtai(folder, work)
            commands["txtai"] = [sys.executable, "-c", _TXTAI, str(work / "txtai"), QUERY]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the first run leaves ours compiled, too
        seconds = time_processes(commands, n_repeats, environment)
    report["seconds"] = seconds
    ours = median(seconds["kcsearch"])
    report["times_kcsearch"] = {name: median(times) / ours for name, times in seconds.items()}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="bundled", help="bundled, a folder, or kcbert-shape")
    parser.add_argument("--n", type=int, default=100_000, help="documents")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    report = measure(options.model, options.n, options.repeats)
    print(headline(report["machine"]))
    print(f"{options.model}, {options.n:,} documents, median of {options.repeats}")
    for name, times in report["seconds"].items():
        print(f"{name:24} {median(times):7.3f} s  {report['times_kcsearch'][name]:6.1f} x")
    print(save(f"cold-query-{Path(options.model).name}", report))
    print(json.dumps(report["machine"]["versions"]))


if __name__ == "__main__":
    main()
