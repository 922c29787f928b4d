"""Forked processes that do something to a folder, until they end or are killed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def fresh_copy(template: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)


@dataclass
class Child:
    """A forked process that runs an operation and tells of each commit."""

    process: int
    pipe: int

    def told(self) -> tuple[int, bytes]:
        """Wait: exit code (negative: the signal), and all that came through the pipe."""
        told = b""
        while chunk := os.read(self.pipe, 65536):
            told += chunk
        os.close(self.pipe)
        _, status = os.waitpid(self.process, 0)
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), told

    def end(self) -> tuple[int, int, str]:
        """Wait: exit code, number of commits, the error it ended with."""
        code, told = self.told()
        dots, _, error = told.partition(b"E")
        return code, len(dots), error.decode()


def forked(work: Callable[[int], int]) -> Child:
    """Fork. The child is given the pipe and exits with what `work` returns, or with 99."""
    out, into = os.pipe()
    process = os.fork()
    if process:
        os.close(into)
        return Child(process, out)
    os.close(out)
    code = 99
    try:
        code = work(into)
    finally:
        os._exit(code)


def killed_after(child: Child, seconds: float) -> None:
    time.sleep(seconds)
    os.kill(child.process, signal.SIGKILL)
