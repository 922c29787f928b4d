from __future__ import annotations

import os
from pathlib import Path

import pytest
from doubles import HashEncoder
from stored import documents, made, opened

from kcsearch.collection import Collection
from kcsearch.errors import CollectionUnavailableError, InputError
from kcsearch.faiss_index import check_file, read_stamp
from kcsearch.types import Document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "c")


def test_a_backup_is_a_collection(path: Path, tmp_path: Path) -> None:
    with opened(path) as collection:
        n = collection.backup(tmp_path / "far/away/copy")
        hits = collection.search("환불 이야기", 5)
    with opened(tmp_path / "far/away/copy") as copy:
        assert (copy.count(), n) == (n, collection_size(path))
        assert copy.search("환불 이야기", 5) == hits
        assert not any(check.n_wrong for check in copy.verify())
        copy.delete(["k1"])
    assert collection_size(path) == n


def collection_size(path: Path) -> int:
    with opened(path) as collection:
        return collection.count()


def test_a_backup_is_of_one_moment_while_something_writes(path: Path, tmp_path: Path) -> None:
    """The writer is in the middle of a run, and its last batch is not committed yet."""
    made_while_writing: list[int] = []

    def back_up(_: object) -> None:
        with opened(path) as reader:
            copy = tmp_path / f"copy-{len(made_while_writing)}"
            made_while_writing.append(reader.backup(copy))

    with opened(path) as writer:
        before = writer.count()
        writer.add([Document(f"새 글 {i}", f"n{i}") for i in range(600)], progress=back_up)
    assert [n - before for n in made_while_writing] == [256, 600]
    for number, n in enumerate(made_while_writing):
        copy = tmp_path / f"copy-{number}"
        check_file(copy / "vectors.faiss")
        with opened(copy) as collection:
            assert read_stamp(copy / "vectors.faiss")["n"] == n == collection.count()
            assert not any(check.n_wrong for check in collection.verify())


def test_what_is_there_is_not_overwritten(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with opened(path) as collection:
        for folder in (path, tmp_path / "file"):
            with pytest.raises(InputError, match="is there already"):
                collection.backup(folder)
        collection.backup(tmp_path / "empty")
    assert collection_size(tmp_path / "empty") == collection_size(path)


def test_a_backup_that_fails_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28), "a full disk")

    monkeypatch.setattr("kcsearch.upkeep.backing_up.shutil.copyfile", full)
    with opened(path) as collection, pytest.raises(CollectionUnavailableError, match="No space"):
        collection.backup(tmp_path / "copy")
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_an_old_index_is_caught_up_in_the_copy(path: Path, tmp_path: Path) -> None:
    old = (path / "vectors.faiss").read_bytes()
    with opened(path) as collection:
        collection.add([documents(60)[59]])
    (path / "vectors.faiss").unlink()
    (path / "vectors.faiss").write_bytes(old)
    with Collection(path, encoder=HashEncoder()) as collection:
        n = collection.backup(tmp_path / "copy")
    assert read_stamp(tmp_path / "copy/vectors.faiss")["n"] == n
