from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import HashEncoder

from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.store.text_store import NewRow, TextStore
from kcsearch.types import Document

METADATA: list[dict[str, Any]] = [
    {"city": "서울", "stars": 4, "seen": True, "tags": ["비", "눈"]},
    {"city": "부산", "stars": 4.5, "seen": False, "tags": []},
    {"city": 'O\'Brien "x"', "stars": "4", "tags": [4, True, None]},
    {'it\'s "quoted"': "yes", "a.b": "dotted", "$.city": "path", "": "blank"},
    {"nested": {"city": "서울"}, "nothing": None, "code": "007"},
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TextStore:
    store = TextStore.create(tmp_path_factory.mktemp("filters") / "store.db", {"dim": 2})
    vector = np.array([0.6, 0.8], np.float32)
    documents = [
        Document(f"글 {i}", f"k{i}", "a.txt" if i < 4 else "b.txt", i, metadata)
        for i, metadata in enumerate(METADATA, 1)
    ]
    store.write(add=[NewRow(document, vector) for document in documents])
    return store


def matching(store: TextStore, **conditions: Any) -> list[int]:
    where = conditions.pop("where", None)
    params = conditions.pop("params", {})
    return store.matching(conditions.pop("filters", {}), where, params).tolist()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("city", "서울", [1]),
        ("city", "서", []),
        ("city", 'O\'Brien "x"', [3]),
        ("stars", "4", [1, 3]),
        ("stars", "4.5", [2]),
        ("stars", "04", []),
        ("code", "007", [5]),
        ("code", "7", []),
        ("seen", "true", [1]),
        ("seen", "false", [2]),
        ("seen", "1", []),
        ("tags", "눈", [1]),
        ("tags", "4", [3]),
        ("tags", "true", [3]),
        ('it\'s "quoted"', "yes", [4]),
        ("a.b", "dotted", [4]),
        ("$.city", "path", [4]),
        ("", "blank", [4]),
        ("nothing", "null", []),
        ("no such field", "x", []),
        ("x' OR 1=1 --", "x", []),
        ("key", "k3", [3]),
        ("source", "b.txt", [4, 5]),
        ("line", "2", [2]),
        ("line", "two", []),
    ],
)
def test_a_filter_matches_a_column_or_a_field_by_its_json_form(
    store: TextStore, name: str, value: str, expected: list[int]
) -> None:
    assert matching(store, filters={name: value}) == expected


def test_all_filters_and_the_where_condition_hold(store: TextStore) -> None:
    assert matching(store, filters={"source": "a.txt", "stars": "4"}) == [1, 3]
    assert matching(store, filters={"source": "a.txt", "stars": "4"}, where="line > 1") == [3]
    assert matching(store) == [1, 2, 3, 4, 5]


def test_where_takes_sql_with_parameters(store: TextStore) -> None:
    where = "line BETWEEN :low AND :high OR metadata ->> '$.city' = :city"
    assert matching(store, where=where, params={"low": 4, "high": 9, "city": "서울"}) == [1, 4, 5]
    assert matching(store, where="text LIKE '%3' -- a comment") == [3]
    assert matching(store, where="key = :k", params={"k": "k1'); DROP TABLE documents; --"}) == []
    assert matching(store, where="row_id IN (SELECT row_id FROM documents WHERE line = 2)") == [2]


@pytest.mark.parametrize(
    "where",
    [
        "",
        "no_such_column = 1",
        "key = :missing",
        "key = ?",
        "key = 'open",
        "1); DELETE FROM documents; SELECT (1",
        "1); DROP TABLE documents; --",
        "1) UNION SELECT key FROM documents WHERE (1",
        "1) UNION SELECT 9e99 WHERE (1",
        "1) UNION SELECT NULL WHERE (1",
        "row_id IN (SELECT 1 FROM pragma_table_info('documents'))",
        "load_extension('evil.so')",
        "writefile('x', 'y')",
        "1) ATTACH DATABASE '/tmp/x' AS x; --",
        "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n)",
        "key = 'nul\0'",
        "key = '\ud800'",
    ],
)
def test_where_refuses_what_it_cannot_use_and_says_which_columns_there_are(
    store: TextStore, where: str
) -> None:
    with pytest.raises(InputError, match=r"--where .*The columns are row_id, key, text, source"):
        matching(store, where=where)
    assert matching(store, where="1") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", [2**70, ["a list"], "\ud800"])
def test_a_parameter_that_sqlite_cannot_hold_is_an_input_error(
    store: TextStore, value: object
) -> None:
    with pytest.raises(InputError, match="--where"):
        matching(store, where="key = :value", params={"value": value})


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO documents (key) VALUES ('x')",
        "UPDATE documents SET text = 'x'",
        "DELETE FROM vectors",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only",
        "ATTACH DATABASE ':memory:' AS other",
        "CREATE TEMP TABLE t (x)",
        "BEGIN",
        "SELECT load_extension('x')",
    ],
)
def test_the_authorizer_of_where_lets_nothing_but_reading_through(
    statement: str, tmp_path: Path
) -> None:
    from kcsearch.store.filters import read_only, unrestricted

    db = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    db.execute("CREATE TABLE documents (key, text)")
    db.execute("CREATE TABLE vectors (x)")
    db.set_authorizer(read_only)
    with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|prohibited"):
        db.execute(statement)
    assert db.execute("SELECT count(*), max(lower(key)) FROM documents").fetchall() == [(0, None)]
    db.set_authorizer(unrestricted)
    db.execute("INSERT INTO documents VALUES ('a', 'b')")


def test_a_condition_may_look_into_lists_from_the_first_query_on(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with Collection(path, encoder=HashEncoder()) as notes:
        notes.add([Document("환불", "a", metadata={"tags": ["돈"]}), Document("눈", "b")])
    has = "EXISTS (SELECT 1 FROM json_each(metadata, '$.tags') WHERE value = '돈')"
    with Collection(path, encoder=HashEncoder()) as again:
        assert [document.key for document in again.list(where=has)] == ["a"]
