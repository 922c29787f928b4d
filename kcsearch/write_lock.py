"""One writer at a time: a lock on a file that the system lets go of when its holder dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kcsearch.errors import CollectionUnavailableError


@contextmanager
def write_lock(
    path: Path, wait: float, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock `path`; wait up to `wait` seconds for another writer to finish.

    on_wait: called once, before waiting. Raises CollectionUnavailableError.
    """
    from filelock import FileLock, Timeout  # a query never writes

    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if on_wait is not None and wait > 0:
                on_wait()
            lock.acquire(timeout=wait)
    except Timeout:
        raise CollectionUnavailableError(
            "{folder}: another process is writing to this collection. Wait for it, or give "
            "more time with --wait SECONDS",
            folder=path.parent,
        ) from None
    except (OSError, NotImplementedError) as error:
        raise CollectionUnavailableError(
            "{path}: cannot be locked ({reason}). The folder must be writable, on a file system "
            "that has locks",
            path=path,
            reason=getattr(error, "strerror", None) or error,
        ) from error
    try:
        yield
    finally:
        lock.release()
