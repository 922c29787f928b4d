"""The stored vectors as they are compared: as they are, or whitened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kcsearch.store.text_store import TextStore
from kcsearch.whitening import whitening_id, whitening_of


class SearchSpace:
    """One store's vectors for searching. Cheap to make."""

    def __init__(self, store: TextStore) -> None:
        self._store = store
        self._whitening = whitening_of(store.settings)
        self.id = whitening_id(store.settings)

    @property
    def dim(self) -> int:
        return self._whitening.dim if self._whitening else int(self._store.settings["dim"])

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n, dim), unit rows, of the encoder's unit rows, a query's likewise."""
        return self._whitening.apply(vectors) if self._whitening else vectors

    def vectors(self, row_ids: Sequence[int]) -> np.ndarray:
        return self.project(self._store.vectors(row_ids))

    def vectors_after(self, row_id: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row ids above `row_id`, ascending, with their vectors, in blocks."""
        for row_ids, vectors in self._store.vectors_after(row_id):
            yield row_ids, self.project(vectors)

    def nearest_exactly(self, queries: np.ndarray, top_k: int) -> list[list[int]]:
        """Row ids of the nearest rows of each query, float32 (n, dim), by comparing with all."""
        ids = np.zeros((len(queries), 0), np.int64)
        cosines = np.zeros((len(queries), 0), np.float32)
        for row_ids, vectors in self.vectors_after(0):
            ids = np.concatenate([ids, np.broadcast_to(row_ids, (len(queries), len(row_ids)))], 1)
            cosines = np.concatenate([cosines, queries @ vectors.T], axis=1)
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :top_k]
            ids, cosines = np.take_along_axis(ids, order, 1), np.take_along_axis(cosines, order, 1)
        return [row.tolist() for row in ids]
