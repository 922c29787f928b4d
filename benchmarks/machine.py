"""What a figure depends on: processor, versions, commit; and timing whole processes in turn."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
_KINDS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx_vnni", "avx512f", "avx2")
_PACKAGES = ("faiss-cpu", "numpy", "sentence-transformers", "tokenizers", "torch", "transformers")


def machine(*more_packages: str) -> dict[str, Any]:
    """flags: those that decide which matrix kernels run. load_at_start: over one minute."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    facts = {name.strip(): value.strip() for name, _, value in (li.partition(":") for li in lines)}
    flags = facts.get("flags", "").split()
    installed = {d.name: d.version for d in importlib.metadata.distributions()}
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "cpu": facts.get("model name", platform.processor()),
        "flags": [flag for flag in _KINDS if flag in flags],
        "cores": os.cpu_count(),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: installed.get(name) for name in (*_PACKAGES, *more_packages)},
        "commit": commit or None,
    }


def headline(facts: Mapping[str, Any]) -> str:
    return f"{facts['cpu']}, {facts['cores']} cores, {' '.join(facts['flags'])}"


def time_processes(
    commands: Mapping[str, Sequence[str]], n_repeats: int, environment: Mapping[str, str]
) -> dict[str, list[float]]:
    """Seconds of each whole process, in turn, after one run of each that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for repeat in range(n_repeats + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=dict(environment))
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def save(name: str, report: Mapping[str, Any]) -> Path:
    """Write benchmarks/results/NAME-KIND.json, KIND being the processor's."""
    kind = next(iter(report["machine"]["flags"]), platform.machine())
    path = RESULTS / f"{name}-{kind}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path
