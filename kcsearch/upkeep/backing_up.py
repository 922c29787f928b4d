"""Copies a collection into another folder while others may write: whole, or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

from kcsearch.atomic_file import sync_folder
from kcsearch.errors import InputError
from kcsearch.index_cache import IndexCache
from kcsearch.store.sqlite_file import explained
from kcsearch.store.text_store import TextStore


def backup(store: TextStore, index_file: Path, folder: Path) -> int:
    """Copy into `folder`, which must not be there yet, or be empty; how many rows it holds.

    The copy is of one moment. Raises InputError, CollectionUnavailableError.
    """
    folder = Path(os.path.abspath(folder))
    with explained(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("{path} is there already: name a new folder", path=folder)
        draft = folder.with_name(f"{folder.name}.{os.getpid()}.new")
        draft.mkdir(parents=True)
        try:
            n_rows = _fill(draft, store, index_file)
            sync_folder(draft)
            draft.replace(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    return n_rows


def _fill(draft: Path, store: TextStore, index_file: Path) -> int:
    """The store first; FAISS's file is copied, and caught up where it is of another moment."""
    store.copy_to(draft / store.path.name)
    if index_file.exists():
        shutil.copyfile(index_file, draft / index_file.name)
    with closing(TextStore(draft / store.path.name, writable=True)) as copy:
        with copy.snapshot():
            IndexCache(draft / index_file.name).save(copy)
        return copy.state().n_rows
