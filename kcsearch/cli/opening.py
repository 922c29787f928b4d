"""Which collection a command works on, and opening it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kcsearch.cli.messages import say
from kcsearch.cli.printing import tell
from kcsearch.errors import CollectionNotFoundError
from kcsearch.types import Clean, Words

if TYPE_CHECKING:  # numpy, FAISS and SQLite wait until a command needs them
    from kcsearch.collection import Collection


def existing(named: Path | None) -> Path:
    """The collection to read from. Raises CollectionNotFoundError."""
    from kcsearch.collection import find_collection

    return named or find_collection()


def _target(named: Path | None) -> Path:
    """The collection to write to: as for reading, or a new one in the working directory."""
    from kcsearch.collection import DEFAULT_NAME

    try:
        return existing(named)
    except CollectionNotFoundError:
        return Path(DEFAULT_NAME)


def exists(named: Path | None) -> bool:
    """Whether there is a collection to write to."""
    return (_target(named) / "store.db").exists()


@contextmanager
def opened_to_write(
    named: Path | None,
    model: str | None,
    wait: float,
    dry_run: bool,
    clean: Clean | None = None,
    words: Words | None = None,
) -> Iterator[Collection]:
    """The collection to write to; a dry run that finds none has one for the moment."""
    path = _target(named)
    if not dry_run or exists(named):
        with open_collection(
            path, model=model, create=True, wait=wait, clean=clean, words=words
        ) as opened:
            yield opened
        return
    from tempfile import TemporaryDirectory

    with (
        TemporaryDirectory() as folder,
        open_collection(Path(folder), model=model, create=True, clean=clean, words=words) as opened,
    ):
        yield opened


def open_collection(
    path: Path,
    *,
    model: str | None = None,
    create: bool = False,
    wait: float = 10.0,
    clean: Clean | None = None,
    words: Words | None = None,
) -> Collection:
    from kcsearch.collection import Collection

    return Collection(
        path,
        model,
        create=create,
        clean=clean,
        words=words,
        wait=wait,
        on_wait=tell_waiting,
    )


def tell_waiting() -> None:
    tell(say("Another process is writing; waiting for it …"))
