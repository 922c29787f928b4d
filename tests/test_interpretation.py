"""Queries typed in the wrong keyboard mode or by leading consonants, over real rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import HashEncoder

from kcsearch import Collection, Document, InputError, interpretation
from kcsearch.hangul import match_choseong
from kcsearch.types import Interpretation

TEXTS = [
    "안녕하세요, 반갑습니다",
    "모두들 안녕하세요",
    "안내 하신 분",
    "아니 한 시간을 기다렸어요",
    "ㅇㅋ 내일 봐",
    "disk 공간이 모자랍니다",
    "파이썬(python) 설치",
]


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "c", encoder=HashEncoder()) as made:
        made.add(Document(text, key=str(i)) for i, text in enumerate(TEXTS))
        yield made


def keys(collection: Collection, query: str, **options: object) -> list[str]:
    return [hit.key for hit in collection.search(query, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_slip_that_nothing_holds_is_searched_as_it_was_meant(
    collection: Collection, form: str
) -> None:
    assert collection.interpret("dkssudgktpdy") == Interpretation("dkssudgktpdy", "안녕하세요")
    assert collection.search("dkssudgktpdy") == collection.search("안녕하세요")
    typed = unicodedata.normalize(form, "ㅔㅛ쇄ㅜ")
    assert collection.interpret(typed).text == "python"
    assert keys(collection, typed, mode="lexical") == ["6"]


def test_words_that_every_text_writes_as_one_are_read_as_one(collection: Collection) -> None:
    assert collection.interpret("안녕 하세요") == Interpretation("안녕 하세요", "안녕하세요")
    assert collection.interpret("파이 썬 설치").text == "파이썬 설치"
    assert collection.interpret("모두 들 안 녕 하세요").text == "모두들 안녕하세요"
    assert collection.search("안녕 하세요") == collection.search("안녕하세요")


def test_words_that_any_text_writes_apart_stay_apart(collection: Collection) -> None:
    for query in ("안내 하신", "내일  봐", "아니 한", "python 설치", "없는 말"):
        assert collection.interpret(query) == Interpretation(query, query)
    collection.add(["안녕 하세요"])
    assert collection.interpret("안녕 하세요").text == "안녕 하세요"


def test_a_slip_whose_words_are_there_is_only_suggested(collection: Collection) -> None:
    collection.add([Document("rkskek 라고 쳤다", key="typed")])
    assert collection.interpret("rkskek") == Interpretation("rkskek", "rkskek", "가나다")
    assert keys(collection, "rkskek", mode="lexical") == ["typed"]


def test_a_slip_in_one_word_leaves_the_others(collection: Collection) -> None:
    read = collection.interpret("파이썬 tjfcl")
    assert read == Interpretation("파이썬 tjfcl", "파이썬 tjfcl", "파이썬 설치")
    read = collection.interpret("ㅔㅛ쇄ㅜ 버전")
    assert read == Interpretation("ㅔㅛ쇄ㅜ 버전", "python 버전")


def test_ordinary_queries_stay_as_they_are(collection: Collection) -> None:
    for query in ("안녕", "disk", "python", "ㅋㅋㅋ", "ㅠㅠ", "1234", "ㅎ"):
        assert collection.interpret(query) == Interpretation(query, query)
    for empty in ("", " ", "\u200b", "\u3164"):
        with pytest.raises(InputError, match="the query is empty"):
            collection.interpret(empty)
        with pytest.raises(InputError, match="the query is empty"):
            collection.search(empty)


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_initials_find_words_that_begin_so_first(collection: Collection, mode: str) -> None:
    assert collection.interpret("ㅇㄴㅎㅅㅇ") == Interpretation("ㅇㄴㅎㅅㅇ", "안녕하세요")
    # Both begin a word; of the shorter text they cover more: 5 of 8 letters against 5 of 11.
    assert keys(collection, "ㅇㄴㅎㅅㅇ", mode=mode) == ["1", "0"]
    assert keys(collection, "ㅇㄴ ㅎㅅ", mode=mode) == ["2", "1", "0"]
    assert keys(collection, "ㅎㅅㅇ", mode=mode) == ["1", "0"]
    (hit, _) = collection.search("ㅇㄴㅎㅅㅇ", mode=mode)  # type: ignore[arg-type]
    assert hit.score == pytest.approx(1 + 5 / 8)
    assert hit.cosine == pytest.approx(collection.search("안녕하세요", 1, mode="dense")[0].cosine)


def test_initials_mean_the_commonest_words_that_they_stand_for(collection: Collection) -> None:
    assert collection.interpret("ㅇㄴ").text == "안녕"
    collection.add(Document("안내문", key=f"more{i}") for i in range(3))
    assert collection.interpret("ㅇㄴ").text == "안내"
    collection.delete([f"more{i}" for i in range(3)])
    assert collection.interpret("ㅇㄴ").text == "안녕"


def test_initials_respect_filters_top_k_and_min_score(collection: Collection) -> None:
    assert keys(collection, "ㅇㄴ", filters={"key": "2"}) == ["2"]
    assert keys(collection, "ㅇㄴㅎㅅㅇ", top_k=1) == ["1"]
    cosine = max(hit.cosine for hit in collection.search("ㅇㄴㅎㅅㅇ"))
    assert len(collection.search("ㅇㄴㅎㅅㅇ", min_score=cosine)) == 1


def test_initials_that_stand_for_nothing_here_are_letters(collection: Collection) -> None:
    assert collection.interpret("ㅍㅌㅊ") == Interpretation("ㅍㅌㅊ", "ㅍㅌㅊ")
    assert keys(collection, "ㅍㅌㅊ", mode="lexical") == []
    assert keys(collection, "ㅇㅋ", mode="lexical") == ["4"]


def test_a_query_is_read_once_for_its_hits_and_for_what_it_was_taken_for(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = collection.search("ㅇㄴㅎㅅㅇ"), collection.interpret("ㅇㄴㅎㅅㅇ")
    n_looked_at = 0

    def counted(query: str, text: str) -> tuple[float, str] | None:
        nonlocal n_looked_at
        n_looked_at += 1
        return match_choseong(query, text)

    monkeypatch.setattr(interpretation, "match_choseong", counted)
    answer = collection.ask("ㅇㄴㅎㅅㅇ")
    assert (answer.hits, answer.asked) == alone
    assert n_looked_at == 2  # the two texts that hold its bigrams


def test_single_initials_apart_are_letters(collection: Collection) -> None:
    assert collection.interpret("ㅇ ㄴ") == Interpretation("ㅇ ㄴ", "ㅇ ㄴ")
