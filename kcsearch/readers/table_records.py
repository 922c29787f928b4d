"""CSV and TSV to records with their line numbers, one at a time.

Strict: another number of columns than the header's or an open quote is an error with its line.
None stands for a blank line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from kcsearch.errors import InputError
from kcsearch.hangul import normalize
from kcsearch.readers.decoding import (
    MAX_FIELDS,
    MAX_RECORD,
    TextFile,
    too_long,
    too_many_fields,
)
from kcsearch.readers.values import first_repeated


def table_records(file: TextFile, *, tabs: bool) -> Iterator[tuple[int, dict[str, str] | None]]:
    """A record for each row below the header; its line is the one where the row begins.

    Commas: RFC 4180, a quoted field may hold line breaks; semicolons in their place, as some
    spreadsheets write them, where the header has them and no comma. Tabs: as IANA has it, where a
    quote is a letter like any other (so NSMC and other Korean data sets write them) and a row is
    a line.
    """
    header: list[str] = []
    for line, row in _rows(file, "\t" if tabs else _delimiter(file)):
        if not "".join(row).strip():  # spreadsheets end in rows of nothing but delimiters
            yield line, None
        elif not header:
            header = _header(row, file.label, line)
        elif len(row) == len(header):
            yield line, dict(zip(header, map(normalize, row), strict=True))
        else:
            raise InputError(
                "{path}:{line}: {found} columns where the header has {expected}",
                path=file.label,
                line=line,
                found=len(row),
                expected=len(header),
            )


def _delimiter(file: TextFile) -> str:
    """A comma, or the semicolon, by the first line that is not blank; the file is rewound."""
    header = next((line for _, line in file.lines() if line.strip()), "")
    file.rewind()
    unquoted = re.sub(r'"[^"]*"?', "", header)
    return ";" if ";" in unquoted and "," not in unquoted else ","


def _rows(file: TextFile, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line where it begins. A row is at most as long as MAX_RECORD."""
    n_read = start = size = 0
    tabs = delimiter == "\t"

    def lines() -> Iterator[str]:
        nonlocal n_read, size
        is_within_quotes = False
        for n_read, line in file.lines():
            size += len(line) + 1
            if n_read > start and size > MAX_RECORD:
                raise too_long(file.label, start)
            n_quotes = 0 if tabs else line.count('"')
            may_be_counted = not n_quotes and not is_within_quotes
            if may_be_counted and line.count(delimiter) >= MAX_FIELDS:
                raise too_many_fields(file.label, n_read)  # before they are all taken apart
            is_within_quotes ^= n_quotes % 2 == 1
            yield line + "\n"

    if tabs:
        reader = csv.reader(lines(), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        start, size = n_read + 1, 0
        limit = csv.field_size_limit(MAX_RECORD)  # global in csv, 131,072 by default
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _not_csv(file.label, start, str(error)) from None
        finally:
            csv.field_size_limit(limit)
        if len(row) > MAX_FIELDS:
            raise too_many_fields(file.label, start)
        yield start, row


def _not_csv(label: str, line: int, reason: str) -> InputError:
    if "unexpected end of data" in reason:
        return InputError(
            "{path}:{line}: a quote that opens in this row is never closed. A quote inside a "
            'quoted field is written twice ("")',
            path=label,
            line=line,
        )
    if "field limit" in reason:
        return too_long(label, line)
    return InputError(
        "{path}:{line}: not CSV ({reason}). A field that holds quotes is quoted, and they are "
        'written twice ("")',
        path=label,
        line=line,
        reason=reason,
    )


def _header(row: list[str], label: str, line: int) -> list[str]:
    names = [normalize(name).strip() or f"column{i}" for i, name in enumerate(row, 1)]
    twice = first_repeated(names)
    if twice is not None:
        raise InputError(
            "{path}:{line}: two columns are called {name!r}", path=label, line=line, name=twice
        )
    return names
