from __future__ import annotations

from pathlib import Path

import pytest
from stored import documents, made, opened

from kcsearch.store import seal
from kcsearch.store.seal import has_broken_seal, put_seal, seal_path, take_seal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "store.db"
    file.write_bytes(b"content" * 1000)
    put_seal(file, "a-state")
    return file


def test_a_seal_fits_its_file_and_no_other(file: Path) -> None:
    assert not has_broken_seal(file, "a-state")
    file.write_bytes(b"content" * 999 + b"cONTENT")
    assert has_broken_seal(file, "a-state")
    file.write_bytes(b"content" * 999)
    assert has_broken_seal(file, "a-state")


def test_a_seal_of_another_state_says_nothing(file: Path) -> None:
    file.write_bytes(b"another")
    assert not has_broken_seal(file, "another-state")


@pytest.mark.parametrize("damage", [b"", b"x", b"\xff\xfe", b"kcsearch-seal-1 a"])
def test_a_damaged_seal_says_nothing(damage: bytes, file: Path) -> None:
    file.write_bytes(b"another")
    assert has_broken_seal(file, "a-state")
    seal_path(file).write_bytes(damage)
    assert not has_broken_seal(file, "a-state")


def test_every_changed_letter_of_a_seal_makes_it_say_nothing(file: Path) -> None:
    sealed = seal_path(file).read_bytes()
    for place in range(len(sealed) - 1):
        seal_path(file).write_bytes(
            sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        )
        assert not has_broken_seal(file, "a-state")


def test_a_seal_can_be_taken_twice(file: Path) -> None:
    take_seal(file)
    take_seal(file)
    assert not has_broken_seal(file, "a-state")


def test_a_large_file_gets_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take_seal(file)
    monkeypatch.setattr(seal, "LARGEST", 6999)
    put_seal(file, "a-state")
    assert not seal_path(file).exists()


def test_a_store_is_sealed_while_nothing_writes_and_only_then(tmp_path: Path) -> None:
    path = made(tmp_path / "c")
    seal = path / "store.sum"
    first = seal.read_text()
    seen = []
    with opened(path) as collection:
        collection.add([documents(50)[49]], progress=lambda _: seen.append(seal.exists()))
    assert seen == [False]
    assert seal.read_text() != first
