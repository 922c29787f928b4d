"""The commonest Korean query, a bare noun of two syllables, against texts where a particle follows.

SQLite's own tokenizers are asked beside the bigrams of text_store: they find nothing.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kcsearch.fusion import background, fuse, matching_tokens, token_weights
from kcsearch.hangul import bigrams, query_tokens
from kcsearch.store.text_store import NewRow, TextStore
from kcsearch.types import Document

NOUNS = """
서울 부산 대구 인천 광주 대전 울산 제주 강릉 전주 경주 춘천 수원 여수 포항 한강 남산 도시 시골 마을
학교 교실 교사 학생 공부 시험 숙제 방학 대학 전공 과학 수학 영어 역사 음악 미술 체육 도서 사전 연필
가방 지갑 우산 안경 모자 신발 양말 바지 치마 셔츠 장갑 시계 반지 거울 침대 의자 책상 창문 지붕 계단
부엌 냄비 접시 수저 냉면 김치 만두 국수 라면 김밥 떡국 갈비 순대 두부 계란 우유 커피 녹차 사과 포도
수박 딸기 감자 양파 마늘 고추 배추 당근 버섯 생선 고래 상어 토끼 여우 사자 기린 참새 제비 나비 개미
날씨 장마 태풍 가뭄 홍수 눈물 무지 안개 서리 구름 바람 햇빛 달빛 바다 호수 계곡 폭포 산맥 평야 사막
병원 의사 약국 감기 기침 두통 수술 주사 환자 간호 은행 대출 이자 저축 환율 주식 세금 월급 연금 보험
회사 직원 사장 회의 출장 휴가 계약 광고 제품 공장 기계 전기 가스 석유 철강 조선 반도 통신 전화 편지
버스 택시 기차 공항 항구 도로 다리 터널 신호 주차 여행 호텔 지도 사진 영화 배우 감독 가수 노래 무용
법원 판사 검사 변호 재판 경찰 소방 군인 선거 투표 국회 정부 장관 헌법 조례 민법 축구 야구 농구 수영
""".split()  # noqa: SIM905
_FRAMES = (  # noun, with the particle that follows a consonant / a vowel
    ("그 글에는 {}{} 여러 차례 나온다.", "이", "가"),
    ("우리는 {}{} 두고 오래 이야기했다.", "을", "를"),
    ("어제는 {}{} 유난히 생각났다.", "은", "는"),
    ("저 사람은 {}{} 얽힌 일을 잘 안다.", "과", "와"),
    ("누구나 {}{}도 조금씩 알고 있다.", "에서", "에서"),
    ("사람마다 {}{} 뜻을 다르게 안다.", "의", "의"),
    ("여기서는 {}{} 무엇보다 먼저다.", "만이", "만이"),
    ("어린아이도 {}{} 들으면 웃는다.", "이라고", "라고"),
    ("끝내 {}{} 돌아오고 말았다.", "까지", "까지"),
    ("무엇이든 {}{} 여기면 쉽다.", "처럼", "처럼"),
)
N_TEXTS = 3  # for each noun


def noun_texts() -> list[str]:
    """Three texts for each noun, in its order, each with another particle."""
    texts = []
    for i, noun in enumerate(NOUNS):
        ends_in_consonant = (ord(noun[-1]) - 0xAC00) % 28 > 0
        for j in range(N_TEXTS):
            frame, consonant, vowel = _FRAMES[(i + 3 * j) % len(_FRAMES)]
            texts.append(frame.format(noun, consonant if ends_in_consonant else vowel))
    return texts


def n_found(row_ids: list[int], noun: int) -> int:
    return len(set(row_ids) & set(range(noun * N_TEXTS + 1, (noun + 1) * N_TEXTS + 1)))


@pytest.fixture(scope="module", params=["NFC", "NFD"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    path = tmp_path_factory.mktemp("lexical") / "store.db"
    store = TextStore.create(path, {"dim": 2})
    vector = np.array([1, 0], np.float32)
    texts = [unicodedata.normalize(request.param, text) for text in noun_texts()]
    store.write([NewRow(Document(text, key=str(i)), vector) for i, text in enumerate(texts, 1)])
    yield store
    store.close()


def test_the_nouns_are_what_they_should_be() -> None:
    assert len(NOUNS) == len(set(NOUNS)) == 200
    assert {len(noun) for noun in NOUNS} == {2}
    texts = noun_texts()
    assert len(set(texts)) == 600
    for i, text in enumerate(texts):
        (word,) = [word for word in text.split() if word.startswith(NOUNS[i // N_TEXTS])]
        assert len(word) > 2  # never bare


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_bigrams_find_every_text_of_every_noun(store: TextStore, form: str) -> None:
    found = 0
    for i, noun in enumerate(NOUNS):
        tokens = query_tokens(unicodedata.normalize(form, noun))
        found += n_found([row_id for row_id, _ in store.lexical(tokens, 10)], i)
    assert found == 600


def test_joined_with_a_dense_side_that_knows_nothing_every_text_is_still_found(
    store: TextStore,
) -> None:
    texts = dict(enumerate(noun_texts(), 1))
    held = [token for text in texts.values() for token in set(bigrams(text))]
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((len(texts), 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    measured = background(rows, rng)
    found = 0
    for i, noun in enumerate(NOUNS):
        query = rows[rng.integers(len(rows))] + rng.standard_normal(64).astype(np.float32) / 8
        query /= np.linalg.norm(query)
        cosines = dict(enumerate((rows @ query).tolist(), 1))
        nearest = sorted(cosines, key=lambda row_id: -cosines[row_id])[:100]
        weights = token_weights([[noun]], {noun: held.count(noun)}, len(texts))
        hits = fuse(
            nearest,
            store.lexical(query_tokens(noun), 100),
            cosines,
            {row_id: matching_tokens([noun], text) for row_id, text in texts.items()},
            weights,
            float(query @ measured.mean),
            measured.spread,
        )
        found += n_found([hit.row_id for hit in hits[:10]], i)
    assert found == 600


@pytest.mark.parametrize("tokenizer", ["unicode61", "trigram"])
def test_the_tokenizers_of_sqlite_find_none(tokenizer: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize='{tokenizer}')")
    connection.executemany("INSERT INTO texts (text) VALUES (?)", [(t,) for t in noun_texts()])
    sql = "SELECT rowid FROM texts WHERE texts MATCH ?"
    found = sum(
        n_found([row_id for (row_id,) in connection.execute(sql, (f'"{noun}"',))], i)
        for i, noun in enumerate(NOUNS)
    )
    connection.close()
    assert found == 0


def test_a_noun_is_found_within_a_compound(tmp_path: Path) -> None:
    with_compound = TextStore.create(tmp_path / "store.db", {"dim": 2})
    vector = np.array([1, 0], np.float32)
    with_compound.write([NewRow(Document("동서울종합터미널입니다", key="a"), vector)])
    assert [row_id for row_id, _ in with_compound.lexical(query_tokens("서울"), 10)] == [1]
    with_compound.close()
