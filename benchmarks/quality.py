"""How good are dense, lexical and hybrid search, and what does joining by ranks cost?

    python benchmarks/quality.py --eval DIR            the table and results/quality.json
    python benchmarks/quality.py --eval DIR --heldout  data/heldout too: to report, not to choose by

DIR holds public sets as JSON lines, none of which is in this repository:

    korquad_paragraphs, korquad_questions   KorQuAD 1.0 dev, every other question: key, text; key,
                                            text, relevant (a paragraph's key)
    kolaw_heldout_articles                  Korean statutes: query (statute, title of the article),
                                            body
    kowiki_heldout_sections                 Korean Wikipedia: query (title, heading), text (the
                                            first paragraph)
    question_pair_validation                songys/Question_pair: a, b, label (duplicate, different)
    korsts_dev                              KorSTS dev: a, b, score

Every set is indexed as a user would do it; 100 candidates come from each side: exact cosines of the
stored vectors, and FTS5's bm25() over bigrams. Windows of a long text count as that text. Variants:
noisy (a worse model: half as much noise as vector), bunched (cosines near 0.9, as those of a BERT
not trained for similarity), unspaced (queries without spaces), together (all texts of all sets in
one collection).
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, ROOT, machine

sys.path.insert(0, str(ROOT / "tests"))
from test_lexical import N_TEXTS, NOUNS, noun_texts

from kcsearch import Collection, Document, models
from kcsearch.encoder import TextEncoder
from kcsearch.evaluation import Estimate, estimate, evaluate, per_query, spearman
from kcsearch.fusion import (
    LEXICAL_WEIGHT,
    N_CANDIDATES,
    Joined,
    background,
    fuse,
    token_weights,
)
from kcsearch.hangul import normalize, query_tokens

MODES = ("dense", "lexical", "rrf", "hybrid")
VARIANTS = ("as it is", "noisy", "bunched", "unspaced", "together")
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
HALVES = (
    ("korquad", "question pairs", "everyday"),
    ("statutes", "wikipedia", "similar sentences"),
)
MEAN_OF = ("korquad", "statutes", "wikipedia", "question pairs", "everyday")


@dataclass(frozen=True)
class Set:
    """Texts by key, queries by key, and which texts answer them."""

    texts: dict[str, str]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]


# -- sets ----------------------------------------------------------------------------------------


def read_sets(folder: Path, with_heldout: bool) -> dict[str, Set]:
    articles = _lines(folder / "kolaw_heldout_articles.jsonl")
    sections = _lines(folder / "kowiki_heldout_sections.jsonl")
    pairs = _lines(folder / "question_pair_validation.jsonl")
    sentences = _lines(folder / "korsts_dev.jsonl")
    sets = {
        "korquad": _korquad(folder),
        "statutes": _of_pairs((row["query"], row["body"], True) for row in articles),
        "wikipedia": _of_pairs((row["query"], row["text"], True) for row in sections),
        "question pairs": _of_pairs((r["a"], r["b"], r["label"] == "duplicate") for r in pairs),
        "similar sentences": _of_pairs((r["a"], r["b"], r["score"] >= 4) for r in sentences),
        "everyday": _ours("everyday"),
    }
    return sets | ({"heldout": _ours("heldout")} if with_heldout else {})


def _korquad(folder: Path) -> Set:
    paragraphs = _lines(folder / "korquad_paragraphs.jsonl")
    questions = _lines(folder / "korquad_questions.jsonl")
    return Set(
        {row["key"]: row["text"] for row in paragraphs},
        {row["key"]: row["text"] for row in questions},
        {row["key"]: {row["relevant"]: 1} for row in questions},
    )


def _ours(name: str) -> Set:
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    lines = (ROOT / f"data/{name}.qrels.tsv").read_text(encoding="utf-8").splitlines()
    for query, document, grade in (line.split("\t") for line in lines[1:]):
        qrels[query][document] = int(grade)
    return Set(
        {row["key"]: row["text"] for row in _lines(ROOT / "data/everyday.jsonl")},
        {row["key"]: row["text"] for row in _lines(ROOT / f"data/{name}.queries.jsonl")},
        dict(qrels),
    )


def _of_pairs(rows: Iterable[tuple[str, str, bool]]) -> Set:
    """Every distinct b is a text, every a with a relevant b a query; equal ones are one."""
    keys: dict[str, str] = {}
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for a, b, is_relevant in rows:
        key = keys.setdefault(normalize(b), f"d{len(keys)}")
        if is_relevant:
            relevant[a][key] = 1
    queries = {f"q{i}": a for i, a in enumerate(relevant)}
    texts = {key: text for text, key in keys.items()}
    return Set(texts, queries, {key: relevant[a] for key, a in queries.items()})


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def together(sets: Mapping[str, Set]) -> dict[str, Set]:
    """The queries of each set over the texts of all; a text that two sets have is one."""
    keys: dict[str, str] = {}
    new = {
        (name, key): keys.setdefault(normalize(text), f"{name}/{key}")
        for name, one in sets.items()
        for key, text in one.texts.items()
    }
    texts = {key: text for text, key in keys.items()}
    return {
        name: Set(texts, one.queries, {q: {new[name, d]: g for d, g in found.items()}
                                       for q, found in one.qrels.items()})
        for name, one in sets.items()
    }  # fmt: skip


# -- searching -----------------------------------------------------------------------------------


class Searcher:
    """A collection as it lies on the disk, its vectors in memory."""

    def __init__(self, folder: Path, encoder: TextEncoder, texts: Mapping[str, str]) -> None:
        self.encoder = encoder
        with Collection(folder, encoder=encoder) as collection:
            collection.add(Document(text, key=key) for key, text in texts.items())
        self._db = sqlite3.connect(folder / "store.db")
        self._db.execute(
            "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'documents_fts', 'row')"
        )
        sql = "SELECT row_id, coalesce(window_of, key), text, vector FROM documents JOIN vectors"
        rows = self._db.execute(f"{sql} USING (row_id) ORDER BY row_id").fetchall()
        self.row_ids = np.array([row[0] for row in rows])
        self.keys = {row[0]: row[1] for row in rows}
        self.texts = {row[0]: row[2] for row in rows}
        self.vectors = np.array([np.frombuffer(row[3], "<f4") for row in rows])

    def close(self) -> None:
        self._db.close()

    def embed(self, queries: Sequence[str], variant: str) -> np.ndarray:
        """Queries; for a variant of the model, the stored vectors are changed with them."""
        embedded = self.encoder.encode([normalize(query) for query in queries], "query")
        if variant in ("noisy", "bunched"):
            self.vectors = changed(self.vectors, variant, seed=1)
            embedded = changed(embedded, variant, seed=2)
        self.background = background(self.vectors, np.random.default_rng(0))
        return embedded

    def search(self, query: str, vector: np.ndarray) -> tuple[dict[str, list[str]], list[Joined]]:
        """Document keys by mode, best first, and what hybrid made of the candidates."""
        cosines = self.vectors @ vector
        dense = self.row_ids[np.lexsort((self.row_ids, -cosines))[:N_CANDIDATES]].tolist()
        tokens = query_tokens(query)
        lexical = self.lexical(tokens)
        weights = token_weights(query, self.frequencies(tokens), len(self.row_ids))
        by_row = dict(zip(self.row_ids.tolist(), cosines.tolist(), strict=True))
        expected = float(vector @ self.background.mean)
        joined = fuse(dense, lexical, by_row, self.texts, weights, expected, self.background.spread)
        sides = [dense, [row_id for row_id, _ in lexical]]
        ranked = {"dense": sides[0], "lexical": sides[1], "rrf": reciprocal_rank_fusion(sides)}
        ranked["hybrid"] = [hit.row_id for hit in joined]
        return {mode: self.documents(row_ids) for mode, row_ids in ranked.items()}, joined

    def documents(self, row_ids: Iterable[int]) -> list[str]:
        return list(dict.fromkeys(self.keys[row_id] for row_id in row_ids))

    def lexical(self, tokens: Sequence[str]) -> list[tuple[int, float]]:
        if not tokens:
            return []
        words = [f'"{t[:-1]}" *' if t.endswith("*") else f'"{t}"' for t in tokens]
        sql = """SELECT rowid, -bm25(documents_fts) FROM documents_fts WHERE documents_fts MATCH ?
                 ORDER BY bm25(documents_fts), rowid LIMIT ?"""
        return self._db.execute(sql, (" OR ".join(words), N_CANDIDATES)).fetchall()

    def frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        found = {}
        for token in tokens:
            first = token.removesuffix("*")
            last = chr(ord(first) + 1) if token.endswith("*") else f"{first}\0"
            sql = "SELECT coalesce(sum(doc), 0) FROM temp.vocabulary WHERE term >= ? AND term < ?"
            (found[token],) = self._db.execute(sql, (first, last)).fetchone()
        return found


def changed(vectors: np.ndarray, variant: str, seed: int) -> np.ndarray:
    """noisy: noise of half the length is added. bunched: thrice a common direction is."""
    if variant == "noisy":
        noise = np.random.default_rng(seed).standard_normal(vectors.shape)
        vectors = vectors + 0.5 * noise / np.sqrt(vectors.shape[1])
    else:
        common = np.random.default_rng(0).standard_normal(vectors.shape[1])
        vectors = vectors + 3 * common / np.linalg.norm(common)
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)


def reciprocal_rank_fusion(sides: Sequence[Sequence[int]], k: int = 60) -> list[int]:
    """Cormack, Clarke and Büttcher 2009."""
    scores: dict[int, float] = defaultdict(float)
    for side in sides:
        for rank, row_id in enumerate(side, 1):
            scores[row_id] += 1 / (k + rank)
    return sorted(scores, key=lambda row_id: (-scores[row_id], row_id))


# -- measuring -----------------------------------------------------------------------------------


def measure(encoder: TextEncoder, sets: Mapping[str, Set], variant: str) -> dict[str, Any]:
    if variant == "together":
        sets = together(sets)
    with tempfile.TemporaryDirectory() as folder:
        return {name: _measure(Path(folder) / name, encoder, one, variant)
                for name, one in sets.items()}  # fmt: skip


def _measure(folder: Path, encoder: TextEncoder, one: Set, variant: str) -> dict[str, Any]:
    if variant == "unspaced":
        one = replace(one, queries={key: q.replace(" ", "") for key, q in one.queries.items()})
    searcher = Searcher(folder, encoder, one.texts)
    runs: dict[str, dict[str, list[str]]] = defaultdict(dict)
    by_weight: dict[float, dict[str, list[str]]] = defaultdict(dict)
    vectors = searcher.embed(list(one.queries.values()), variant)
    for (key, query), vector in zip(one.queries.items(), vectors, strict=True):
        ranked, joined = searcher.search(query, vector)
        for mode in MODES:
            runs[mode][key] = ranked[mode]
        for weight in WEIGHTS:
            scores = {h.row_id: h.dense + weight / LEXICAL_WEIGHT * h.lexical for h in joined}
            order = sorted(scores, key=lambda row_id: -scores[row_id])  # stable: ties as they are
            by_weight[weight][key] = searcher.documents(order[:10])
    n_rows = len(searcher.row_ids)
    searcher.close()
    first = {mode: per_query(run, one.qrels, "success@1") for mode, run in runs.items()}
    means = {mode: float(np.mean(list(values.values()))) for mode, values in first.items()}
    better = max(("dense", "lexical"), key=lambda mode: means[mode])
    gained = [first["hybrid"][key] - first[better][key] for key in first["hybrid"]]
    return {
        "n_queries": len(first["hybrid"]),
        "n_texts": len(one.texts),
        "n_rows": n_rows,
        "modes": {
            mode: {name: asdict(value) for name, value in evaluate(run, one.qrels).items()}
            for mode, run in runs.items()
        },
        "better_part": better,
        "hybrid_minus_better_part": asdict(estimate(gained)),
        "by_weight": {
            str(weight): evaluate(run, one.qrels, ["success@1"])["success@1"].mean
            for weight, run in by_weight.items()
        },
    }


def measure_nouns(encoder: TextEncoder) -> dict[str, int]:
    """How many of the 600 texts are among the first 10 for the bare noun that they hold."""
    texts = {str(i): text for i, text in enumerate(noun_texts())}
    wanted = {noun: {str(i * N_TEXTS + j) for j in range(N_TEXTS)} for i, noun in enumerate(NOUNS)}
    found: dict[str, int] = dict.fromkeys((*MODES, "unicode61", "trigram"), 0)
    with tempfile.TemporaryDirectory() as folder:
        searcher = Searcher(Path(folder) / "nouns", encoder, texts)
        for noun, vector in zip(NOUNS, searcher.embed(NOUNS, "as it is"), strict=True):
            for mode, keys in searcher.search(noun, vector)[0].items():
                found[mode] += len(wanted[noun] & set(keys[:10]))
        searcher.close()
    for tokenizer in ("unicode61", "trigram"):
        db = sqlite3.connect(":memory:")
        db.execute(f"CREATE VIRTUAL TABLE t USING fts5 (text, tokenize='{tokenizer}')")
        db.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts.values()])
        for noun in NOUNS:
            rows = db.execute("SELECT rowid - 1 FROM t WHERE t MATCH ?", (f'"{noun}"',))
            found[tokenizer] += len(wanted[noun] & {str(row_id) for (row_id,) in rows})
        db.close()
    return found


def measure_sts(encoder: TextEncoder, path: Path) -> float:
    rows = _lines(path)
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


# -- printing ------------------------------------------------------------------------------------


def print_table(variant: str, sets: Mapping[str, Any]) -> None:
    print(
        f"\n## {variant}\n\n| set | queries / texts |", " | ".join(MODES), "| against the better |"
    )
    print("|---" * (len(MODES) + 3) + "|")
    for name, one in sets.items():
        cells = [_cell(one["modes"][mode]) for mode in MODES]
        gain = one["hybrid_minus_better_part"]
        cells.append(f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})")
        print(f"| {name} | {one['n_queries']:,} / {one['n_texts']:,} |", " | ".join(cells), "|")
    means = [mean_of(sets, mode) for mode in MODES]
    gain = means[MODES.index("hybrid")] - max(means[:2])
    print("| mean of", len(MEAN_OF), "| |", *(f"{m:.3f} |" for m in means), f"{gain:+.3f} |")


def _cell(values: Mapping[str, Any]) -> str:
    first, ten = Estimate(**values["success@1"]), values["recall@10"]["mean"]
    return f"{first.mean:.3f} ({first.low:.3f}-{first.high:.3f}) / {ten:.3f}"


def mean_of(sets: Mapping[str, Any], mode: str) -> float:
    return float(np.mean([sets[name]["modes"][mode]["success@1"]["mean"] for name in MEAN_OF]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", help="name or folder; the bundled one")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--heldout", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS / "quality.json")
    arguments = parser.parse_args()
    folder = models.resolve(arguments.model)
    encoder = TextEncoder(folder)
    sets = read_sets(arguments.eval, arguments.heldout)
    report: dict[str, Any] = {"machine": machine(), "model": folder.fingerprint()}
    report["machine"]["versions"]["sqlite"] = sqlite3.sqlite_version
    report["nouns_found_of_600"] = measure_nouns(encoder)
    report["korsts_dev_spearman"] = measure_sts(encoder, arguments.eval / "korsts_dev.jsonl")
    print({name: report[name] for name in ("nouns_found_of_600", "korsts_dev_spearman")})
    report["variants"] = {}
    for variant in arguments.variants:
        found = measure(encoder, sets, variant)
        report["variants"][variant] = {
            "sets": found,
            "mean_success@1": {mode: mean_of(found, mode) for mode in MODES},
            "halves": check_halves(found),
        }
        print_table(variant, found)
        for half in report["variants"][variant]["halves"]:
            print(half)
        sys.stdout.flush()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, ensure_ascii=False, indent=2)
    arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
