"""What a stored row must be like: the rules that `verify` and `repair` hold it to.

Each function says in a few words what is wrong, or None.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from kcsearch.store.text_store import LENGTH_TOLERANCE, VECTOR_DTYPE, hash_text


def document_fault(row: tuple[Any, ...]) -> str | None:
    """row: key, text, source, line, metadata, text_hash, window_of as SQLite gives them."""
    key, text, source, line, metadata, text_hash, window_of = row
    if not isinstance(key, str) or not key:
        return "its key is no text"
    if not isinstance(text, str) or hash_text(text) != text_hash:
        return "its text does not fit its hash"
    if not isinstance(source, str | None) or not isinstance(window_of, str | None):
        return "its source is no text"
    if not isinstance(line, int | None):
        return "its line is no number"
    try:
        return None if isinstance(json.loads(metadata), dict) else "its metadata is no object"
    except (TypeError, ValueError, RecursionError):
        return "its metadata is no JSON"


def vector_fault(blob: object, dim: int) -> str | None:
    if blob is None:
        return "it has no vector"
    if not isinstance(blob, bytes) or len(blob) != dim * VECTOR_DTYPE.itemsize:
        return f"its vector does not have {dim} numbers"
    vector = np.frombuffer(blob, VECTOR_DTYPE).astype(np.float64)
    if not np.isfinite(vector).all():
        return "its vector holds what is no number"
    length = float(np.linalg.norm(vector))
    if abs(length - 1) > LENGTH_TOLERANCE:
        return f"its vector has the length {length:.4g}"
    return None
