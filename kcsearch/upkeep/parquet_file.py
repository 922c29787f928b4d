"""Documents or rows to a Parquet file and back, by pyarrow: `kcsearch[parquet]`.

The columns are the fields of `kcsearch export`'s lines; metadata is JSON text, a vector a list of
float32. What the first line tells of the model stands in the file's own metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from kcsearch.errors import InputError, MissingExtraError
from kcsearch.readers.decoding import MAX_FIELDS

SUFFIX = ".parquet"
_BLOCK = 1000  # rows
_COLUMNS = ("key", "text", "source", "line", "metadata")


def write_records(
    path: Path, records: Iterable[Mapping[str, Any]], header: tuple[str, Any] | None, dim: int
) -> int:
    """Write records in blocks; how many. header: a name and a JSON value; None without vectors."""
    pyarrow, parquet = _libraries(path)
    fields = [(name, pyarrow.int64() if name == "line" else pyarrow.string()) for name in _COLUMNS]
    if header is not None:
        vector = pyarrow.list_(pyarrow.float32(), dim)
        fields += [("window_of", pyarrow.string()), ("vector", vector)]
    schema = pyarrow.schema(fields)
    if header is not None:
        schema = schema.with_metadata({header[0]: json.dumps(header[1], ensure_ascii=False)})
    n, stream = 0, iter(records)
    with parquet.ParquetWriter(path, schema) as writer:
        while block := list(islice(stream, _BLOCK)):
            rows = [{**record, "metadata": _json(record["metadata"])} for record in block]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
            n += len(block)
    return n


def read_header(path: Path, name: str) -> Any:
    """The JSON value that `write_records` was given; None if there is none."""
    with _opened(path) as file:
        text = (file.schema_arrow.metadata or {}).get(name.encode())
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Records with their number from 1. Raises InputError, MissingExtraError."""
    number = 0
    with _opened(path) as file:
        for batch in file.iter_batches(_BLOCK):
            for row in batch.to_pylist():
                number += 1
                yield number, {**row, "metadata": _value(row.get("metadata"), path, number)}


def _json(value: Mapping[str, Any]) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None


def _value(text: object, path: Path, number: int) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        raise InputError(
            "{path}:{line}: the field {field!r} is not what `kcsearch export` writes",
            path=path,
            line=number,
            field="metadata",
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise InputError("{path}: no such file", path=path)
    pyarrow, parquet = _libraries(path)
    try:
        with parquet.ParquetFile(path) as file:
            if file.metadata.num_columns > MAX_FIELDS:
                raise InputError(
                    "{path}:{line}: more than {limit} columns", path=path, line=1, limit=MAX_FIELDS
                )
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            "{path}: no Parquet file, or a damaged one ({reason})",
            path=path,
            reason=str(error).split("\n")[0],
        ) from None


def _libraries(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "{path}: Parquet needs pyarrow: pip install 'kcsearch[parquet]'", path=path
        ) from error
    return pyarrow, parquet
