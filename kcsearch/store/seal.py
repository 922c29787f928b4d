"""The checksum of a small store.db, kept in `store.sum` while nothing writes.

SQLite checks the frames of its log but not the pages of its file: a byte that a disk changed would
come back as a word of a document. A writer takes the seal away before it writes and puts another
on when all of its log is in store.db. A store without a seal is read unchecked.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from kcsearch.atomic_file import replacing, sync_folder

LARGEST = 16 << 20  # bytes: 8 ms to read and check whenever a store is opened
_MAGIC = "kcsearch-seal-1"


def seal_path(store: Path) -> Path:
    return store.with_suffix(".sum")


def put_seal(store: Path, token: str) -> None:
    """Seal the file as it is; `token` names its last commit. A large file gets no seal."""
    if store.stat().st_size > LARGEST:
        return
    content = store.read_bytes()
    words = f"{_MAGIC} {token} {len(content)} {zlib.crc32(content):08x}"
    with replacing(seal_path(store)) as draft:
        draft.write_text(f"{words} {zlib.crc32(words.encode()):08x}\n", encoding="ascii")


def take_seal(store: Path) -> None:
    """Remove the seal, so that it stays away through a power cut, too."""
    try:
        seal_path(store).unlink()
    except FileNotFoundError:
        return
    sync_folder(store.parent)


def has_broken_seal(store: Path, token: str) -> bool:
    """Whether the file differs from what was sealed after the commit `token`.

    A seal of another state, or one that is damaged itself, says nothing: False.
    """
    before = _identity(seal_path(store))
    sealed = _read(seal_path(store))
    if sealed is None or sealed[0] != token:
        return False
    if store.stat().st_size == sealed[1] and zlib.crc32(store.read_bytes()) == sealed[2]:
        return False
    return before == _identity(seal_path(store))  # else a writer came while the file was read


def _read(path: Path) -> tuple[str, int, int] | None:
    """Token, size and checksum."""
    try:
        words, _, checksum = path.read_text(encoding="ascii").strip().rpartition(" ")
        if zlib.crc32(words.encode()) != int(checksum, 16):
            return None
        magic, token, size, crc = words.split(" ")
        return (token, int(size), int(crc, 16)) if magic == _MAGIC else None
    except (OSError, ValueError):
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
