"""A picture of a collection: its vectors in two dimensions, on the two main axes of a sample (PCA).

Two of hundreds of dimensions show where texts crowd, not exactly what is near; `share` says how
much of the whole they show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kcsearch.search_space import SearchSpace
from kcsearch.store.text_store import TextStore

N_POINTS = 3_000
_SHOWN_TEXT = 60  # characters
_WITHIN = 99.0  # percent of the sample lie in the square from -1 to 1


@dataclass(frozen=True, slots=True)
class Plane:
    """(x - mean) @ axes. mean: float32 (dim,). axes: float32 (dim, 2), scaled to the picture.

    share: of the sample's variance, from 0 to 1.
    """

    mean: np.ndarray
    axes: np.ndarray
    share: float

    @classmethod
    def fit(cls, sample: np.ndarray) -> Plane:
        """The plane of float32 (n, dim); of equal vectors, or of none, all places are (0, 0)."""
        n, dim = sample.shape
        mean = sample.mean(axis=0) if n else np.zeros(dim, np.float32)
        centred = (sample - mean).astype(np.float64)
        values, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
        axes = np.zeros((dim, 2))
        axes[:, : min(2, dim)] = vectors[:, ::-1][:, :2]
        axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)  # no chance in signs
        whole = float(values.sum())
        if whole < 1e-9 * max(1, n):
            return cls(mean, np.zeros((dim, 2), np.float32), 0.0)
        reach = np.percentile(np.abs(centred @ axes).max(axis=1), _WITHIN)
        share = float(values[::-1][:2].sum()) / whole
        return cls(mean, (axes / max(reach, 1e-12)).astype(np.float32), min(1.0, share))

    def place(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n, 2), most of them from -1 to 1, of float32 (n, dim)."""
        return np.asarray((vectors - self.mean) @ self.axes, np.float32)


@dataclass(frozen=True, slots=True)
class MapPoint:
    """A document in the picture; text: its beginning."""

    key: str
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class CollectionMap:
    """The picture of one commit. points: of at most N_POINTS rows at equal distances."""

    id: str
    n_documents: int
    plane: Plane
    points: Sequence[MapPoint]


def map_id(store: TextStore) -> str:
    """What changes with every commit, and with the space that vectors are compared in."""
    whitening = SearchSpace(store).id
    return store.state().token + (f"-{whitening}" if whitening else "")


def draw(store: TextStore) -> CollectionMap:
    """Fit the plane to the sample that is shown. Call inside a snapshot of the store."""
    row_ids = store.row_ids()
    chosen = row_ids[:: max(1, -(-len(row_ids) // N_POINTS))].tolist()
    vectors = SearchSpace(store).vectors(chosen)
    plane = Plane.fit(vectors)
    rows = store.rows(chosen)
    points = [
        MapPoint(rows[row_id].whole_key, _beginning(rows[row_id].document.text), float(x), float(y))
        for row_id, (x, y) in zip(chosen, plane.place(vectors), strict=True)
    ]
    return CollectionMap(map_id(store), len(row_ids), plane, points)


def _beginning(text: str) -> str:
    one_line = " ".join(text[: 4 * _SHOWN_TEXT].split())
    return one_line if len(one_line) <= _SHOWN_TEXT else one_line[: _SHOWN_TEXT - 1] + "…"
