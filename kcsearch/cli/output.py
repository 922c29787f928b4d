"""Hits and documents as text: table, plain, JSON, JSON lines, CSV, TSV. Hangul is never escaped.

Nothing is printed here. Control characters are made visible in what is meant for eyes (table,
plain); JSON escapes them by itself, CSV and TSV quote them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from kcsearch.display import display_width, fit, visible

Format = Literal["table", "json", "jsonl", "csv", "tsv", "plain"]


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def as_json_lines(records: Iterable[Any]) -> str:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)


def as_csv(
    records: Sequence[Mapping[str, Any]], *, delimiter: str = ",", header: bool = True
) -> str:
    """A header and a row for each record; what is not a string or a number is written as JSON."""
    out = io.StringIO()
    if not records:
        return ""
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(records[0])
    for record in records:
        writer.writerow(_cell(value) for value in record.values())
    return out.getvalue().rstrip("\n")


def as_table(
    rows: Sequence[Sequence[str]], header: Sequence[str] = (), width: int | None = None
) -> str:
    """Columns aligned by display width (Hangul takes two); the last is cut to fit `width`.

    >>> print(as_table([["1", "서울"], ["2", "부산항"]], ["#", "text"]))
    #  text
    1  서울
    2  부산항
    """
    shown = [[visible(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    widths = [max(map(display_width, column)) for column in zip(*shown, strict=True)]
    if width is not None:
        widths[-1] = max(8, min(widths[-1], width - sum(w + 2 for w in widths[:-1])))
    lines = []
    for row in shown:
        cells = [fit(cell, w) for cell, w in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def visible_line(text: str) -> str:
    """A text on one line, control characters and escape sequences made visible."""
    return visible(text)


def visible_text(text: str) -> str:
    """The same with its line ends kept."""
    return "\n".join(map(visible, text.split("\n")))


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return format(value, ".6f")
    return value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)
