"""A store.db that somebody made to do harm: an answer or an error of ours, no traceback."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from doubles import HashEncoder
from stored import execute, made

from kcsearch.collection import Collection
from kcsearch.errors import CollectionDamagedError, KcsearchError, ModelMismatchError
from kcsearch.store.text_store import TextStore
from kcsearch.types import Document
from kcsearch.upkeep.repairing import repair


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = made(tmp_path / "c", 10, with_long=False)
    (path / "vectors.faiss").unlink()
    return path


def everything(path: Path) -> str:
    """What a look at all of a collection ends with: nothing, or words of ours."""
    try:
        with Collection(path, create=False, encoder=HashEncoder()) as collection:
            json.dumps([asdict(document) for document in collection.list()])
            json.dumps([hit.as_dict() for hit in collection.search("환불 날씨")])
            json.dumps(collection.status())
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


@pytest.mark.parametrize("value", ["abc", b"\xff", 1.5, -1], ids=repr)
@pytest.mark.parametrize("column", ["n_rows", "n_removed", "last_row_id"])
def test_counts_that_are_none_are_told_and_counted_again(
    column: str, value: object, path: Path
) -> None:
    execute(path, f"UPDATE commits SET {column} = ?", value)
    assert "the table commits is damaged" in everything(path)
    assert repair(path, encoder=HashEncoder()).n_kept == 10
    with Collection(path, create=False, encoder=HashEncoder()) as collection:
        assert len(collection) == 10
        assert not any(check.n_wrong for check in collection.verify())


@pytest.mark.parametrize("value", [5, "x" * 256, b"", b"\xff"], ids=repr)
def test_a_vector_that_is_none_is_told_and_not_copied(value: object, path: Path) -> None:
    execute(path, "UPDATE vectors SET vector = ? WHERE row_id = 4", value)
    assert "a stored vector does not have 64 numbers" in everything(path)
    with (
        Collection(path, create=False, encoder=HashEncoder()) as collection,
        pytest.raises(CollectionDamagedError, match="does not have 64 numbers"),
    ):
        collection.add([Document(collection.get("k3").text, "another")])
    assert repair(path, encoder=HashEncoder()).n_encoded == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("key", b"\xff"),
        ("source", b"\xff"),
        ("line", b"\x00"),
        ("line", "x"),
        ("metadata", "[1]"),
        ("metadata", "null"),
        ("window_of", b"\xff"),
    ],
)
def test_a_row_of_other_types_is_told_and_set_aside(column: str, value: object, path: Path) -> None:
    execute(path, f"UPDATE documents SET {column} = ? WHERE row_id = 4", value)
    with (
        Collection(path, create=False, encoder=HashEncoder()) as collection,
        pytest.raises(CollectionDamagedError, match="row 4 is damaged"),
    ):
        list(collection.list())
    assert "row 4 is damaged" in everything(path)
    report = repair(path, encoder=HashEncoder())
    assert (report.n_kept, report.n_set_aside) == (9, 1)


def test_a_source_of_another_type_is_told_by_the_status(path: Path) -> None:
    execute(path, "UPDATE documents SET source = ? WHERE row_id = 4", b"\xff")
    with (
        Collection(path, create=False, encoder=HashEncoder()) as collection,
        pytest.raises(CollectionDamagedError, match="row 4 is damaged"),
    ):
        collection.status()


def test_a_status_needs_no_version(path: Path) -> None:
    execute(path, "DELETE FROM settings WHERE name = 'created_with'")
    with Collection(path, create=False, encoder=HashEncoder()) as collection:
        assert collection.status()["created_with"] is None


@pytest.mark.parametrize("name", ["x" * 10_000, "a/" + "b" * 10_000, "~nobody-has-this-name/x"])
def test_a_model_of_an_impossible_name_is_no_model(name: str, path: Path) -> None:
    execute(path, "UPDATE settings SET value = ? WHERE name = 'model_reference'", json.dumps(name))
    with (
        Collection(path, create=False) as collection,
        pytest.raises(ModelMismatchError, match="there is no model"),
    ):
        collection.search("환불")


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
