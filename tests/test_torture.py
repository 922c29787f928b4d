"""Short forms of what torture/ does at length; what needs the C shim runs in a process with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from torture import faults, fuzzing, power_loss, readers, state_machine

ROOT = Path(__file__).parents[1]
PROGRAM = """if True:
    import importlib, json, sys
    from pathlib import Path
    name, folder, options = sys.argv[1:]
    run = importlib.import_module("torture." + name).run
    print(json.dumps(run(Path(folder), **json.loads(options))))
"""
needs_cc = pytest.mark.skipif(not faults.can_be_built(), reason="needs Linux and a C compiler")


def report_of(name: str, folder: Path, **options: int) -> dict[str, Any]:
    """What `torture.NAME.run` reports, in a process that can be armed."""
    environment = faults.environment(faults.build(folder))
    environment = {n: value for n, value in environment.items() if not n.startswith("TORTURE_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name, str(folder), json.dumps(options)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@needs_cc
def test_a_kill_loses_nothing_that_was_told_of(tmp_path: Path) -> None:
    report = report_of("kills", tmp_path, n_random=4, stride=151)
    assert report["problems"] == []
    assert report["random moments"] == 4
    assert all(found["calls"] > 30 and found["killed"] >= 2 for found in report["steps"].values())


@needs_cc
def test_the_kills_that_other_stores_are_compared_by(tmp_path: Path) -> None:
    """Without the others, which need Pythons of their own."""
    report = report_of("peers", tmp_path, n_random=2, n_steps=2)
    assert report["problems"] == []
    assert report["left out"] == ["txtai", "chroma", "chroma, index every 10"]
    assert report["stores"]["kcsearch"]["trials"] == 4
    assert report["stores"]["kcsearch"]["calls"] > 100


@needs_cc
def test_a_write_that_fails_is_an_error_of_ours_and_loses_nothing(tmp_path: Path) -> None:
    report = report_of("write_faults", tmp_path, stride=151)
    assert report["problems"] == []
    assert all(report["faults"][f"index, {how}"] for how in ("ENOSPC", "EIO", "short"))
    assert report["faults"]["index, ENOSPC"]["exit code 4"] > 0


@needs_cc
def test_a_power_cut_loses_nothing_that_was_told_of(tmp_path: Path) -> None:
    report = report_of("power_loss", tmp_path, stride=101)
    assert report["problems"] == []
    assert report["folders"] >= 4 * 4


def test_what_a_disk_may_hold_after_a_power_cut(tmp_path: Path) -> None:
    """A file is safe when it was synced, its new name when the folder was."""
    (tmp_path / "a").write_bytes(b"old")
    name = str(tmp_path / "a")
    disk = power_loss.Disk.of(tmp_path)
    disk.take(power_loss.Call("w", name, offset=0, data=b"new"))
    assert disk.survivors("nothing unsynced") == {name: b"old"}
    assert disk.survivors("everything") == {name: b"new"}
    disk.take(power_loss.Call("s", name))
    assert disk.survivors("nothing unsynced") == {name: b"new"}
    disk.take(power_loss.Call("r", name, f"{name}2"))
    assert disk.survivors("nothing unsynced") == {name: b"new"}
    disk.take(power_loss.Call("s", str(tmp_path)))
    assert disk.survivors("nothing unsynced") == {f"{name}2": b"new"}


@needs_cc
def test_damaged_files_give_the_right_answer_or_advice(tmp_path: Path) -> None:
    """In a process of one thread: it forks after it has searched."""
    report = report_of("damage", tmp_path, stride=64 * 401, n_cuts=2)
    assert report["problems"] == []
    outcomes = report["outcomes"]
    assert set(outcomes["store.db, flipped"]) == {"exit code 3 with advice"}
    assert set(outcomes["vectors.faiss, flipped"]) == {"right answer"}
    assert "model/model.safetensors, cut" in outcomes


def test_any_order_of_changes_gives_what_a_dict_and_numpy_give(tmp_path: Path) -> None:
    """Hypothesis begins with a life of one kind of step, and leaves some out of each: so 400."""
    report = state_machine.run(tmp_path, n_steps=400)
    assert report["steps"] >= 400
    assert len(report["by kind"]) >= 5


def test_readers_beside_a_writer_see_committed_states_only(tmp_path: Path) -> None:
    report = readers.run(tmp_path, seconds=3, n_readers=2)
    assert report["problems"] == []
    assert report["counts"]["commits"] > 2
    assert report["counts"]["dense searches"] > 5


def test_no_input_crashes_a_reader_or_the_query_syntax(tmp_path: Path) -> None:
    report = fuzzing.run(tmp_path, n_each=60)
    assert set(report["inputs"]) == {
        *(f"reader of {name}" for name in ("txt", "md", "jsonl", "json", "csv", "tsv")),
        "query",
    }
