"""A collection goes on in a forked child, also when the parent has used OpenMP's threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

# The parent has worked with two threads; a child that waits for one of them is ended by an alarm.
PROGRAM = """if True:
    import os, signal, sys
    from kcsearch import Collection
    path, model = sys.argv[1:]
    notes = Collection(path, model or None)
    notes.add([f"{i}번째 환불 이야기" for i in range(400)])
    assert len(notes.search_many(["환불", "이야기"] * 50)) == 100
    for _ in range(2):
        child = os.fork()
        if not child:
            signal.alarm(60)
            assert len(notes.search_many(["환불", "이야기"] * 50)) == 100
            notes.add([f"아이가 쓴 {i}번째 글 {os.getpid()}" for i in range(300)])
            assert notes.search("아이가 쓴 글", 1)[0].text.startswith("아이가")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(notes) == 1000
    assert notes.search("아이가 쓴 글", 1)[0].text.startswith("아이가")
    assert not [check for check in notes.verify() if check.n_wrong]
    if "torch" in sys.modules:
        import torch
        print("torch", torch.get_num_threads())
"""


def printed_by(path: Path, model: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), model],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("engine", ["torch", "transformers"])
def test_a_forked_child_searches_and_adds(
    engine: str, make_bert: Callable[..., Path], tmp_path: Path
) -> None:
    """The parent keeps its threads."""
    changes = {} if engine == "torch" else {"position_embedding_type": "relative_key"}
    folder = make_bert(seed=3, **changes)
    assert printed_by(tmp_path / "c", str(folder)) == "torch 2\n"


def test_a_child_of_a_parent_without_a_torch_searches(tmp_path: Path) -> None:
    """A collection that exists, a few queries: numpy and FAISS alone."""
    script = """if True:
        import os, signal, sys
        from kcsearch import Collection
        notes = Collection(sys.argv[1])
        assert len(notes) > 0
        assert notes.similar(next(notes.list()).key, 3)
        notes._current_index().search(notes._store.vectors(notes._store.row_ids().tolist()), 5)
        child = os.fork()
        if not child:
            signal.alarm(60)
            assert notes.search("환불", 3)
            notes._current_index().search(notes._store.vectors(notes._store.row_ids().tolist()), 5)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert "torch" not in sys.modules
    """
    from kcsearch import Collection

    with Collection(tmp_path / "c") as notes:
        notes.add([f"{i}번째 환불 이야기" for i in range(100)])
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "c")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
