"""One thread at a time; a process that was forked off begins anew.

A lock that another thread of the parent held would stay locked for ever in the child.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


class Turns:
    """A context manager that a thread may enter again while it is inside.

    begin: called whenever a thread enters that is not inside yet; True in a new process.
    """

    def __init__(self, begin: Callable[[bool], None]) -> None:
        self._begin = begin
        self._start()

    def __enter__(self) -> None:
        is_new_process = os.getpid() != self._process
        if is_new_process:
            self._start()
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1:
            try:
                self._begin(is_new_process)
            except BaseException:
                self.__exit__()
                raise

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self._lock.release()

    def _start(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._depth = 0
