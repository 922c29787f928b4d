"""Documents, with their vectors or without, to files that other programs read, and back again.

JSON Lines hold a document a line, as `kcsearch list --format jsonl` prints it. With vectors, a
first line tells of the model, and a line is a row: a text longer than the model's limit is several.
NumPy's .npy holds the vectors alone, row for row with the JSON Lines that are written beside it;
Parquet holds what the lines would (parquet_file.py).
"""

from __future__ import annotations

import json
import os
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np

from kcsearch.atomic_file import refuse_file_of_collection, replacing
from kcsearch.errors import InputError, ModelMismatchError
from kcsearch.hangul import normalize
from kcsearch.readers.decoding import TextFile
from kcsearch.readers.json_records import json_lines
from kcsearch.store.soundness import vector_fault
from kcsearch.store.sqlite_file import explained
from kcsearch.store.text_store import (
    MAX_LINE,
    VECTOR_DTYPE,
    NewRow,
    StoredRow,
    TextStore,
    check_metadata,
)
from kcsearch.types import MAX_DEPTH, Document, IndexReport
from kcsearch.upkeep import parquet_file

Record = dict[str, Any]

HEADER = "kcsearch_vectors"  # the field of a first line that tells of the model
_BLOCK = 1000  # rows
_MODEL_NAMES = ("name", "revision")  # all else of a fingerprint decides the vectors
_FIELDS = {"key": str, "text": str, "source": str, "line": int, "metadata": dict, "window_of": str}


class Writable(Protocol):
    def write(self, text: str, /) -> object: ...


# -- out -------------------------------------------------------------------------------------------


def export(
    store: TextStore, row_ids: np.ndarray, out: Writable | str | Path, *, vectors: bool
) -> int:
    """Write the rows of `row_ids` to a stream or a file; how many documents, or rows with vectors.

    A name that ends in .npy gets the matrix. Raises CollectionUnavailableError as the disk does,
    and InputError for a file that belongs to a collection.
    """
    if isinstance(out, str | Path):
        refuse_file_of_collection(Path(out))
    records = _with_vectors(store, row_ids) if vectors else _documents(store, row_ids)
    header = (HEADER, _origin(store)) if vectors else None
    if not isinstance(out, str | Path):
        return _write_lines(out, records, header)
    path = Path(out)
    with explained(path):
        if path.suffix == ".npy":
            return _write_matrix(store, row_ids, path)
        with replacing(path) as draft:
            if path.suffix == parquet_file.SUFFIX:
                dim = int(store.settings["dim"])
                return parquet_file.write_records(draft, records, header, dim)
            with draft.open("w", encoding="utf-8", newline="\n") as lines:
                return _write_lines(lines, records, header)


def _write_lines(out: Writable, records: Iterable[Record], header: tuple[str, Any] | None) -> int:
    """JSON Lines, behind a line that tells of the model if there are vectors; how many records."""
    if header is not None:
        _write(out, dict([header]))
    n = 0
    for n, record in enumerate(records, 1):  # noqa: B007 - read below
        _write(out, record)
    return n


def _documents(store: TextStore, row_ids: np.ndarray) -> Iterator[Record]:
    """Whole documents, in the order of their row ids."""
    for _, rows in groupby(_rows(store, row_ids), key=lambda row: row.whole_key):
        parts = list(rows)
        document = parts[0].document
        text = "".join(row.document.text for row in parts)
        yield replace(document, key=parts[0].whole_key, text=text).as_dict()


def _with_vectors(store: TextStore, row_ids: np.ndarray, vectors: bool = True) -> Iterator[Record]:
    """Rows with their vectors, or with nothing but their place among those of a .npy."""
    for some in _blocks(row_ids):
        found = store.vectors(some) if vectors else np.empty((len(some), 0), VECTOR_DTYPE)
        for row, vector in zip(_rows(store, np.array(some)), found, strict=True):
            record = {**row.document.as_dict(), "window_of": row.window_of}
            # float() of a float32 has up to 17 digits that say nothing: nine give it back.
            numbers = [float(f"{number:.9g}") for number in vector.tolist()]
            yield {**record, "vector": numbers} if vectors else record


def _write_matrix(store: TextStore, row_ids: np.ndarray, path: Path) -> int:
    """float32 (n, dim) to `path`, and what its rows are to `path` with .jsonl behind it."""
    dim = int(store.settings["dim"])
    with replacing(path) as draft, replacing(_lines_of(path)) as lines:
        with draft.open("wb") as file:
            layout = {"descr": VECTOR_DTYPE.str, "fortran_order": False}
            np.lib.format.write_array_header_1_0(file, {**layout, "shape": (len(row_ids), dim)})
            for some in _blocks(row_ids):
                file.write(np.ascontiguousarray(store.vectors(some), VECTOR_DTYPE).tobytes())
        with lines.open("w", encoding="utf-8", newline="\n") as out:
            header = (HEADER, _origin(store))
            return _write_lines(out, _with_vectors(store, row_ids, vectors=False), header)


def _rows(store: TextStore, row_ids: np.ndarray) -> Iterator[StoredRow]:
    for some in _blocks(row_ids):
        yield from (row for _, row in sorted(store.rows(some).items()))


def _blocks(row_ids: np.ndarray) -> Iterator[list[int]]:
    return (row_ids[i : i + _BLOCK].tolist() for i in range(0, len(row_ids), _BLOCK))


def _origin(store: TextStore) -> dict[str, Any]:
    names = ("model", "model_reference", "dim")
    return {name: store.settings[name] for name in names}


def _write(out: Writable, record: Mapping[str, Any]) -> None:
    out.write(json.dumps(record, ensure_ascii=False) + "\n")


# -- in --------------------------------------------------------------------------------------------


def origin_of(path: Path) -> dict[str, Any] | None:
    """What a file tells of the vectors in it; None if it holds documents alone."""
    if path.suffix == parquet_file.SUFFIX:
        origin = parquet_file.read_header(path, HEADER)
    else:
        with _opened(path) as file:
            first = next(json_lines(file), (1, None))[1]
        origin = first.get(HEADER) if isinstance(first, dict) else None
    return origin if isinstance(origin, dict) else None


def read_documents(path: Path) -> Iterator[Document]:
    """The documents of a file that `export` wrote. Raises InputError."""
    for line, record in _records(path):
        yield _document(record, str(_lines_of(path)), line)


def read_rows(path: Path, dim: int) -> Iterator[tuple[int, NewRow]]:
    """The rows of a .npy, or of JSON Lines or Parquet with vectors, each with its line.

    Raises InputError.
    """
    matrix = _matrix(path) if path.suffix == ".npy" else None
    label, n = str(_lines_of(path)), 0
    for line, record in _records(path):
        if n == 0 and isinstance(record, dict) and HEADER in record:
            continue
        document = _document(record, label, line)
        assert isinstance(record, dict)  # _document saw to it
        if matrix is None:
            vector = _vector(record.get("vector"), dim, label, line)
        elif n < len(matrix):
            vector = np.array(matrix[n], VECTOR_DTYPE)
        else:
            raise _not_of_one_export(path, len(matrix))
        n += 1
        if fault := vector_fault(vector.astype(VECTOR_DTYPE).tobytes(), dim):
            raise _unusable(label, line, fault)
        window_of = record.get("window_of")
        yield line, NewRow(document, vector, None if window_of is None else normalize(window_of))
    if matrix is not None and n < len(matrix):
        raise _not_of_one_export(path, len(matrix))


def add_rows(
    store: TextStore,
    path: Path,
    rows: Iterable[tuple[int, NewRow]],
    progress: Callable[[IndexReport], None] | None = None,
) -> IndexReport:
    """Put rows with their vectors into the store, in the place of those with the same keys.

    rows: of the file `path`, as `read_rows` gives them. Raises InputError for a key that comes
    twice; the batches before it stay.
    """
    report = IndexReport()
    store.start_run()
    for texts in _batches(rows):
        places = [
            Document("", text[0][1].whole_key, str(_lines_of(path)), text[0][0]) for text in texts
        ]
        _refuse_repeated(store, places)
        whole_keys = {place.key for place in places}
        found = store.rows_by_key([place.key or "" for place in places])
        stale = [row for row in found if row.whole_key in whole_keys]
        add = [row for text in texts for _, row in text]
        store.write(add=add, remove=stale)
        n_replaced = len({row.whole_key for row in stale})
        report.n_read += len(texts)
        report.n_changed += n_replaced
        report.n_added += len(texts) - n_replaced
        report.n_windows += sum(row.window_of is not None for row in add)
        if progress is not None:
            progress(report)
    return report


def _refuse_repeated(store: TextStore, places: Sequence[Document]) -> None:
    """Raise InputError for a key that this run has met; `places` tell where in the file it is."""
    try:
        store.mark_seen(places)
    except InputError as error:
        raise InputError(
            "{source}:{line}: the key {key!r} was already used at {first_source}:{first_line}. "
            "Keys must be unique",
            **error.values,
        ) from None


def check_origin(origin: Mapping[str, Any], store: TextStore, path: Path) -> None:
    """Raise ModelMismatchError unless the vectors of a file are of the collection's model."""
    theirs, ours = origin.get("model"), store.settings["model"]
    theirs = theirs if isinstance(theirs, dict) else {}
    differing = [n for n in ours if n not in _MODEL_NAMES and theirs.get(n) != ours[n]]
    if differing:
        raise ModelMismatchError(
            "{path} holds vectors of the model {theirs}, the collection those of {ours}: they "
            "differ in {what}. Export without --vectors, and the texts are embedded again",
            path=path,
            theirs=f"{theirs.get('name')} {theirs.get('revision', '')}".strip(),
            ours=f"{ours.get('name')} {ours.get('revision', '')}".strip(),
            what=", ".join(differing),
        )


def _batches(rows: Iterable[tuple[int, NewRow]]) -> Iterator[list[list[tuple[int, NewRow]]]]:
    """Texts of some thousand rows: each one row, or its windows that follow one another."""
    batch: list[list[tuple[int, NewRow]]] = []
    n_rows = 0
    for (_, is_window), text in groupby(rows, key=_text_of):
        for part in [list(text)] if is_window else ([row] for row in text):
            batch.append(part)
            n_rows += len(part)
            if n_rows >= _BLOCK:
                yield batch
                batch, n_rows = [], 0
    if batch:
        yield batch


def _text_of(numbered: tuple[int, NewRow]) -> tuple[str, bool]:
    """The key of the text that a row holds, and whether it holds but a part of it."""
    row = numbered[1]
    return row.whole_key, row.window_of is not None


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """What an export holds, with the line or the number of each."""
    if path.suffix == parquet_file.SUFFIX:
        yield from parquet_file.read_records(path)
        return
    with _opened(path) as file:
        yield from (
            (line, record) for line, record in json_lines(file, MAX_DEPTH + 1) if record is not None
        )


def _lines_of(path: Path) -> Path:
    """The file with the documents: of a matrix the one beside it."""
    return path.with_name(f"{path.name}.jsonl") if path.suffix == ".npy" else path


def _opened(path: Path) -> TextFile:
    lines = _lines_of(path)
    if not lines.is_file():
        raise InputError("{path}: no such file", path=lines)
    return TextFile(lines, str(lines), "utf-8")


def _not_of_one_export(path: Path, n_vectors: int) -> InputError:
    return InputError(
        "{path} has {n} rows, and {other} another number of them: they are not of one export",
        path=path,
        n=n_vectors,
        other=_lines_of(path),
    )


def _document(record: object, label: str, line: int) -> Document:
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise InputError(
            "{path}:{line}: not a document as `kcsearch export` writes it. Other files are for "
            "`kcsearch index`",
            path=label,
            line=line,
        )
    for name, kind in _FIELDS.items():
        value = record.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise InputError(
                "{path}:{line}: the field {field!r} is not what `kcsearch export` writes",
                path=label,
                line=line,
                field=name,
            )
    if not record.get("key"):
        raise InputError("{path}:{line}: the document has no key", path=label, line=line)
    place = record.get("line")
    text, source, window_of = record["text"], record.get("source"), record.get("window_of")
    if place is not None and not -MAX_LINE <= place <= MAX_LINE:
        raise _unusable(label, line, "its line number is too large")
    if window_of == "":
        raise _unusable(label, line, "the text of which it is a part has no key")
    if not text or (window_of is None and not text.strip()):  # a window may be white space
        raise _unusable(label, line, "it has no text")
    metadata = record.get("metadata") or {}
    try:
        check_metadata(metadata)
    except InputError as error:
        raise _unusable(label, line, str(error)) from None
    return Document(
        normalize(text),
        normalize(record["key"]),
        None if source is None else normalize(source),
        place,
        metadata,
    )


def _unusable(label: str, line: int, fault: str) -> InputError:
    return InputError(
        "{path}:{line}: the document cannot be used: {fault}", path=label, line=line, fault=fault
    )


def _vector(numbers: object, dim: int, label: str, line: int) -> np.ndarray:
    if not isinstance(numbers, list) or not all(isinstance(n, int | float) for n in numbers):
        raise InputError(
            "{path}:{line}: the field {field!r} is not what `kcsearch export` writes",
            path=label,
            line=line,
            field="vector",
        )
    try:
        with np.errstate(over="ignore"):  # `vector_fault` tells what became of it
            return np.array(numbers, np.float64).astype(VECTOR_DTYPE)
    except OverflowError:  # of an integer that no float64 is near to
        return np.full(len(numbers), np.inf, VECTOR_DTYPE)


def _matrix(path: Path) -> np.ndarray:
    """float32 (n, dim), mapped rather than read. The header is not believed."""
    try:
        with path.open("rb") as file:
            shape, is_fortran, dtype = _header(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
        if dtype != VECTOR_DTYPE or len(shape) != 2 or any(type(n) is not int for n in shape):
            raise InputError("{path}: not a matrix of float32", path=path)
        if min(shape) < 0 or start + shape[0] * shape[1] * VECTOR_DTYPE.itemsize != size:
            raise ValueError("it is not as long as its header says")
        if start == size:  # nothing can be mapped
            return np.empty((0, 0), VECTOR_DTYPE)
        order: Literal["C", "F"] = "F" if is_fortran else "C"
        return np.memmap(path, VECTOR_DTYPE, "r", start, shape, order)
    except _UNREADABLE as error:
        reason = str(error).split("\n")[0]
        raise InputError("{path}: cannot be read ({reason})", path=path, reason=reason) from None


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type of a .npy; the file stands behind it then."""
    if np.lib.format.read_magic(file) == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    file.seek(0)
    if np.lib.format.read_magic(file) == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError("not of version 1 or 2")


# What numpy raises for a header that is none, which it takes for Python.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, TypeError, SyntaxError),
    *(RecursionError, MemoryError, tokenize.TokenError),
)
