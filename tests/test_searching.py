"""Dense, lexical and hybrid search over one collection of real rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import HashEncoder

from kcsearch import Collection, Document, InputError

TEXTS = [
    "서울은 대한민국의 수도이다",
    "부산에서 회를 먹었다",
    "꽃이 활짝 피었습니다",
    "오늘 날씨가 참 좋네요",
    "서울에서 부산까지 기차로 갔다",
    "iPhone 15 프로를 샀어요",
]


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "c", encoder=HashEncoder()) as made:
        made.add(Document(text, key=str(i)) for i, text in enumerate(TEXTS))
        yield made


def keys(collection: Collection, query: str, mode: str, top_k: int = 10) -> list[str]:
    return [hit.key for hit in collection.search(query, top_k, mode=mode)]  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_lexical_finds_a_noun_under_its_particles(collection: Collection, form: str) -> None:
    assert set(keys(collection, unicodedata.normalize(form, "서울"), "lexical")) == {"0", "4"}
    assert keys(collection, unicodedata.normalize(form, "날씨"), "lexical") == ["3"]


def test_lexical_finds_a_single_syllable_at_the_head_of_a_word(collection: Collection) -> None:
    assert keys(collection, "꽃", "lexical") == ["2"]


def test_lexical_finds_nothing_where_no_word_is_shared(collection: Collection) -> None:
    assert keys(collection, "zzz", "lexical") == []
    assert keys(collection, "!?", "lexical") == []


def test_lexical_scores_are_bm25_and_every_hit_has_its_cosine(collection: Collection) -> None:
    dense = {hit.key: hit.cosine for hit in collection.search("서울", mode="dense")}
    hits = collection.search("서울", mode="lexical")
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert {hit.key: hit.cosine for hit in hits} == {hit.key: dense[hit.key] for hit in hits}


def test_hybrid_is_the_default_and_adds_its_two_sides(collection: Collection) -> None:
    hits = collection.search("서울 부산", 6)
    assert hits == collection.search("서울 부산", 6, mode="hybrid")
    assert hits[0].key == "4"
    assert len(hits) == 6
    for hit in hits:
        assert hit.explanation is not None
        assert hit.score == pytest.approx(hit.explanation.dense + hit.explanation.lexical)
    assert hits[0].explanation.matched == ("서울", "부산")  # type: ignore[union-attr]
    assert hits[0].explanation.lexical_rank == 1  # type: ignore[union-attr]


def test_hybrid_finds_what_shares_no_word(collection: Collection) -> None:
    assert len(keys(collection, "zzz", "hybrid")) == len(TEXTS)


def test_filters_hold_in_every_mode(collection: Collection) -> None:
    for mode in ("dense", "lexical", "hybrid"):
        hits = collection.search("서울", mode=mode, filters={"key": "4"})  # type: ignore[arg-type]
        assert [hit.key for hit in hits] == ["4"]


def test_an_empty_collection_answers_with_nothing(tmp_path: Path) -> None:
    with Collection(tmp_path / "empty", encoder=HashEncoder()) as empty:
        for mode in ("dense", "lexical", "hybrid"):
            assert keys(empty, "서울", mode) == []


def test_an_unknown_mode_is_told(collection: Collection) -> None:
    with pytest.raises(InputError, match="mode is dense, lexical or hybrid, not 'sparse'"):
        keys(collection, "서울", "sparse")


def test_a_removed_row_is_found_by_no_side(collection: Collection) -> None:
    collection.delete(["0"])
    assert keys(collection, "서울", "lexical") == ["4"]
    assert "0" not in keys(collection, "서울", "hybrid")
