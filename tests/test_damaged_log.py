"""SQLite takes a broken frame of its log for the log's end: the index tells what was behind it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from doubles import HashEncoder
from stored import flip, made, opened

from kcsearch.collection import Collection
from kcsearch.errors import CollectionDamagedError
from kcsearch.types import Document
from kcsearch.upkeep.repairing import repair


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy of a collection whose last two commits lie in the log."""
    path = made(tmp_path / "c", 20, with_long=False)
    with opened(path) as reader, reader._store.snapshot():
        reader._store.state()  # is in the way of the checkpoint
        for name in ("late", "last"):
            with opened(path) as writer:
                writer.add([Document(f"{name}: 나중에 온 글", name)])
        return Path(shutil.copytree(path, tmp_path / "logged"))


def keys(path: Path) -> list[str | None]:
    with opened(path) as collection:
        return [document.key for document in collection.list()][-2:]


def test_a_whole_log_is_read(path: Path) -> None:
    assert keys(path) == ["late", "last"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_broken_frame_is_told_at_once_and_repair_goes_on(share: float, path: Path) -> None:
    log = path / "store.db-wal"
    flip(log, int(log.stat().st_size * share))
    for _ in range(2):
        with pytest.raises(CollectionDamagedError, match="-wal is damaged: the last commit"):
            opened(path)
    report = repair(path, encoder=HashEncoder())
    assert (report.n_set_aside, report.n_gone, report.damaged) == (0, 0, None)
    with opened(path) as collection:
        assert collection.count() == report.n_kept < 22
        collection.add([Document("last: 나중에 온 글", "last")])
        assert collection.search("나중에 온 글", 1)[0].key == "last"
        assert [check for check in collection.verify() if check.n_wrong] == []


def test_a_log_that_was_cut_is_told(path: Path) -> None:
    log = path / "store.db-wal"
    log.write_bytes(log.read_bytes()[:-10])
    with pytest.raises(CollectionDamagedError, match="-wal is damaged"):
        opened(path)


def test_an_older_store_without_a_log_was_put_back(tmp_path: Path) -> None:
    path = made(tmp_path / "c", 20, with_long=False)
    older = (path / "store.db").read_bytes()
    with opened(path) as collection:
        collection.delete(["k1"])
    (path / "store.db").write_bytes(older)
    with Collection(path, encoder=HashEncoder()) as collection:
        assert collection.count() == 20
        assert collection.search("1번째 문장은", 1)[0].key == "k1"
