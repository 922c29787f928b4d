"""What frameworks call filters, as the conditions of `Collection.search`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kcsearch.errors import InputError


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
