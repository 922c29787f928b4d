"""PCA whitening: vectors that bunch in a narrow cone are spread, so that cosines tell them apart.

For encoders that were never trained for similarity. Su, Cao, Liu and Ou 2021 (arXiv:2103.15316);
the transform is FAISS's PCAMatrix with eigenvalues to the power -1/2. Stored vectors stay as they
are; what is searched, and every query, passes through here.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from kcsearch.errors import CollectionDamagedError, InputError

_LEAST_SHARE = 1e-6  # of the largest eigenvalue; below it there is only rounding
SETTING = "whitening"  # the name under which a collection keeps its own


@dataclass(frozen=True, slots=True)
class Whitening:
    """x @ matrix + offset, scaled to length one.

    matrix: float32 (dim, dim_out). offset: float32 (dim_out,). n_rows: how many it was fitted on.
    """

    matrix: np.ndarray
    offset: np.ndarray
    n_rows: int

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    @classmethod
    def fit(cls, sample: np.ndarray, dim: int) -> Whitening:
        """To `dim` numbers, on float32 (n, d). Raises InputError for more than d or n - 1."""
        import faiss

        n, d = sample.shape
        most = max(0, min(d, n - 1))
        if 1 <= dim <= most:
            mean = sample.mean(axis=0, dtype=np.float64)  # where all bunch, the rest is small
            transform = faiss.PCAMatrix(d, dim, -0.5)
            transform.train(np.ascontiguousarray(sample - mean, np.float32))
            eigenvalues = faiss.vector_to_array(transform.eigenvalues)
            most = int((eigenvalues > _LEAST_SHARE * eigenvalues.max(initial=0)).sum())
        if not 1 <= dim <= most:
            raise InputError(
                "cannot whiten to {dim} numbers: vectors have {d}, and there are {n} of them. "
                "Choose at most {most}",
                dim=dim,
                d=d,
                n=n,
                most=most,
            )
        matrix = np.ascontiguousarray(faiss.vector_to_array(transform.A).reshape(dim, d).T)
        return cls(matrix, np.asarray(-mean @ matrix, np.float32), n)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n, dim_out), unit rows, of float32 (n, dim)."""
        spread = vectors @ self.matrix + self.offset
        lengths = np.linalg.norm(spread, axis=1, keepdims=True)
        return np.asarray(spread / np.maximum(lengths, 1e-12), np.float32)

    def as_json(self) -> dict[str, Any]:
        """JSON values; arrays are base64 of little-endian float32, row by row."""
        arrays = {"matrix": self.matrix, "offset": self.offset}
        packed = {n: b64encode(a.astype("<f4").tobytes()).decode() for n, a in arrays.items()}
        digest = blake2b("".join(packed.values()).encode(), digest_size=8).hexdigest()
        return {"id": digest, "dim": self.dim, "n_rows": self.n_rows, **packed}


def whitening_of(settings: Mapping[str, Any]) -> Whitening | None:
    """The whitening that a collection's settings hold, if any."""
    packed = settings.get(SETTING)
    if packed is None:
        return None
    try:
        return _unpacked(packed["matrix"], packed["offset"], packed["dim"], packed["n_rows"])
    except (KeyError, TypeError, ValueError):
        raise CollectionDamagedError(
            "the whitening of the collection is damaged. Put back a copy of the collection, or "
            "delete its folder and index again"
        ) from None


@lru_cache(maxsize=4)
def _unpacked(matrix: str, offset: str, dim: int, n_rows: int) -> Whitening:
    flat, shift = (np.frombuffer(b64decode(text), "<f4") for text in (matrix, offset))
    return Whitening(flat.reshape(-1, dim), shift, n_rows)


def whitening_id(settings: Mapping[str, Any]) -> str | None:
    """What tells one whitening from another, without unpacking it."""
    packed = settings.get(SETTING)
    return None if packed is None else str(packed.get("id"))
