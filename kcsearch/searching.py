"""The read path: candidates from the index, exact cosines from the store, hits in order.

One `Searcher` is one moment of the collection: use it inside a snapshot of the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kcsearch.hangul import normalize
from kcsearch.text_store import TextStore
from kcsearch.types import Hit, VectorIndex

# Exact cosines decide among more candidates than are asked for: fp16 swaps neighbours at the edge.
_SPARE_CANDIDATES = 10
_FP16_ERROR = 3e-4  # between two cosines; of one was seen 1.4e-4 at 64 numbers, 7e-5 at 384
_MOST_CANDIDATES = 2_000  # beside top_k, where very many documents are as good as equal


class Searcher:
    """Searches the rows that a store and its index hold now.

    allowed: row ids int64 to choose from; all when None. unwanted: row ids to leave out.
    """

    def __init__(
        self,
        store: TextStore,
        index: VectorIndex,
        allowed: np.ndarray | None = None,
        unwanted: Sequence[int] = (),
    ) -> None:
        self._store, self._index, self._allowed = store, index, allowed
        self._unwanted = [-1, *unwanted]  # -1: where the index had no more

    def dense(self, vector: np.ndarray, top_k: int, min_score: float | None) -> list[Hit]:
        """The nearest by cosine, ties by row id. vector: float32 (dim,), unit length."""
        row_ids = self._nearest(vector, top_k)
        cosines = self._cosines(row_ids, vector)
        order = np.lexsort((row_ids, -cosines))[:top_k]
        if min_score is not None:
            order = order[cosines[order] >= min_score]
        rows = self._store.rows(row_ids[order].tolist())
        return [
            Hit(rows[int(row_ids[i])].document, rank, float(cosines[i]), float(cosines[i]))
            for rank, i in enumerate(order, 1)
        ]

    def _nearest(self, vector: np.ndarray, top_k: int) -> np.ndarray:
        """Row ids int64 (m,): all that can be among the `top_k` best, however many tie."""
        wanted = min(top_k + len(self._unwanted) - 1, len(self._index))
        n, most = wanted + _SPARE_CANDIDATES, wanted + _MOST_CANDIDATES
        while True:
            found, scores = self._index.search(vector[None], n, self._allowed)
            ids, scores = found[0], scores[0]
            needed = scores[max(0, wanted - 1)] - _FP16_ERROR
            if n == most or np.isneginf(scores[-1]) or scores[-1] < needed:
                return np.asarray(ids[~np.isin(ids, self._unwanted)])
            n = min(4 * n, most)

    def _cosines(self, row_ids: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """float32 (n,), exact. `@` would round equal rows differently, and there were no ties."""
        cosines: np.ndarray = np.einsum("ij,j->i", self._store.vectors(row_ids.tolist()), vector)
        return cosines


def matching(
    store: TextStore,
    filters: Mapping[str, str] | None,
    where: str | None,
    params: Mapping[str, Any] | None,
) -> np.ndarray:
    """Row ids of the documents that fulfil the conditions, whose values are put in NFC."""
    nfc = {normalize(name): normalize(value) for name, value in (filters or {}).items()}
    return store.matching(nfc, where, params or {})


def unit(vectors: np.ndarray) -> np.ndarray:
    """The rows of a matrix float32 (n, dim), each scaled to length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
