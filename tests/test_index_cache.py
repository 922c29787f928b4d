from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kcsearch import faiss_index, index_cache
from kcsearch.errors import CollectionDamagedError
from kcsearch.faiss_index import FaissIndex, StaleIndexError, check_file, read_stamp
from kcsearch.index_cache import IndexCache
from kcsearch.store.text_store import NewRow, TextStore
from kcsearch.types import Document

DIM = 8


def unit_rows(n: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def new_rows(n: int, first: int = 0) -> list[NewRow]:
    """Rows k{first}, k{first + 1} …, whose vectors depend on the number alone."""
    return [
        NewRow(Document(f"글 {i}", f"k{i}"), unit_rows(1, seed=i)[0])
        for i in range(first, first + n)
    ]


def remove(store: TextStore, *keys: str) -> None:
    store.write(remove=store.rows_by_key(keys))


@pytest.fixture
def store(tmp_path: Path) -> TextStore:
    store = TextStore.create(tmp_path / "store.db", {"collection_id": "c0ffee", "dim": DIM})
    store.write(add=new_rows(30))
    return store


@pytest.fixture
def cache(tmp_path: Path, store: TextStore) -> IndexCache:
    """Its file holds the thirty rows of `store`."""
    cache = IndexCache(tmp_path / "vectors.faiss")
    assert cache.save(store)
    return cache


@pytest.fixture
def n_built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each base had that was built since, in memory or in the file."""
    built: list[int] = []

    def counted(build: Callable[..., Any]) -> Callable[..., Any]:
        def counting(store: TextStore, state: Any, *others: Any) -> Any:
            built.append(state.n_rows)
            return build(store, state, *others)

        return counting

    for name in ("build", "write"):
        monkeypatch.setattr(index_cache, name, counted(getattr(index_cache, name)))
    return built


def shown(cache: IndexCache, store: TextStore) -> list[int]:
    """The row ids of the index, after comparing everything with the store."""
    index = cache.current(store)
    ids, vectors = store.row_ids(), store.vectors(store.row_ids().tolist())
    assert index.row_ids.tolist() == ids.tolist()
    assert len(index) == store.state().n_rows == len(ids)
    if len(ids):
        found, scores = index.search(vectors, 1)
        np.testing.assert_allclose(scores[:, 0], 1, atol=2e-3)
        place = {row_id: i for i, row_id in enumerate(ids.tolist())}
        nearest = vectors[[place[i] for i in found[:, 0].tolist()]]
        np.testing.assert_allclose(nearest, vectors, atol=2e-2)
    return ids.tolist()


# -- catching up -----------------------------------------------------------------------------------


def test_a_new_process_reads_the_file_and_builds_nothing(
    cache: IndexCache, store: TextStore, n_built: list[int]
) -> None:
    assert shown(IndexCache(cache.path), store) == list(range(1, 31))
    assert n_built == []


def test_it_catches_up_with_what_another_connection_wrote(
    cache: IndexCache, store: TextStore, n_built: list[int]
) -> None:
    reader = TextStore(store.path)
    assert shown(cache, reader) == list(range(1, 31))
    remove(store, "k0", "k29")
    store.write(add=new_rows(3, first=30))
    remove(store, "k31")
    assert shown(cache, reader) == [*range(2, 30), 31, 33]
    assert shown(IndexCache(cache.path), reader) == [*range(2, 30), 31, 33]
    assert n_built == []


def test_saving_writes_only_what_is_behind(
    cache: IndexCache, store: TextStore, n_built: list[int]
) -> None:
    assert not cache.save(store)
    store.write(add=new_rows(1, first=30))
    assert cache.save(store)
    assert not IndexCache(cache.path).save(store)
    assert n_built == [31]
    assert read_stamp(cache.path)["token"] == store.state().token
    assert cache.save(store, whole=True)
    assert n_built == [31, 31]
    check_file(cache.path)


def test_rows_that_came_and_went_leave_a_file_with_the_new_token(
    cache: IndexCache, store: TextStore, n_built: list[int]
) -> None:
    shown(cache, store)
    store.write(add=new_rows(1, first=30))
    shown(cache, store)
    remove(store, "k30")
    assert cache.save(store)
    assert read_stamp(cache.path)["token"] == store.state().token
    assert (shown(IndexCache(cache.path), store), n_built) == (list(range(1, 31)), [30])


def test_who_wrote_the_file_maps_it_and_holds_no_rows(
    cache: IndexCache, store: TextStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an index in memory would hold is read from the file that was written."""
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", 10)
    store.write(add=new_rows(20, first=30))

    def unwanted(*args: Any) -> FaissIndex:
        raise AssertionError("built in memory")

    monkeypatch.setattr(FaissIndex, "build", unwanted)
    assert cache.save(store)
    assert cache.current(store).kind == "rabitq"
    assert shown(cache, store) == list(range(1, 51))


def test_a_collection_that_is_emptied_has_an_empty_file(
    cache: IndexCache, store: TextStore
) -> None:
    store.write(remove=list(store.rows(range(1, 31)).values()))
    assert cache.save(store)
    assert shown(IndexCache(cache.path), store) == []
    store.write(add=new_rows(2))
    assert shown(IndexCache(cache.path), store) == [31, 32]


def test_a_large_file_is_written_again_only_when_many_rows_lie_outside(
    cache: IndexCache, store: TextStore, n_built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cache, "_QUICK_TO_BUILD", 0)
    monkeypatch.setattr(index_cache, "_MAX_OUTSIDE", 5)
    store.write(add=new_rows(4, first=30))
    remove(store, "k0")
    assert (cache.is_due(store), cache.save(store)) == (False, False)
    assert shown(cache, store) == list(range(2, 35))
    assert n_built == []
    remove(store, "k1")
    assert (cache.is_due(store), cache.save(store)) == (True, True)
    assert (cache.is_due(store), cache.save(store), n_built) == (False, False, [32])
    assert shown(IndexCache(cache.path), store) == list(range(3, 35))


def test_a_missing_file_of_a_large_collection_is_due(
    cache: IndexCache, store: TextStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cache, "_MAX_OUTSIDE", 5)
    assert not cache.is_due(store)
    cache.path.unlink()
    assert cache.is_due(store)


def test_a_long_run_spends_a_tenth_of_its_time_on_saving(
    cache: IndexCache, store: TextStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0, 1, 9.9, 10, 11])  # begun, ended, too early, begun, ended
    monkeypatch.setattr(index_cache, "_MAX_OUTSIDE", 5)
    monkeypatch.setattr(index_cache.time, "monotonic", lambda: next(seconds))
    n_saved = []
    for i in range(3):
        store.write(add=new_rows(10, first=30 + 10 * i))
        cache.save_now_and_then(store)
        n_saved.append(read_stamp(cache.path)["n"])
    assert n_saved == [40, 40, 60]


# -- files that do not fit -------------------------------------------------------------------------


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif how == "garbage":
        path.write_bytes(os.urandom(len(content)))
    elif how == "another collection":
        base, stamp = FaissIndex.load(path)
        path.unlink()
        base.save(path, {**stamp, "collection": "decaf"})
    elif how == "another width":
        FaissIndex(DIM + 1).save(path, {"collection": "c0ffee", "token": read_stamp(path)["token"]})
    elif how == "unknown state":
        base, stamp = FaissIndex.load(path)
        path.unlink()
        base.save(path, {**stamp, "token": "unheard of"})


@pytest.mark.parametrize(
    "how",
    [
        "missing",
        "empty",
        "truncated",
        "flipped",
        "garbage",
        "another collection",
        "another width",
        "unknown state",
    ],
)
def test_a_file_that_does_not_fit_is_built_again_from_the_store(
    how: str, cache: IndexCache, store: TextStore, n_built: list[int]
) -> None:
    spoil(cache.path, how)
    fresh = IndexCache(cache.path)
    assert shown(fresh, store) == list(range(1, 31))
    assert n_built == [30]
    assert fresh.save(store)
    check_file(cache.path)
    assert shown(IndexCache(cache.path), store) == list(range(1, 31))
    assert n_built == [30]


def test_an_older_file_catches_up_and_a_newer_one_is_built_again(
    cache: IndexCache, store: TextStore, n_built: list[int], tmp_path: Path
) -> None:
    old_file, old_store = tmp_path / "old.faiss", tmp_path / "old.db"
    shutil.copy(cache.path, old_file)
    with TextStore(store.path).snapshot():
        source = TextStore(store.path)
        source._connection.execute(f"VACUUM INTO '{old_store}'")
    remove(store, "k3", "k4")
    store.write(add=new_rows(5, first=30))
    cache.save(store)
    n_built.clear()
    now = [*range(1, 4), *range(6, 36)]
    assert shown(IndexCache(old_file), store) == now
    assert n_built == []
    restored = TextStore(old_store, writable=True)
    assert shown(IndexCache(cache.path), restored) == list(range(1, 31))
    restored.write(add=new_rows(5, first=100))  # the same row ids, other vectors
    assert shown(IndexCache(cache.path), restored) == list(range(1, 36))
    assert n_built == [30, 35]


def test_missing_vectors_are_told_as_damage(cache: IndexCache, store: TextStore) -> None:
    store._connection.execute("DELETE FROM vectors WHERE row_id = 7")
    cache.path.unlink()
    with pytest.raises(CollectionDamagedError, match=r"row 7 is damaged|29 vectors"):
        IndexCache(cache.path).current(store)


# -- any order of events ---------------------------------------------------------------------------


class Events(RuleBasedStateMachine):
    """The store, two processes with a cache each, and a model: the vectors by row id."""

    folder: Path
    template: Path

    @initialize()
    def start(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copy(self.template, self.folder / "store.db")
        self.store = TextStore(self.folder / "store.db", writable=True)
        self.file = self.folder / "vectors.faiss"
        self.caches = [IndexCache(self.file), IndexCache(self.file)]
        self.readers = [TextStore(self.store.path), TextStore(self.store.path)]
        self.model: dict[int, np.ndarray] = {}
        self.n_made = 0
        self.files: list[bytes] = []
        self.restorable: tuple[bytes, dict[int, np.ndarray]] | None = None

    @rule(n=st.integers(1, 12))
    def add(self, n: int) -> None:
        rows = new_rows(n, first=self.n_made)
        self.n_made += n
        self.model |= dict(zip(self.store.write(add=rows), (r.vector for r in rows), strict=True))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        some = data.draw(st.sets(st.sampled_from(sorted(self.model)), min_size=1, max_size=15))
        self.store.write(remove=list(self.store.rows(some).values()))
        for row_id in some:
            del self.model[row_id]

    @rule(i=st.integers(0, 1))
    def look(self, i: int) -> None:
        cache, reader = self.caches[i], self.readers[i]
        with reader.snapshot():
            index = cache.current(reader)
        assert index.row_ids.tolist() == sorted(self.model)
        assert len(index) == len(self.model) == reader.state().n_rows
        if self.model:
            vectors = np.array([self.model[row_id] for row_id in index.row_ids.tolist()])
            query = unit_rows(1, seed=self.n_made + 10_000)
            found, scores = index.search(query, 3)
            best = np.sort(vectors @ query[0])[::-1][:3]
            np.testing.assert_allclose(scores[0][: len(best)], best, atol=2e-3)
            own = [float(self.model[i] @ query[0]) for i in found[0].tolist() if i >= 0]
            np.testing.assert_allclose(scores[0][: len(own)], own, atol=2e-3)
            assert len(own) == min(3, len(self.model))

    @rule(i=st.integers(0, 1), whole=st.booleans())
    def save(self, i: int, whole: bool) -> None:
        self.caches[i].save(self.store, whole=whole)
        if self.file.exists():
            self.files.append(self.file.read_bytes())

    @rule(i=st.integers(0, 1))
    def reopen(self, i: int) -> None:
        self.caches[i] = IndexCache(self.file)
        self.readers[i].close()
        self.readers[i] = TextStore(self.store.path)

    @precondition(lambda self: self.file.exists())
    @rule(how=st.sampled_from(["missing", "truncated", "flipped", "unknown state"]))
    def spoil(self, how: str) -> None:
        fresh = self.file.with_suffix(".copy")  # a mapped file is never written in place
        shutil.copy(self.file, fresh)
        if len(fresh.read_bytes()) > 1000 or how == "missing":
            with suppress(StaleIndexError):  # spoilt before: it has no state to be forged
                spoil(fresh, how)
        self.file.unlink()
        if fresh.exists():
            fresh.rename(self.file)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def put_an_older_file_back(self, data: st.DataObject) -> None:
        fresh = self.file.with_suffix(".copy")
        fresh.write_bytes(data.draw(st.sampled_from(self.files)))
        fresh.rename(self.file)

    @rule()
    def copy_the_store(self) -> None:
        self.store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.restorable = self.store.path.read_bytes(), dict(self.model)

    @precondition(lambda self: self.restorable)
    @rule()
    def put_the_copy_back(self) -> None:
        assert self.restorable is not None
        self.teardown()
        for path in self.folder.glob("store.db*"):
            path.unlink()
        content, model = self.restorable
        self.store.path.write_bytes(content)
        self.store = TextStore(self.store.path, writable=True)
        self.model = dict(model)
        for i in (0, 1):
            self.reopen(i)

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "store"):
            assert self.store.state().n_rows == len(self.store.row_ids()) == len(self.model)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            for store in (self.store, *self.readers):
                store.close()


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_cache, "_MAX_OUTSIDE", 10)
    monkeypatch.setattr(index_cache, "_QUICK_TO_BUILD", 25)
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", 60)


@pytest.mark.usefixtures("small_limits")
def test_the_index_shows_what_the_store_holds_whatever_happens(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    TextStore.create(template, {"collection_id": "c0ffee", "dim": DIM}).close()

    class HereEvents(Events):
        pass

    HereEvents.folder, HereEvents.template = tmp_path / "collection", template
    run_state_machine_as_test(
        HereEvents,
        settings=settings(max_examples=40, stateful_step_count=30, deadline=None, database=None),
    )
