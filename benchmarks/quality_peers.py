"""What others make of the same texts and queries: ranked keys, best first, for each query.

Reciprocal rank fusion of two lists, SQLite's own tokenizers, and txtai's hybrid search, which gets
the same vectors (of a text longer than the model's limit its first window, as txtai cuts it).
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from quality_sets import Set

from kcsearch.hangul import normalize
from kcsearch.types import Encoder


def reciprocal_rank_fusion(sides: Sequence[Sequence[str]], k: int = 60) -> list[str]:
    """Cormack, Clarke and Büttcher 2009."""
    scores: dict[str, float] = defaultdict(float)
    for side in sides:
        for rank, key in enumerate(side, 1):
            scores[key] += 1 / (k + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))


def sqlite_fts5(
    one: Set, tokenizer: Literal["unicode61", "trigram"], top_k: int
) -> list[list[str]]:
    """Rows that hold any of the query's words, by bm25()."""
    keys = list(one.texts)
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize='{tokenizer}')")
    db.executemany("INSERT INTO texts VALUES (?)", [(normalize(t),) for t in one.texts.values()])
    sql = """SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY bm25(texts), rowid LIMIT ?"""
    found = []
    for query in one.queries.values():
        words = dict.fromkeys(re.findall(r"\w+", normalize(query)))
        match = " OR ".join(f'"{word}"' for word in words)
        rows = db.execute(sql, (match, top_k)) if words else []
        found.append([keys[row_id - 1] for (row_id,) in rows])
    db.close()
    return found


def txtai_hybrid(one: Set, encoder: Encoder, top_k: int) -> list[list[str]]:
    """txtai's defaults for `hybrid`: BM25 over its own words, half and half with the cosine."""
    from txtai import Embeddings

    known: dict[str, np.ndarray] = {}

    def encode(texts: Sequence[str], role: Literal["passage", "query"]) -> None:
        first = [encoder.split(normalize(text))[0] for text in texts]
        known.update(zip(texts, encoder.encode(first, role), strict=True))

    def transform(texts: Sequence[str]) -> np.ndarray:
        return np.stack([known[text] for text in texts])

    embeddings = Embeddings(
        {"method": "external", "transform": transform, "hybrid": True, "content": False}
    )
    encode(list(one.texts.values()), "passage")
    embeddings.index((key, text, None) for key, text in one.texts.items())
    known.clear()  # a text that is also a query is encoded as one
    queries = list(one.queries.values())
    encode(queries, "query")
    found = [[key for key, _ in embeddings.search(query, top_k)] for query in queries]
    embeddings.close()
    return found
