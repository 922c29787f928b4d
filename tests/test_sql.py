"""kcsearch_cosine in sqlite3, in sqlite-utils, and in its command with --functions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlite_utils
from doubles import HashEncoder
from running import environment

from kcsearch.collection import Collection
from kcsearch.sql import register
from kcsearch.types import Document

TEXTS = ["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다.", "오늘은 눈이 옵니다."]
ASKED = "내일 비가 오나요"


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "notes", encoder=HashEncoder()) as notes:
        notes.add(Document(text, str(i), "말.txt", i) for i, text in enumerate(TEXTS))
        yield notes


@pytest.fixture
def connection(notes: Collection) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(notes.path / "store.db")) as connection:
        register(connection, notes)
        yield connection


def test_the_function_gives_the_cosines_of_a_search(
    notes: Collection, connection: sqlite3.Connection
) -> None:
    sql = "SELECT key, kcsearch_cosine(row_id, ?) AS cosine FROM documents ORDER BY cosine DESC"
    found = connection.execute(sql, [ASKED]).fetchall()
    hits = notes.search(ASKED, mode="dense")
    assert [key for key, _ in found] == [hit.key for hit in hits]
    assert [cosine for _, cosine in found] == pytest.approx([hit.cosine for hit in hits], abs=1e-6)


def test_in_a_whitened_collection_likewise(
    notes: Collection, connection: sqlite3.Connection
) -> None:
    notes.add(f"{i}번째 글입니다. {'가나다라마바사'[i % 7]}" for i in range(40))
    notes.whiten(4)
    sql = "SELECT kcsearch_cosine(row_id, ?) FROM documents WHERE key = ?"
    for hit in notes.search(ASKED, 5, mode="dense"):
        ((cosine,),) = connection.execute(sql, [ASKED, hit.key])
        assert cosine == pytest.approx(hit.cosine, abs=1e-5)


@pytest.mark.parametrize("arguments", [(99, ASKED), (0, ASKED), (None, ASKED), (1, None), (1, " ")])
def test_what_cannot_be_compared_is_null(
    arguments: tuple[int | None, str | None], connection: sqlite3.Connection
) -> None:
    assert connection.execute("SELECT kcsearch_cosine(?, ?)", arguments).fetchone() == (None,)


def test_a_removed_row_is_null_and_a_new_one_is_found(
    notes: Collection, connection: sqlite3.Connection
) -> None:
    notes.delete(["1"])
    notes.add([Document(ASKED, "새")])
    sql = "SELECT kcsearch_cosine(row_id, ?) FROM documents WHERE key = '새'"
    assert connection.execute(sql, [ASKED]).fetchone()[0] == pytest.approx(1)
    assert connection.execute("SELECT kcsearch_cosine(2, ?)", [ASKED]).fetchone() == (None,)


def test_each_text_is_encoded_once(notes: Collection, connection: sqlite3.Connection) -> None:
    encoder, asked = notes.encoder, []
    encode = encoder.encode
    encoder.encode = lambda texts, role: asked.append(texts) or encode(texts, role)  # type: ignore
    connection.execute("SELECT kcsearch_cosine(row_id, ?) FROM documents", [ASKED]).fetchall()
    assert asked == [[ASKED]]


def test_through_sqlite_utils(notes: Collection) -> None:
    db = sqlite_utils.Database(notes.path / "store.db")
    register(db.conn, notes)
    (best,) = db.query(
        "SELECT text FROM documents ORDER BY kcsearch_cosine(row_id, :text) DESC LIMIT 1",
        {"text": ASKED},
    )
    assert best == {"text": TEXTS[1]}
    assert db["documents"].pks == ["row_id"]
    db.close()


def test_through_the_command_of_sqlite_utils(tmp_path: Path) -> None:
    with Collection(tmp_path / "notes") as notes:
        notes.add(TEXTS)
    functions = """
from kcsearch import Collection as _Collection
from kcsearch.sql import cosine_function as _cosine_function
kcsearch_cosine = _cosine_function(_Collection("notes"))
"""
    sql = f"SELECT text FROM documents ORDER BY kcsearch_cosine(row_id, '{ASKED}') DESC LIMIT 1"
    command = [sys.executable, "-m", "sqlite_utils", "query"]
    done = subprocess.run(
        [*command, "notes/store.db", sql, "--functions", functions, "--raw"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=os.pathsep.join(path for path in sys.path if path)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXTS[1], "")
