"""The Korean of every message."""

from __future__ import annotations

KOREAN: dict[str, str] = {}
