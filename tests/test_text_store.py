from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kcsearch.errors import CollectionDamagedError, CollectionUnavailableError, InputError
from kcsearch.store.text_store import (
    APPLICATION_ID,
    SCHEMA_SINCE,
    SCHEMA_VERSION,
    NewRow,
    StoredRow,
    StoreState,
    TextStore,
    hash_text,
    metadata_json,
)
from kcsearch.types import Document

SETTINGS = {"collection_id": "c0ffee", "dim": 4, "model": {"name": "없음"}}


def new_row(key: str, text: str = "글", **values: object) -> NewRow:
    window_of = values.pop("window_of", None)
    vector = np.frombuffer(hash_text(text), np.uint8)[:4].astype(np.float32) + 1
    document = Document(text, key, **values)  # type: ignore[arg-type]
    return NewRow(document, vector / np.linalg.norm(vector), window_of)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> TextStore:
    return TextStore.create(tmp_path / "store.db", SETTINGS)


def tables(store: TextStore) -> list[int]:
    """How many rows documents, vectors and documents_fts have."""
    with sqlite3.connect(store.path) as db:
        names = ("documents", "vectors", "documents_fts_docsize")
        return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names]


# -- a store ---------------------------------------------------------------------------------------


def test_a_new_store_keeps_its_settings_and_says_what_it_is(store: TextStore) -> None:
    with sqlite3.connect(store.path) as db:
        pragmas = [
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "journal_mode")
        ]
    assert pragmas == [APPLICATION_ID, SCHEMA_VERSION, "wal"]
    assert TextStore(store.path).settings == {**SETTINGS, "needs_kcsearch": SCHEMA_SINCE}
    state = store.state()
    assert state == StoreState(state.token, 0, 0, 0)
    assert len(state.token) == 32


def test_a_stored_row_can_be_read_without_kcsearch(store: TextStore) -> None:
    row = new_row("k", "서울 날씨", source="a.txt", line=3, metadata={"별": 4, "좋다": True})
    store.write(add=[row])
    with sqlite3.connect(store.path) as db:
        found = db.execute("SELECT * FROM documents").fetchall()
        (vector,) = db.execute("SELECT vector FROM vectors").fetchone()
    metadata = '{"별": 4, "좋다": true}'
    expected = (1, "k", "서울 날씨", "a.txt", 3, metadata, hash_text("서울 날씨"), None)
    assert found == [expected]
    np.testing.assert_array_equal(np.frombuffer(vector, "<f4"), row.vector)


def test_what_is_written_is_read_back_in_order(store: TextStore) -> None:
    rows = [new_row(f"k{i}", f"글 {i}", source="a.txt", line=i) for i in range(1200)]
    assert store.write(add=rows) == list(range(1, 1201))
    assert store.row_ids().tolist() == list(range(1, 1201))
    stored = {i + 1: StoredRow(i + 1, row.document, None) for i, row in enumerate(rows)}
    assert store.rows([7, 1100, 5000]) == {i: stored[i] for i in (7, 1100)}
    by_key = store.rows_by_key(["k1", "no such", "k1199", "k1"] + ["k1"] * 600)
    assert by_key == [stored[2], stored[1200]]
    vectors = np.array([row.vector for row in rows])
    np.testing.assert_array_equal(store.vectors([1200, 1, 7]), vectors[[1199, 0, 6]])
    blocks = list(store.vectors_after(100, size=512))
    assert [len(ids) for ids, _ in blocks] == [512, 512, 76]
    np.testing.assert_array_equal(np.concatenate([v for _, v in blocks]), vectors[100:])
    assert store.vectors([]).shape == (0, 4)


def test_a_row_id_is_never_given_twice(store: TextStore) -> None:
    store.write(add=[new_row("a"), new_row("b")])
    store.write(remove=store.rows_by_key(["b"]))
    assert store.write(add=[new_row("b")]) == [3]


def test_every_write_is_another_state_and_counts_what_it_did(store: TextStore) -> None:
    states = [store.state()]
    store.write(add=[new_row("a"), new_row("b"), new_row("c")])
    states.append(store.state())
    store.write(add=[new_row("d")], remove=store.rows_by_key(["a", "b"]))
    states.append(store.state())
    store.write(remove=store.rows_by_key(["c", "d"]))
    states.append(store.state())
    counts = [(s.n_rows, s.last_row_id, s.n_removed) for s in states]
    assert counts == [(0, 0, 0), (3, 3, 0), (2, 4, 2), (0, 4, 4)]
    assert [store.state_at(state.token) for state in states] == states
    assert len({state.token for state in states}) == 4
    assert store.state_at("unheard of") is None
    assert tables(store) == [0, 0, 0]


def test_a_write_is_all_or_nothing(store: TextStore) -> None:
    store.write(add=[new_row("a", "처음")])
    before = store.state()
    broken = NewRow(Document("글", "z", metadata={"x": {1, 2}}), new_row("z").vector)
    with pytest.raises(InputError, match="metadata must be JSON values"):
        store.write(add=[new_row("b"), broken], remove=store.rows_by_key(["a"]))
    assert (store.state(), tables(store)) == (before, [1, 1, 1])
    assert [row.document.text for row in store.rows_by_key(["a", "b"])] == ["처음"]


def test_a_key_that_a_part_of_a_long_text_has_is_refused_in_words(store: TextStore) -> None:
    parts = [new_row(f"책#{i}", f"{i}장", window_of="책") for i in (1, 2)]
    store.write(add=[*parts, new_row("시#1", "짧다")])
    message = "the key '책#2' is taken: the parts of the long text '책' are stored as 책#1, 책#2 …"
    with pytest.raises(InputError, match=message):
        store.write(add=[new_row("책#2")])
    with pytest.raises(InputError, match=r"the key '시#1' is taken: .* long text '시'"):
        store.write(add=[new_row("시#1", "길다", window_of="시")])
    assert tables(store) == [3, 3, 3]


def test_windows_are_found_under_both_keys_and_never_twice(store: TextStore) -> None:
    store.write(add=[new_row(f"책#{i}", f"{i}장", window_of="책") for i in (1, 2)])
    whole, both = store.rows_by_key(["책"]), store.rows_by_key(["책", "책#2", "책#1"])
    assert [(row.document.key, row.whole_key) for row in whole] == [("책#1", "책"), ("책#2", "책")]
    assert both == whole
    assert [row.row_id for row in store.rows_by_key(["책#2"])] == [2]
    store.write(remove=both)
    assert (store.state().n_rows, tables(store)) == (0, [0, 0, 0])


def test_rows_around_are_neighbours_of_the_same_source_by_line(store: TextStore) -> None:
    lines = [5, 1, 3, 3, 9, 2]
    store.write(add=[new_row(f"a{i}", source="a", line=n) for i, n in enumerate(lines)])
    store.write(add=[new_row("b", source="b", line=3), new_row("free")])
    (middle,), (free,) = store.rows_by_key(["a2"]), store.rows_by_key(["free"])
    assert [r.document.key for r in store.rows_around(middle, 1, 2)] == ["a5", "a2", "a3", "a0"]
    assert [r.document.key for r in store.rows_around(middle, 0, 0)] == ["a2"]
    assert len(store.rows_around(middle, 99, 99)) == 6
    assert store.rows_around(free, 3, 3) == [free]


def test_sources_are_counted_by_name(store: TextStore) -> None:
    names = ["b", None, "a", "b", None]
    store.write(add=[new_row(str(i), source=name) for i, name in enumerate(names)])
    assert list(store.sources().items()) == [(None, 2), ("a", 1), ("b", 2)]


def test_metadata_is_json_in_nfc() -> None:
    assert metadata_json({"\u1100\u1161": ["\u1112\u1161\u11ab"]}) == '{"가": ["한"]}'
    assert metadata_json({}) == "{}"
    for bad in ({"x": float("nan")}, {"x": object()}, {(1, 2): 3}):
        with pytest.raises(InputError, match="metadata must be JSON values"):
            metadata_json(bad)  # type: ignore[arg-type]


def test_half_a_surrogate_pair_is_refused_in_words(store: TextStore) -> None:
    with pytest.raises(InputError, match="half of a surrogate pair"):
        store.rows_by_key(["a\ud800"])
    with pytest.raises(InputError, match="half of a surrogate pair"):
        store.write(add=[new_row("b", metadata={"x": "\udcff"})])


# -- one run ---------------------------------------------------------------------------------------


def test_a_key_that_comes_twice_is_told_with_both_places(store: TextStore) -> None:
    store.start_run()
    store.mark_seen([Document("글", "k", "a.jsonl", 1), Document("글", "m", "a.jsonl", 2)])
    message = r"b.jsonl:7: the key 'k' was already used at a.jsonl:1\."
    with pytest.raises(InputError, match=message):
        store.mark_seen([Document("글", "n", "b.jsonl", 6), Document("글", "k", "b.jsonl", 7)])
    with pytest.raises(InputError, match=r"b.jsonl:9: the key 'n' was already used at b.jsonl:6\."):
        store.mark_seen([Document("글", "n", "b.jsonl", 6), Document("글", "n", "b.jsonl", 9)])
    with pytest.raises(InputError, match="two documents have the key 'm'"):
        store.mark_seen([Document("글", "m")])
    store.start_run()
    store.mark_seen([Document("글", "k", "a.jsonl", 1)])


def test_unseen_rows_are_those_of_the_source_that_did_not_come_again(store: TextStore) -> None:
    rows = [new_row("a:1", source="a"), new_row("a:2", source="a"), new_row("b:1", source="b")]
    rows += [new_row(f"a:3#{i}", source="a", window_of="a:3") for i in (1, 2)]
    store.write(add=rows)
    store.start_run()
    store.mark_seen([Document("글", "a:1"), Document("글", "a:3")])
    assert [row.document.key for row in store.unseen_rows("a")] == ["a:2"]
    store.start_run()
    keys = [row.document.key for row in store.unseen_rows("a")]
    assert keys == ["a:1", "a:2", "a:3#1", "a:3#2"]


def test_vectors_of_rows_that_went_are_kept_for_the_run(store: TextStore) -> None:
    rows = [new_row("a", "하나"), new_row("b", "둘")]
    store.write(add=rows)
    store.start_run()
    hashes = [hash_text("하나"), hash_text("둘"), hash_text("셋")]
    stored = store.rows_by_key(["a"])
    store.keep_vectors(stored)
    store.write(remove=stored)
    found = store.vectors_by_text(hashes)
    assert {h: v.tolist() for h, v in found.items()} == {
        hash_text(row.document.text): row.vector.tolist() for row in rows
    }
    store.start_run()
    assert list(store.vectors_by_text(hashes)) == [hash_text("둘")]


# -- readers and writers ---------------------------------------------------------------------------


def test_a_snapshot_shows_one_moment_while_another_writes(store: TextStore) -> None:
    store.write(add=[new_row("a")])
    reader = TextStore(store.path)
    with reader.snapshot():
        before = reader.state()
        store.write(add=[new_row("b")], remove=store.rows_by_key(["a"]))
        assert reader.row_ids().tolist() == [1]
        assert reader.state() == before
        assert len(reader.vectors([1])) == 1
    assert reader.row_ids().tolist() == [2]


def test_a_reader_cannot_write(store: TextStore) -> None:
    reader = TextStore(store.path)
    with pytest.raises(CollectionUnavailableError, match="readonly"):
        reader.write(add=[new_row("a")])
    reader.start_run()  # what a dry run needs is temporary
    reader.mark_seen([Document("글", "k")])


def test_a_writer_does_not_make_a_store_that_is_gone(store: TextStore) -> None:
    store.close()
    store.path.unlink()
    with pytest.raises(CollectionUnavailableError, match="unable to open"):
        TextStore(store.path, writable=True)
    assert not store.path.exists()


def test_the_journal_of_a_deleted_store_is_not_replayed_into_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    old = TextStore.create(path, SETTINGS)
    old.write(add=[new_row("old", f"옛 글 {i}") for i in range(1)])
    shutil.copy(tmp_path / "store.db-wal", tmp_path / "wal")
    old.close()
    path.unlink()
    (tmp_path / "wal").rename(tmp_path / "store.db-wal")
    new = TextStore.create(path, SETTINGS)
    new.write(add=[new_row("new", "새 글")])
    assert [row.document.text for row in TextStore(path).rows_by_key(["old", "new"])] == ["새 글"]


def test_other_files_are_refused_as_stores(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(CollectionDamagedError, match=r"store\.db is not a store of kcsearch"):
        TextStore(path)
    path.write_bytes(b"\x00garbage" * 1000)
    with pytest.raises(CollectionDamagedError, match="not a database"):
        TextStore(path)
    path.write_bytes(b"")
    with pytest.raises(CollectionDamagedError, match="is not a store of kcsearch"):
        TextStore(path)
    path.unlink()
    with pytest.raises(CollectionUnavailableError, match="check that it exists"):
        TextStore(path)


@pytest.mark.parametrize("writable", [False, True])
def test_a_schema_that_is_no_text_is_damage(writable: bool, store: TextStore) -> None:
    """SQLite quotes it in its message, which is no text then."""
    store.close()
    content = store.path.read_bytes()
    assert content.count(b"CREATE INDEX documents_source ON") == 1
    store.path.write_bytes(content.replace(b"documents_source ON", b"documents_source \x88N"))
    with pytest.raises(CollectionDamagedError, match="The store is damaged: run `kcsearch repair`"):
        TextStore(store.path, writable=writable)


def test_a_newer_schema_is_refused_with_what_to_do(store: TextStore) -> None:
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        db.execute("UPDATE settings SET value = '\"0.9.1\"' WHERE name = 'needs_kcsearch'")
    for statement, message in (
        ("SELECT 1", "by a newer kcsearch; it needs 0.9.1 or later: `pip install --upgrade"),
        ("DELETE FROM settings", "has schema 2, this kcsearch knows 1: `pip install --upgrade"),
        ("DROP TABLE settings", "has schema 2, this kcsearch knows 1: `pip install --upgrade"),
    ):
        with sqlite3.connect(store.path) as db:
            db.execute(statement)
        for writable in (False, True):
            with pytest.raises(CollectionDamagedError, match=message):
                TextStore(store.path, writable=writable)


def test_missing_parts_are_told_as_damage(store: TextStore) -> None:
    store.write(add=[new_row("a"), new_row("b")])
    with sqlite3.connect(store.path) as db:
        db.execute("DELETE FROM vectors WHERE row_id = 1")
        db.execute("UPDATE vectors SET vector = x'00' WHERE row_id = 2")
        db.execute("DELETE FROM commits")
    with pytest.raises(CollectionDamagedError, match="row 1 is damaged"):
        store.vectors([1])
    with pytest.raises(CollectionDamagedError, match="does not have 4 numbers"):
        store.vectors([2])
    with pytest.raises(CollectionDamagedError, match="commits is empty"):
        store.state()


def test_reading_a_store_needs_no_sqlite_utils(store: TextStore) -> None:
    script = f"""if True:
        import sys
        from pathlib import Path
        from kcsearch.store.text_store import TextStore
        TextStore(Path({str(store.path)!r})).state()
        assert "sqlite_utils" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], check=True)


# -- full text -------------------------------------------------------------------------------------


def test_lexical_ranks_by_bm25_with_ties_by_row_id(store: TextStore) -> None:
    texts = ["서울에서 부산까지", "서울", "부산", "서울", "대구와 광주"]
    store.write(add=[new_row(str(i), text) for i, text in enumerate(texts)])
    found = store.lexical(["서울", "부산"], 10)
    assert [row_id for row_id, _ in found] == [3, 1, 2, 4]
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    assert found[2][1] == found[3][1] > 0
    assert [i for i, _ in store.lexical(["서울", "부산"], 10, np.array([4, 1]))] == [1, 4]
    assert [i for i, _ in store.lexical(["서울"], 1)] == [2]
    assert store.lexical([], 10) == store.lexical(['" OR "', "없다"], 10) == []
    store.write(remove=store.rows_by_key(["1", "3"]))
    assert [i for i, _ in store.lexical(["서울"], 10)] == [1]


# -- speed -----------------------------------------------------------------------------------------


def test_eight_thousand_rows_are_written_in_seconds(tmp_path: Path) -> None:
    store = TextStore.create(tmp_path / "store.db", {"dim": 384})
    vectors = np.random.default_rng(0).standard_normal((8192, 384)).astype(np.float32)
    rows = [
        NewRow(Document(f"{i}번째 문장은 날씨와 여행 이야기입니다.", f"a:{i}", "a", i), vector)
        for i, vector in enumerate(vectors)
    ]
    started = time.monotonic()
    store.write(add=rows)
    assert time.monotonic() - started < 8  # 0.6 s on an idle core
    assert json.dumps(tables(store)) == "[8192, 8192, 8192]"
