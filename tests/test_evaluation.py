"""Measures against numbers worked by hand and, where it is installed, against ir-measures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kcsearch.evaluation import (
    MEASURES,
    Estimate,
    estimate,
    evaluate,
    mrr,
    ndcg,
    per_query,
    recall,
    spearman,
    success,
)

GRADES = {"a": 2, "b": 1, "c": 1, "d": 0}
RANKED = ["x", "b", "d", "a"]


def test_measures_are_worked_by_hand() -> None:
    assert [success(RANKED, GRADES, k) for k in (1, 2, 4)] == [0, 1, 1]
    assert [recall(RANKED, GRADES, k) for k in (1, 2, 4, 100)] == [0, 1 / 3, 2 / 3, 2 / 3]
    assert mrr(RANKED, GRADES) == 1 / 2
    gained = 1 / math.log2(3) + 2 / math.log2(5)
    best = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(RANKED, GRADES, 10) == pytest.approx(gained / best)
    assert ndcg(RANKED, GRADES, 2) == pytest.approx((1 / math.log2(3)) / (2 + 1 / math.log2(3)))


def test_nothing_found_is_zero_and_the_best_order_is_one() -> None:
    for ranked, value in ([[], 0.0], [["x"], 0.0], [["a", "b", "c"], 1.0]):
        assert [ndcg(ranked, GRADES, 10), mrr(ranked, GRADES)] == [value, value]


def test_a_query_without_an_answer_counts_zero_and_one_without_judgements_does_not_count() -> None:
    qrels = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 0}, "q4": {}}
    run = {"q1": ["a"], "q3": ["a"], "other": ["a"]}
    assert per_query(run, qrels, "recall@10") == {"q1": 1, "q2": 0}
    assert evaluate(run, qrels, ["mrr"])["mrr"].mean == 0.5


@pytest.mark.parametrize("name", ["recall", "recall@", "recall@0", "map@10", "mrr@10", "ndcg@x"])
def test_an_unknown_measure_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        per_query({}, {}, name)


def random_run(seed: int = 0) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    rng = np.random.default_rng(seed)
    keys = [f"d{i}" for i in range(200)]
    qrels, run = {}, {}
    for i in range(50):
        judged = rng.choice(keys, rng.integers(1, 12), replace=False)
        grades = rng.integers(0, 4, len(judged))
        qrels[f"q{i}"] = {str(k): int(g) for k, g in zip(judged, grades, strict=True)}
        if i % 10:
            run[f"q{i}"] = [str(key) for key in rng.permutation(keys)[: rng.integers(1, 150)]]
    return run, {query: grades for query, grades in qrels.items() if any(grades.values())}


def test_every_measure_equals_ir_measures() -> None:
    ir_measures = pytest.importorskip("ir_measures")
    run, qrels = random_run()
    scored = {q: {key: -float(rank) for rank, key in enumerate(ks)} for q, ks in run.items()}
    theirs = {
        "success@1": "Success@1", "recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10",
        "recall@100": "R@100", "ndcg@10": "nDCG@10", "mrr": "RR",
    }  # fmt: skip
    assert tuple(theirs) == MEASURES
    parsed = {name: ir_measures.parse_measure(text) for name, text in theirs.items()}
    expected = ir_measures.calc_aggregate(parsed.values(), qrels, scored)
    ours = evaluate(run, qrels)
    for name, measure in parsed.items():
        assert ours[name].mean == pytest.approx(expected[measure], abs=1e-9), name


def test_an_interval_is_the_one_of_a_binomial() -> None:
    # 300 of 1,000: 0.3 +- 1.96 sqrt(0.3 x 0.7 / 1000) = 0.3 +- 0.0284
    found = estimate([1.0] * 300 + [0.0] * 700)
    assert found.mean == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.2716, 0.3284), abs=0.003)


def test_intervals_are_reproducible_and_close_for_equal_values() -> None:
    assert estimate([0.5] * 10) == Estimate(0.5, 0.5, 0.5)
    values = np.random.default_rng(0).random(40)
    assert estimate(values) == estimate(values)
    assert estimate(values) != estimate(values, seed=1)


def test_of_no_queries_there_is_no_mean() -> None:
    assert math.isnan(evaluate({}, {}, ["mrr"])["mrr"].mean)


def test_spearman_is_worked_by_hand() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 x 5)
    assert spearman([1, 2, 2, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(22.5))
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_spearman_equals_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 6, 500), rng.random(500)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
