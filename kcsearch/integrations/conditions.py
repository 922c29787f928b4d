"""What frameworks call filters, as the conditions of `Collection.search`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kcsearch.errors import InputError
from kcsearch.hangul import normalize

Order = Literal["<", "<=", ">", ">="]


def as_filters(filter: Mapping[str, Any] | None) -> dict[str, str] | None:
    """NAME to VALUE with the values written as kcsearch compares them: `4`, `true`, `날씨`.

    Raises InputError for a value that is a list or an object.
    """
    if filter is None:
        return None
    return {name: _written(name, value) for name, value in filter.items()}


def _written(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise InputError(
        "filter {name!r}: a string, a number or a boolean is asked for, not {value!r}",
        name=name,
        value=value,
    )


@dataclass(frozen=True, slots=True)
class Conditions:
    """Builds the `where` of a search piece by piece, and gathers its `params`.

    Every condition is 0 or 1, never NULL, so that `none_of` means what it says: a field that is
    missing equals None, differs from everything else, and is neither less nor greater.

    >>> c = Conditions()
    >>> c.equal(c.metadata("topic"), "날씨"), c.params
    ('json_extract(documents.metadata, :v0) IS :v1', {'v0': '$."topic"', 'v1': '날씨'})
    """

    params: dict[str, Any] = field(default_factory=dict)

    def metadata(self, *names: str) -> str:
        """A field of the metadata, or with several names one within others."""
        for name in names:
            if '"' in name:
                raise InputError("no filter can name the field {name!r}", name=name)
        path = "$" + "".join(f'."{normalize(name)}"' for name in names)
        return f"json_extract(documents.metadata, {self._param(path)})"

    def equal(self, expression: str, value: Any) -> str:
        return f"{expression} IS {self._param(value)}"

    def different(self, expression: str, value: Any) -> str:
        return f"{expression} IS NOT {self._param(value)}"

    def ordered(self, expression: str, order: Order, value: Any, *, as_dates: bool = False) -> str:
        """Numbers with numbers, texts with texts; as_dates: by time, of texts in ISO 8601."""
        if value is None:
            return "0"
        types = "'text'" if isinstance(value, str) else "'integer', 'real'"
        left, right = expression, self._param(value)
        if as_dates:
            left, right = f"julianday({left})", f"julianday({right})"
        return f"(typeof({expression}) IN ({types}) AND {left} {order} {right}) IS TRUE"

    def one_of(self, expression: str, values: Iterable[Any]) -> str:
        return self.any_of([self.equal(expression, value) for value in values])

    def holds(self, expression: str, value: Any) -> str:
        """Whether the list at `expression` has the item `value`."""
        of = f"CASE WHEN json_valid({expression}) THEN {expression} ELSE '[]' END"
        return f"{self._param(value)} IN (SELECT item.value FROM json_each({of}) AS item)"

    def includes(self, expression: str, text: str, *, any_case: bool = False) -> str:
        """Whether the text at `expression` has `text` in it; any_case is of ASCII letters."""
        part = self._param(text)
        if any_case:
            expression, part = f"lower({expression})", f"lower({part})"
        return f"coalesce(instr({expression}, {part}), 0) > 0"

    @staticmethod
    def all_of(conditions: Sequence[str]) -> str:
        return f"({' AND '.join(conditions) or '1'})"

    @staticmethod
    def any_of(conditions: Sequence[str]) -> str:
        return f"({' OR '.join(conditions) or '0'})"

    @staticmethod
    def none_of(conditions: Sequence[str]) -> str:
        return f"(NOT ({' OR '.join(conditions) or '0'}))"

    def _param(self, value: Any) -> str:
        if isinstance(value, str):
            value = normalize(value)
        elif value is not None and not isinstance(value, bool | int | float):
            raise InputError("a filter compares strings and numbers, not {value!r}", value=value)
        name = f"v{len(self.params)}"
        self.params[name] = value
        return f":{name}"
