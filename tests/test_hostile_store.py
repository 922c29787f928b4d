"""A store.db that somebody made to do harm: an answer or an error of ours, no traceback."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from doubles import HashEncoder
from stored import execute, made

from kcsearch.collection import Collection
from kcsearch.errors import KcsearchError
from kcsearch.store.text_store import TextStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = made(tmp_path / "c", 10, with_long=False)
    (path / "vectors.faiss").unlink()
    return path


def everything(path: Path) -> str:
    """What a look at all of a collection ends with: nothing, or words of ours."""
    try:
        with Collection(path, create=False, encoder=HashEncoder()) as collection:
            list(collection.list())
            collection.search("환불 날씨")
            collection.status()
            collection.verify()
    except KcsearchError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "value", [0, -1, 3, 10**12, "x", None, 1.5, [], {"a": 1}, True, "1" * 5000], ids=repr
)
@pytest.mark.parametrize("name", ["dim", "model", "model_stamp", "collection_id", "whitening"])
def test_settings_of_any_kind_are_an_error_of_ours(name: str, value: object, path: Path) -> None:
    execute(path, "DELETE FROM settings WHERE name = ?", name)
    execute(path, "INSERT INTO settings VALUES (?, ?)", name, json.dumps(value))
    everything(path)


@pytest.mark.parametrize(
    "metadata", ["[" * 100_000, '{"a":' * 100_000, "1", "[]", '{"a": 1e999}', "", "{" * 10]
)
def test_metadata_of_any_kind_are_an_error_of_ours(metadata: str, path: Path) -> None:
    execute(path, "UPDATE documents SET metadata = ? WHERE key = 'k3'", metadata)
    everything(path)


@pytest.mark.parametrize("value", [b"\xff\xfe", 7, 1.5, "x" * 1_000_000])
@pytest.mark.parametrize("column", ["key", "text", "source", "line", "window_of", "text_hash"])
def test_columns_of_any_kind_are_an_error_of_ours(column: str, value: object, path: Path) -> None:
    execute(path, f"UPDATE documents SET {column} = ? WHERE key = 'k3'", value)
    everything(path)


def test_a_view_in_the_place_of_a_table_calls_nothing(path: Path) -> None:
    (path / "store.sum").unlink(missing_ok=True)
    with closing(sqlite3.connect(path / "store.db")) as db:
        db.executescript(
            """ALTER TABLE documents RENAME TO others;
            CREATE VIEW documents AS SELECT *, load_extension('evil') FROM others;"""
        )
    assert "unsafe use of load_extension()" in everything(path)


@pytest.mark.parametrize("writable", [False, True])
def test_the_schema_of_a_store_is_not_trusted(writable: bool, path: Path) -> None:
    with closing(TextStore(path / "store.db", writable=writable)) as store:
        assert list(store.select("PRAGMA trusted_schema")) == [(0,)]
