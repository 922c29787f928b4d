"""What does indexing cost: rate, memory, where the time goes, and a second run without changes?

    python benchmarks/indexing.py                 50,000 and 200,000 lines, the bundled model

Each run is a process of its own, `kcsearch index FILE --json`; memory is its peak as the system
counts it, so that the two sizes show whether it grows with the corpus. The stages are measured in
another run of the smaller size, by a profiler's clock around the calls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import headline, machine, save
from sentences import sentences

from kcsearch import Collection, TextEncoder
from kcsearch.index_cache import IndexCache
from kcsearch.store.text_store import TextStore

_MEASURED = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, capture_output=True)
seconds = time.perf_counter() - start
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def run(file: Path, collection: Path) -> dict[str, float]:
    """Seconds and peak MB of one `kcsearch index`."""
    command = shutil.which("kcsearch", path=str(Path(sys.executable).parent)) or "kcsearch"
    arguments = [command, "index", str(file), "-c", str(collection)]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *arguments], check=True, capture_output=True, text=True
    )
    seconds, kilobytes = json.loads(done.stdout)
    return {"seconds": seconds, "peak_mb": kilobytes / 1024}


def stages(file: Path, collection: Path) -> dict[str, float]:
    """Share of the time by stage, of a run in this process."""
    spent: dict[str, float] = {}
    watched: list[tuple[type, str, str]] = [
        (TextEncoder, "encode", "encode"),
        (TextEncoder, "split", "length check"),
        (TextStore, "write", "SQLite and full text"),
        (TextStore, "vectors_by_text", "look for known texts"),
        (IndexCache, "save", "FAISS"),
    ]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in watched]
    for owner, name, stage in watched:
        setattr(owner, name, _clocked(getattr(owner, name), stage, spent))
    start = time.perf_counter()
    with Collection(collection) as made:
        made.index([file])
    total = time.perf_counter() - start
    for owner, name, original in originals:
        setattr(owner, name, original)
    spent["reading and the rest"] = total - sum(spent.values())
    return {stage: seconds / total for stage, seconds in spent.items()}


def _clocked(call: Callable[..., Any], stage: str, spent: dict[str, float]) -> Callable[..., Any]:
    def clocked(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments, **options)
        finally:
            spent[stage] = spent.get(stage, 0.0) + time.perf_counter() - start

    return clocked


def measure(sizes: list[int]) -> dict[str, Any]:
    report: dict[str, Any] = {"machine": machine(), "runs": []}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for n in sizes:
            file = work / f"{n}.txt"
            file.write_text("\n".join(sentences(n)) + "\n", encoding="utf-8")
            first, again = run(file, work / f"c{n}"), run(file, work / f"c{n}")
            size = sum(f.stat().st_size for f in (work / f"c{n}").iterdir())
            report["runs"].append({"n": n, "first": first, "again": again, "bytes": size})
        report["stages"] = stages(work / f"{sizes[0]}.txt", work / "stages")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[50_000, 200_000])
    options = parser.parse_args()
    report = measure(options.sizes)
    print(headline(report["machine"]))
    for row in report["runs"]:
        first, again = row["first"], row["again"]
        print(
            f"{row['n']:8,} lines: {first['seconds']:6.1f} s, {row['n'] / first['seconds']:6.0f}/s,"
            f" {first['peak_mb']:5.0f} MB; again {again['seconds']:5.2f} s,"
            f" {again['peak_mb']:5.0f} MB; on disk {row['bytes'] / 1e6:.0f} MB"
        )
    for stage, share in sorted(report["stages"].items(), key=lambda item: -item[1]):
        print(f"  {share:4.0%} {stage}")
    print(save("indexing", report))


if __name__ == "__main__":
    main()
