"""Values of tables as the JSON values that metadata are made of."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Sequence
from typing import Any

from kcsearch.errors import InputError
from kcsearch.hangul import normalize


def first_repeated(names: Sequence[str]) -> str | None:
    """The first name that comes a second time, in linear time; None if all differ."""
    met: set[str] = set()
    for name in names:
        if name in met:
            return name
        met.add(name)
    return None


def as_json(value: Any, label: str, line: int) -> Any:
    """Dates in ISO 8601, decimals as numbers, nan as None, texts in NFC. InputError for bytes."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return normalize(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return as_json(float(value), label, line)
    if isinstance(value, datetime.timedelta | uuid.UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return [as_json(item, label, line) for item in value]
    if isinstance(value, dict):
        return {str(name): as_json(item, label, line) for name, item in value.items()}
    raise InputError(
        "{path}:{line}: a value of the type {kind} cannot be kept; leave its column out",
        path=label,
        line=line,
        kind=type(value).__name__,
    )
