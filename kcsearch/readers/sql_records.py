"""Rows of an SQLite file, by a query of the user's, as records. The file is only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kcsearch.errors import InputError
from kcsearch.readers.json_records import Record
from kcsearch.readers.values import as_json


def sql_records(path: Path, sql: str, label: str) -> Iterator[tuple[int, Record]]:
    """A record for each row of the answer with its number from 1. Raises InputError."""
    try:
        with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as database:
            rows = database.execute(sql)
            names = [column[0] for column in rows.description or ()]
            if len(set(names)) < len(names):
                raise InputError(
                    "--sql {sql!r}: two columns have the same name; tell them apart with AS",
                    sql=sql,
                )
            for number, row in enumerate(rows, 1):
                values = (as_json(value, label, number) for value in row)
                yield number, dict(zip(names, values, strict=True))
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise InputError(
            "{path}: --sql {sql!r}: {reason}", path=label, sql=sql, reason=error
        ) from None
