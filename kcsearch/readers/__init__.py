"""Files, folders, patterns and standard input to Documents, one at a time.

How bytes become text is decoding.py's, which files are read paths.py's; records come from
json_records.py, table_records.py, parquet_records.py and sql_records.py, blocks of text from
html_text.py, pdf_pages.py and zipped_xml.py, passages from passages.py. Keys, metadata and counts
are here.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from kcsearch.errors import InputError
from kcsearch.hangul import normalize
from kcsearch.readers.decoding import TextFile, check_encoding
from kcsearch.readers.json_records import Record, json_lines, json_records, kind
from kcsearch.readers.passages import Numbered, Split, split_blocks, split_markdown, split_text
from kcsearch.readers.paths import BINARY, Format, InputFile, find
from kcsearch.readers.table_records import table_records
from kcsearch.types import Document

KEY_FIELDS = ("key", "id", "_id")

_LINE_END = re.compile("\r\n|\r|\n")
# Nothing to be seen: white space, joiners, soft hyphens, Hangul fillers, byte order marks.
_BLANK = re.compile(r"[\s\u00ad\u115f\u1160\u200b-\u200f\u2060\u3164\uffa0\ufeff]*\Z")


@dataclass(slots=True)
class ReadReport:
    """What `read` has read so far.

    sources: of every file begun, in order, also of those that held no document.
    n_blank: lines, records and passages without text. skipped: files in folders whose suffix names
    no format. guessed: files that were not UTF-8 and were read as CP949.
    bytes_total: None if standard input or a pipe is among the files.
    """

    n_files: int = 0
    n_documents: int = 0
    n_blank: int = 0
    bytes_total: int | None = 0
    sources: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    _bytes_done: int = 0
    _open: TextFile | None = None

    @property
    def bytes_read(self) -> int:
        return self._bytes_done + (self._open.position() if self._open else 0)


def read(
    paths: Sequence[str | os.PathLike[str]],
    *,
    split: Split | None = None,
    text_field: str = "text",
    key_field: str | None = None,
    encoding: str | None = None,
    format: Format | None = None,
    sql: str | None = None,
    source_of: Callable[[Path], str] = Path.as_posix,
    report: ReadReport | None = None,
    stdin: IO[bytes] | None = None,
) -> Iterator[Document]:
    """Read documents, in the order of `paths` and by name in folders; `-` is standard input.

    split: how a text is cut. None: text files into lines, Markdown, HTML, DOCX, HWPX and PDF into
    paragraphs, records not. The line of a document is its paragraph in DOCX and HWPX, its page in
    PDF and its row in Parquet and SQL.
    key_field: None takes the first of `key`, `id`, `_id` that the first record of a file has; ""
    takes none. Documents without a key are called SOURCE:LINE, a second one there SOURCE:LINE.2.
    format: of every file; None goes by suffix, unknown ones and standard input are text.
    sql: a query whose rows are records; then every file is an SQLite database.
    report: is filled while reading.

    What can be known before reading raises InputError at once, the rest when it is met.

    >>> import io
    >>> list(read(["-"], stdin=io.BytesIO("서울\\n\\n부산".encode())))
    [Document(text='서울', key='-:1', source='-', line=1, metadata={}), \
Document(text='부산', key='-:3', source='-', line=3, metadata={})]
    """
    if encoding is not None:
        check_encoding(encoding)
    report = ReadReport() if report is None else report
    found = find([paths] if isinstance(paths, str | os.PathLike) else paths, format)
    report.skipped += found.skipped
    report.bytes_total = _total(found.files)
    reader = _Reader(
        report=report,
        split=split,
        text_field=normalize(text_field),
        key_field=None if key_field is None else normalize(key_field),
        encoding=encoding,
        sql=sql,
        source_of=source_of,
        stdin=stdin,
    )
    return reader.documents(found.files)


def _total(files: Sequence[InputFile]) -> int | None:
    total = 0
    for file in files:
        if file.path is None or not os.path.isfile(file.path):
            return None
        total += os.path.getsize(file.path)
    return total


@dataclass(frozen=True, slots=True)
class _Reader:
    report: ReadReport
    split: Split | None
    text_field: str
    key_field: str | None
    encoding: str | None
    sql: str | None
    source_of: Callable[[Path], str]
    stdin: IO[bytes] | None

    def documents(self, files: Sequence[InputFile]) -> Iterator[Document]:
        for file in files:
            source = "-" if file.path is None else normalize(self.source_of(file.path))
            self.report.n_files += 1
            self.report.sources.append(source)
            if self.sql is not None or file.format in BINARY:
                yield from self._of_binary(file, _Place(source))
                continue
            opened = file.path or self.stdin or sys.stdin.buffer
            with TextFile(opened, file.label, self.encoding) as text:
                self.report._open = text
                if text.encoding == "cp949" and self.encoding is None:
                    self.report.guessed.append(file.label)
                try:
                    yield from self._of_file(text, file.format, source)
                finally:
                    self.report._bytes_done += text.position()
                    self.report._open = None

    def _of_file(self, file: TextFile, format: Format, source: str) -> Iterator[Document]:
        place = _Place(source)
        if format == "txt":
            passages = split_text(file.lines(), self.split or "line", file.label)
        elif format == "md":
            passages = split_markdown(file.lines(), self.split or "paragraph", file.label)
        elif format == "html":
            from kcsearch.readers.html_text import blocks

            passages = split_blocks(blocks(file), self.split or "paragraph", file.label)
        else:
            yield from self._of_records(self._records(file, format), file.label, place)
            return
        yield from self._of_passages(passages, place)

    def _of_binary(self, file: InputFile, place: _Place) -> Iterator[Document]:
        """Formats that are no text; libraries read them, which want to move about in a file."""
        if self.sql is not None:
            from kcsearch.readers.sql_records import sql_records

            if file.path is None:
                raise InputError("--sql asks for the name of an SQLite file, not for -")
            yield from self._of_records(
                sql_records(file.path, self.sql, file.label), file.label, place
            )
            return
        with _opened(file, self.stdin) as opened:
            if file.format == "parquet":
                from kcsearch.readers.parquet_records import parquet_records

                records = parquet_records(opened, file.label)
                yield from self._of_records(records, file.label, place)
            else:
                passages = split_blocks(
                    _blocks(opened, file), self.split or "paragraph", file.label
                )
                yield from self._of_passages(passages, place)
            self.report._bytes_done += opened.seek(0, os.SEEK_END)

    def _of_passages(self, passages: Iterator[Numbered], place: _Place) -> Iterator[Document]:
        for line, text in passages:
            if _BLANK.match(text):
                self.report.n_blank += 1
                continue
            self.report.n_documents += 1
            yield Document(normalize(text), place.key(line), place.source, line)

    def _records(self, file: TextFile, format: Format) -> Iterator[tuple[int, Record]]:
        if format == "jsonl":
            return json_lines(file)
        if format == "json":
            return json_records(file, self.text_field)
        return table_records(file, tabs=format == "tsv")

    def _of_records(
        self, records: Iterator[tuple[int, Record]], label: str, place: _Place
    ) -> Iterator[Document]:
        key_field = self.key_field
        for line, record in records:
            if isinstance(record, dict):
                if key_field is None:  # the first record decides
                    names = (name for name in KEY_FIELDS if name in record)
                    key_field = next((name for name in names if name != self.text_field), "")
                text = _text_of(record, self.text_field, label, line)
                key = _key_of(record, key_field, label, line) if key_field else None
                used = (self.text_field, key_field)
                metadata = {name: value for name, value in record.items() if name not in used}
            else:
                text, key, metadata = record or "", None, {}
            if _BLANK.match(text):
                self.report.n_blank += 1
                continue
            for number, passage in enumerate(self._passages(text, label), 1):
                self.report.n_documents += 1
                suffix = "" if number == 1 else f".{number}"
                name = place.key(line) if key is None else key + suffix
                yield Document(passage, name, place.source, line, metadata)

    def _passages(self, text: str, label: str) -> list[str]:
        """The parts of one record's text; a record that is not split keeps its white space."""
        if self.split in (None, "none"):
            return [text]
        lines = enumerate(_LINE_END.split(text), 1)
        parts = (part for _, part in split_text(lines, self.split, label))
        return [part for part in parts if not _BLANK.match(part)]


def _opened(file: InputFile, stdin: IO[bytes] | None) -> IO[bytes]:
    if file.path is None:
        return io.BytesIO((stdin or sys.stdin.buffer).read())
    try:
        return open(file.path, "rb")
    except OSError as error:
        raise InputError(
            "{path}: cannot be read ({reason})", path=file.label, reason=error.strerror
        ) from None


def _blocks(opened: IO[bytes], file: InputFile) -> Iterator[Numbered]:
    if file.format == "pdf":
        from kcsearch.readers.pdf_pages import pages

        return pages(opened, file.label)
    from kcsearch.readers.zipped_xml import paragraphs

    return paragraphs(opened, file.label, "docx" if file.format == "docx" else "hwpx")


@dataclass(slots=True)
class _Place:
    """Names documents after where they stand: SOURCE:LINE, then SOURCE:LINE.2 and so on."""

    source: str
    line: int = 0
    n_here: int = 0

    def key(self, line: int) -> str:
        self.n_here = self.n_here + 1 if line == self.line else 1
        self.line = line
        return f"{self.source}:{line}" + (f".{self.n_here}" if self.n_here > 1 else "")


def _text_of(record: Mapping[str, Any], name: str, label: str, line: int) -> str:
    text = record.get(name)
    if isinstance(text, str):
        return text
    if name in record:
        raise InputError(
            "{path}:{line}: the field {field!r} holds {found}, not text",
            path=label,
            line=line,
            field=name,
            found=kind(text),
        )
    raise InputError(
        "{path}:{line}: no field {field!r}; there is {fields}. Name the field that holds the text, "
        "for example --text-field {guess}",
        path=label,
        line=line,
        field=name,
        fields=_names(record),
        guess=_likely_text_field(record, name),
    )


def _likely_text_field(record: Mapping[str, Any], name: str) -> str:
    """The field of a similar name, else the one with the longest text."""
    texts = {field: value for field, value in record.items() if isinstance(value, str)}
    close = difflib.get_close_matches(name, texts, n=1)
    if close:
        return close[0]
    return max(texts, key=lambda field: len(texts[field])) if texts else "NAME"


def _key_of(record: Mapping[str, Any], name: str, label: str, line: int) -> str:
    if name not in record:
        raise InputError(
            "{path}:{line}: no field {field!r} to take the key from; there is {fields}. Name "
            'another with --key-field, or "" to number the documents by line',
            path=label,
            line=line,
            field=name,
            fields=_names(record),
        )
    key = record[name]
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    if isinstance(key, str) and not _BLANK.match(key):
        return key
    raise InputError(
        "{path}:{line}: the key in {field!r} is {found}; a key is a string or a whole number. Name "
        'another field with --key-field, or "" to number the documents by line',
        path=label,
        line=line,
        field=name,
        found="blank" if isinstance(key, str) else kind(key),
    )


def _names(record: Mapping[str, Any]) -> str:
    names = list(record)
    return ", ".join(names[:20]) + (" …" if len(names) > 20 else "") if names else "none"
