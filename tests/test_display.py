import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcsearch import display
from kcsearch.display import display_width, fit, visible


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(display).failed == 0


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),  # 한, taken apart
        ("ㅋㅋ", 4),
        ("ＡＢ", 4),
        ("ｱ", 1),
        ("é", 1),
        ("e\u0301", 1),
        ("a\u200bb\ufeff", 2),
        ("大", 2),
        ("…·①", 3),
        ("😂", 2),
        ("❤", 1),
        ("❤\ufe0f", 2),
        ("1\ufe0f\u20e3", 2),
        ("👍🏽", 2),
        ("☝🏽", 2),
        ("👨‍👩‍👧", 2),
        ("🇰🇷", 2),
        ("가\u200d나", 4),
        ("\x1b[31m", 4),
        ("\u0301", 0),
    ],
)
def test_width(text, width):
    assert display_width(text) == width


@given(st.text(), st.integers(0, 30))
def test_fit_has_exactly_the_width(text, width):
    assert display_width(fit(text, width)) == width


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("서울", 4, "서울"),
        ("서울", 3, "서…"),
        ("서울", 2, "… "),
        ("서울", 1, "…"),
        ("서울", 0, ""),
        ("a👨‍👩‍👧b", 3, "a… "),
        ("a👨‍👩‍👧bc", 4, "a👨‍👩‍👧…"),
    ],
)
def test_fit_cuts_between_what_is_drawn_as_one(text, width, fitted):
    assert fit(text, width) == fitted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("안녕, 大韓 👨‍👩‍👧 é", "안녕, 大韓 👨‍👩‍👧 é"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b31m", "\\x9b31m"),
        ("a\tb\nc\r\nd\re\x85f\u2028g", "a b⏎c⏎d⏎e⏎f⏎g"),
        ("\x00\x7f", "␀␡"),
        ("\u202eabc\u2066\u200f", "\\u202eabc\\u2066\\u200f"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_would_act_on_a_terminal_is_shown_instead(text, shown):
    assert visible(text) == shown


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_ordinary_text_stays(text):
    assert visible(text) == text


@given(st.text(st.characters()))
def test_what_is_shown_is_safe_and_stays(text):
    shown = visible(text)
    assert visible(shown) == shown
    assert not set(shown) & set(map(chr, [*range(32), *range(127, 160)]))
    shown.encode()
