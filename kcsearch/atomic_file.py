"""Write a file whole or not at all: beside its target, fsynced, renamed, its folder fsynced.

What a user names to be written must not be a collection's own file; that is looked at here, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcsearch.errors import InputError

_OF_COLLECTIONS = ("store.db", "store.sum", "vectors.faiss", "write.lock")  # and store.db-wal, …


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a draft's path; when the block ends without an error, the draft becomes `path`.

    Raises OSError as the file system does; the draft is removed then, and `path` is as it was.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        yield draft
        with open(draft, "rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def refuse_file_of_collection(path: Path) -> None:
    """Raise InputError where writing `path` would destroy a part of a collection."""
    has_its_name = path.name.casefold().startswith(_OF_COLLECTIONS)
    if has_its_name and os.path.exists(path.with_name("store.db")):
        raise InputError(
            "{path}: this file belongs to a collection and is not written over", path=path
        )


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` last through a power cut, where the system can (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
