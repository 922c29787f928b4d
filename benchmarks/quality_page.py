"""quality.md, from what quality.py measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from machine import headline

from kcsearch.evaluation import estimate

MEAN_OF = ("korquad", "statutes", "wikipedia", "question pairs", "everyday")


def page(report: Mapping[str, Any]) -> str:
    """quality.md, from what was measured."""
    sets = report["variants"]["as it is"]["sets"]
    model = report["model"]
    parts = [
        "# How good is the search?",
        f"Written by `quality.py`: {headline(report['machine'])}, model {model['name']} "
        f"{model.get('revision', '')}, commit {report['machine']['commit']}. Queries and texts: "
        + ", ".join(f"{n} {s['n_queries']:,} / {s['n_texts']:,}" for n, s in sets.items())
        + f". The mean is that of {', '.join(MEAN_OF)}. All methods have the same texts and "
        "vectors; quality_sets.py and quality_peers.py tell what they are.",
        f"KorSTS dev, Spearman: {report['korsts_dev_spearman']:.3f}.",
        "## The first hit is relevant (R@1)",
        _table(sets, "success@1"),
        "## Relevant documents among the first ten (recall@10)",
        _table(sets, "recall@10"),
        "## What hybrid gains in R@1",
        "With 95 % intervals, by resampling the queries, both methods on the same.",
        _gains(sets),
        "## A bare noun of two syllables",
        "600 texts that hold one of 200 nouns with a particle behind it (tests/test_lexical.py): "
        "how many are among the first ten hits for the bare noun.",
        _rows([["method", "found of 600"], *map(list, report["nouns_found_of_600"].items())]),
        "## The lexical weight, chosen on one half of the sets and checked on the other",
        _halves(report),
        "## Other conditions: mean R@1",
        _variants(report),
    ]
    return "\n\n".join(parts) + "\n"


def _table(sets: Mapping[str, Any], measure: str) -> str:
    names = list(sets)
    rows = [["method", *names, "mean"]]
    for method in sets[names[0]]["methods"]:
        values = [sets[name]["methods"][method][measure]["mean"] for name in names]
        mean = mean_of(sets, method, measure)
        rows.append([method, *(f"{value:.3f}" for value in values), f"{mean:.3f}"])
    return _rows(rows)


def _gains(sets: Mapping[str, Any]) -> str:
    rows = [["over", *sets, "mean"]]
    parts = [_interval(asdict(estimate(gain(one, better_part(one))))) for one in sets.values()]
    better = max(("dense", "lexical"), key=lambda part: mean_of(sets, part))
    rows.append(
        [f"the better part ({better} on the mean)", *parts, _interval(mean_gain(sets, better))]
    )
    for method in next(iter(sets.values()))["methods"]:
        if method not in ("dense", "lexical", "hybrid"):
            cells = [_interval(asdict(estimate(gain(one, method)))) for one in sets.values()]
            rows.append([method, *cells, _interval(mean_gain(sets, method))])
    return _rows(rows)


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['mean']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f})"


def _halves(report: Mapping[str, Any]) -> str:
    rows = [["chosen on", "weight", "checked on", "R@1 there", "with the best weight there"]]
    rows += [
        [
            ", ".join(half["chosen_on"]),
            str(half["chosen"]),
            ", ".join(half["checked_on"]),
            f"{half['hybrid']:.3f}",
            f"{half['best_there']:.3f}",
        ]
        for half in report["variants"]["as it is"]["halves"]
    ]
    return _rows(rows)


def _variants(report: Mapping[str, Any]) -> str:
    methods = ("dense", "lexical", "hybrid", "rank fusion")
    rows = [["", *methods]]
    for variant, found in report["variants"].items():
        rows.append([variant, *(f"{mean_of(found['sets'], m):.3f}" for m in methods)])
    return _rows(rows)


def _rows(rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def gain(one: Mapping[str, Any], over: str) -> np.ndarray:
    """Of hybrid over another method, by query: 1, 0 or -1."""
    first = one["first_is_relevant"]
    ours, theirs = (np.array([int(digit) for digit in first[name]]) for name in ("hybrid", over))
    return ours - theirs


def better_part(one: Mapping[str, Any]) -> str:
    return max(("dense", "lexical"), key=lambda part: one["methods"][part]["success@1"]["mean"])


def mean_of(sets: Mapping[str, Any], method: str, measure: str = "success@1") -> float:
    return float(np.mean([sets[name]["methods"][method][measure]["mean"] for name in MEAN_OF]))


def mean_gain(sets: Mapping[str, Any], over: str, n_resamples: int = 2000) -> dict[str, float]:
    """Of the means over the sets, each of whose queries are drawn anew (Efron 1979)."""
    gains = [gain(sets[name], over) for name in MEAN_OF]
    rng = np.random.default_rng(0)
    means = [
        np.mean([some[rng.integers(0, len(some), len(some))].mean() for some in gains])
        for _ in range(n_resamples)
    ]
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(np.mean([g.mean() for g in gains])), "low": low, "high": high}
