"""A new folder, whole or not at all, which never takes the place of another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcsearch.atomic_file import sync_folder
from kcsearch.errors import InputError


def refuse_existing(folder: Path) -> None:
    """Raise InputError where something is already."""
    if folder.exists():
        raise InputError(
            "{path} is there already, and nothing is overwritten: choose another name or remove it",
            path=folder,
        )


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a draft's path; when the block ends without an error, the draft becomes `folder`.

    Raises InputError where `folder` is already, or nothing can be written; the draft goes then.
    """
    refuse_existing(folder)
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        yield draft
        for file in draft.rglob("*"):
            if file.is_file():  # safetensors writes for its owner alone
                file.chmod(draft.stat().st_mode & 0o666)
        draft.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise InputError(
            "{path}: cannot be written ({reason})", path=folder, reason=error.strerror
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
