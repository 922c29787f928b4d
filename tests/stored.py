"""A collection of made-up sentences that several tests of damage and repair begin with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from doubles import HashEncoder

from kcsearch.collection import Collection
from kcsearch.types import Document

LONG = "서울에서 부산까지 가는 길에 있었던 아주 긴 이야기입니다. " * 4  # several windows


def documents(n: int = 40) -> list[Document]:
    return [
        Document(f"{i}번째 문장은 환불과 날씨 이야기입니다", f"k{i}", "a.txt", i + 1, {"n": i})
        for i in range(n)
    ]


def made(path: Path, n: int = 40, *, with_long: bool = True) -> Path:
    """A collection of `documents(n)` and a text of several windows, closed."""
    with Collection(path, encoder=HashEncoder()) as collection:
        collection.add([*documents(n), Document(LONG, "long")] if with_long else documents(n))
    return path


def opened(path: Path) -> Collection:
    return Collection(path, create=False, encoder=HashEncoder())


def execute(path: Path, sql: str, *values: Any) -> None:
    """Change store.db behind the back of kcsearch, and its seal with it."""
    (path / "store.sum").unlink(missing_ok=True)
    with closing(sqlite3.connect(path / "store.db")) as db, db:
        db.execute(sql, values)


def flip(file: Path, at: int, bits: int = 0xFF) -> None:
    """Change a byte, in a new file: the old one may be mapped."""
    content = bytearray(file.read_bytes())
    content[at] ^= bits
    file.unlink()
    file.write_bytes(content)
