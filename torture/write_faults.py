"""A full disk, a failing disk and short writes, at each call that writes or syncs, in turn.

`python -m torture write_faults`. The operation must succeed or end with an error of kcsearch;
afterwards everything holds that kills.py asks for.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from torture import faults, kills, scenario
from torture.children import fresh_copy

FAULTS: tuple[faults.Mode, ...] = ("ENOSPC", "EIO", "short")


def run(folder: Path, stride: int = 1) -> dict[str, Any]:
    template, victim = folder / "template", folder / "victim"
    scenario.make(template)
    report: dict[str, Any] = {"faults": {}, "problems": []}
    for operation in scenario.OPERATIONS:
        expected = scenario.reference(operation, template, folder / "reference")
        n_calls, _ = kills.measured(operation, template, victim)
        for fault in FAULTS:
            ends = Counter[str]()
            for at in range(1, n_calls + 1, stride):
                fresh_copy(template, victim)
                child = scenario.start(operation, victim, partial(faults.arm, fault, at, victim))
                code, n_told, error = child.end()
                where = f"{operation}, {fault} at {at}"
                ends["succeeded" if code == 0 else f"exit code {code}"] += 1
                if code not in (0, 3, 4):
                    report["problems"].append(f"{where}: ended with {code}: {error}")
                kills.check(report, victim, expected, n_told, where)
            report["faults"][f"{operation}, {fault}"] = dict(sorted(ends.items()))
    return report
