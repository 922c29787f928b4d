"""JSON and JSON lines to records with their line numbers, one at a time.

Strict: what another program might read differently (NaN, a name twice, half a character) is an
error with its line. A record is a dict or a string; None stands for a blank line.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from kcsearch.errors import InputError
from kcsearch.hangul import normalize
from kcsearch.readers.decoding import MAX_FIELDS, MAX_RECORD, TextFile, too_long
from kcsearch.readers.values import first_repeated
from kcsearch.types import MAX_DEPTH

Record = dict[str, Any] | str | None

_CHUNK = 2**16
_SPACE = re.compile(r"[ \t\n\r]*")
_TOO_MANY = f"an object of more than {MAX_FIELDS} names"


def json_lines(file: TextFile, max_depth: int = MAX_DEPTH) -> Iterator[tuple[int, Record]]:
    """A record for each line."""
    for number, line in file.lines():
        if not line.strip(" \t"):
            yield number, None
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise _not_json(file.label, number, error) from None
        yield number, _record(value, file.label, number, max_depth)


def json_records(file: TextFile, text_field: str) -> Iterator[tuple[int, Record]]:
    """The elements of the file's array, or of the only array in the file's object.

    An object that holds `text_field` itself is one record.
    """
    values = _Values(file)
    opening = values.peek()
    if opening == "{":
        names = _scan(values)
        file.rewind()
        values = _Values(file)
        arrays = [name for name, is_array in names.items() if is_array]
        if text_field in names or not arrays:
            values.peek()
            yield values.line, _record(values.take(), file.label, values.line)
        elif len(arrays) == 1:
            for name in _members(values):
                if name == arrays[0]:
                    yield from _elements(values)
                else:
                    values.take()
        else:
            raise InputError(
                "{path}: an object with several arrays ({names}); one of records is needed",
                path=file.label,
                names=", ".join(arrays[:20]) + (" …" if len(arrays) > 20 else ""),
            )
    elif opening == "[":
        yield from _elements(values)
        values.end()
    elif opening:
        raise values.broken("neither an array nor an object")


class _Values:
    """JSON values of a text, one after the other, with only the present one in memory."""

    def __init__(self, file: TextFile) -> None:
        self.line = 1
        self.label = file.label
        self._file = file
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            self._go_to(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def expect(self, choices: str) -> str:
        found = self.peek()
        if not found or found not in choices:
            raise self.broken(f"expecting {' or '.join(choices)}")
        self._go_to(self._at + 1)
        return found

    def take(self) -> Any:
        """The next value, which may be as long as MAX_RECORD."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._is_cut_off(error) or not self._read_more():
                    line = self.line + self._text.count("\n", self._at, error.pos)
                    raise _not_json(self.label, line, error) from None
                continue
            except (ValueError, RecursionError) as error:
                raise _not_json(self.label, self.line, error) from None
            if end == len(self._text) and self._read_more():  # a number may go on
                continue
            self._go_to(end)
            return value

    def end(self) -> None:
        if self.peek():
            raise self.broken("a second value; for one value a line use --format jsonl")

    def broken(self, reason: str) -> InputError:
        return _not_json(self.label, self.line, ValueError(reason))

    def _go_to(self, at: int) -> None:
        self.line += self._text.count("\n", self._at, at)
        self._at = at

    def _is_cut_off(self, error: json.JSONDecodeError) -> bool:
        """Whether the value may be right, and only its end has not been read."""
        is_at_the_end = error.pos > len(self._text) - 16  # two \\u escapes, or less of a word
        if not is_at_the_end and not error.msg.startswith("Unterminated string"):
            return False
        if len(self._text) - self._at > MAX_RECORD:
            raise too_long(self.label, self.line)
        return True

    def _read_more(self) -> bool:
        """As much again as there is, so that a long value is not parsed too often."""
        rest = self._text[self._at :]
        more = self._file.read(max(_CHUNK, len(rest)))
        self._text, self._at = rest + more, 0
        return bool(more)


def _elements(values: _Values) -> Iterator[tuple[int, Record]]:
    for line, value in _array(values):
        yield line, _record(value, values.label, line)


def _array(values: _Values) -> Iterator[tuple[int, Any]]:
    values.expect("[")
    if values.peek() == "]":
        values.expect("]")
        return
    while True:
        values.peek()
        line = values.line
        yield line, values.take()
        if values.expect(",]") == "]":
            return


def _members(values: _Values) -> Iterator[str]:
    """The names of an object; whoever asks for the next one has taken the value of this one."""
    values.expect("{")
    if values.peek() == "}":
        values.expect("}")
        return
    while True:
        if values.peek() != '"':
            raise values.broken("expecting a name in double quotes")
        name = normalize(values.take())
        values.expect(":")
        yield name
        if values.expect(",}") == "}":
            return


def _scan(values: _Values) -> dict[str, bool]:
    """The names in the file's object, and whether they name arrays. Nothing may follow it."""
    names: dict[str, bool] = {}
    for name in _members(values):
        if name in names:
            raise values.broken(f"the name {name!r} comes twice")
        if len(names) == MAX_FIELDS:
            raise values.broken(_TOO_MANY)
        names[name] = values.peek() == "["
        if names[name]:
            for _ in _array(values):
                pass
        else:
            values.take()
    values.end()
    return names


def _record(value: Any, label: str, line: int, max_depth: int = MAX_DEPTH) -> Record:
    if not isinstance(value, str | dict):
        raise InputError(
            "{path}:{line}: {found} where a text or an object should be. A whole array belongs "
            "into a .json file (--format json)",
            path=label,
            line=line,
            found=kind(value),
        )
    try:
        cleaned: Record = _cleaned(value, max_depth)
    except ValueError as error:
        raise _not_json(label, line, error) from None
    return cleaned


def _cleaned(value: Any, levels: int) -> Any:
    """The value in NFC throughout. Raises ValueError for what cannot be kept.

    levels: of values that may still be within this one.
    """
    if levels < 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            escape = f"\\u{ord(value[error.start]):04x}"
            raise ValueError(f"half a character: {escape} without its other half") from None
        return normalize(value)
    if isinstance(value, list):
        return [_cleaned(item, levels - 1) for item in value]
    if isinstance(value, dict):
        pairs = [(_cleaned(name, 0), _cleaned(item, levels - 1)) for name, item in value.items()]
        return _unique(pairs)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_FIELDS:
        raise ValueError(_TOO_MANY)
    unique = dict(pairs)
    if len(unique) < len(pairs):
        twice = first_repeated([name for name, _ in pairs])
        raise ValueError(f"the name {twice!r} comes twice")
    return unique


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits} is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


def _not_json(label: str, line: int, error: Exception) -> InputError:
    reason = str(error)
    if isinstance(error, json.JSONDecodeError):
        reason = f"{error.msg}, column {error.colno}"
    elif isinstance(error, RecursionError):
        reason = "nested too deeply"
    elif "set_int_max_str_digits" in reason:
        reason = "a number of too many digits"
    return InputError(
        "{path}:{line}: not JSON as it should be ({reason}). If the file is of another format, "
        "name it with --format",
        path=label,
        line=line,
        reason=reason,
    )


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
