"""Parquet files to records, batch by batch, by pyarrow: `kcsearch[parquet]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from kcsearch.errors import InputError, MissingExtraError
from kcsearch.readers.decoding import MAX_FIELDS, too_many_fields
from kcsearch.readers.json_records import Record
from kcsearch.readers.values import as_json

_ROWS = 1_000


def parquet_records(file: IO[bytes], label: str) -> Iterator[tuple[int, Record]]:
    """A record for each row with its number from 1. Raises InputError, MissingExtraError."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingExtraError(
            "{path}: Parquet needs pyarrow: pip install 'kcsearch[parquet]'", path=label
        ) from error
    number = 0
    try:
        opened = ParquetFile(file)
        if opened.metadata.num_columns > MAX_FIELDS:
            raise too_many_fields(label, 1)
        for batch in opened.iter_batches(_ROWS):
            rows: list[dict[str, Any]] = batch.to_pylist()
            for row in rows:
                number += 1
                yield number, {name: as_json(value, label, number) for name, value in row.items()}
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            "{path}: no Parquet file, or a damaged one ({reason})",
            path=label,
            reason=str(error).split("\n")[0],
        ) from None
