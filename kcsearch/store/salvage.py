"""Reads whatever can still be read of a damaged store.db, row by row. It changes nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK = 256  # rows; a block that cannot be read is read row by row
_LARGEST_ID = 1 << 40  # a row id above it is the damage speaking
_COLUMNS = "key, text, source, line, metadata, text_hash, window_of"


@dataclass(frozen=True, slots=True)
class SalvagedRow:
    """values: key, text, source, line, metadata, text_hash, window_of; None if they are gone."""

    row_id: int
    values: tuple[Any, ...] | None
    vector: Any


def salvaged_settings(store: Path) -> dict[str, Any]:
    """What can be read of the settings."""
    with closing(_opened(store)) as connection:
        rows = _tried(connection, "SELECT name, value FROM settings")
    settings: dict[str, Any] = {}
    for name, value in rows or ():
        with suppress(TypeError, ValueError, RecursionError):
            settings[str(name)] = json.loads(value)
    return settings


def last_commit(store: Path) -> int:
    """How many rows the last commit that can be read tells of."""
    with closing(_opened(store)) as connection:
        found = _tried(connection, "SELECT n_rows FROM commits ORDER BY commit_id DESC LIMIT 1")
    return found[0][0] if found and isinstance(found[0][0], int) else 0


def salvaged_rows(store: Path) -> Iterator[SalvagedRow]:
    """Every row of which the document or the vector can be read, by row id."""
    with closing(_opened(store)) as connection:
        last = _last_row_id(connection)
        documents = _readable(connection, f"SELECT row_id, {_COLUMNS} FROM documents", last)
        vectors = _readable(connection, "SELECT row_id, vector FROM vectors", last)
        yield from _paired(documents, vectors)


def _paired(
    documents: Iterator[tuple[Any, ...]], vectors: Iterator[tuple[Any, ...]]
) -> Iterator[SalvagedRow]:
    """Both come by ascending row id."""
    document, vector = next(documents, None), next(vectors, None)
    while document is not None or vector is not None:
        if vector is None or (document is not None and document[0] < vector[0]):
            assert document is not None
            yield SalvagedRow(document[0], document[1:], None)
            document = next(documents, None)
        elif document is None or vector[0] < document[0]:
            yield SalvagedRow(vector[0], None, vector[1])
            vector = next(vectors, None)
        else:
            yield SalvagedRow(document[0], document[1:], vector[1])
            document, vector = next(documents, None), next(vectors, None)


def _readable(connection: sqlite3.Connection, sql: str, last: int) -> Iterator[tuple[Any, ...]]:
    """Rows with ids above 0, ascending; those that raise are left out."""
    at = 0
    while at < last:
        block = _tried(connection, f"{sql} WHERE row_id > ? ORDER BY row_id LIMIT ?", at, _BLOCK)
        if block == []:
            return
        if block is None or any(not at < row[0] <= last for row in block):
            block = []
            for row_id in range(at + 1, min(at + _BLOCK, last) + 1):
                found = _tried(connection, f"{sql} WHERE row_id = ?", row_id)
                block += [row for row in found or () if row[0] == row_id]
            at = min(at + _BLOCK, last)
        else:
            at = block[-1][0]
        ids = [row[0] for row in block]
        yield from (row for i, row in enumerate(block) if row[0] not in ids[:i])


def _last_row_id(connection: sqlite3.Connection) -> int:
    """The largest id that anything readable tells of."""
    found = []
    for sql in (
        "SELECT last_row_id FROM commits ORDER BY commit_id DESC LIMIT 1",
        "SELECT seq FROM sqlite_sequence WHERE name = 'documents'",
        "SELECT max(row_id) FROM documents",
        "SELECT max(row_id) FROM vectors",
    ):
        rows = _tried(connection, sql)
        found += [row[0] for row in rows or () if isinstance(row[0], int)]
    return max((row_id for row_id in found if row_id < _LARGEST_ID), default=0)


def _tried(connection: sqlite3.Connection, sql: str, *values: Any) -> list[tuple[Any, ...]] | None:
    """None if SQLite cannot read it."""
    try:
        return connection.execute(sql, values).fetchall()
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        return None


def _opened(store: Path) -> sqlite3.Connection:
    """Text that is not UTF-8 comes as bytes."""
    connection = sqlite3.connect(store.absolute().as_uri() + "?mode=ro", uri=True)
    connection.text_factory = _text
    connection.execute("PRAGMA writable_schema = ON")  # or a file that was cut short is not read
    return connection


def _text(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
