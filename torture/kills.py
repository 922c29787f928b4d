"""kill -9: at random moments, and at every call that writes, before it and in its middle.

`python -m torture kills`. While indexing, deleting, rebuilding and optimizing. After each kill the
collection must open, `verify` must be clean, every commit that was told of must be there, no
document twice, and FAISS must hold what SQLite holds; then a document is added and found.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from torture import faults, scenario
from torture.children import fresh_copy, killed_after

N_RANDOM = 600


def run(folder: Path, n_random: int = N_RANDOM, stride: int = 1) -> dict[str, Any]:
    """stride: 1 takes every call, 10 every tenth."""
    template, victim = folder / "template", folder / "victim"
    scenario.make(template)
    report: dict[str, Any] = {"random moments": 0, "steps": {}, "problems": []}
    for operation in scenario.OPERATIONS:
        expected = scenario.reference(operation, template, folder / "reference")
        n_calls, seconds = measured(operation, template, victim)
        counts = Counter[str]()
        for mode in ("kill before", "kill in the middle"):
            for at in range(1, n_calls + 1, stride):
                fresh_copy(template, victim)
                child = scenario.start(operation, victim, partial(faults.arm, mode, at, victim))
                code, n_told, error = child.end()
                counts["killed" if code == -9 else f"ended with {code} {error}"] += 1
                check(report, victim, expected, n_told, f"{operation}, {mode} {at}")
        report["steps"][operation] = {"calls": n_calls, **counts}
        chance = random.Random(operation)
        for _ in range(n_random // len(scenario.OPERATIONS)):
            fresh_copy(template, victim)
            child = scenario.start(operation, victim)
            killed_after(child, chance.uniform(0, seconds))
            _, n_told, _ = child.end()
            report["random moments"] += 1
            check(report, victim, expected, n_told, f"{operation}, at random")
    return report


def measured(operation: str, template: Path, victim: Path) -> tuple[int, float]:
    """How many calls write, and how long the operation takes."""
    fresh_copy(template, victim)
    started = time.monotonic()
    scenario.start(operation, victim).end()
    seconds = time.monotonic() - started
    fresh_copy(template, victim)
    _, told = scenario.start(operation, victim, partial(faults.arm, "trace", 0, victim)).told()
    return sum(call.kind != "." for call in faults.calls(told)), seconds


def check(
    report: dict[str, Any], victim: Path, expected: scenario.Reference, n_told: int, where: str
) -> None:
    found = scenario.problems(victim, expected, n_told)
    report["problems"] += [f"{where}: {problem}" for problem in found]
