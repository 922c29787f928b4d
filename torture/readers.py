"""One writer and eight readers: every answer is that of one committed state, and none is an error.

`python -m torture readers`: ten minutes. The writer changes some of forty documents with each
commit, and now and then rebuilds the index or optimizes the store. What a reader is told must be,
hit for hit, what a comparison with all vectors gives for one of the states since its last answer.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from kcsearch import indexing
from kcsearch.collection import Collection
from kcsearch.types import Document
from tests.doubles import HashEncoder

SECONDS, N_READERS = 600.0, 8
_WORDS = ["환불", "날씨", "배송", "여행", "학교", "병원", "영화", "김치", "기차", "서울", "부산"]
_QUERIES = [f"{a} {b}" for a in _WORDS[:6] for b in _WORDS[6:]]
_N_DOCUMENTS, _TOP_K = 40, 7
_ENCODER = HashEncoder()


def documents(version: int) -> list[Document]:
    """The whole state: about one in four documents differs from the state before."""
    return [_document(i, (version + i) // (1 + i % 7)) for i in range(_N_DOCUMENTS)]


@cache
def _document(number: int, version: int) -> Document:
    chance = random.Random(number * 100_003 + version)
    words = " ".join(chance.choices(_WORDS, k=5))
    return Document(f"{words} {number} {version}", f"k{number}", "a.txt", number)


@cache
def _vector(text: str) -> np.ndarray:
    return np.asarray(_ENCODER.encode([text], "query")[0])


def expected(version: int, query: str) -> tuple[list[float], dict[str, str]]:
    """The cosines of the best, in order, and all texts by key."""
    texts = {document.key or "": document.text for document in documents(version)}
    cosines = np.array([_vector(text) @ _vector(query) for text in texts.values()])
    return np.sort(cosines)[::-1][:_TOP_K].tolist(), texts


def run(folder: Path, seconds: float = SECONDS, n_readers: int = N_READERS) -> dict[str, Any]:
    path = folder / "c"
    with Collection(path, encoder=HashEncoder()) as collection:
        collection.add(documents(0))
    context = multiprocessing.get_context("spawn")
    begun, told, end = context.Value("q", 0), context.SimpleQueue(), time.time() + seconds
    readers = [
        context.Process(target=_read, args=(path, end, begun, told, number))
        for number in range(n_readers)
    ]
    for reader in readers:
        reader.start()
    counts = _write(path, end, begun)
    problems: list[str] = []
    for _ in readers:
        some, wrong = told.get()
        counts += some
        problems += wrong
    for reader in readers:
        reader.join()
    return {"readers": n_readers, "counts": dict(sorted(counts.items())), "problems": problems}


def _write(path: Path, end: float, begun: Any) -> Counter[str]:
    with mock.patch.object(indexing, "DOCUMENTS_PER_COMMIT", (1000, 1000, 1000)):
        return _write_until(path, end, begun)  # a state is one commit


def _write_until(path: Path, end: float, begun: Any) -> Counter[str]:
    counts = Counter[str]()
    while time.time() < end:
        with Collection(path, create=False, encoder=HashEncoder(), wait=60) as collection:
            for _ in range(20):
                begun.value += 1
                collection.add(documents(begun.value))
                counts["commits"] += 1
            maintain = random.choice([collection.rebuild, collection.optimize, lambda: None])
            maintain()
            counts["rebuilt, optimized or neither"] += 1
    return counts


def _read(path: Path, end: float, begun: Any, told: Any, number: int) -> None:
    counts, problems = Counter[str](), list[str]()
    chance, low = random.Random(number), 0
    try:
        while time.time() < end:
            with Collection(path, create=False, encoder=HashEncoder()) as collection:
                counts["opened"] += 1
                for _ in range(50):
                    low = _ask(collection, chance, low, begun, counts, problems)
                wrong = [check for check in collection.verify() if check.n_wrong]
                problems += [f"verify: {check}" for check in wrong]
                counts["verified"] += 1
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}")
    told.put((counts, problems[:20]))


def _ask(
    collection: Collection,
    chance: random.Random,
    low: int,
    begun: Any,
    counts: Counter[str],
    problems: list[str],
) -> int:
    """Ask one thing; the first state since `low` of which the answer is the right one."""
    query = chance.choice(_QUERIES)
    if chance.random() < 0.2:
        found = {document.key or "": document.text for document in collection.list()}
        matches = [v for v in range(low, begun.value + 1) if expected(v, query)[1] == found]
        kind = "listings"
    else:
        mode = chance.choice(["dense", "hybrid"])
        hits = collection.search(query, _TOP_K, mode=mode)  # type: ignore[arg-type]
        seen = {hit.key: hit.text for hit in hits}
        cosines = [hit.cosine for hit in hits]
        matches = [
            v
            for v in range(low, begun.value + 1)
            if _is_of(expected(v, query), seen, cosines, ordered=mode == "dense")
        ]
        kind = f"{mode} searches"
    counts[kind] += 1
    if not matches:
        problems.append(f"{kind}: an answer of no state from {low} to {begun.value}")
        return low
    return matches[0]


def _is_of(
    state: tuple[list[float], dict[str, str]],
    seen: dict[str, str],
    cosines: list[float],
    *,
    ordered: bool,
) -> bool:
    """Dense hits must be the best ones; of hybrid hits each must be a document of the state."""
    best, texts = state
    if any(texts.get(key) != text for key, text in seen.items()) or len(seen) != len(best):
        return False
    return not ordered or bool(np.allclose(cosines, best, atol=1e-5))
