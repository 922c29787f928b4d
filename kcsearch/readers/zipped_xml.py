"""The text of DOCX and HWPX: XML parts in a ZIP file, paragraph by paragraph.

Read with expat as a stream; a document type declaration (where entities are made) is refused, and
so is what unpacks to far more than it is. What was deleted, and pictures' names, are no text.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal
from xml.parsers import expat

from kcsearch.errors import InputError
from kcsearch.readers.decoding import MAX_RECORD, too_long
from kcsearch.readers.passages import Numbered

MAX_PART = 2**28  # bytes of one XML part, unpacked
MAX_PARTS = 10_000
MAX_OPEN = 1_000  # elements within one another
_CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class _Kind:
    """parts: names of the XML parts with text. text, gaps: elements; skipped: not looked into."""

    parts: re.Pattern[str]
    text: str
    gaps: dict[str, str]
    skipped: frozenset[str]


_KINDS = {
    # ECMA-376; Fallback repeats the text boxes for old programs
    "docx": _Kind(
        re.compile(r"word/document\.xml"),
        "t",
        {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"},
        frozenset({"Fallback", "pPr", "rPr"}),
    ),
    # KS X 6101
    "hwpx": _Kind(
        re.compile(r"Contents/section(\d+)\.xml"),
        "t",
        {"tab": "\t", "lineBreak": "\n", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"},
        frozenset({"shapeComment"}),
    ),
}


def paragraphs(file: IO[bytes], label: str, kind: Literal["docx", "hwpx"]) -> Iterator[Numbered]:
    """Paragraphs with their number from 1, also those in tables and notes; empty ones as ""."""
    chosen, n = _KINDS[kind], 0
    try:
        with zipfile.ZipFile(file) as archive:
            for name in _parts(archive, chosen, label):
                with archive.open(name) as part:
                    for text in _Paragraphs(chosen, label).of(part):
                        n += 1
                        yield n, text
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise InputError(
            "{path}: no {kind} file, or a damaged or encrypted one ({reason})",
            path=label,
            kind=kind.upper(),
            reason=error,
        ) from None


def _parts(archive: zipfile.ZipFile, kind: _Kind, label: str) -> list[str]:
    found = [info for info in archive.infolist() if kind.parts.fullmatch(info.filename)]
    if not found:
        raise InputError("{path}: there is no text part in it", path=label)
    if len(found) > MAX_PARTS or any(info.file_size > MAX_PART for info in found):
        raise InputError("{path}: too large when unpacked", path=label)
    return [info.filename for info in sorted(found, key=lambda info: _number(info.filename))]


def _number(name: str) -> int:
    digits = re.findall(r"\d+", name)
    return int(digits[-1]) if digits else 0


class _Paragraphs:
    """The paragraphs of one part, as expat meets their ends.

    A paragraph within another (in a table, a text box) comes out before the rest of the outer one.
    """

    def __init__(self, kind: _Kind, label: str) -> None:
        self._kind, self._label = kind, label
        self._open: list[list[str]] = []
        self._done: list[str] = []
        self._depth = self._depth_of_text = self._depth_of_skipped = 0
        self._size = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.buffer_text = True

    def of(self, part: IO[bytes]) -> Iterator[str]:
        n_read = 0
        try:
            while chunk := part.read(_CHUNK):
                n_read += len(chunk)
                if n_read > MAX_PART:  # whatever the archive says of its size
                    raise InputError("{path}: too large when unpacked", path=self._label)
                self._parser.Parse(chunk, False)
                yield from self._take()
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise InputError(
                "{path}: its XML is broken ({reason})", path=self._label, reason=error
            ) from None
        yield from self._take()

    def _take(self) -> list[str]:
        taken, self._done = self._done, []
        return taken

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_OPEN:
            raise InputError(
                "{path}: its XML is nested deeper than {limit} levels",
                path=self._label,
                limit=MAX_OPEN,
            )
        local = name.rpartition(" ")[2]
        if self._depth_of_skipped or local in self._kind.skipped:
            self._depth_of_skipped += 1
        elif local == "p":
            self._open.append([])
        elif local == self._kind.text:
            self._depth_of_text += 1
        elif local in self._kind.gaps and self._open:
            self._add(self._kind.gaps[local])

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = name.rpartition(" ")[2]
        if self._depth_of_skipped:
            self._depth_of_skipped -= 1
        elif local == "p" and self._open:
            self._done.append("".join(self._open.pop()).strip())
        elif local == self._kind.text:
            self._depth_of_text -= 1

    def _characters(self, text: str) -> None:
        if self._depth_of_text and not self._depth_of_skipped and self._open:
            self._add(text)

    def _add(self, text: str) -> None:
        if not self._open[-1]:
            self._size = 0
        self._size += len(text)
        if self._size > MAX_RECORD:
            raise too_long(self._label, 1)
        self._open[-1].append(text)

    def _refuse(self, *_: object) -> None:
        raise InputError("{path}: its XML has a document type declaration", path=self._label)
