"""What is done to a collection in these runs, the states it may be in afterwards, and the check.

Everything is determined: the same operation on the same collection makes the same commits. So a
reference run tells, by the number of commits, what a collection must hold.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from kcsearch import indexing
from kcsearch.collection import Collection
from kcsearch.errors import KcsearchError
from kcsearch.store.text_store import TextStore
from kcsearch.types import Document
from tests.doubles import HashEncoder
from torture.children import Child, forked, fresh_copy

N_DOCUMENTS = 120
_LONG = "아주 긴 이야기가 여기에서 시작되어 여러 조각으로 나뉩니다. " * 3


def document(number: int, version: int = 0) -> Document:
    text = f"{number}번째 문장은 환불과 배송 이야기입니다 {version}"
    text = _LONG + text if number % 17 == 0 else text
    return Document(text, f"k{number}", f"{number % 3}.txt", number, {"version": version})


@contextmanager
def opened(path: Path, *, create: bool = False) -> Iterator[Collection]:
    """With many small commits, so that a run has many moments to be stopped at."""
    with (
        mock.patch.object(indexing, "DOCUMENTS_PER_COMMIT", (10, 10, 10)),
        Collection(path, create=create, encoder=HashEncoder()) as collection,
    ):
        yield collection


def make(path: Path) -> None:
    with opened(path, create=True) as collection:
        collection.add(document(i) for i in range(N_DOCUMENTS))


def index(path: Path) -> None:
    """Change ten documents, add twenty, and forget the rest of their file."""
    with opened(path) as collection:
        changed = [document(i, 1) for i in range(0, 30, 3)]
        new = [document(i) for i in range(N_DOCUMENTS, N_DOCUMENTS + 60, 3)]
        collection.sync([*changed, *new], sources=["0.txt"])


def delete(path: Path) -> None:
    with opened(path) as collection:
        collection.delete([f"k{i}" for i in range(10, 30)])
        collection.delete_matching({"source": "2.txt"})


def rebuild(path: Path) -> None:
    with opened(path) as collection:
        collection.rebuild()


def optimize(path: Path) -> None:
    with opened(path) as collection:
        collection.delete_matching({"source": "1.txt"})
        collection.optimize()


OPERATIONS: dict[str, Callable[[Path], None]] = {
    "index": index,
    "delete": delete,
    "rebuild": rebuild,
    "optimize": optimize,
}


@dataclass
class Reference:
    """contents: what the collection holds, by its number of commits. n_calls: that write."""

    contents: dict[int, str] = field(default_factory=dict)
    n_calls: int = 0


def contents_of(path: Path) -> tuple[int, str]:
    """Number of commits, and a hash over every row with its vector."""
    with closing(sqlite3.connect(path / "store.db")) as db:
        (n_commits,) = db.execute("SELECT max(commit_id) FROM commits").fetchone()
        rows = db.execute(
            """SELECT key, text, source, line, metadata, window_of, hex(vector)
               FROM documents LEFT JOIN vectors USING (row_id) ORDER BY key"""
        ).fetchall()
    return int(n_commits), hashlib.sha256(repr(rows).encode()).hexdigest()


def reference(operation: str, template: Path, folder: Path) -> Reference:
    """Run an operation to its end, in this process, and note the contents after each commit."""
    fresh_copy(template, folder)
    found = Reference(dict([contents_of(folder)]))
    write = TextStore.write

    def noting(store: TextStore, *args: object, **kwargs: object) -> list[int]:
        ids = write(store, *args, **kwargs)  # type: ignore[arg-type]
        n_commits, contents = contents_of(folder)
        found.contents[n_commits] = contents
        return ids

    TextStore.write = noting  # type: ignore[method-assign]
    try:
        OPERATIONS[operation](folder)
    finally:
        TextStore.write = write  # type: ignore[method-assign]
    return found


def start(operation: str, folder: Path, before: Callable[[int], None] = lambda pipe: None) -> Child:
    """Fork. The child exits with 0, with a KcsearchError's own code, or with 99 for a bug.

    before: is called in the child with the pipe to which it writes a dot after each commit.
    """

    def told(into: int) -> int:
        write = TextStore.write

        def acknowledging(store: TextStore, *args: object, **kwargs: object) -> list[int]:
            ids = write(store, *args, **kwargs)  # type: ignore[arg-type]
            os.write(into, b".")
            return ids

        try:
            TextStore.write = acknowledging  # type: ignore[method-assign]
            before(into)
            OPERATIONS[operation](folder)
        except KcsearchError as error:
            os.write(into, b"E" + str(error).encode())
            return error.exit_code
        except BaseException as error:
            os.write(into, b"E" + repr(error).encode())
            return 99
        return 0

    return forked(told)


def problems(folder: Path, expected: Reference, n_acknowledged: int) -> list[str]:
    """What is wrong with a collection after a crash; it must go on working, too."""
    first = min(expected.contents)
    try:
        n_commits, contents = contents_of(folder)
        found = []
        if expected.contents.get(n_commits) != contents:
            found.append(f"after {n_commits - first} commits it holds something else")
        if not first + n_acknowledged <= n_commits <= first + n_acknowledged + 1:
            found.append(f"{n_acknowledged} commits were told of, {n_commits - first} are there")
        with opened(folder) as collection:
            found += [f"{c.part}: {c.first}" for c in collection.verify() if c.n_wrong]
            n_before = collection.count()
            collection.add([Document("나중에 온 글", "afterwards")])
            if collection.search("나중에 온 글", 1)[0].key != "afterwards":
                found.append("a new document is not found")
            if collection.count() != n_before + 1:
                found.append("a new document is not counted")
        return found
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
