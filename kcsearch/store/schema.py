"""The tables of store.db, as numbered migrations. A migration, once released, is never edited.

Every table is meant to be opened by other tools: README.md, "On disk", describes the columns.
Only writers import this module: sqlite_utils costs a tenth of a second that a query has not got.
"""

from __future__ import annotations

import json
import sqlite3

import sqlite_utils
from sqlite_utils import Migrations

from kcsearch.store.text_store import APPLICATION_ID, SCHEMA_SINCE, SCHEMA_VERSION

migrations = Migrations("kcsearch")

_FIRST_TABLES = """
CREATE TABLE documents (
    row_id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    source TEXT,
    line INTEGER,
    metadata TEXT NOT NULL DEFAULT '{}',
    text_hash BLOB NOT NULL,
    window_of TEXT
);
CREATE INDEX documents_source ON documents (source);
CREATE INDEX documents_text_hash ON documents (text_hash);
CREATE INDEX documents_window_of ON documents (window_of) WHERE window_of IS NOT NULL;
CREATE TABLE vectors (
    row_id INTEGER PRIMARY KEY REFERENCES documents (row_id),
    vector BLOB NOT NULL
);
CREATE VIRTUAL TABLE documents_fts USING fts5 (
    tokens, content='', tokenize='ascii'
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
    commit_id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    n_rows INTEGER NOT NULL,
    last_row_id INTEGER NOT NULL,
    n_removed INTEGER NOT NULL
);
"""


@migrations()
def m001_first_tables(db: sqlite_utils.Database) -> None:
    """Documents, their vectors, their full-text rows, settings, and one row per commit."""
    for statement in _FIRST_TABLES.split(";\n"):
        if statement.strip():
            db.execute(statement)


def keep_morphemes(connection: sqlite3.Connection) -> None:
    """A table for the tokens of each row, parted by spaces, where they depend on a dictionary.

    The full-text index must be told exactly what it is to forget, and another version of the
    dictionary may cut a text otherwise.
    """
    connection.execute("CREATE TABLE morphemes (row_id INTEGER PRIMARY KEY, tokens TEXT NOT NULL)")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring `connection` to the newest schema; each step is one transaction."""
    db = sqlite_utils.Database(connection)
    migrations.apply(db)
    with db.atomic():
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute(
            "INSERT OR REPLACE INTO settings VALUES ('needs_kcsearch', ?)",
            [json.dumps(SCHEMA_SINCE)],
        )
