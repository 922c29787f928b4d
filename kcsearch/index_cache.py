"""Keeps the FAISS index in step with the store, which is the truth.

Row ids are never reused and rows never change, so catching up means: drop the ids that the store
no longer has, add those above the last one known. Whatever cannot catch up is built again from the
stored vectors, without encoding anything.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from kcsearch.errors import CollectionDamagedError
from kcsearch.faiss_index import (
    TRAINING_ROWS,
    FaissIndex,
    StaleIndexError,
    file_identity,
    read_stamp,
)
from kcsearch.fusion import Background, background
from kcsearch.search_space import SearchSpace
from kcsearch.store.text_store import StoreState, TextStore

# Rows outside the base are searched in float32, one by one: 5,000 of them cost half a millisecond.
_MAX_OUTSIDE = 5_000
_MAX_OUTSIDE_SHARE = 0.02
# Up to here a new base costs a quarter of a second, and the file is written after every change.
_QUICK_TO_BUILD = 50_000


class IndexCache:
    """The index in memory, and its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index: FaissIndex | None = None
        self._background: Background | None = None
        self._token = ""  # the state of the store that the index shows
        self._not_before = 0.0  # by time.monotonic()
        self._refused: tuple[int, ...] | None = None  # a file with a fair stamp that is no use

    def current(self, store: TextStore) -> FaissIndex:
        """The index of all rows that `store` shows now. Call inside a snapshot of the store."""
        state = store.state()
        if self._index is None:
            self._load(store)
        if self._index is None or self._token != state.token:
            self._catch_up(store, state)
        assert self._index is not None
        return self._index

    def background(self, store: TextStore) -> Background | None:
        """Cosines of random pairs when the base was built; None of an empty collection."""
        self.current(store)
        return self._background

    def save(self, store: TextStore, *, whole: bool = False) -> bool:
        """Write the file if it is behind and that is due; whole: in any case, from the vectors.

        The caller holds the write lock. Returns whether a file was written. It is mapped then, so
        that a process that wrote it holds no vectors.
        """
        state = store.state()
        if self._index is None:
            self._load(store)  # or a damaged file would pass for a good one
        if not whole and not _is_worth_writing(self._n_behind(store, state), state):
            return False
        index, self._index = self._index, None
        if index is not None and self._token == state.token and not (whole or index.n_outside_base):
            index.save(self.path, _stamp(store, self._token, self._background))
        else:
            del index
            sample = sample_of(store, SearchSpace(store))
            stamp = _stamp(store, state.token, _background_of(sample))
            write(store, state, self.path, stamp, sample)
        self._load(store)
        return True

    def save_now_and_then(self, store: TextStore) -> None:
        """`save` where it is due, in at most a tenth of the time of a long run."""
        started = time.monotonic()
        if started >= self._not_before and self.is_due(store):
            self.save(store)
            ended = time.monotonic()
            self._not_before = ended + 9 * (ended - started)

    def is_due(self, store: TextStore) -> bool:
        """Whether so many rows lie outside the file that a new one is worth its while."""
        state = store.state()
        n_behind = self._n_behind(store, state)
        return state.n_rows > _MAX_OUTSIDE if n_behind is None else _too_many(n_behind, state)

    def _n_behind(self, store: TextStore, state: StoreState) -> int | None:
        """How many rows came and went since the file was written; None if it is no use."""
        saved = store.state_at(self._saved_token(store))
        if saved is None:
            return None
        return state.last_row_id - saved.last_row_id + state.n_removed - saved.n_removed

    def _load(self, store: TextStore) -> None:
        identity = file_identity(self.path)
        try:
            index, stamp = FaissIndex.load(self.path)
            measured = _unpacked(stamp["background"])
        except (StaleIndexError, KeyError):  # or an earlier version wrote another stamp
            self._refused = identity
            return
        if _is_of(stamp, store) and index.dim == SearchSpace(store).dim:
            self._index, self._token = index, str(stamp.get("token"))
            self._background = measured
        else:
            self._refused = identity

    def _catch_up(self, store: TextStore, state: StoreState) -> None:
        index, known = self._index, store.state_at(self._token)
        if index is not None and known is not None:
            if state.n_removed != known.n_removed:
                index.remove(np.setdiff1d(index.row_ids, store.row_ids(), assume_unique=True))
            n_new = state.last_row_id - known.last_row_id
            if not _too_many(index.n_outside_base + n_new, state):
                for row_ids, vectors in SearchSpace(store).vectors_after(known.last_row_id):
                    index.add(row_ids, vectors)
                if len(index) == state.n_rows:
                    self._token = state.token
                    return
        self._build(store, state)

    def _build(self, store: TextStore, state: StoreState) -> None:
        sample = sample_of(store, SearchSpace(store))
        self._index, self._token = build(store, state, sample), state.token
        self._background = _background_of(sample)

    def _saved_token(self, store: TextStore) -> str:
        if self._refused is not None and self._refused == file_identity(self.path):
            return ""
        try:
            stamp = read_stamp(self.path)
        except StaleIndexError:
            return ""
        return str(stamp.get("token")) if _is_of(stamp, store) else ""


def shows_lost_commit(path: Path, store: TextStore) -> bool:
    """Whether the file shows a commit that its store does not hold.

    It is written after the commit that it shows. So that commit was lost, or an older store.db lies
    beside it.
    """
    before = file_identity(path)
    try:
        stamp = read_stamp(path)
    except StaleIndexError:
        return False
    token = str(stamp.get("token"))
    if stamp.get("collection") != store.settings["collection_id"] or store.state_at(token):
        return False
    with closing(TextStore(store.path)) as now:  # `store` may show a moment before that commit
        return now.state_at(token) is None and before == file_identity(path)


def _stamp(store: TextStore, token: str, measured: Background | None) -> dict[str, Any]:
    return {
        "collection": store.settings["collection_id"],
        "whitening": SearchSpace(store).id,
        "token": token,
        "background": _packed(measured),
    }


def _packed(measured: Background | None) -> dict[str, Any] | None:
    """As JSON values; floats in base64 are a third as long as in digits."""
    if measured is None:
        return None
    arrays = {"mean": measured.mean, "quantiles": measured.quantiles}
    packed = {n: b64encode(np.asarray(a, "<f4").tobytes()).decode() for n, a in arrays.items()}
    return {**packed, "spread": measured.spread, "n_pairs": measured.n_pairs}


def _unpacked(packed: dict[str, Any] | None) -> Background | None:
    if packed is None:
        return None
    mean, quantiles = (np.frombuffer(b64decode(packed[n]), "<f4") for n in ("mean", "quantiles"))
    return Background(mean, float(packed["spread"]), quantiles, int(packed["n_pairs"]))


def sample_of(store: TextStore, vectors: TextStore | SearchSpace) -> np.ndarray:
    """float32 (s, dim): vectors at equal distances, some 20,000 at the most."""
    row_ids = store.row_ids()
    return vectors.vectors(row_ids[:: max(1, len(row_ids) // TRAINING_ROWS)].tolist())


def _is_of(stamp: Mapping[str, Any], store: TextStore) -> bool:
    """Whether a file with this stamp shows vectors of this store, in its present search space."""
    ours = (store.settings["collection_id"], SearchSpace(store).id)
    return (stamp.get("collection"), stamp.get("whitening")) == ours


def build(store: TextStore, state: StoreState, sample: np.ndarray) -> FaissIndex:
    """A new index of all stored vectors. Raises CollectionDamagedError if some are missing."""
    space = SearchSpace(store)
    return FaissIndex.build(space.dim, state.n_rows, sample, _all_vectors(store, space, state))


def write(
    store: TextStore, state: StoreState, path: Path, stamp: Mapping[str, Any], sample: np.ndarray
) -> None:
    """The file of a new index of all stored vectors, none of which is held. Raises likewise."""
    space = SearchSpace(store)
    FaissIndex.write(
        path, stamp, space.dim, state.n_rows, sample, lambda: _all_vectors(store, space, state)
    )


def _all_vectors(
    store: TextStore, space: SearchSpace, state: StoreState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    n_vectors = 0
    for row_ids, vectors in space.vectors_after(0):
        n_vectors += len(row_ids)
        yield row_ids, vectors
    if n_vectors != state.n_rows:
        raise CollectionDamagedError(
            "{path}: {n_rows} documents but {n_vectors} vectors. Run `kcsearch repair`, which "
            "keeps every document that is whole",
            path=store.path,
            n_rows=state.n_rows,
            n_vectors=n_vectors,
        )


def _background_of(sample: np.ndarray) -> Background | None:
    return background(sample, np.random.default_rng(0)) if len(sample) else None


def _is_worth_writing(n_behind: int | None, state: StoreState) -> bool:
    if not n_behind:
        return n_behind is None
    return state.n_rows <= _QUICK_TO_BUILD or _too_many(n_behind, state)


def _too_many(n_outside: int, state: StoreState) -> bool:
    return n_outside > max(_MAX_OUTSIDE, int(state.n_rows * _MAX_OUTSIDE_SHARE))
