"""The words of a text that a query's tokens matched, made bold or listed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

_BOLD, _PLAIN = "\x1b[1m", "\x1b[22m"


def is_wanted() -> bool:
    """Whether standard output is a terminal that shows it; NO_COLOR (no-color.org) says no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def highlight(text: str, tokens: Iterable[str]) -> str:
    """Every place of a token in bold; overlapping bigrams are one place.

    >>> highlight("서울은 춥다", ["서울", "울은"])
    '\\x1b[1m서울은\\x1b[22m 춥다'
    """
    marked = _marked(text, tokens)
    pieces = []
    for place, letter in enumerate(text):
        if marked[place] and not (place and marked[place - 1]):
            pieces.append(_BOLD)
        pieces.append(letter)
        if marked[place] and not (place + 1 < len(text) and marked[place + 1]):
            pieces.append(_PLAIN)
    return "".join(pieces)


def matched_words(text: str, tokens: Iterable[str]) -> list[str]:
    """The words of the text that hold a token, each once, in their order.

    >>> matched_words("서울은 춥고, 서울은 넓다.", ["서울"])
    ['서울은']
    """
    marked = _marked(text, tokens)
    words, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        if any(marked[start : start + len(word)]):
            words.append(word.strip(".,!?…\"'()[]“”‘’"))
        start += len(word)
    return list(dict.fromkeys(words))


def _marked(text: str, tokens: Iterable[str]) -> list[bool]:
    """For each letter whether it is part of a token."""
    lowered = text.lower()
    marked = [False] * len(text)
    if len(lowered) != len(text):  # a few capitals (İ) grow; then only what is written alike
        lowered = text
    for token in (token.rstrip("*") for token in tokens):
        place = lowered.find(token) if token else -1
        while place >= 0:
            marked[place : place + len(token)] = [True] * len(token)
            place = lowered.find(token, place + 1)
    return marked
