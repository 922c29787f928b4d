"""The joined score against numbers worked by hand, and what it must not depend on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcsearch.fusion import (
    Background,
    Joined,
    background,
    fuse,
    matching_tokens,
    token_weights,
)
from kcsearch.hangul import bigrams, query_tokens

MATCHES: dict[int, tuple[str, ...]] = {1: ("서울",), 2: (), 3: ("서울", "날씨")}
KOREAN = st.text(alphabet="서울은날씨가 꽃Aa15,韓ㅋ", max_size=12)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_rows(n: int, dim: int = 64, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, dim)))


def fused(**changes: Any) -> list[Joined]:
    arguments: dict[str, Any] = {
        "dense": [2, 3],
        "lexical": [(3, 1.5), (1, 0.7)],
        "cosines": {1: 0.05, 2: 0.5, 3: 0.3},
        "matches": MATCHES,
        "weights": {"서울": 2.0, "날씨": 3.0},
        "expected": 0.1,
        "spread": 0.1,
    }
    return fuse(**(arguments | changes))


def order(hits: Sequence[Joined]) -> list[int]:
    return [hit.row_id for hit in hits]


def test_the_score_is_worked_by_hand() -> None:
    # Row 3: z = (0.3 - 0.1) / 0.1 = 2, z^2 / 2 = 2; both tokens, 0.8 x 5 x 1^2 = 4.
    # Row 2: z = 4, 8; no token. Row 1: below what is expected, 0; 서울 alone, 0.8 x 5 x 0.4^2.
    hits = fused()
    assert order(hits) == [2, 3, 1]
    assert [(hit.dense, hit.lexical) for hit in hits] == [
        (pytest.approx(8), 0),
        (pytest.approx(2), pytest.approx(4)),
        (0, pytest.approx(0.64)),
    ]
    assert hits[1] == Joined(
        row_id=3,
        score=pytest.approx(6),
        cosine=0.3,
        dense=pytest.approx(2),
        lexical=pytest.approx(4),
        dense_rank=2,
        lexical_rank=1,
        bm25=1.5,
        matched=("서울", "날씨"),
    )
    assert (hits[0].dense_rank, hits[0].lexical_rank, hits[0].bm25) == (1, None, None)
    assert (hits[2].dense_rank, hits[2].lexical_rank, hits[2].bm25) == (None, 2, 0.7)


def test_weights_are_worked_by_hand() -> None:
    # 서울은 gives 서울 and 울은, which share the word: / sqrt(2). One of 3 rows: ln(1 + 2.5 / 1.5).
    weights = token_weights([["서울", "울은"], ["꽃*"]], {"서울": 1, "꽃*": 3}, 3)
    assert weights == {
        "서울": pytest.approx(math.log(1 + 2.5 / 1.5) / math.sqrt(2)),
        "울은": pytest.approx(math.log(1 + 3.5 / 0.5) / math.sqrt(2)),
        "꽃*": pytest.approx(math.log(1 + 0.5 / 3.5)),
    }


def test_a_word_without_spaces_counts_as_at_most_five_bigrams() -> None:
    (weight, *_) = token_weights([bigrams("아이폰케이스추천해주세요")], {}, 10).values()
    assert weight == pytest.approx(math.log(1 + 10.5 / 0.5) / math.sqrt(5))


def test_a_frequency_above_the_number_of_rows_is_cut() -> None:
    assert token_weights([["꽃*"]], {"꽃*": 99}, 10) == token_weights([["꽃*"]], {"꽃*": 10}, 10)


def test_a_token_of_two_words_weighs_as_in_the_first() -> None:
    once = token_weights([["서울"]], {"서울": 2}, 10)
    assert token_weights([["서울"], ["서울", "울역"]], {"서울": 2}, 10)["서울"] == once["서울"]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("서울 날씨", "서울은 맑음", ("서울",)),
        ("꽃", "벚꽃이 피었다", ("꽃*",)),
        ("A조 15", "혈액형은 a, 나이는 15", ("a", "15")),
        ("15 형", "150개", ()),
        ("app", "apple", ()),
        ("1200원", "1,200원입니다", ("1200", "원*")),
        ("大韓 서울", "大韓民國 서울", ("서울",)),
        ("서울", "\u1109\u1165\u110b\u116e\u11af에서", ("서울",)),
        ("ktx", "ＫＴＸ를 타고", ("ktx",)),
        ("울날", "서울 날씨", ()),
        ("", "서울", ()),
    ],
)
def test_what_a_text_holds(query: str, text: str, expected: tuple[str, ...]) -> None:
    assert matching_tokens(query_tokens(query), text) == expected


@given(query=KOREAN, text=KOREAN)
def test_a_text_holds_the_tokens_that_the_full_text_index_has_of_it(query: str, text: str) -> None:
    exact = [token for token in query_tokens(query) if not token.endswith("*")]
    there = set(bigrams(text))
    assert matching_tokens(exact, text) == tuple(token for token in exact if token in there)


def test_a_query_without_tokens_is_ranked_by_cosine() -> None:
    hits = fused(lexical=[], weights={}, matches={2: (), 3: ()}, dense=[2, 3])
    assert [(hit.row_id, hit.lexical) for hit in hits] == [(2, 0.0), (3, 0.0)]


def test_what_holds_no_token_and_is_no_nearer_than_chance_is_ranked_by_cosine_then_row_id() -> None:
    hits = fused(
        dense=[2, 1, 3],
        lexical=[],
        cosines={1: -0.2, 2: 0.0, 3: -0.2},
        matches={1: (), 2: (), 3: ()},
        weights={"제주": 1.0},
    )
    assert order(hits) == [2, 1, 3]


def test_no_candidates_no_hits() -> None:
    assert fused(dense=[], lexical=[]) == []


def test_a_model_whose_cosines_bunch_near_one_gives_the_same_order() -> None:
    loose = fused()
    bunched = fused(cosines={1: 0.9505, 2: 0.955, 3: 0.953}, expected=0.951, spread=0.001)
    assert order(bunched) == order(loose)
    assert [hit.score for hit in bunched] == pytest.approx([hit.score for hit in loose])


def test_the_whole_query_beats_what_is_a_little_nearer() -> None:
    hits = fused(weights={"서울": 6.0, "날씨": 6.0})
    assert order(hits)[0] == 3


# -- background ----------------------------------------------------------------------------------


def test_background_of_random_directions() -> None:
    # Cosines of random directions in 64 dimensions: mean 0, standard deviation 1 / 8.
    measured = background(random_rows(2000), np.random.default_rng(1))
    assert measured.spread == pytest.approx(1 / 8, rel=0.03)
    assert measured.quantiles[500] == pytest.approx(0, abs=0.01)
    assert (np.diff(measured.quantiles) >= 0).all()
    assert (measured.mean.shape, measured.quantiles.shape) == ((64,), (1001,))


def test_the_product_with_the_mean_is_the_mean_cosine() -> None:
    rows, query = random_rows(300), random_rows(1, seed=5)[0]
    measured = background(rows, np.random.default_rng(1))
    assert query @ measured.mean == pytest.approx((rows @ query).mean(), abs=1e-6)


def test_a_few_rows_use_every_pair_and_an_assumed_spread() -> None:
    rows = unit(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    measured = background(rows, np.random.default_rng(1))
    # Cosines 1, 0, 0: squares about their mean 2/3; with ten pairs of spread 0.1.
    assert measured.spread == pytest.approx(math.sqrt((2 / 3 + 10 * 0.01) / 13))
    assert [measured.quantiles[0], measured.quantiles[-1]] == [0, 1]


@pytest.mark.parametrize("n", [1, 2, 50])
def test_equal_rows_have_a_spread(n: int) -> None:
    rows = np.repeat(random_rows(1), n, axis=0)
    assert background(rows, np.random.default_rng(1)).spread > 0.005


def test_background_is_the_same_for_the_same_seed() -> None:
    rows = random_rows(500)
    one, two = (background(rows, np.random.default_rng(7)) for _ in range(2))
    assert one.spread == two.spread
    np.testing.assert_array_equal(one.quantiles, two.quantiles)


def test_percentiles_and_back() -> None:
    quantiles = np.linspace(0, 1, 1001, dtype=np.float32)
    measured = Background(np.zeros(2), 0.1, quantiles, n_pairs=20_000)
    percentiles = [measured.percentile_of(cosine) for cosine in (-0.5, 0.25, 0.998, 1.5)]
    assert percentiles == pytest.approx([0, 25, 99.8, 100], abs=0.1)
    assert [measured.cosine_at(p) for p in (0, 25, 99.85, 100)] == pytest.approx(
        [0, 0.25, 0.9985, 1], abs=1e-6
    )
    assert measured.center == 0.5


def test_few_pairs_have_no_percentiles() -> None:
    measured = background(random_rows(40), np.random.default_rng(1))
    assert measured.n_pairs == 780
    assert (measured.percentile_of(0.5), measured.cosine_at(50)) == (None, None)
    assert background(random_rows(50), np.random.default_rng(1)).percentile_of(1.0) is not None
