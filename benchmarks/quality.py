"""How good are dense, lexical and hybrid search, and what do others make of the same texts?

    python benchmarks/quality.py --eval DIR            quality.md and results/quality-*.json
    python benchmarks/quality.py --eval DIR --heldout  data/heldout too: to report, not to choose by

DIR holds the public sets that quality_sets.py tells of. Every set is indexed and searched as a user
would do it, for the first 100 hits of each mode. Beside it, over the same texts and vectors: the
words by Kiwi instead of bigrams, reciprocal rank fusion of dense and lexical, SQLite's own
tokenizers, txtai's hybrid search (those that are installed: pip install kiwipiepy txtai).
Windows of a long text count as that text. R@1 is success@1: whether the first hit is relevant.
Variants, of our own modes alone:
noisy (a worse model: half as much noise as vector), bunched (cosines near 0.9, as those of a BERT
not trained for similarity), unspaced (queries without spaces), together (all texts of all sets in
one collection).
"""

from __future__ import annotations

import argparse
import importlib.util
import sqlite3
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import ROOT, machine, save
from quality_page import mean_of, page
from quality_peers import reciprocal_rank_fusion, sqlite_fts5, txtai_hybrid
from quality_sets import Set, lines_of, read_sets, together

sys.path.insert(0, str(ROOT / "tests"))
from test_lexical import N_TEXTS, NOUNS, noun_texts

from kcsearch import Collection, Document, Hit, models
from kcsearch.encoder import TextEncoder
from kcsearch.evaluation import evaluate, per_query, spearman
from kcsearch.fusion import LEXICAL_WEIGHT, N_CANDIDATES
from kcsearch.hangul import normalize
from kcsearch.types import Encoder, Mode, Role, Words

Hits = Sequence[Hit]
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
VARIANTS = ("as it is", "noisy", "bunched", "unspaced", "together")
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
HALVES = (
    ("korquad", "question pairs", "everyday"),
    ("statutes", "wikipedia", "similar sentences"),
)
PAGE = Path(__file__).parent / "quality.md"


# -- searching -----------------------------------------------------------------------------------


class ChangedEncoder:
    """Gives the vectors of an encoder changed as a variant says: see the head of this file.

    known: unchanged vectors by role and text, filled here and shared, because encoding takes long.
    """

    def __init__(
        self, encoder: TextEncoder, variant: str, known: dict[tuple[Role, str], np.ndarray]
    ) -> None:
        self._encoder, self._variant, self._known = encoder, variant, known
        self._random = np.random.default_rng(1)
        self.dim, self.split = encoder.dim, encoder.split

    def fingerprint(self) -> Mapping[str, Any]:
        return {**self._encoder.fingerprint(), "variant": self._variant}

    def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if (role, text) not in self._known]
        self._known.update(
            ((role, text), vector)
            for text, vector in zip(new, self._encoder.encode(new, role), strict=True)
        )
        vectors = np.array([self._known[role, text] for text in texts]).reshape(-1, self.dim)
        if self._variant == "noisy":
            vectors = vectors + 0.5 * self._random.standard_normal(vectors.shape) / self.dim**0.5
        elif self._variant == "bunched":
            common = np.random.default_rng(0).standard_normal(self.dim)
            vectors = vectors + 3 * common / np.linalg.norm(common)
        else:
            return vectors
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def search(
    encoder: Encoder, one: Set, words: Words = "bigrams", modes: Sequence[Mode] = MODES
) -> dict[str, list[Hits]]:
    """Hits by mode, for each query."""
    queries = list(one.queries.values())
    with (
        tempfile.TemporaryDirectory() as folder,
        Collection(Path(folder) / "c", encoder=encoder, words=words) as collection,
    ):
        collection.add(Document(text, key=key) for key, text in one.texts.items())
        return {
            mode: list(collection.search_many(queries, N_CANDIDATES, mode=mode)) for mode in modes
        }


def keys_of(rows: Iterable[str]) -> list[str]:
    """Keys of documents, each at its best row: `KEY#2` is the second window of KEY."""
    return list(dict.fromkeys(row.partition("#")[0] for row in rows))


def with_weight(hits: Hits, weight: float) -> list[str]:
    """Row keys as they were if the lexical part weighed `weight`."""
    scores = {}
    for hit in hits:
        assert hit.explanation is not None
        scores[hit.key] = hit.explanation.dense + weight / LEXICAL_WEIGHT * hit.explanation.lexical
    return sorted(scores, key=lambda key: -scores[key])  # stable: ties stay as they are


def is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


# -- measuring -----------------------------------------------------------------------------------


def measure(encoder: Encoder, sets: Mapping[str, Set], variant: str) -> dict[str, Any]:
    if variant == "together":
        sets = together(sets)
    return {name: _measure(encoder, one, variant) for name, one in sets.items()}


def _measure(encoder: Encoder, one: Set, variant: str) -> dict[str, Any]:
    if variant == "unspaced":
        one = replace(one, queries={key: q.replace(" ", "") for key, q in one.queries.items()})
    return judged(one, *rank(encoder, one, with_others=variant == "as it is"))


def rank(
    encoder: Encoder, one: Set, *, with_others: bool
) -> tuple[dict[str, list[list[str]]], dict[str, list[list[str]]]]:
    """Ranked keys for each query: by method, and of hybrid by lexical weight."""
    hits = search(encoder, one)
    rows = {mode: [[hit.key for hit in some] for some in hits[mode]] for mode in MODES}
    ranked = {mode: list(map(keys_of, lists)) for mode, lists in rows.items()}
    both = zip(rows["dense"], rows["lexical"], strict=True)
    ranked["rank fusion"] = [keys_of(reciprocal_rank_fusion(sides)) for sides in both]
    if with_others:
        ranked |= _ranked_by_others(encoder, one)
    by_weight = {
        str(weight): [keys_of(with_weight(some, weight)) for some in hits["hybrid"]]
        for weight in WEIGHTS
    }
    return ranked, by_weight


def judged(
    one: Set, ranked: Mapping[str, list[list[str]]], by_weight: Mapping[str, list[list[str]]]
) -> dict[str, Any]:
    runs = {name: dict(zip(one.queries, lists, strict=True)) for name, lists in ranked.items()}
    first = {name: per_query(run, one.qrels, "success@1") for name, run in runs.items()}
    of_weight = {
        weight: per_query(dict(zip(one.queries, lists, strict=True)), one.qrels, "success@1")
        for weight, lists in by_weight.items()
    }
    return {
        "n_queries": len(first["hybrid"]),
        "n_texts": len(one.texts),
        "methods": {
            name: {measure: asdict(value) for measure, value in evaluate(run, one.qrels).items()}
            for name, run in runs.items()
        },
        "first_is_relevant": {
            name: "".join(str(int(value)) for value in values.values())
            for name, values in first.items()
        },
        "by_weight": {w: float(np.mean(list(f.values()))) for w, f in of_weight.items()},
    }


def _ranked_by_others(encoder: Encoder, one: Set) -> dict[str, list[list[str]]]:
    ranked = {}
    if is_there("kiwipiepy"):
        hits = search(encoder, one, "kiwi", ("lexical", "hybrid"))
        for mode in ("lexical", "hybrid"):
            ranked[f"{mode}, Kiwi"] = [keys_of(hit.key for hit in some) for some in hits[mode]]
    ranked["FTS5 unicode61"] = sqlite_fts5(one, "unicode61", N_CANDIDATES)
    ranked["FTS5 trigram"] = sqlite_fts5(one, "trigram", N_CANDIDATES)
    if is_there("txtai"):
        ranked["txtai hybrid"] = txtai_hybrid(one, encoder, N_CANDIDATES)
    return ranked


def measure_nouns(encoder: TextEncoder) -> dict[str, int]:
    """How many of the 600 texts are among the first 10 for the bare noun that they hold."""
    texts = {str(i): text for i, text in enumerate(noun_texts())}
    one = Set(texts, {noun: noun for noun in NOUNS}, {})
    apart = Set(
        {key: unicodedata.normalize("NFD", text) for key, text in texts.items()},
        {noun: unicodedata.normalize("NFD", noun) for noun in NOUNS},
        {},
    )
    ranked = {}
    for form, nouns in (("", one), (", NFD", apart)):
        for mode, found in search(encoder, nouns).items():
            ranked[f"{mode}{form}"] = [[hit.key for hit in some] for some in found]
    for name, found in _ranked_by_others(encoder, one).items():
        ranked[name] = found
    wanted = [{str(i * N_TEXTS + j) for j in range(N_TEXTS)} for i in range(len(NOUNS))]
    return {
        name: sum(len(keys & set(some[:10])) for keys, some in zip(wanted, lists, strict=True))
        for name, lists in ranked.items()
    }


def measure_sts(encoder: TextEncoder, path: Path) -> float:
    rows = lines_of(path)
    a, b = (encoder.encode([normalize(row[side]) for row in rows]) for side in "ab")
    return spearman(np.einsum("ij,ij->i", a, b), [row["score"] for row in rows])


def check_halves(sets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lexical weight that is best on one half of the sets, on the other half."""

    def mean(names: Sequence[str], weight: float) -> float:
        return float(np.mean([sets[name]["by_weight"][str(weight)] for name in names]))

    return [
        {
            "chosen_on": chosen_on,
            "chosen": (best := max(WEIGHTS, key=lambda weight: mean(chosen_on, weight))),
            "checked_on": checked_on,
            "hybrid": mean(checked_on, best),
            "best_there": max(mean(checked_on, weight) for weight in WEIGHTS),
        }
        for chosen_on, checked_on in (HALVES, HALVES[::-1])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", help="name or folder; the bundled one")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS[1:], default=VARIANTS[1:])
    parser.add_argument("--heldout", action="store_true")
    arguments = parser.parse_args()
    folder = models.resolve(arguments.model)
    encoder = TextEncoder(folder)
    sets = read_sets(arguments.eval, arguments.heldout)
    report: dict[str, Any] = {
        "machine": machine("kiwipiepy", "kiwipiepy_model", "txtai"),
        "model": folder.fingerprint(),
    }
    report["machine"]["versions"]["sqlite"] = sqlite3.sqlite_version
    report["nouns_found_of_600"] = measure_nouns(encoder)
    report["korsts_dev_spearman"] = measure_sts(encoder, arguments.eval / "korsts_dev.jsonl")
    report["variants"] = {}
    known: dict[tuple[Role, str], np.ndarray] = {}
    for variant in ("as it is", *arguments.variants):
        found = measure(ChangedEncoder(encoder, variant, known), sets, variant)
        report["variants"][variant] = {"sets": found, "halves": check_halves(found)}
        print(variant, {m: round(mean_of(found, m), 4) for m in MODES}, flush=True)
        if arguments.model is None:
            PAGE.write_text(page(report), encoding="utf-8")
        print(save(f"quality-{folder.path.name if arguments.model else 'bundled'}", report))


if __name__ == "__main__":
    main()
