"""Judge ranked lists: recall@k, success@k, nDCG@k and MRR against qrels; Spearman for STS.

Definitions are trec_eval's and the values equal those of ir-measures, which is not used here
because it needs scipy and a C extension: forty megabytes for four sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from kcsearch.types import Encoder

Qrels = Mapping[str, Mapping[str, int]]  # query key -> document key -> grade; 0 is not relevant
Run = Mapping[str, Sequence[str]]  # query key -> document keys, best first, each at most once
MEASURES = ("success@1", "recall@1", "recall@5", "recall@10", "recall@100", "ndcg@10", "mrr")
_N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries with its 95 % interval."""

    mean: float
    low: float
    high: float


def success(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """1 if there is a relevant document among the first k, else 0."""
    return float(any(grades.get(key, 0) > 0 for key in ranked[:k]))


def recall(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """The share of all relevant documents that are among the first k."""
    n_found = sum(grades.get(key, 0) > 0 for key in ranked[:k])
    return n_found / sum(grade > 0 for grade in grades.values())


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Järvelin and Kekäläinen 2002: the sum of grade / log2(rank + 1), over that of the best order.

    >>> round(ndcg(["x", "a"], {"a": 1}, 10), 3)
    0.631
    """
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    return _gain([max(0, grades.get(key, 0)) for key in ranked[:k]]) / _gain(best[:k])


def mrr(ranked: Sequence[str], grades: Mapping[str, int]) -> float:
    """1 / the rank of the first relevant document; 0 where there is none."""
    return next((1 / rank for rank, key in enumerate(ranked, 1) if grades.get(key, 0) > 0), 0.0)


def per_query(run: Run, qrels: Qrels, measure: str) -> dict[str, float]:
    """The value of `measure` (such as recall@10) by query.

    Every query with a relevant document counts; one that the run does not answer counts 0.
    """
    value = _measure(measure)
    return {
        query: value(run.get(query, ()), grades)
        for query, grades in qrels.items()
        if any(grade > 0 for grade in grades.values())
    }


def evaluate(run: Run, qrels: Qrels, measures: Iterable[str] = MEASURES) -> dict[str, Estimate]:
    """Means over the queries, with intervals, by measure."""
    return {name: estimate(list(per_query(run, qrels, name).values())) for name in measures}


def estimate(values: Sequence[float] | np.ndarray, seed: int = 0) -> Estimate:
    """The mean, and where it lies in 95 % of bootstrap resamples (Efron 1979); of none, nan.

    For the difference of two runs over the same queries, hand over the differences by query.
    """
    array = np.asarray(values, np.float64)
    if not len(array):
        return Estimate(np.nan, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, len(array), len(array)) for _ in range(_N_RESAMPLES))
    low, high = np.quantile([array[draw].mean() for draw in draws], (0.025, 0.975))
    return Estimate(float(array.mean()), float(low), float(high))


def spearman(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Rank correlation, in [-1, 1]; ties share the mean of their ranks. Constant values give nan.

    >>> round(spearman([1, 2, 3], [10, 20, 15]), 3)
    0.5
    """
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(_ranks(np.asarray(a)), _ranks(np.asarray(b)))[0, 1])


def pair_correlation(
    encoder: Encoder, pairs: Sequence[tuple[str, str, float]], seed: int = 0
) -> Estimate:
    """Spearman between the cosine of two sentences and their score, with a bootstrap interval."""
    a = encoder.encode([a for a, _, _ in pairs])
    b = encoder.encode([b for _, b, _ in pairs])
    cosines = np.einsum("ij,ij->i", a, b)
    scores = np.array([pair[2] for pair in pairs])
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(pairs), len(pairs)) for _ in range(_N_RESAMPLES // 4)]
    found = [spearman(cosines[draw], scores[draw]) for draw in draws]
    low, high = np.nanquantile(found, (0.025, 0.975)) if len(pairs) > 2 else (np.nan, np.nan)
    return Estimate(spearman(cosines, scores), float(low), float(high))


def _measure(name: str) -> Callable[[Sequence[str], Mapping[str, int]], float]:
    if name == "mrr":
        return mrr
    kind, _, k = name.partition("@")
    functions = {"success": success, "recall": recall, "ndcg": ndcg}
    if kind not in functions or not k.isdecimal() or int(k) < 1:
        raise ValueError(f"{name!r} is none of success@K, recall@K, ndcg@K, mrr")
    return lambda ranked, grades: functions[kind](ranked, grades, int(k))


def _gain(grades: Iterable[int]) -> float:
    return sum(grade / log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_ranks: np.ndarray = last - (counts - 1) / 2
    return mean_ranks[place]
