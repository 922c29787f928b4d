"""Collections as every released schema left them open, answer and grow."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path

import pytest
from doubles import HashEncoder

from kcsearch.collection import Collection
from kcsearch.store.text_store import SCHEMA_VERSION
from kcsearch.types import Document
from tools.keep_schema import DIM, KEPT, LONG, SENTENCES, make

NAMES = [f"schema-{n}" for n in range(1, SCHEMA_VERSION + 1)]


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(KEPT / f"{request.param}.zip") as archive:
        archive.extractall(tmp_path / request.param)
    return tmp_path / str(request.param)


def opened(path: Path) -> Collection:
    return Collection(path, create=False, encoder=HashEncoder(DIM))


def test_it_holds_what_was_written(path: Path) -> None:
    with opened(path) as collection:
        whole = {document.key: document for document in collection.list(where="window_of IS NULL")}
        assert list(whole) == ["k1", "k2", "k3", "k0"]
        assert whole["k0"].text == "환불은 나흘 안에 처리됩니다"
        assert whole["k2"] == Document(
            SENTENCES[2], "k2", "notes.txt", 3, {"n": 2, "주제": ["가", "나"]}
        )
        assert collection.get("long").text == LONG
        assert [check for check in collection.verify() if check.n_wrong] == []


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_it_is_searched(mode: str, path: Path) -> None:
    with opened(path) as collection:
        assert collection.search("오후부터 비가 옵니다", 1, mode=mode)[0].key == "k2"  # type: ignore[arg-type]
        assert collection.search("환불", 1, filters={"source": "notes.txt"})[0].key == "k0"


def test_it_is_added_to(path: Path) -> None:
    with opened(path) as collection:
        collection.add([Document("새로 온 글입니다", "new"), Document("바뀐 글입니다", "k1")])
        collection.delete(["k3"])
        assert collection.search("새로 온 글", 1)[0].key == "new"
        assert [check for check in collection.verify() if check.n_wrong] == []
    with sqlite3.connect(path / "store.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_released_schema_is_what_its_migration_still_makes(path: Path, tmp_path: Path) -> None:
    """Of the newest: a migration that was edited after its release would differ."""
    if path.name != NAMES[-1]:
        pytest.skip("an older schema")
    make(tmp_path / "now")
    assert tables(tmp_path / "now") == tables(path)


def tables(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path / "store.db") as db:
        return db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
