"""The text of HTML, block by block, as a browser would part it; no scripts, styles or forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from kcsearch.readers.decoding import TextFile
from kcsearch.readers.passages import Numbered

_CHUNK = 2**20  # characters
_SKIPPED = {"script", "style", "noscript", "template", "head", "svg", "math", "select", "textarea"}
_INLINE = {
    *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i"),
    *("ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span"),
    *("strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "img"),
}
_VOID = {
    "br",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "wbr",
    "col",
    "area",
    "base",
    "source",
    "track",
}
_SPACE = re.compile(r"[ \t\r\n\f]+")


def blocks(file: TextFile) -> Iterator[Numbered]:
    """Texts of blocks (paragraphs, headings, items, cells) with the line where each begins."""
    parser = _Blocks()
    while chunk := file.read(_CHUNK):
        parser.feed(chunk)
        yield from parser.take()
    parser.close()
    parser.end_block()
    yield from parser.take()


class _Blocks(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._line = 1
        self._done: list[Numbered] = []
        self._skipping = ""  # the element whose end is waited for
        self._depth = 0  # of elements of that name within it

    def take(self) -> list[Numbered]:
        taken, self._done = self._done, []
        return taken

    def end_block(self) -> None:
        text = _SPACE.sub(" ", "".join(self._parts)).replace(" \v ", "\n").replace("\v", "\n")
        if text.strip():
            self._done.append((self._line, text.strip()))
        self._parts = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping:
            self._depth += tag == self._skipping
        elif tag in _SKIPPED:
            self.end_block()
            self._skipping, self._depth = tag, 1
        elif tag == "br":
            self._parts.append("\v")
        elif tag == "body" or tag not in _INLINE:
            self.end_block()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._skipping:
            self.handle_starttag(tag, attrs)
            if tag in _SKIPPED:
                self._skipping = ""

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            self._depth -= tag == self._skipping
            if not self._depth:
                self._skipping = ""
        elif tag not in _INLINE and tag not in _VOID:
            self.end_block()

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if not self._parts and data.strip():
            lead = data[: len(data) - len(data.lstrip())]
            self._line = self.getpos()[0] + lead.count("\n")
        if self._parts or data.strip():
            self._parts.append(data)
