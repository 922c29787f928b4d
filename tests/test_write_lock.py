from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kcsearch.errors import CollectionUnavailableError
from kcsearch.write_lock import write_lock

HOLDER = """if True:
    import sys, time
    from pathlib import Path
    from kcsearch.write_lock import write_lock
    with write_lock(Path(sys.argv[1]), wait=0):
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_second_writer_waits_and_says_so_once(tmp_path: Path) -> None:
    path, waits = tmp_path / "write.lock", []
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with write_lock(path, wait=0):
            held.set()
            let_go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)

    def on_wait() -> None:
        waits.append("waiting")
        let_go.set()

    with write_lock(path, wait=10, on_wait=on_wait):
        assert waits == ["waiting"]
    thread.join()
    with write_lock(path, wait=0, on_wait=on_wait):
        assert waits == ["waiting"]


def test_a_second_writer_fails_clearly_when_its_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    with write_lock(path, wait=0):
        started = time.monotonic()
        message = "another process is writing to this collection.*--wait SECONDS"
        with (
            pytest.raises(CollectionUnavailableError, match=message),
            write_lock(path, wait=0.2),
        ):
            pass
        assert 0.2 <= time.monotonic() - started < 5


def test_the_lock_is_let_go_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    with pytest.raises(KeyboardInterrupt), write_lock(path, wait=0):
        raise KeyboardInterrupt
    with write_lock(path, wait=0):
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(CollectionUnavailableError), write_lock(path, wait=0):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with write_lock(path, wait=0):
        pass


def test_a_place_that_cannot_be_locked_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CollectionUnavailableError, match="cannot be locked"),
        write_lock(tmp_path / "file" / "write.lock", wait=0),
    ):
        pass
