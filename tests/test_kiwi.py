"""Collections whose words Kiwi cuts: only where kiwipiepy is installed, but for the last tests."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import pytest
from doubles import HashEncoder
from running import kcsearch
from stored import execute

from kcsearch import Collection, Document, MissingExtraError, ModelMismatchError, kiwi
from kcsearch.analyzer import analyzer_of
from kcsearch.errors import InputError
from kcsearch.types import Interpretation
from kcsearch.upkeep.repairing import repair

needs_kiwi = pytest.mark.skipif(
    importlib.util.find_spec("kiwipiepy") is None, reason="kiwipiepy is not installed"
)
TEXTS = [
    "서울은 대한민국의 수도이다",
    "어제 들었던 노래를 다시 듣고 싶다",
    "짐을 들어 주셔서 고맙습니다",
    "KTX로 1,200원을 더 내고 大邱까지 갔다 ㅋㅋㅋ",
    "비밀번호를 잊으셨나요",
]


def made(path: Path) -> Collection:
    collection = Collection(path, encoder=HashEncoder(), words="kiwi")
    collection.add(Document(text, key=str(i)) for i, text in enumerate(TEXTS))
    return collection


def lexical(collection: Collection, query: str) -> list[str]:
    return [hit.key for hit in collection.search(query, mode="lexical")]


def n_wrong(collection: Collection) -> int:
    return sum(check.n_wrong for check in collection.verify())


@needs_kiwi
def test_morphemes_with_a_meaning_of_their_own_are_the_tokens() -> None:
    assert analyzer_of("kiwi").of_texts([*TEXTS[:2], TEXTS[3], "", "!?"]) == [
        ["서울", "대한민국", "수도"],
        ["어제", "듣", "노래", "다시", "듣"],
        ["ktx", "1200", "원", "더", "내", "大邱", "가", "ㅋ"],
        [],
        [],
    ]
    assert analyzer_of("kiwi").of_query("서울의 서울은?") == [["서울"]]


@needs_kiwi
def test_a_verb_is_found_in_another_form_and_not_by_its_letters(tmp_path: Path) -> None:
    with made(tmp_path / "c") as collection:
        assert lexical(collection, "듣는 사람") == ["1"]
        assert lexical(collection, "서울에서") == ["0"]
        assert lexical(collection, "1200원") == ["3"]
        (hit, *_) = collection.search("듣는 노래")
        assert hit.key == "1"
        assert hit.explanation is not None
        assert hit.explanation.matched == ("듣", "노래")
        assert collection.interpret("ㅂㅁㅂㅎ") == Interpretation("ㅂㅁㅂㅎ", "비밀번호")
        assert lexical(collection, "ㅂㅁㅂㅎ") == ["4"]


@needs_kiwi
def test_words_follow_their_rows_in_every_change(tmp_path: Path) -> None:
    with made(tmp_path / "c") as collection:
        assert n_wrong(collection) == 0
        collection.add([Document("부산은 항구다", key="0")])
        collection.delete(["2"])
        assert lexical(collection, "서울") == []
        assert lexical(collection, "부산") == ["0"]
        assert n_wrong(collection) == 0
        collection.export(tmp_path / "rows.jsonl", vectors=True)
        assert collection.backup(tmp_path / "copy") == 4
    for path, encoder in ((tmp_path / "copy", None), (tmp_path / "other", "kiwi")):
        with Collection(path, encoder=HashEncoder(), words=encoder) as other:  # type: ignore[arg-type]
            other.import_(tmp_path / "rows.jsonl")
            assert other.status()["words"] == "kiwi"
            assert lexical(other, "항구") == ["0"]
            assert n_wrong(other) == 0


@needs_kiwi
def test_what_another_dictionary_cut_is_forgotten_as_it_was_cut(tmp_path: Path) -> None:
    """The kept tokens decide, whatever Kiwi would say of the text today."""
    with made(tmp_path / "c"):
        pass
    for table in ("morphemes", "documents_fts"):
        column = "row_id" if table == "morphemes" else "rowid"
        execute(tmp_path / "c", f"INSERT INTO {table} ({column}, tokens) VALUES (99, '옛말')")
    # The vector of row 1 serves row 99 as well.
    execute(
        tmp_path / "c",
        """INSERT INTO documents (row_id, key, text, text_hash)
           SELECT 99, 'old', text, text_hash FROM documents WHERE row_id = 1""",
    )
    execute(tmp_path / "c", "INSERT INTO vectors SELECT 99, vector FROM vectors WHERE row_id = 1")
    execute(tmp_path / "c", "UPDATE commits SET n_rows = n_rows + 1, last_row_id = 99")
    with Collection(tmp_path / "c", encoder=HashEncoder()) as collection:
        assert lexical(collection, "옛말") == ["old"]
        collection.delete(["old"])
        assert lexical(collection, "옛말") == []
        assert n_wrong(collection) == 0


@needs_kiwi
def test_lost_words_are_found_and_repaired(tmp_path: Path) -> None:
    with made(tmp_path / "c"):
        pass
    execute(tmp_path / "c", "DELETE FROM morphemes WHERE row_id = 2")
    with Collection(tmp_path / "c", encoder=HashEncoder()) as collection:
        assert n_wrong(collection) == 1
    assert repair(tmp_path / "c", encoder=HashEncoder()).n_kept == len(TEXTS)
    with Collection(tmp_path / "c", encoder=HashEncoder()) as collection:
        assert n_wrong(collection) == 0
        assert lexical(collection, "노래") == ["1"]


@needs_kiwi
def test_a_collection_keeps_the_choice_it_was_made_with(tmp_path: Path) -> None:
    with made(tmp_path / "c"):
        pass
    with pytest.raises(ModelMismatchError, match="was made with --words kiwi, not bigrams"):
        Collection(tmp_path / "c", encoder=HashEncoder(), words="bigrams")
    (tmp_path / "a.txt").write_text("서울은 춥다\n", encoding="utf-8")
    assert kcsearch(tmp_path, "index", "a.txt", "--words", "kiwi").code == 0
    assert "words          morphemes by Kiwi" in kcsearch(tmp_path, "status").out
    refused = kcsearch(tmp_path, "index", "a.txt", "--words", "bigrams")
    assert (refused.code, "was made with --words kiwi" in refused.err) == (3, True)


def test_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="words is bigrams or kiwi, not 'mecab'"):
        Collection(tmp_path / "c", encoder=HashEncoder(), words="mecab")  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()


def test_without_kiwi_the_install_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection(tmp_path / "c", encoder=HashEncoder()):
        pass
    execute(tmp_path / "c", """UPDATE settings SET value = '"kiwi"' WHERE name = 'words'""")

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("kcsearch.kiwi.version", version)
    line = r"this needs kiwipiepy: pip install 'kcsearch\[ko\]'"
    with pytest.raises(MissingExtraError, match=line):
        Collection(tmp_path / "c", encoder=HashEncoder())
    with pytest.raises(MissingExtraError, match=line):
        Collection(tmp_path / "new", encoder=HashEncoder(), words="kiwi")
    done = kcsearch(tmp_path, "query", "서울", "-c", "c")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: this needs kiwipiepy: pip install 'kcsearch[ko]'\n"


def test_a_kiwi_that_cannot_be_loaded_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("서울은 대한민국의 수도이다", encoding="utf-8")
    package = tmp_path / "broken" / "kiwipiepy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise OSError('libkiwi.so: no such file')")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, "kiwipiepy", raising=False)
    monkeypatch.setattr("kcsearch.kiwi.version", lambda name: "1")
    kiwi._loaded.cache_clear()
    line = (
        "kiwipiepy cannot be loaded (libkiwi.so: no such file). Install it anew: "
        "pip install --force-reinstall 'kcsearch[ko]'"
    )
    done = kcsearch(tmp_path, "index", "a.txt", "-c", "c", "--words", "kiwi")
    assert (done.code, done.out, done.err) == (2, "", f"Error: {line}\n")
    assert not (tmp_path / "c").exists()
