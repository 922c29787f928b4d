from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import HashEncoder
from stored import LONG, documents, execute, flip, made, opened

from kcsearch import faiss_index
from kcsearch.errors import CollectionDamagedError, CollectionNotFoundError
from kcsearch.faiss_index import check_file
from kcsearch.types import Document
from kcsearch.upkeep.repairing import RepairReport, repair

N_WINDOWS = len(HashEncoder().split(LONG))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "c")


def mended(path: Path, encoder: HashEncoder | None = None) -> RepairReport:
    """Repair, and see that what is left is a sound collection whose searches find all of it."""
    report = repair(path, encoder=encoder or HashEncoder())
    with opened(path) as collection:
        assert {c.part for c in collection.verify() if c.n_wrong} == set()
        for document in list(collection.list())[:5]:
            assert collection.search(document.text, 1)[0].key == document.key
    return report


def kept(path: Path) -> list[Document]:
    """All but the long text."""
    with opened(path) as collection:
        return list(collection.list(where="window_of IS NULL"))


def set_aside(path: Path, report: RepairReport) -> list[dict[str, Any]]:
    assert report.set_aside is not None
    lines = (path / report.set_aside).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_sound_collection_is_left_as_it_is(path: Path) -> None:
    before = (path / "store.db").read_bytes()
    assert mended(path) == RepairReport(n_kept=40 + N_WINDOWS)
    assert (path / "store.db").read_bytes() == before


def test_a_damaged_index_is_built_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(path / "vectors.faiss", 3000)
    assert mended(path).damaged is None
    check_file(path / "vectors.faiss")


def test_a_schema_that_is_no_text_is_written_again(path: Path) -> None:
    """SQLite quotes it in its message, which is no text then."""
    store = path / "store.db"
    content = store.read_bytes().replace(b"documents_source ON", b"documents_source \x88N")
    store.unlink()
    store.write_bytes(content)
    with pytest.raises(CollectionDamagedError, match="kcsearch repair"):
        opened(path)
    assert mended(path).n_kept == 40 + N_WINDOWS
    assert kept(path) == documents()


def test_lost_and_broken_vectors_are_encoded_again(path: Path) -> None:
    execute(path, "DELETE FROM vectors WHERE row_id IN (3, 4)")
    execute(path, "UPDATE vectors SET vector = x'00' WHERE row_id = 5")
    encoder = HashEncoder()
    report = mended(path, encoder)
    assert (report.n_kept, report.n_encoded, report.n_set_aside) == (40 + N_WINDOWS, 3, 0)
    assert encoder.n_encoded == 3
    assert kept(path) == documents()
    assert (path / str(report.damaged)).exists()


def test_a_damaged_text_is_set_aside_with_all_that_is_known_of_it(path: Path) -> None:
    execute(path, "UPDATE documents SET text = '바뀐 글' WHERE key = 'k7'")
    report = mended(path)
    assert (report.n_kept, report.n_set_aside, report.n_gone) == (39 + N_WINDOWS, 1, 0)
    assert kept(path) == [document for document in documents() if document.key != "k7"]
    assert set_aside(path, report) == [
        {
            "row_id": 8,
            "fault": "its text does not fit its hash",
            "key": "k7",
            "text": "바뀐 글",
            "source": "a.txt",
            "line": 8,
            "metadata": '{"n": 7}',
        }
    ]


def test_full_text_rows_are_made_again(path: Path) -> None:
    execute(path, "INSERT INTO documents_fts (documents_fts) VALUES ('delete-all')")
    assert mended(path).n_kept == 40 + N_WINDOWS
    with opened(path) as collection:
        assert collection.search("17번째", 1, mode="lexical")[0].key == "k17"


@pytest.mark.parametrize("number", [1, 2, N_WINDOWS])
def test_of_a_long_text_all_windows_are_kept_or_none(number: int, path: Path) -> None:
    execute(path, "UPDATE documents SET text = 'x' WHERE key = ?", f"long#{number}")
    report = mended(path)
    assert (report.n_kept, report.n_set_aside) == (40, N_WINDOWS)
    faults = {record["key"]: record["fault"] for record in set_aside(path, report)}
    assert faults.pop(f"long#{number}") == "its text does not fit its hash"
    assert set(faults.values()) == {"another part of its text is lost"}


@pytest.mark.parametrize("number", [1, 2, N_WINDOWS])
def test_a_long_text_with_a_hole_is_not_taken_for_whole(number: int, path: Path) -> None:
    with opened(path) as collection:
        collection.add([Document("뒤에 온 글", "after")])
    execute(path, "DELETE FROM documents WHERE key = ?", f"long#{number}")
    report = mended(path)
    assert (report.n_kept, report.n_set_aside, report.n_gone) == (41, N_WINDOWS, 0)
    assert [document.key for document in kept(path)][-1] == "after"
    assert {record.get("key", "")[:5] for record in set_aside(path, report)} == {"", "long#"}


def test_rows_on_a_broken_page_are_lost_and_all_others_kept(tmp_path: Path) -> None:
    path = made(tmp_path / "c", 400)
    with closing(sqlite3.connect(path / "store.db")) as db:
        (page,) = (
            db.execute(
                "SELECT pageno FROM dbstat WHERE name = 'documents' AND pagetype = 'leaf'"
                " ORDER BY pageno"
            ).fetchone()
            if _has_dbstat(db)
            else (None,)
        )
        size = db.execute("PRAGMA page_size").fetchone()[0]
    if page is None:
        pytest.skip("this SQLite tells no pages")
    content = bytearray((path / "store.db").read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    (path / "store.db").write_bytes(content)
    with pytest.raises(CollectionDamagedError, match="kcsearch repair"):
        opened(path)
    report = mended(path)
    assert 300 < report.n_kept < 400
    assert report.n_kept + report.n_gone + report.n_set_aside == 400 + N_WINDOWS
    left = kept(path)
    assert left == [document for document in documents(400) if document in left]


def _has_dbstat(db: sqlite3.Connection) -> bool:
    try:
        db.execute("SELECT 1 FROM dbstat LIMIT 1")
    except sqlite3.Error:
        return False
    return True


def test_a_truncated_store_keeps_what_is_in_front_of_the_cut(tmp_path: Path) -> None:
    path = made(tmp_path / "c", 400)
    store = path / "store.db"
    whole = store.read_bytes()
    n_kept = []
    for share in (0.5, 0.7, 0.9):
        store.write_bytes(whole[: int(len(whole) * share) // 4096 * 4096])
        try:
            n_kept.append(mended(path).n_kept)
        except CollectionDamagedError:
            n_kept.append(-1)  # the settings were behind the cut
        left = kept(path) if n_kept[-1] >= 0 else []
        assert left == [document for document in documents(400) if document in left]
        store.write_bytes(whole)
        (path / "store.sum").unlink(missing_ok=True)
    assert n_kept == sorted(n_kept)
    assert n_kept[-1] > 300


def test_without_settings_nothing_can_be_done_and_nothing_is_touched(path: Path) -> None:
    execute(path, "DELETE FROM settings WHERE name = 'dim'")
    before = {file.name: file.read_bytes() for file in path.iterdir() if "db" in file.name}
    with pytest.raises(CollectionDamagedError, match="not even its settings"):
        repair(path, encoder=HashEncoder())
    after = {name: (path / name).read_bytes() for name in before if "-shm" not in name}
    assert after == {name: before[name] for name in after}


def test_without_the_model_texts_that_lost_their_vector_are_set_aside(tmp_path: Path) -> None:
    path = made(tmp_path / "c")
    execute(path, "DELETE FROM vectors WHERE row_id = 3")
    execute(path, "UPDATE settings SET value = '\"/no/such/model\"' WHERE name = 'model_reference'")
    report = repair(path)
    assert (report.n_kept, report.n_encoded, report.n_set_aside) == (39 + N_WINDOWS, 0, 1)
    (record,) = set_aside(path, report)
    assert record["text"] == documents()[2].text
    assert record["fault"].startswith("it has no vector; there is no model '/no/such/model'")


def test_a_second_repair_keeps_what_the_first_put_aside(path: Path) -> None:
    for key in ("k1", "k2"):
        execute(path, "UPDATE documents SET text = 'x' WHERE key = ?", key)
        mended(path)
    names = sorted(file.name for file in path.glob("*-[12]*"))
    assert names == [
        "set-aside-1.jsonl",
        "set-aside-2.jsonl",
        "store.damaged-1.db",
        "store.damaged-2.db",
    ]


def test_an_open_reader_sees_the_mended_store(path: Path) -> None:
    execute(path, "DELETE FROM vectors WHERE row_id = 3")
    with opened(path) as reader:
        assert reader.get("k2") == documents()[2]
        mended(path)
        assert len(reader.search("2번째 문장", 100)) == 40 + N_WINDOWS
        assert not any(check.n_wrong for check in reader.verify())


def test_no_collection_is_told(tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFoundError):
        repair(tmp_path)


def test_what_a_killed_writer_left_in_the_log_is_kept(path: Path, tmp_path: Path) -> None:
    with opened(path) as reader, reader._store.snapshot():
        reader.count()  # in the way of the checkpoint
        with opened(path) as writer:
            writer.add([Document("로그에만 있는 글", "in the log")])
        copy = tmp_path / "copy"
        shutil.copytree(path, copy)
    assert (copy / "store.db-wal").stat().st_size > 0
    execute_in_log(copy)
    report = mended(copy)
    assert report.n_encoded == 1
    with opened(copy) as collection:
        assert collection.get("in the log").text == "로그에만 있는 글"


def execute_in_log(path: Path) -> None:
    """A change that stays in the log: the connection is not closed in peace."""
    with closing(sqlite3.connect(path / "store.db")) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        with db:
            db.execute("DELETE FROM vectors WHERE row_id = 3")


def test_faiss_is_exact_after_a_repair(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_index, "_HEAD", 64)
    execute(path, "DELETE FROM vectors WHERE row_id = 9")
    mended(path)
    with opened(path) as collection:
        vectors = collection._store.vectors(collection._store.row_ids().tolist())
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
