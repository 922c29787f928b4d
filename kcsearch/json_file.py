"""Read a JSON file of a model folder, or say what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from kcsearch.errors import ModelError


def read_object(path: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not path.is_file():
        return {}
    return cast("dict[str, Any]", read_json(path, dict))


def read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError("{path} is missing: not a model folder", path=path) from error
    except (ValueError, RecursionError) as error:
        raise ModelError("{path} is not JSON: {reason}", path=path, reason=error) from error
    if not isinstance(value, kind):
        raise ModelError("{path} has to hold a JSON {kind}", path=path, kind=kind.__name__)
    return value
