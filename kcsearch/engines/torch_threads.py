"""How many threads torch takes: as many as asked for, and one in a forked child.

OpenMP's threads do not survive a fork, and a child that shares its work out among them waits for
ever. One thread waits for nobody.
"""

from __future__ import annotations

import os

import torch

_PROCESS = os.getpid()  # that imported torch


def use_threads(n: int | None) -> None:
    """None leaves them alone; in a forked child it stays at one."""
    if n is not None and os.getpid() == _PROCESS:
        torch.set_num_threads(n)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
