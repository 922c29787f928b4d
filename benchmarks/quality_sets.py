"""The judged sets that quality.py searches: texts by key, queries by key, which texts answer them.

Those of a folder that is named (public sets as JSON lines, none of which is in this repository):

    korquad_paragraphs, korquad_questions   KorQuAD 1.0 dev, every other question: key, text; key,
                                            text, relevant (a paragraph's key)
    kolaw_heldout_articles                  Korean statutes: query (statute, title of the article),
                                            body
    kowiki_heldout_sections                 Korean Wikipedia: query (title, heading), text (the
                                            first paragraph)
    question_pair_validation                songys/Question_pair: a, b, label (duplicate, different)
    korsts_dev                              KorSTS dev: a, b, score

and those of data/.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import ROOT

from kcsearch.hangul import normalize


@dataclass(frozen=True)
class Set:
    """Texts by key, queries by key, and which texts answer them."""

    texts: dict[str, str]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]


def read_sets(folder: Path, with_heldout: bool) -> dict[str, Set]:
    articles = lines_of(folder / "kolaw_heldout_articles.jsonl")
    sections = lines_of(folder / "kowiki_heldout_sections.jsonl")
    pairs = lines_of(folder / "question_pair_validation.jsonl")
    sentences = lines_of(folder / "korsts_dev.jsonl")
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
    paragraphs = lines_of(folder / "korquad_paragraphs.jsonl")
    questions = lines_of(folder / "korquad_questions.jsonl")
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
        {row["key"]: row["text"] for row in lines_of(ROOT / "data/everyday.jsonl")},
        {row["key"]: row["text"] for row in lines_of(ROOT / f"data/{name}.queries.jsonl")},
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


def lines_of(path: Path) -> list[dict[str, Any]]:
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
