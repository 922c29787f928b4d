"""Conditions on documents, as SQL: NAME=VALUE pairs, and what a person may write after --where."""

from __future__ import annotations

import sqlite3

_COLUMNS = ("key", "source", "line")
_AS_TEXT = (
    "CASE {0}.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE {0}.value || '' END"
)
_METADATA = f"""EXISTS (SELECT 1 FROM json_each(documents.metadata) AS field
    WHERE field.key = ? AND ({_AS_TEXT.format("field")} = ? OR field.type = 'array' AND EXISTS
        (SELECT 1 FROM json_each(field.value) AS item WHERE {_AS_TEXT.format("item")} = ?)))"""


def condition_of(name: str, value: str) -> tuple[str, list[str]]:
    """A condition and its values for NAME=VALUE: a column, or else a field of the metadata.

    Numbers and booleans compare by their JSON form (`stars=4`, `seen=true`). A field that holds a
    list matches when any of its items does.
    """
    if name in _COLUMNS:
        return f"documents.{name} = ?", [value]
    return _METADATA, [name, value, value]


def read_only(action: int, first: str | None, second: str | None, *_: object) -> int:
    """An authorizer for sqlite3: reading and functions, nothing that writes, attaches or loads."""
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
    if action not in allowed or second == "load_extension":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def unrestricted(*_: object) -> int:
    """The authorizer that lifts `read_only`; Python 3.10 does not take None for it."""
    return sqlite3.SQLITE_OK
