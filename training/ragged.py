"""Rows of different length in two flat arrays, and npz files written in one step."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Piece ids: flat uint16 (n_pieces,), and offsets int64 (n_rows + 1,) into it."""

    flat: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_rows(cls, rows: Sequence[np.ndarray]) -> "Ragged":
        flat = np.concatenate(rows) if rows else np.zeros(0, np.uint16)
        return cls(flat.astype(np.uint16), np.cumsum([0, *map(len, rows)], dtype=np.int64))

    @classmethod
    def from_columns(cls, columns: dict[str, np.ndarray], prefix: str) -> "Ragged":
        return cls(columns[f"{prefix}_flat"], columns[f"{prefix}_offsets"])

    def columns(self, prefix: str) -> dict[str, np.ndarray]:
        """The two arrays under names that `from_columns` finds."""
        return {f"{prefix}_flat": self.flat, f"{prefix}_offsets": self.offsets}

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self) -> Iterator[np.ndarray]:
        """Yield each row as a view."""
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.flat[start:end]

    def select(self, rows: np.ndarray, max_length: int | None = None) -> "Ragged":
        """Copy the given rows in the given order, each cut at `max_length`.

        >>> two = Ragged(np.array([7, 8, 9, 5], np.uint16), np.array([0, 3, 4]))
        >>> two.select(np.array([1, 0]), max_length=2)
        Ragged(flat=array([5, 7, 8], dtype=uint16), offsets=array([0, 1, 3]))
        """
        lengths = self.lengths[rows]
        if max_length is not None:
            lengths = np.minimum(lengths, max_length)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.flat[index], offsets)


def draw_runs(rng: np.random.Generator, n_rows: int, n: int, run: int) -> np.ndarray:
    """At most `n` of `n_rows` row numbers, in runs of `run` neighbours: int64, ascending."""
    run = min(run, n_rows)
    n_places = n_rows - run + 1
    starts = rng.choice(n_places, min(n_places, max(1, n // run)), replace=False)
    return np.unique(starts[:, None] + np.arange(run))


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays beside `path` and rename, so that a cut-off run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an npz file into memory."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}
