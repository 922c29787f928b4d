"""The same kills on other stores: kcsearch, txtai and Chroma add the same documents in batches.

`python -m torture peers`. Each store runs in a Python of its own, named by TORTURE_TXTAI and
TORTURE_CHROMA; those that are not named are left out. It is killed with SIGKILL at random moments,
and before calls that write. Afterwards another process opens what is on the disk. Counted are the
trials after which it does not open or not answer, lacks documents of which the store had said that
they are there, or holds vectors and texts that do not fit: another number of them, or a text that
is not among the ten that its own vector finds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torture import faults
from torture.children import Child, forked, fresh_copy, killed_after
from torture.peer_stores import Batch, opened, prepare

INTERPRETERS = {
    "kcsearch": "",
    "txtai": "TORTURE_TXTAI",
    "chroma": "TORTURE_CHROMA",
    "chroma, index every 10": "TORTURE_CHROMA",
}
N_RANDOM, N_STEPS = 75, 75
_WORDS = ["환불", "날씨", "배송", "여행", "학교", "병원", "영화", "김치", "기차", "서울"]
_SECONDS = 120


def run(folder: Path, n_random: int = N_RANDOM, n_steps: int = N_STEPS) -> dict[str, Any]:
    report: dict[str, Any] = {"stores": {}, "left out": [], "problems": []}
    for name, variable in INTERPRETERS.items():
        interpreter = os.environ.get(variable) if variable else sys.executable
        if interpreter is None:
            report["left out"].append(name)
            continue
        place = folder / name.replace(" ", "-")
        place.mkdir()
        root = str(Path(__file__).parents[1])
        done = subprocess.run(
            [interpreter, "-m", "torture.peers", name, place, str(n_random), str(n_steps)],
            env={**os.environ, "PYTHONPATH": root},
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        report["stores"][name] = json.loads(done.stdout.splitlines()[-1])
    ours = report["stores"]["kcsearch"]
    report["problems"] = [f"{what}: {n}" for what, n in ours["trials that"].items() if n]
    return report


def batches() -> list[Batch]:
    """The first is saved before the trials; of each later one three of ten replace others."""
    first = [(f"k{i}", _text(i, 0)) for i in range(100)]
    later = [
        [
            *((f"k{100 + 7 * n + i}", _text(100 + 7 * n + i, 0)) for i in range(7)),
            *((f"k{3 * n + i}", _text(3 * n + i, 1)) for i in range(3)),
        ]
        for n in range(8)
    ]
    return [first, *later]


def _text(number: int, version: int) -> str:
    words = random.Random(1000 * number + version).choices(_WORDS, k=4)
    return f"{' '.join(words)} {number}번 {version}판"


def fill(name: str, path: Path, chosen: list[Batch], tell: Callable[[], object]) -> None:
    store = opened(name, path)
    for batch in chosen:
        store.upsert(batch)
        tell()


def trials(name: str, folder: Path, n_random: int, n_steps: int) -> dict[str, Any]:
    """What became of one store, killed so often."""
    template, victim = folder / "template", folder / "victim"
    first, *later = batches()
    prepare(name)
    made = _forked(lambda pipe: fill(name, template, [first], lambda: None))
    assert made == (0, b""), made

    def adding(before: Callable[[int], None]) -> Callable[[int], None]:
        def work(pipe: int) -> None:
            before(pipe)
            fill(name, victim, later, lambda: os.write(pipe, b"."))

        return work

    fresh_copy(template, victim)
    started = time.monotonic()
    assert _forked(adding(lambda pipe: None)) == (0, b"." * len(later))
    seconds = time.monotonic() - started
    untouched = _looked_at(name, victim, len(later))
    assert not any(found for what, found in untouched.items() if what != "words"), untouched
    fresh_copy(template, victim)
    _, told = _forked(adding(lambda pipe: faults.arm("trace", 0, victim, pipe)))
    n_calls = sum(call.kind != "." for call in faults.calls(told))
    counts = dict.fromkeys(("do not answer", "lost documents", "are out of step"), 0)
    report = {"trials": 0, "calls": n_calls, "trials that": counts, "documents lost": 0}
    report["example"] = {}
    chance = random.Random(name)
    for number in range(n_random + n_steps):
        fresh_copy(template, victim)
        if number < n_random:
            child = _start(adding(lambda pipe: None))
            killed_after(child, chance.uniform(0, seconds))
        else:
            at = 1 + (number - n_random) * n_calls // n_steps
            child = _start(adding(partial(_arm, at, victim)))
        _, told = child.told()
        found = _looked_at(name, victim, len(told))
        report["trials"] += 1
        report["documents lost"] += found["n_lost"]
        for what in counts:
            counts[what] += bool(found[what])
            if found[what]:
                report["example"].setdefault(what, found["words"])
    return report


def _arm(at: int, victim: Path, pipe: int) -> None:
    faults.arm("kill before", at, victim)


def _looked_at(name: str, victim: Path, n_told: int) -> dict[str, Any]:
    """What a new process finds on the disk when `n_told` batches were acknowledged."""

    def work(pipe: int) -> None:
        os.write(pipe, json.dumps(_differences(name, victim, n_told)).encode())

    code, told = _forked(work)
    if code == 0:
        found: dict[str, Any] = json.loads(told)
        return found
    words = told.decode(errors="replace")[-300:] or f"ended with {code}"
    nothing = {"lost documents": False, "are out of step": False, "n_lost": 0}
    return {"do not answer": True, "words": words, **nothing}


def _differences(name: str, victim: Path, n_told: int) -> dict[str, Any]:
    all_batches = batches()
    acknowledged = dict(pair for batch in all_batches[: 1 + n_told] for pair in batch)
    in_flight = dict(pair for batch in all_batches[1 + n_told :][:1] for pair in batch)
    store = opened(name, victim)
    texts, n_vectors = store.texts(), store.n_vectors()
    lost = [k for k, t in acknowledged.items() if texts.get(k) not in (t, in_flight.get(k))]
    there = [key for key in acknowledged if key in texts]
    nearest = store.nearest([texts[key] for key in there])
    unfound = [k for k, found in zip(there, nearest, strict=True) if k not in found]
    return {
        "do not answer": False,
        "lost documents": bool(lost),
        "are out of step": n_vectors not in (None, len(texts)) or bool(unfound),
        "n_lost": len(lost),
        "words": f"{len(lost)} of {len(acknowledged)} lost, {len(texts)} texts, {n_vectors} "
        f"vectors, {len(unfound)} texts that their own vector does not find",
    }


def _start(work: Callable[[int], None]) -> Child:
    """Fork; the child writes to a pipe, and an exception's words when it fails."""

    def told(into: int) -> int:
        try:
            signal.alarm(_SECONDS)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work(into)
        except BaseException as error:
            os.write(into, f"{type(error).__name__}: {error}".encode())
            return 1
        return 0

    return forked(told)


def _forked(work: Callable[[int], None]) -> tuple[int, bytes]:
    return _start(work).told()


if __name__ == "__main__":
    store_name, place, *numbers = sys.argv[1:]
    print(json.dumps(trials(store_name, Path(place), *map(int, numbers)), ensure_ascii=False))
