"""Hits and documents as text: table, plain, JSON, JSON lines, CSV, TSV. Hangul is never escaped.

Nothing is printed here. Control characters are made visible in what is meant for eyes (table,
plain); JSON escapes them by itself, CSV and TSV quote them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from kcsearch.display import display_width, fit, visible

Format = Literal["table", "json", "jsonl", "csv", "tsv", "plain"]


# JSON need not escape these, but terminals obey the first and JavaScript ends lines at the last.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029]")


def as_json(value: Any, *, indent: int | None = 2) -> str:
    return without_controls(json.dumps(value, ensure_ascii=False, indent=indent))


def without_controls(text: str) -> str:
    """The same JSON, with what terminals obey escaped."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def as_json_lines(records: Iterable[Any]) -> str:
    return "\n".join(as_json(record, indent=None) for record in records)


def as_csv(
    records: Sequence[Mapping[str, Any]], *, delimiter: str = ",", header: bool = True
) -> str:
    """A header and a row for each record; what is not a string or a number is written as JSON."""
    rows = [list(records[0])] if records and header else []
    rows += [[_cell(value) for value in record.values()] for record in records]
    return "\n".join(_csv_row(row, delimiter) for row in rows)


def _csv_row(cells: Sequence[Any], delimiter: str) -> str:
    """Without a line end. Old Pythons quote a carriage return only if it is part of theirs."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n")


def as_table(
    rows: Sequence[Sequence[str]],
    header: Sequence[str] = (),
    width: int | None = None,
    mark: Callable[[int, str], str] | None = None,
) -> str:
    """Columns aligned by display width (Hangul takes two).

    width: of the terminal. To fit it, the last column loses its end, the others their beginning
    when they take more than a third: of `notes/2024/docs.txt:12` the end says more.
    mark: may add what takes no room (bold) to a row's last cell; it gets the row's number, -1 for
    the header, and the cell as it fits.

    >>> print(as_table([["1", "서울"], ["2", "부산항"]], ["#", "text"]))
    #  text
    1  서울
    2  부산항
    """
    shown = [[visible(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(map(display_width, column)) for column in zip(*shown, strict=True)]
    if width is not None:
        widths[:-1] = [min(w, max(8, width // 3)) for w in widths[:-1]]
        widths[-1] = max(8, min(widths[-1], width - sum(w + 2 for w in widths[:-1])))
    lines = []
    for number, row in enumerate(shown, -1 if header else 0):
        *others, last = zip(row, widths, strict=True)
        cells = [fit(_ending(cell, w), w) for cell, w in others]
        text = fit(*last).rstrip()
        cells.append(mark(number, text) if mark else text)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _ending(text: str, width: int) -> str:
    """`text`, or … and as much of its end as fits into `width` columns."""
    if display_width(text) <= width:
        return text
    start = next(n for n in range(len(text) + 1) if display_width(text[n:]) < width)
    return "…" + text[start:]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value, ".6f")
    is_plain = isinstance(value, str | int) and not isinstance(value, bool)
    return value if is_plain else json.dumps(value, ensure_ascii=False)
