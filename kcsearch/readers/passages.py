"""Text to passages: lines, sentences, paragraphs, of plain text and Markdown, with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

from kcsearch.hangul import split_sentences
from kcsearch.readers.decoding import MAX_RECORD, too_long

Split = Literal["line", "sentence", "paragraph", "none"]
Numbered = tuple[int, str]

_FRONT_MATTER_LINES = 1_000  # more than that between two --- is no front matter
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_HEADING = re.compile(r" {0,3}#{1,6}(\s|$)")


def split_text(lines: Iterable[Numbered], split: Split, label: str) -> Iterator[Numbered]:
    """Passages of plain text, stripped, with the line where each begins; blank ones as ""."""
    if split in ("line", "sentence"):
        blocks: Iterable[Numbered] = lines
    else:
        blocks = _blocks(lines, label, ends_at_blank=split == "paragraph")
    return _passages(blocks, split)


def split_blocks(blocks: Iterable[Numbered], split: Split, label: str) -> Iterator[Numbered]:
    """The same of a document that comes in blocks (paragraphs, pages); empty ones are left out.

    Lines and sentences bear the number of their block; none: all blocks are one passage.
    """
    lines = (_lines(number, block) for number, block in blocks)
    for some in [chain.from_iterable(lines)] if split == "none" else lines:
        yield from (passage for passage in split_text(some, split, label) if passage[1])


def _lines(number: int, block: str) -> list[Numbered]:
    return [(number, line) for line in block.split("\n")]


def split_markdown(lines: Iterable[Numbered], split: Split, label: str) -> Iterator[Numbered]:
    """The same of Markdown: no front matter, code fences whole, headings with what follows."""
    lines = _without_front_matter(iter(lines))
    if split == "line":
        return _passages(lines, split)
    if split == "none":
        return _passages(_blocks(lines, label, ends_at_blank=False), split)
    return _passages(_markdown_blocks(lines, label), split)


def _passages(blocks: Iterable[Numbered], split: Split) -> Iterator[Numbered]:
    for number, block in blocks:
        if split != "sentence":
            yield number, block.strip()
            continue
        for sentence in split_sentences(block) or [""]:
            yield number, sentence.strip()
            number += sentence.count("\n")


def _blocks(lines: Iterable[Numbered], label: str, *, ends_at_blank: bool) -> Iterator[Numbered]:
    """Runs of lines without blank ones between them, or all lines as one."""
    block = _Block(label)
    for number, line in lines:
        if line.strip() or (block.lines and not ends_at_blank):
            block.add(number, line)
        elif block.lines:
            yield block.take()
    if block.lines:
        yield block.take()


def _markdown_blocks(lines: Iterable[Numbered], label: str) -> Iterator[Numbered]:
    block = _Block(label)
    fence = ""
    for number, line in lines:
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        if line.strip() or fence:
            block.add(number, line)
        elif any(x.strip() and not _HEADING.match(x) for x in block.lines):
            yield block.take()
        elif block.lines:  # a heading waits for its paragraph
            block.add(number, line)
    if block.lines:
        yield block.take()


class _Block:
    """Lines that are collected until a passage is complete."""

    def __init__(self, label: str) -> None:
        self.lines: list[str] = []
        self._label = label
        self._first = 0
        self._size = 0

    def add(self, number: int, line: str) -> None:
        if not self.lines:
            self._first = number
        self.lines.append(line)
        self._size += len(line) + 1
        if self._size > MAX_RECORD:
            raise too_long(self._label, self._first)

    def take(self) -> Numbered:
        taken = self._first, "\n".join(self.lines)
        self.lines, self._size = [], 0
        return taken


def _without_front_matter(lines: Iterator[Numbered]) -> Iterator[Numbered]:
    head: list[Numbered] = []
    for number, line in lines:
        head.append((number, line))
        if number == 1 and line.rstrip() != "---":
            break
        if number > 1 and line.rstrip() in ("---", "..."):
            return lines
        if number > _FRONT_MATTER_LINES:
            break
    return chain(head, lines)
