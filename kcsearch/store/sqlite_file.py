"""Open a SQLite file for reading or writing, and say in words what can go wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcsearch.errors import CollectionDamagedError, CollectionUnavailableError, InputError


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """A connection in autocommit mode; use `transaction` to write. Readers cannot write.

    Raises CollectionUnavailableError and CollectionDamagedError.
    """
    with explained(path):
        if writable:
            connection = _open(path.absolute().as_uri() + "?mode=rw")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        else:
            connection = _open_for_reading(path)
        connection.execute("PRAGMA busy_timeout = 10000")  # ms
        connection.execute("PRAGMA mmap_size = 268435456")  # bytes
        connection.execute("PRAGMA trusted_schema = OFF")  # views and triggers call nothing unsafe
        return connection


def _open(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _open_for_reading(path: Path) -> sqlite3.Connection:
    uri = path.absolute().as_uri() + "?mode=ro"
    connection = _open(uri)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
        return connection
    except sqlite3.OperationalError:
        # In a read-only folder SQLite cannot make the -shm file that WAL needs. Where no WAL is
        # waiting, the file itself is everything, and nobody can be writing it.
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        connection = _open(uri + "&immutable=1")
        connection.execute("SELECT count(*) FROM sqlite_master")
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "DEFERRED") -> Iterator[None]:
    """All of the block or nothing of it. kind: IMMEDIATE to write, DEFERRED for a snapshot."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into errors with a next step."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError(
            "{text!r} is no Unicode text: its character {n} is half of a surrogate pair",
            text=error.object,
            n=error.start + 1,
        ) from error
    except UnicodeDecodeError as error:  # of a message of SQLite's that quotes damaged bytes
        raise _damaged(path, error.reason) from error
    except sqlite3.ProgrammingError:  # a closed collection, say: no fault of the file
        raise
    except sqlite3.DatabaseError as error:
        words = str(error)
        if "full" in words or "disk I/O" in words:
            template = "{path}: the disk is full or failing ({reason}); what was committed is safe"
        elif "locked" in words or "busy" in words:
            template = "{path}: another program holds the store ({reason}); try again"
        elif "readonly" in words or "unable to open" in words:
            template = "{path}: cannot be opened ({reason}); check that it exists and who may write"
        else:
            raise _damaged(path, error) from error
        raise CollectionUnavailableError(template, path=path, reason=error) from error
    except OSError as error:
        raise CollectionUnavailableError(
            "{path}: {reason}; check that the folder exists and who may write there",
            path=error.filename or path,
            reason=error.strerror or error,
        ) from error


def _damaged(path: Path, reason: object) -> CollectionDamagedError:
    return CollectionDamagedError(
        "{path}: {reason}. The store is damaged: run `kcsearch repair`, put back a copy of it, or "
        "delete the collection's folder and index again",
        path=path,
        reason=reason,
    )
