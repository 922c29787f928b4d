"""Queries, judgements (qrels) and scored sentence pairs, in the forms that test collections have.

queries   JSON Lines with `_id`, `id` or `key`, and `text` or `query` (BEIR); TSV of id and text;
          TREC topics (<top> <num> … <title> …)
qrels     TREC (query 0 document grade), BEIR (query document grade, with a header or without),
          JSON Lines with `query`, `document`, `grade` or BEIR's `query-id`, `corpus-id`, `score`
pairs     JSON Lines with `a`, `b`, `score` or `sentence1`, `sentence2`, `score`; TSV of the three
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kcsearch.errors import InputError
from kcsearch.hangul import normalize
from kcsearch.readers.decoding import TextFile
from kcsearch.readers.json_records import json_lines

_ID = ("_id", "id", "key", "query-id", "query_id")
_TEXT = ("text", "query")
_QUERY = ("query-id", "query_id", "query")
_DOCUMENT = ("corpus-id", "corpus_id", "document", "doc_id", "key")
_GRADE = ("score", "grade", "relevance")
_TOPIC = re.compile(
    r"<num>\s*(?:Number:)?\s*(\S+?)\s*(?=<).*?<title>\s*(?:Topic:)?\s*(.*?)\s*(?:</title>|<|$)",
    re.DOTALL,
)
Rows = Iterator[tuple[int, Sequence[Any]]]
_Rows = TypeVar("_Rows")


def read_queries(path: Path) -> dict[str, str]:
    """Query texts by id, in the order of the file. Raises InputError."""
    with TextFile(path, str(path)) as file:
        if path.suffix.lower() in (".jsonl", ".json", ".ndjson"):
            rows: Rows = _json_rows(file, _ID, _TEXT)
        else:
            head = file.read(4096)
            file.rewind()
            rows = _topics(file) if "<top>" in head else _table_rows(file, 2)
        queries: dict[str, str] = {}
        for line, (key, text) in rows:
            if str(key) in queries:
                raise InputError(
                    "{path}:{line}: the query {key!r} comes twice", path=path, line=line, key=key
                )
            if not str(text).strip():
                raise InputError("{path}:{line}: the query is empty", path=path, line=line)
            queries[normalize(str(key))] = normalize(str(text))
    return _not_empty(queries, path)


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Grades by query id and document key. Raises InputError."""
    qrels: dict[str, dict[str, int]] = {}
    with TextFile(path, str(path)) as file:
        if path.suffix.lower() in (".jsonl", ".json", ".ndjson"):
            rows: Rows = _json_rows(file, _QUERY, _DOCUMENT, _GRADE)
        else:
            rows = _qrel_rows(file)
        for line, (query, key, grade) in rows:
            number = _number(grade, path, line, int)
            qrels.setdefault(normalize(str(query)), {})[normalize(str(key))] = number
    return _not_empty(qrels, path)


def read_scored_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Two sentences and how alike people found them, on any scale. Raises InputError."""
    with TextFile(path, str(path)) as file:
        if path.suffix.lower() in (".jsonl", ".json", ".ndjson"):
            rows: Rows = _json_rows(
                file, ("a", "sentence1"), ("b", "sentence2"), ("score", "label")
            )
        else:
            rows = _table_rows(file, 3)
        pairs = [
            (normalize(str(a)), normalize(str(b)), float(_number(score, path, line, float)))
            for line, (a, b, score) in rows
        ]
    return _not_empty(pairs, path)


def _json_rows(file: TextFile, *fields: tuple[str, ...]) -> Rows:
    """For each line the first of each tuple of names that is there."""
    for line, record in json_lines(file):
        if record is None:
            continue
        values = []
        for names in fields:
            name = next((n for n in names if isinstance(record, dict) and n in record), None)
            if name is None or not isinstance(record, dict):
                raise InputError(
                    "{path}:{line}: no field {name}",
                    path=file.label,
                    line=line,
                    name=" / ".join(names),
                )
            values.append(record[name])
        yield line, values


def _table_rows(file: TextFile, n_columns: int) -> Rows:
    """Columns between tabs. A first line without a number where one is due is a header."""
    for line, text in file.lines():
        columns = text.rstrip("\r").split("\t")
        if not text.strip():
            continue
        if len(columns) != n_columns:
            raise InputError(
                "{path}:{line}: {n} columns between tabs where {wanted} are needed",
                path=file.label,
                line=line,
                n=len(columns),
                wanted=n_columns,
            )
        if line == 1 and (columns[0] in _ID or (n_columns == 3 and not _is_number(columns[-1]))):
            continue
        yield line, columns


def _qrel_rows(file: TextFile) -> Rows:
    """Three or four columns, between tabs if there are any, else between white space."""
    for line, text in file.lines():
        columns = text.split("\t") if "\t" in text else text.split()
        columns = [column.strip() for column in columns]
        if not text.strip():
            continue
        if len(columns) not in (3, 4):
            raise InputError(
                "{path}:{line}: {n} columns; judgements are QUERY DOCUMENT GRADE, or TREC's four",
                path=file.label,
                line=line,
                n=len(columns),
            )
        if line == 1 and not _is_number(columns[-1]):
            continue
        yield line, (columns[0], columns[-2], columns[-1])


def _topics(file: TextFile) -> Rows:
    text = "".join(f"{line}\n" for _, line in file.lines())
    for found in re.finditer(r"<top>(.*?)(?:</top>|(?=<top>)|\Z)", text, re.DOTALL):
        line = text.count("\n", 0, found.start()) + 1
        topic = _TOPIC.search(found[1])
        if topic is None:
            raise InputError(
                "{path}:{line}: a topic without num or title", path=file.label, line=line
            )
        yield line, (topic[1], " ".join(topic[2].split()))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: Any, path: Path, line: int, kind: Callable[[Any], Any]) -> Any:
    try:
        if isinstance(value, bool) or kind(value) != float(value):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            "{path}:{line}: {value!r} is no number of the kind that is needed",
            path=path,
            line=line,
            value=value,
        ) from None


def _not_empty(rows: _Rows, path: Path) -> _Rows:
    if not rows:
        raise InputError("{path}: there is nothing in it", path=path)
    return rows
