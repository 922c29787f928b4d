from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from kcsearch import faiss_index
from kcsearch.faiss_index import FaissIndex, StaleIndexError, check_file, read_stamp

Blocks = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
STAMP = {"collection": "c0ffee", "token": "5eed"}


def unit_rows(n: int, dim: int = 32, seed: int = 0) -> np.ndarray:
    """Clustered, as sentences are: 20 centres with noise."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dim))
    rows = centres[rng.integers(20, size=n)] + 0.7 * rng.standard_normal((n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def built(vectors: np.ndarray, first_id: int = 1) -> FaissIndex:
    ids = np.arange(first_id, first_id + len(vectors))
    blocks = [(ids[i : i + 100], vectors[i : i + 100]) for i in range(0, len(ids), 100)]
    return FaissIndex.build(vectors.shape[1], len(vectors), vectors, blocks)


def nearest(
    vectors: np.ndarray, ids: np.ndarray, queries: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The oracle: every inner product, in float32; ties by row id."""
    scores = queries @ vectors.T
    order = np.lexsort((np.broadcast_to(ids, scores.shape), -scores), axis=1)[:, :top_k]
    return ids[order], np.take_along_axis(scores, order, 1)


def recall(found: np.ndarray, expected: np.ndarray) -> float:
    shared = [len(set(a) & set(b)) for a, b in zip(found.tolist(), expected.tolist(), strict=True)]
    return sum(shared) / expected.size


@pytest.fixture
def rabitq(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every base of more than a hundred rows is a RaBitQ one."""
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", 100)


# -- search ----------------------------------------------------------------------------------------


def test_an_exact_index_finds_what_brute_force_finds() -> None:
    vectors, queries = unit_rows(3000), unit_rows(50, seed=1)
    index = built(vectors)
    ids, scores = index.search(queries, 10)
    expected_ids, expected_scores = nearest(vectors, np.arange(1, 3001), queries, 10)
    assert (index.kind, ids.dtype, scores.dtype) == ("exact", np.int64, np.float32)
    assert recall(ids, expected_ids) >= 0.99  # fp16 may swap neighbours at the edge
    np.testing.assert_allclose(scores, expected_scores, atol=1e-3)


@pytest.mark.usefixtures("rabitq")
def test_a_rabitq_index_finds_nearly_all_of_it() -> None:
    vectors, queries = unit_rows(5000, dim=64), unit_rows(50, dim=64, seed=1)
    index = built(vectors)
    ids, scores = index.search(queries, 10)
    expected_ids, _ = nearest(vectors, np.arange(1, 5001), queries, 10)
    assert index.kind == "rabitq"
    assert recall(ids, expected_ids) >= 0.95
    assert recall(ids[:, :1], expected_ids[:, :1]) >= 0.95
    found = np.einsum("qd,qkd->qk", queries, vectors[ids - 1])
    np.testing.assert_allclose(scores, found, atol=1e-3)
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("kind", ["exact", "rabitq"])
@pytest.mark.parametrize("n_allowed", [0, 1, 7, 300])
def test_only_allowed_rows_are_found_and_all_of_them(
    kind: str, n_allowed: int, request: pytest.FixtureRequest
) -> None:
    if kind == "rabitq":
        request.getfixturevalue("rabitq")
    vectors, queries = unit_rows(1000), unit_rows(5, seed=1)
    index = built(vectors[:900])
    index.add(np.arange(901, 1001), vectors[900:])
    allowed = np.random.default_rng(2).choice(np.arange(1, 1001), n_allowed, replace=False)
    ids, scores = index.search(queries, 10, allowed)
    n_found = min(10, n_allowed)
    assert index.kind == kind
    assert (ids >= 0).sum(axis=1).tolist() == [n_found] * 5
    assert np.isneginf(scores[:, n_found:]).all()
    expected, _ = nearest(vectors[allowed - 1], allowed, queries, 10)
    assert recall(ids[:, :n_found], expected) >= 0.95 if n_allowed else not expected.size


@pytest.mark.parametrize("kind", ["exact", "rabitq"])
@pytest.mark.parametrize("n_removed", [3, 400, 500])
def test_removed_rows_are_gone_and_their_places_are_filled(
    kind: str, n_removed: int, request: pytest.FixtureRequest
) -> None:
    if kind == "rabitq":
        request.getfixturevalue("rabitq")
    vectors, queries = unit_rows(500), unit_rows(5, seed=1)
    index = built(vectors)
    index.remove(np.arange(1, n_removed + 1))
    ids, _ = index.search(queries, 500)
    left = np.arange(n_removed + 1, 501)
    assert (len(index), index.n_outside_base) == (500 - n_removed, n_removed)
    assert index.row_ids.tolist() == left.tolist()
    assert [sorted(row[row >= 0].tolist()) for row in ids] == [left.tolist()] * 5


def test_late_rows_are_found_like_the_others_and_can_be_removed() -> None:
    vectors, queries = unit_rows(300), unit_rows(20, seed=1)
    index = built(vectors[:200])
    index.add(np.arange(201, 301), vectors[200:])
    ids, _ = index.search(queries, 10)
    assert recall(ids, nearest(vectors, np.arange(1, 301), queries, 10)[0]) >= 0.99
    index.remove(np.arange(201, 251))
    assert index.row_ids.tolist() == [*range(1, 201), *range(251, 301)]
    assert (len(index), index.n_outside_base) == (250, 50)


@pytest.mark.parametrize("kind", ["exact", "rabitq"])
def test_more_hits_than_rows_are_padded_with_minus_one(
    kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "rabitq":
        request.getfixturevalue("rabitq")
    index = built(unit_rows(150))
    ids, scores = index.search(unit_rows(2, seed=1), 1000)
    assert ids.shape == scores.shape == (2, 1000)
    assert [sorted(row.tolist()) for row in ids[:, :150]] == [list(range(1, 151))] * 2
    assert (ids[:, 150:] == -1).all()
    assert np.isneginf(scores[:, 150:]).all()


def test_ties_are_ordered_by_row_id() -> None:
    same = np.tile(np.array([[0.6, 0.8]], np.float32), (30, 1))
    index = built(same)
    index.remove(np.array([2, 25]))
    ids, _ = index.search(same[:1], 40)
    expected = [i for i in range(1, 31) if i not in (2, 25)]
    assert ids[0].tolist() == expected + [-1] * 12
    assert index.search(same[:1], 5)[0][0].tolist() == expected[:5]


def test_an_empty_index_finds_nothing() -> None:
    for index in (FaissIndex(8), built(np.empty((0, 8), np.float32))):
        ids, scores = index.search(unit_rows(2, dim=8), 3)
        assert (len(index), index.kind, ids.tolist()) == (0, "exact", [[-1] * 3] * 2)
        assert np.isneginf(scores).all()


# -- the file --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["exact", "rabitq"])
def test_a_saved_index_answers_as_before_whatever_the_limit_is_by_then(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "rabitq":
        request.getfixturevalue("rabitq")
    vectors, queries = unit_rows(1000), unit_rows(10, seed=1)
    index, path = built(vectors), tmp_path / "vectors.faiss"
    index.save(path, STAMP)
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", 100 if kind == "exact" else 50_000)
    loaded, stamp = FaissIndex.load(path)
    assert (loaded.kind, len(loaded), loaded.dim) == (kind, 1000, 32)
    assert (stamp["collection"], stamp["token"], stamp["n"]) == ("c0ffee", "5eed", 1000)
    for allowed in (None, np.arange(1, 1000, 3)):
        for before, after in zip(
            index.search(queries, 10, allowed), loaded.search(queries, 10, allowed), strict=True
        ):
            np.testing.assert_array_equal(before, after)
    check_file(path)


def test_an_empty_index_is_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    FaissIndex(8).save(path, STAMP)
    loaded, stamp = FaissIndex.load(path)
    assert (len(loaded), loaded.dim, stamp["n"]) == (0, 8, 0)
    check_file(path)


def test_a_mapped_index_outlives_the_file_that_replaces_its_own(tmp_path: Path) -> None:
    path, queries = tmp_path / "vectors.faiss", unit_rows(5, seed=1)
    built(unit_rows(500)).save(path, STAMP)
    old, _ = FaissIndex.load(path)
    before = old.search(queries, 10)[0]
    built(unit_rows(500, seed=7), first_id=1001).save(path, STAMP)
    np.testing.assert_array_equal(old.search(queries, 10)[0], before)
    assert FaissIndex.load(path)[0].row_ids[0] == 1001


def test_nothing_is_left_behind_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    index = built(unit_rows(200))
    with pytest.raises(OSError, match="could not open"):
        index.save(tmp_path / "no such folder" / "vectors.faiss", STAMP)
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        index.save(tmp_path / "taken", STAMP)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def in_blocks(vectors: np.ndarray, size: int = 100) -> Blocks:
    ids = np.arange(1, len(vectors) + 1)
    return lambda: ((ids[i : i + size], vectors[i : i + size]) for i in range(0, len(ids), size))


@pytest.mark.parametrize("n_rows", [0, 1, 100, 101, 997])
@pytest.mark.parametrize("dim", [8, 24, 64])
@pytest.mark.usefixtures("rabitq")
def test_a_file_written_of_blocks_is_that_of_an_index_in_memory(
    n_rows: int, dim: int, tmp_path: Path
) -> None:
    vectors, path = unit_rows(n_rows, dim), tmp_path / "vectors.faiss"
    built(vectors).save(tmp_path / "whole.faiss", STAMP)
    FaissIndex.write(path, STAMP, dim, n_rows, vectors, in_blocks(vectors))
    assert path.read_bytes() == (tmp_path / "whole.faiss").read_bytes()
    assert check_file(path)["n"] == n_rows


@pytest.mark.usefixtures("rabitq")
def test_a_file_that_cannot_be_written_to_its_end_leaves_the_one_before(tmp_path: Path) -> None:
    vectors, path = unit_rows(900), tmp_path / "vectors.faiss"
    built(vectors[:200]).save(path, STAMP)
    before, n_calls = path.read_bytes(), 0

    def broken() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal n_calls
        n_calls += 1
        yield from itertools.islice(in_blocks(vectors)(), 9 if n_calls == 1 else 4)
        if n_calls == 2:
            raise ValueError("row 401 is damaged")

    with pytest.raises(ValueError, match="row 401"):
        FaissIndex.write(path, STAMP, 32, 900, vectors, broken)
    assert ([p.name for p in tmp_path.iterdir()], n_calls) == (["vectors.faiss"], 2)
    assert path.read_bytes() == before


@pytest.mark.usefixtures("rabitq")
def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    vectors, limits = unit_rows(9000), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            FaissIndex.write(tmp_path / "v.faiss", STAMP, 32, 9000, vectors, in_blocks(vectors))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module", params=["exact", "rabitq"])
def saved_bytes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_index, "EXACT_LIMIT", 100 if request.param == "rabitq" else 50_000)
        path = tmp_path_factory.mktemp("saved") / "vectors.faiss"
        built(unit_rows(400)).save(path, STAMP)
        return path.read_bytes()


def test_a_truncated_file_is_stale(saved_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    size = len(saved_bytes)
    for length in [0, 1, 20, 100, *range(1000, size, 977), size - 1]:
        path.write_bytes(saved_bytes[:length])
        with pytest.raises(StaleIndexError):
            FaissIndex.load(path)


def test_a_foreign_file_is_stale(saved_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    faiss.write_index(faiss.IndexFlatIP(4), str(path))
    plain = path.read_bytes()
    for content in [plain, b"hello" * 100, saved_bytes + b"\0", saved_bytes * 2, plain + b"x" * 24]:
        path.write_bytes(content)
        with pytest.raises(StaleIndexError):
            FaissIndex.load(path)
    path.unlink()
    with pytest.raises(StaleIndexError):
        FaissIndex.load(path)
    path.mkdir()
    with pytest.raises(StaleIndexError):
        FaissIndex.load(path)


def test_another_index_under_an_honest_stamp_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "vectors.faiss"
    built(unit_rows(50)).save(path, STAMP)
    stamp = path.read_bytes()[read_stamp(path)["size"] :]
    flat = faiss.IndexFlatIP(32)
    flat.add(unit_rows(50))
    faiss.write_index(flat, str(path))
    path.write_bytes(path.read_bytes() + stamp)
    with pytest.raises(StaleIndexError):
        FaissIndex.load(path)


def test_a_flipped_bit_in_head_row_ids_or_stamp_is_noticed_on_loading(
    saved_bytes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.faiss"
    path.write_bytes(saved_bytes)
    size = read_stamp(path)["size"]
    places = [*range(0, 200, 3), *range(size - 8 * 400, size, 37), *range(size, len(saved_bytes))]
    for place in places:
        spoilt = bytearray(saved_bytes)
        spoilt[place] ^= 1 << place % 8
        path.write_bytes(spoilt)
        with pytest.raises(StaleIndexError):
            FaissIndex.load(path)


def test_a_flipped_bit_in_a_vector_is_noticed_by_check_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large file; a small one is checked whole."""
    monkeypatch.setattr(faiss_index, "_HEAD", 1024)
    path = tmp_path / "vectors.faiss"
    built(unit_rows(400)).save(path, STAMP)
    spoilt = bytearray(path.read_bytes())
    spoilt[5000] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(StaleIndexError):
        FaissIndex.load(path)
    monkeypatch.setattr(faiss_index, "_QUICK_TO_CHECK", 0)
    loaded, _ = FaissIndex.load(path)
    assert loaded.row_ids.tolist() == list(range(1, 401))
    with pytest.raises(StaleIndexError):
        check_file(path)


def test_whatever_byte_is_flipped_the_answer_is_a_refusal_or_rows_that_exist(
    saved_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a small head: in a large file the structures between two blocks lie outside it."""
    path = tmp_path / "vectors.faiss"
    path.write_bytes(saved_bytes)
    size = read_stamp(path)["size"]
    stamp = read_stamp(path)
    monkeypatch.setattr(faiss_index, "_HEAD", 64)
    monkeypatch.setattr(faiss_index, "_QUICK_TO_CHECK", 0)
    stamp["crc32_ends"] = zlib.crc32(saved_bytes[size - 3200 : size], zlib.crc32(saved_bytes[:64]))
    words = repr(stamp).replace("'", '"').encode()
    tail = words + struct.pack("<II16s", len(words), zlib.crc32(words), b"kcsearch-faiss-1")
    queries = unit_rows(3, seed=1)
    outcomes = set()
    for place in np.random.default_rng(3).integers(64, size - 3200, 40).tolist():
        spoilt = bytearray(saved_bytes[:size])
        spoilt[place] ^= 0x41
        path.write_bytes(spoilt + tail)
        try:
            ids, _ = FaissIndex.load(path)[0].search(queries, 10)
            outcomes.add("answered")
            assert np.isin(ids, np.arange(-1, 401)).all()
        except StaleIndexError:
            outcomes.add("refused")
    assert "answered" in outcomes


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamp of one and the rows of another would pass for an index that is up to date."""
    path = tmp_path / "vectors.faiss"
    built(unit_rows(30)).save(path, {"token": "old"})
    reads = []

    def reading(path: Path) -> dict[str, Any]:
        stamp = read_stamp(path)
        if not reads:
            built(unit_rows(30, seed=1)).save(path, {"token": "new"})
        reads.append(stamp["token"])
        return stamp

    monkeypatch.setattr(faiss_index, "read_stamp", reading)
    index, stamp = FaissIndex.load(path)
    assert (reads[0], stamp["token"]) == ("old", "new")
    found, scores = index.search(unit_rows(30, seed=1), 1)
    assert found[:, 0].tolist() == list(range(1, 31))
    np.testing.assert_allclose(scores, 1, atol=1e-3)
