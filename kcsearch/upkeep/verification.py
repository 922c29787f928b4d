"""Looks at everything that a collection holds and says what does not fit. It changes nothing."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kcsearch.errors import CollectionDamagedError
from kcsearch.faiss_index import FaissIndex, StaleIndexError, check_file
from kcsearch.index_cache import IndexCache, shows_lost_commit
from kcsearch.search_space import SearchSpace
from kcsearch.store.soundness import document_fault, vector_fault
from kcsearch.store.text_store import TextStore

Part = Literal["sqlite", "counts", "documents", "vectors", "words", "model", "index file", "search"]

SAMPLE = 100  # stored vectors that are searched for
TOP_K = 10
_FP16_ERROR = 1e-3  # of an inner product with a stored fp16 vector
_LEAST_RECALL = 0.9  # of RaBitQ at the worst that was measured (faiss_index.py); exact has 1


@dataclass(frozen=True, slots=True)
class Check:
    """n: how many things were looked at. n_wrong: of them, and what is wrong with the first."""

    part: Part
    n: int
    n_wrong: int = 0
    first: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def verify(store: TextStore, index_file: Path, differing: Mapping[str, str] | None) -> list[Check]:
    """Check after check, all of one moment.

    differing: in what the model that the collection names is another than the one it was made with;
    None where there is no model to compare with.
    """
    with store.snapshot():
        checks = check_store(store)
        if differing is not None:
            faults = [f"{name}: {how}" for name, how in differing.items()]
            checks.append(_check("model", 1, faults))
        checks.append(_check("index file", 1, _file_faults(store, index_file)))
        n_sample, faults = _search_faults(store, index_file)
        return [*checks, _check("search", n_sample, faults)]


def check_store(store: TextStore) -> list[Check]:
    """What lies in store.db, without FAISS and without the model."""
    with store.snapshot():
        n_rows = store.state().n_rows
        return [
            _check("sqlite", 1, _sqlite_faults(store)),
            _check("counts", 4, _miscounts(store)),
            _check("documents", n_rows, _document_faults(store)),
            _check("vectors", n_rows, _vector_faults(store)),
            _check("words", n_rows, _word_faults(store)),
        ]


def _check(part: Part, n: int, faults: Iterable[str]) -> Check:
    """A part that cannot even be read is wrong, too."""
    found: list[str] = []
    try:
        found.extend(faults)
    except CollectionDamagedError as error:
        found.append(str(error.values.get("reason", error)))
    return Check(part, n, len(found), found[0] if found else "")


def _sqlite_faults(store: TextStore) -> Iterator[str]:
    return (line for (line,) in store.select("PRAGMA integrity_check") if line != "ok")


def _miscounts(store: TextStore) -> Iterator[str]:
    """Documents, vectors and full-text rows are as many as the last commit says, and paired."""
    n_rows = store.state().n_rows
    for name, table in (
        ("documents", "documents"),
        ("vectors", "vectors"),
        ("full-text rows", "documents_fts_docsize"),
    ):
        ((n,),) = store.select(f"SELECT count(*) FROM {table}")
        if n != n_rows:
            yield f"{n:,} {name}, but the last commit tells of {n_rows:,}"
    orphans = "SELECT row_id FROM vectors WHERE row_id NOT IN (SELECT row_id FROM documents)"
    yield from (f"row {row_id} has a vector and no document" for (row_id,) in store.select(orphans))


def _document_faults(store: TextStore) -> Iterator[str]:
    sql = """SELECT row_id, key, text, source, line, metadata, text_hash, window_of
             FROM documents ORDER BY row_id"""
    for row_id, *row in store.select(sql):
        if fault := document_fault(tuple(row)):
            yield f"row {row_id}: {fault}"


def _vector_faults(store: TextStore) -> Iterator[str]:
    dim = int(store.settings["dim"])
    sql = "SELECT row_id, vector FROM documents LEFT JOIN vectors USING (row_id) ORDER BY row_id"
    for row_id, blob in store.select(sql):
        if fault := vector_fault(blob, dim):
            yield f"row {row_id}: {fault}"


def _word_faults(store: TextStore) -> Iterator[str]:
    """Compare each text's tokens, in their order, with what the full-text index holds of it."""
    indexed: dict[int, int] = {}
    for row_id, token, place in store.full_text():
        indexed[row_id] = indexed.get(row_id, 0) + _weight(token, place)
    for row_id, tokens in store.all_tokens():
        expected = sum(_weight(token, place) for place, token in enumerate(tokens))
        if indexed.pop(row_id, 0) != expected:
            yield f"row {row_id}: the full-text index holds other words than its text"
    yield from (f"row {row_id} has words and no document" for row_id in sorted(indexed))


def _weight(token: str, place: int) -> int:
    return zlib.crc32(f"{place} {token}".encode())


def _file_faults(store: TextStore, index_file: Path) -> Iterator[str]:
    """A file that is missing or behind is no fault: the store says what came since.

    A commit that the store does not know was lost, or lies in another copy of the store.
    """
    if not index_file.exists():
        return
    try:
        stamp = check_file(index_file)
    except StaleIndexError as error:
        yield str(error)
        return
    if stamp["collection"] != store.settings["collection_id"]:
        yield "it is of another collection"
    elif shows_lost_commit(index_file, store):
        yield (
            "it shows a commit that store.db does not hold: an older store.db was put back, or "
            "the end of its log is damaged"
        )


def _search_faults(store: TextStore, index_file: Path) -> tuple[int, list[str]]:
    """Search with some stored vectors, as FAISS does it and by comparing with all."""
    try:
        index = IndexCache(index_file).current(store)
        ids = store.row_ids()
        if index.row_ids.tolist() != ids.tolist():
            return 1, ["FAISS holds other rows than SQLite"]
        sample = ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE]
        if not len(sample):
            return 0, []
        queries = SearchSpace(store).vectors(sample.tolist())
        return len(sample), list(_misses(sample, queries, index, store))
    except CollectionDamagedError as error:
        return 1, [str(error)]


def _misses(
    sample: np.ndarray, queries: np.ndarray, index: FaissIndex, store: TextStore
) -> Iterator[str]:
    """Rows whose neighbours are not, by more than fp16's error, the nearest of all vectors."""
    best = np.full((len(sample), 0), -np.inf, np.float32)
    space = SearchSpace(store)
    for _, vectors in space.vectors_after(0):
        best = np.sort(np.concatenate([best, queries @ vectors.T], axis=1), axis=1)[:, -TOP_K:]
    n_nearest = best.shape[1]
    found, _ = index.search(queries, n_nearest)
    needed = n_nearest if index.kind == "exact" else int(np.ceil(_LEAST_RECALL * n_nearest))
    for row_id, query, ids, cosines in zip(sample.tolist(), queries, found, best, strict=True):
        neighbours = [int(one) for one in ids if one >= 0]
        good = space.vectors(neighbours) @ query >= cosines[0] - _FP16_ERROR
        if good.sum() < needed:
            yield f"row {row_id}: FAISS finds {good.sum()} of its {n_nearest} nearest rows"
