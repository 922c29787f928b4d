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

Every set is indexed and searched as a user would do it, for the first 100 hits of each mode;
reciprocal rank fusion joins those of dense and lexical. Windows of a long text count as that text.
R@1 is success@1: whether the first hit is relevant. Variants:
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

from kcsearch import Collection, Document, Hit, models
from kcsearch.encoder import TextEncoder
from kcsearch.evaluation import Estimate, estimate, evaluate, per_query, spearman
from kcsearch.fusion import LEXICAL_WEIGHT, N_CANDIDATES
from kcsearch.hangul import normalize
from kcsearch.types import Encoder, Mode, Role

Hits = Sequence[Hit]
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


def search(folder: Path, encoder: Encoder, one: Set) -> tuple[dict[str, list[Hits]], int]:
    """Hits by mode, for each query, and the number of rows."""
    queries = list(one.queries.values())
    with Collection(folder, encoder=encoder) as collection:
        collection.add(Document(text, key=key) for key, text in one.texts.items())
        modes: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
        hits: dict[str, list[Hits]] = {
            mode: list(collection.search_many(queries, N_CANDIDATES, mode=mode)) for mode in modes
        }
        return hits, collection.count()


def keys_of(rows: Iterable[str]) -> list[str]:
    """Keys of documents, each at its best row: `KEY#2` is the second window of KEY."""
    return list(dict.fromkeys(row.partition("#")[0] for row in rows))


def reciprocal_rank_fusion(sides: Sequence[Sequence[str]], k: int = 60) -> list[str]:
    """Cormack, Clarke and Büttcher 2009."""
    scores: dict[str, float] = defaultdict(float)
    for side in sides:
        for rank, key in enumerate(side, 1):
            scores[key] += 1 / (k + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))


def with_weight(hits: Hits, weight: float) -> list[str]:
    """Row keys as they were if the lexical part weighed `weight`."""
    scores = {}
    for hit in hits:
        assert hit.explanation is not None
        scores[hit.key] = hit.explanation.dense + weight / LEXICAL_WEIGHT * hit.explanation.lexical
    return sorted(scores, key=lambda key: -scores[key])  # stable: ties stay as they are


# -- measuring -----------------------------------------------------------------------------------


def measure(encoder: Encoder, sets: Mapping[str, Set], variant: str) -> dict[str, Any]:
    if variant == "together":
        sets = together(sets)
    return {name: _measure(encoder, one, variant) for name, one in sets.items()}


def _measure(encoder: Encoder, one: Set, variant: str) -> dict[str, Any]:
    if variant == "unspaced":
        one = replace(one, queries={key: q.replace(" ", "") for key, q in one.queries.items()})
    with tempfile.TemporaryDirectory() as folder:
        hits, n_rows = search(Path(folder) / "c", encoder, one)
    runs: dict[str, dict[str, list[str]]] = defaultdict(dict)
    by_weight: dict[float, dict[str, list[str]]] = defaultdict(dict)
    for i, key in enumerate(one.queries):
        rows = {mode: [hit.key for hit in found[i]] for mode, found in hits.items()}
        rows["rrf"] = reciprocal_rank_fusion([rows["dense"], rows["lexical"]])
        for mode in MODES:
            runs[mode][key] = keys_of(rows[mode])
        for weight in WEIGHTS:
            by_weight[weight][key] = keys_of(with_weight(hits["hybrid"][i], weight))
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
    one = Set(texts, {noun: noun for noun in NOUNS}, {})
    with tempfile.TemporaryDirectory() as folder:
        hits, _ = search(Path(folder) / "c", encoder, one)
    found = {
        mode: sum(
            len(wanted[noun] & {hit.key for hit in some[:10]})
            for noun, some in zip(NOUNS, by_noun, strict=True)
        )
        for mode, by_noun in hits.items()
    }
    for tokenizer in ("unicode61", "trigram"):
        db = sqlite3.connect(":memory:")
        db.execute(f"CREATE VIRTUAL TABLE t USING fts5 (text, tokenize='{tokenizer}')")
        db.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts.values()])
        for noun in NOUNS:
            rows = db.execute("SELECT rowid - 1 FROM t WHERE t MATCH ?", (f'"{noun}"',))
            n_found = len(wanted[noun] & {str(row_id) for (row_id,) in rows})
            found[tokenizer] = found.get(tokenizer, 0) + n_found
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
    known: dict[tuple[Role, str], np.ndarray] = {}
    for variant in arguments.variants:
        found = measure(ChangedEncoder(encoder, variant, known), sets, variant)
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
