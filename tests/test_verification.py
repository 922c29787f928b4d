from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from doubles import HashEncoder
from stored import documents, execute, flip, made, opened

from kcsearch import faiss_index
from kcsearch.collection import Collection
from kcsearch.errors import CollectionDamagedError
from kcsearch.faiss_index import FaissIndex


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "c")


def wrong(path: Path) -> dict[str, tuple[int, str]]:
    """What `verify` finds: how many, and the first, by part."""
    with opened(path) as collection:
        return {c.part: (c.n_wrong, c.first) for c in collection.verify() if c.n_wrong}


def test_a_whole_collection_passes_every_check(path: Path) -> None:
    with opened(path) as collection:
        checks = collection.verify()
        n_rows = collection.count()
    assert [(check.part, check.n, check.n_wrong) for check in checks] == [
        ("sqlite", 1, 0),
        ("counts", 4, 0),
        ("documents", n_rows, 0),
        ("vectors", n_rows, 0),
        ("words", n_rows, 0),
        ("model", 1, 0),
        ("index file", 1, 0),
        ("search", n_rows, 0),
    ]


def test_an_empty_collection_passes(tmp_path: Path) -> None:
    assert wrong(made(tmp_path / "empty", 0, with_long=False)) == {}


def blob(numbers: np.ndarray) -> bytes:
    return numbers.astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("vector", "fault"),
    [
        (b"\0" * 12, "row 3: its vector does not have 64 numbers"),
        (blob(np.full(64, np.nan)), "row 3: its vector holds what is no number"),
        (blob(np.full(64, 1.0)), "row 3: its vector has the length 8"),
        (blob(np.zeros(64)), "row 3: its vector has the length 0"),
    ],
)
def test_a_bad_vector_is_named(vector: bytes, fault: str, path: Path) -> None:
    execute(path, "UPDATE vectors SET vector = ? WHERE row_id = 3", vector)
    assert wrong(path)["vectors"] == (1, fault)


def test_a_missing_vector_and_an_orphan_are_named(path: Path) -> None:
    execute(path, "DELETE FROM vectors WHERE row_id = 3")
    execute(path, "INSERT INTO vectors SELECT 99, vector FROM vectors WHERE row_id = 1")
    found = wrong(path)
    assert found["vectors"] == (1, "row 3: it has no vector")
    assert found["counts"] == (1, "row 99 has a vector and no document")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("text = 'another'", "row 5: its text does not fit its hash"),
        ("metadata = '{'", "row 5: its metadata is no JSON"),
        ("metadata = '[]'", "row 5: its metadata is no object"),
        ("key = ''", "row 5: its key is no text"),
        ("source = x'ff'", "row 5: its source is no text"),
        ("line = 'x'", "row 5: its line is no number"),
    ],
)
def test_a_bad_document_is_named(change: str, fault: str, path: Path) -> None:
    execute(path, f"UPDATE documents SET {change} WHERE row_id = 5")
    assert wrong(path)["documents"] == (1, fault)


def test_words_of_another_text_are_found(path: Path) -> None:
    execute(path, "INSERT INTO documents_fts (rowid, tokens) VALUES (7, '다른')")
    execute(path, "INSERT INTO documents_fts (rowid, tokens) VALUES (99, '글')")
    assert wrong(path)["words"] == (
        2,
        "row 7: the full-text index holds other words than its text",
    )


def test_a_wrong_count_is_found(path: Path) -> None:
    execute(path, "UPDATE commits SET n_rows = n_rows + 1")
    n, first = wrong(path)["counts"]
    assert n == 3
    assert first == "44 documents, but the last commit tells of 45"


def test_another_model_is_found(path: Path) -> None:
    with Collection(path, encoder=HashEncoder()) as collection:
        collection._encoder = HashEncoder(limit=50)
        (check,) = [check for check in collection.verify() if check.part == "model"]
    assert (check.n_wrong, check.first) == (1, "limit: 50 instead of 40")


def test_a_damaged_index_file_is_found(path: Path) -> None:
    flip(path / "vectors.faiss", 2000)
    n, first = wrong(path)["index file"]
    assert (n, "checksum does not fit" in first) == (1, True)


def test_commits_that_the_index_shows_and_the_store_has_lost_are_found(path: Path) -> None:
    """So it is after a damaged log, at whose broken frame SQLite stops reading."""
    older = (path / "store.db").read_bytes()
    with opened(path) as collection:
        collection.delete(["k1"])
    (path / "store.db").write_bytes(older)
    n, first = wrong(path)["index file"]
    assert (n, first[:47]) == (1, "it shows a commit that store.db does not hold: ")
    with opened(path) as collection:
        collection.rebuild()
    assert wrong(path) == {}


def test_an_index_that_finds_other_rows_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checksum is right, its vectors are not those of the rows."""
    index, stamp = FaissIndex.load(path / "vectors.faiss")
    ids = index.row_ids
    shuffled = FaissIndex.build(
        64,
        len(ids),
        np.eye(64, dtype=np.float32),
        [(ids, np.eye(64, dtype=np.float32)[: len(ids)])],
    )
    (path / "vectors.faiss").unlink()
    shuffled.save(path / "vectors.faiss", stamp)
    n, first = wrong(path)["search"]
    assert n > 30
    assert "nearest rows" in first


def test_a_collection_searched_by_bits_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", 100)
    path = made(tmp_path / "c", 400)
    with opened(path) as collection:
        assert collection.status()["index"] == "rabitq"
    assert wrong(path) == {}


def test_every_changed_byte_of_a_small_store_is_noticed_when_it_is_opened(path: Path) -> None:
    """Also where SQLite would read a wrong letter and never know."""
    store = path / "store.db"
    whole = store.read_bytes()
    at = whole.index(documents()[20].text.encode())
    for place in (at, len(whole) - 1, 200, len(whole) // 2):
        flip(store, place, 1)
        with pytest.raises(CollectionDamagedError, match=r"`kcsearch repair`"):
            opened(path)
        store.write_bytes(whole)
    assert wrong(path) == {}
