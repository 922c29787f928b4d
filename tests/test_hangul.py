import doctest
import random
import time
from unicodedata import is_normalized
from unicodedata import normalize as unicode_normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcsearch import hangul
from kcsearch.hangul import (
    agree,
    bigrams,
    choseong,
    clean_kcbert,
    fold,
    is_choseong_query,
    normalize,
    query_tokens,
    split_sentences,
    squeeze,
)

syllables = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
NOUNS = ["서울", "날씨", "환불", "지하철", "병원", "학교", "김치찌개", "영화", "보험", "비밀번호"]
PARTICLES = ["은", "가", "을", "에", "에서", "으로", "까지", "이라도", "만큼은", "이었는데요"]


def nfd(text: str) -> str:
    return unicode_normalize("NFD", text)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(hangul) == (0, 16)


# -- normal forms --------------------------------------------------------------------------------


@given(st.text())
def test_normalize_is_nfc_and_stable(text):
    assert is_normalized("NFC", normalize(text))
    assert normalize(nfd(text)) == normalize(text)


@given(st.text())
def test_fold_is_stable(text):
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        (nfd("한글"), "한글"),
        ("ＡＢＣ　１２３！", "abc 123!"),
        ("ㅋㅋㅎㅏㄱ", "ㅋㅋㅎㅏㄱ"),  # NFKC would make 하 and a lone final of it
        ("ﾡﾢￂￇ", "ㄱㄲㅏㅔ"),
        ("서\u200b울\ufeff \u202e은", "서울 은"),
        ("가\u3164나\uffa0", "가 나 "),
        ("①㈜㎏ﬁ", "①㈜㎏ﬁ"),
        ("", ""),
    ],
)
def test_fold_changes_width_case_and_the_invisible_only(text, folded):
    assert fold(text) == folded


# -- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("particle", PARTICLES)
def test_a_noun_is_found_whatever_particle_is_glued_to_it(noun, particle):
    assert set(bigrams(noun)) <= set(bigrams(noun + particle))
    assert bigrams(nfd(noun)) == bigrams(noun)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" .,!? \n", []),
        ("서울", ["서울"]),
        ("서울특별시", ["서울", "울특", "특별", "별시"]),
        ("꽃", ["꽃"]),
        ("아이폰15프로", ["아이", "이폰", "15", "프로"]),
        ("A형", ["a", "형"]),
        ("2호선은", ["2", "호선", "선은"]),
        ("갤럭시S24", ["갤럭", "럭시", "s", "24"]),
        ("1,234,567원 1,23 3.14", ["1234567", "원", "1", "23", "3", "14"]),
        ("大韓民國은", ["大韓民國", "은"]),
        ("ㅋㅋㅋㅋ ㅇㅋ ㅠㅠㅜㅜ", ["ㅋ", "ㅇㅋ", "ㅠㅜ"]),
        ("좋아요ㅎㅎ", ["좋아", "아요", "ㅎ"]),
        ("snake_case e-mail", ["snake", "case", "e", "mail"]),
        ("ＫＴＸ", ["ktx"]),
        ("café カタカナ привет", ["café", "カタカナ", "привет"]),
        ("서울 서울", ["서울", "서울"]),
    ],
)
def test_tokens(text, tokens):
    assert bigrams(text) == tokens


@given(st.text())
def test_tokens_are_letters_and_digits_only(text):
    tokens = bigrams(text)
    assert all(token.isalnum() for token in tokens)
    assert bigrams(" ".join(tokens)) == tokens


def test_a_query_finds_words_with_other_spaces():
    spaced, joined = query_tokens("아이폰 케이스"), query_tokens("아이폰케이스")
    assert set(spaced) <= set(bigrams("아이폰케이스"))
    assert set(joined) - set(bigrams("아이폰 케이스")) == {"폰케"}


def test_a_query_of_one_syllable_stands_for_words_that_begin_with_it():
    assert query_tokens("꽃 A형 a 3 꽃") == ["꽃*", "a", "형*", "3"]


def test_tokens_of_100_000_short_lines_take_seconds_at_most():
    lines = ["아이폰15프로 배송이 너무 늦어요 ㅠㅠ 환불 되나요?"] * 100_000
    start = time.perf_counter()
    for line in lines:
        bigrams(line)
    assert time.perf_counter() - start < 10  # about one second


# -- 초성 -----------------------------------------------------------------------------------------


def test_choseong_of_every_initial():
    assert choseong("가까나다따라마바빠사싸아자짜차카타파하") == hangul.INITIALS
    assert choseong(nfd("안녕")) == "ㅇㄴ"
    assert choseong("ㄳ ㅄ") == "ㄱㅅ ㅂㅅ"


@given(st.text(syllables))
def test_choseong_agrees_with_the_decomposition_of_unicode(text):
    initials = [ord(nfd(letter)[0]) - 0x1100 for letter in text]
    assert choseong(text) == "".join(hangul.INITIALS[i] for i in initials)


@pytest.mark.parametrize("query", ["ㅇㄴㅎㅅㅇ", "ㅅㅇ", "ㅇㄴ ㅎㅅㅇ", "ㄳ", "ﾷﾤ"])
def test_is_a_choseong_query(query):
    assert is_choseong_query(query)


@pytest.mark.parametrize(
    "query", ["", " ", "ㄱ", "ㅋㅋㅋ", "ㅎㅎ", "ㅋㅎ", "ㅇㅇ", "ㅠㅠ", "ㅇㄴ녕", "d"]
)
def test_is_no_choseong_query(query):
    assert not is_choseong_query(query)


# -- comments ------------------------------------------------------------------------------------


# The expected values are those of the published recipe with soynlp 0.0.493 and emoji 0.6.0. On the
# same recipe `clean_kcbert` was equal for 120,000 comments and petitions, every emoji sequence of
# emoji 0.6.0, and every character of the basic plane.
@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("ㅋㅋㅋㅋㅋㅋ", "ㅋㅋ"),
        ("ㅋㅋㅋ", "ㅋㅋㅋ"),
        ("와하하하하하하하하하핫", "와하하핫"),
        ("10000원", "100원"),
        ("!!!!!!", "!!!!!!"),
        ("大박  かな 대박", "박 대박"),
        ("♥♡★", "♥"),
        ("👨‍👩‍👧 좋아요👍🏽", "👨‍👩‍👧 좋아요👍🏽"),
        ("보세요 http://www.naver.com/a?b=c#d 여기", "보세요 여기"),
        ("naver.com", "naver.com"),
        ("  ", ""),
    ],
)
def test_comments_are_cleaned_as_kcbert_was(text, cleaned):
    assert clean_kcbert(text) == cleaned


@given(st.text())
def test_squeezing_is_stable_after_the_second_time(text):
    once = squeeze(text)
    assert squeeze(squeeze(once)) == squeeze(once)


# -- sentences -----------------------------------------------------------------------------------


@given(st.text() | st.text(alphabet="가다요.!?… \n\"'」3A"))
def test_sentences_joined_are_the_text(text):
    sentences = split_sentences(text)
    assert "".join(sentences) == text
    assert all(sentences)


@pytest.mark.parametrize(
    "sentences",
    [
        [],
        ["   "],
        ["안녕하세요"],
        ["안녕하세요. ", "반갑습니다."],
        ["정말요? ", "네! ", "그럼요… ", "좋아요."],
        ["뭐라고?! ", "진짜?"],
        ["좋아요.", "그런데 비싸요.", "그래도 사요"],
        ["대박!", "진짜 좋다"],
        ["첫 줄\n", "둘째 줄\r\n\r\n", "셋째 줄"],
        ["  앞의 빈칸은 뒤 문장에. ", "끝"],
        ["원주율은 3.14이다. ", "끝."],
        ["www.naver.com에서 보세요. ", "mail.google.com도요."],
        ["U.S. Army입니다. ", "J. K. Rowling도요. "],
        ["Dr. Kim met Mr. Lee. ", "They talked."],
        ["2024. 3. 15. 시행한다. ", "이 법은 유효하다."],
        ["1. 목적입니다. ", "2. 정의입니다."],
        ["가. 목적입니다. ", "나. 정의입니다."],
        ["가.나.다.라 순서로 한다."],
        ["네. ", "알겠습니다."],
        ["“갈게요.” ", "그가 말했다."],
        ["“갈게요.” 라고 그가 말했다."],
        ['"가자!"라고 했다. ', "그래서 갔다."],
        ["(끝났다.) ", "다음."],
        ["今日は。", "明日も！", "はい"],
        ["v1.2.3 나왔다. ", "좋다."],
        ["..... ", "네"],
    ],
)
def test_sentences(sentences):
    assert split_sentences("".join(sentences)) == sentences


@pytest.mark.parametrize("piece", [".", " ", "\n", "다.", "가 ", "!가", "(", '."'])
def test_long_runs_take_time_in_proportion(piece):
    text = piece * (1_000_000 // len(piece))
    start = time.perf_counter()
    assert "".join(split_sentences(text)) == text
    bigrams(text)
    clean_kcbert(text)
    assert time.perf_counter() - start < 15


def test_random_mixtures_never_fail():
    letters = "가각힣ㄱㅏㅋ大aZ0９.!?\"' \n\u200b\u1112\u1161\u11ab👍🏽\ufe0f\ud800\0"
    choose = random.Random(0)
    for _ in range(2_000):
        text = "".join(choose.choices(letters, k=choose.randrange(30)))
        for function in (normalize, fold, bigrams, query_tokens, choseong, clean_kcbert):
            function(text)
        assert "".join(split_sentences(text)) == text


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{}은(는)", "달은 차는 AB은(는) 2는 6은"),
        ("'{}'이(가)", "'달'이 '차'가 'AB'이(가) '2'가 '6'이"),
        ("{}을(를)", "달을 차를 AB을(를) 2를 6을"),
        ("{}(으)로", "달로 차로 AB(으)로 2로 6으로"),
    ],
)
def test_a_particle_agrees_with_the_word_before_it(template: str, expected: str) -> None:
    assert (
        agree(" ".join(template.format(word) for word in ("달", "차", "AB", "2", "6"))) == expected
    )
