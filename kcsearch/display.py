"""Text in a terminal: how wide it is, cut to a width, and with nothing hidden in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import category, east_asian_width

_JOINER, _EMOJI_STYLE = "\u200d", "\ufe0f"
_ZERO_WIDTH = ("Mn", "Me", "Cf", "Cc")


def display_width(text: str) -> int:
    """Terminal columns: Hangul and emoji two, combining and invisible characters none.

    Ambiguous characters (· … ①) count one, as terminals do by default.

    >>> display_width("한글 a"), display_width("❤️"), display_width("👨‍👩‍👧")
    (6, 2, 2)
    """
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(width for _, width in _clusters(text))


def fit(text: str, width: int) -> str:
    """Pad with spaces, or cut and end in …, to exactly `width` columns.

    >>> fit("서울", 6), fit("서울특별시", 6)
    ('서울  ', '서울… ')
    """
    used = display_width(text)
    if used <= width:
        return text + " " * (width - used)
    if width < 1:
        return ""
    kept, used = [], 1
    for cluster, columns in _clusters(text):
        if used + columns > width:
            break
        kept.append(cluster)
        used += columns
    return "".join(kept) + "…" + " " * (width - used)


def _clusters(text: str) -> Iterator[tuple[str, int]]:
    """What is drawn as one, with its columns: a letter and its marks, or a joined emoji."""
    cluster, width = "", 0
    for letter in text:
        columns = _columns(letter)
        if cluster and (columns == 0 or _is_joined(cluster, letter)):
            if columns or letter == _EMOJI_STYLE:
                width = 2
            cluster += letter
            continue
        if cluster:
            yield cluster, width
        cluster, width = letter, columns
    if cluster:
        yield cluster, width


def _columns(letter: str) -> int:
    if letter < "\u0300":
        return 0 if letter < " " or "\x7f" <= letter < "\xa0" or letter == "\xad" else 1
    if "\u1160" <= letter <= "\u11ff" or "\ud7b0" <= letter <= "\ud7ff":
        return 0  # vowels and finals of taken-apart Hangul
    if category(letter) in _ZERO_WIDTH:
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def _is_joined(cluster: str, letter: str) -> bool:
    """Whether an emoji goes on: a skin colour, or what follows a joiner."""
    is_skin = "\U0001f3fb" <= letter <= "\U0001f3ff"
    is_emoji = cluster[0] >= "\u2190" and not cluster[0].isalnum() and not letter.isalnum()
    return is_emoji and (is_skin or cluster[-1] == _JOINER)


# Everything that moves the cursor, reorders or hides: C0 and C1 controls, line separators, bidi
# controls, tags (they hide whole sentences), surrogates. Joiners and zero-width spaces stay.
_UNSAFE = re.compile(
    "\r\n|[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Make control, escape and bidi characters visible; Hangul and all else stay as they are.

    Tabs become a space, line breaks ⏎.

    >>> visible("가\\x1b[31m나\\r\\n다\\u202e")
    '가␛[31m나⏎다\\\\u202e'
    """
    return _UNSAFE.sub(_show, text)


def _show(found: re.Match[str]) -> str:
    letter = found[0][-1]
    if letter in "\n\r\u2028\u2029\x85":
        return "⏎"
    if letter == "\t":
        return " "
    if letter < " ":
        return chr(0x2400 + ord(letter))
    if letter == "\x7f":
        return "␡"
    return letter.encode("ascii", "backslashreplace").decode()
