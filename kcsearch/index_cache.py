"""Keeps the FAISS index in step with the store, which is the truth.

Row ids are never reused and rows never change, so catching up means: drop the ids that the store
no longer has, add those above the last one known. Whatever cannot catch up is built again from the
stored vectors, without encoding anything.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
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

        The caller holds the write lock. Returns whether a file was written.
        """
        state = store.state()
        index = self.current(store)
        n_outside = index.n_outside_base
        if whole or (
            n_outside and (state.n_rows <= _QUICK_TO_BUILD or _too_many(n_outside, state))
        ):
            self._build(store, state)
            index = self.current(store)
        if not whole and (index.n_outside_base or self._saved_token(store) == state.token):
            return False
        stamp = {
            "collection": store.settings["collection_id"],
            "whitening": SearchSpace(store).id,
            "token": state.token,
            "background": _packed(self._background),
        }
        index.save(self.path, stamp)
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
        saved = store.state_at(self._saved_token(store))
        state = store.state()
        if saved is None:
            return state.n_rows > _MAX_OUTSIDE
        n_outside = state.last_row_id - saved.last_row_id + state.n_removed - saved.n_removed
        return _too_many(n_outside, state)

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
        self._index, self._token = build(store, state), state.token
        sample = sample_of(store, SearchSpace(store))
        random = np.random.default_rng(0)
        self._background = background(sample, random) if len(sample) else None

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


def build(store: TextStore, state: StoreState) -> FaissIndex:
    """A new index of all stored vectors. Raises CollectionDamagedError if some are missing."""
    space = SearchSpace(store)
    index = FaissIndex.build(
        space.dim, state.n_rows, sample_of(store, space), space.vectors_after(0)
    )
    if len(index) != state.n_rows:
        raise CollectionDamagedError(
            "{path}: {n_rows} documents but {n_vectors} vectors. Run `kcsearch repair`, which "
            "keeps every document that is whole",
            path=store.path,
            n_rows=state.n_rows,
            n_vectors=len(index),
        )
    return index


def _too_many(n_outside: int, state: StoreState) -> bool:
    return n_outside > max(_MAX_OUTSIDE, int(state.n_rows * _MAX_OUTSIDE_SHARE))
