"""Lets one call that writes fail, or the process die at it: the C in fault_shim.c, from Python."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Mode = Literal["off", "kill before", "kill in the middle", "ENOSPC", "EIO", "short", "trace"]

_MODES = get_args(Mode)
_RECORD = struct.Struct("=iiqq")
_SOURCE = Path(__file__).with_name("fault_shim.c")


@dataclass(frozen=True)
class Call:
    """kind: w write, t truncate, s sync, r rename, u unlink, . a commit that was told of."""

    kind: str
    path: str = ""
    to: str = ""
    offset: int = 0
    data: bytes = b""


def can_be_built() -> bool:
    return sys.platform == "linux" and shutil.which("cc") is not None


def build(folder: Path) -> Path:
    """The shared library, compiled."""
    library = folder / "fault_shim.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-w", "-o", library, _SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return library


def environment(library: Path) -> dict[str, str]:
    """For a Python that can be armed. One thread: OpenMP's threads do not survive a fork."""
    return {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}


def arm(mode: Mode, at: int, folder: Path, trace: int = -1) -> None:
    """From now on in this process; calls are counted from 1."""
    ctypes.CDLL(None).kcs_arm(_MODES.index(mode), ctypes.c_long(at), os.fsencode(folder), trace)


def calls(trace: bytes) -> Iterator[Call]:
    """The records that fault_shim.c writes, and the dots of the commits."""
    at = 0
    while at < len(trace):
        kind = chr(trace[at])
        at += 1
        if kind == ".":
            yield Call(".")
            continue
        n_path, n_to, offset, size = _RECORD.unpack_from(trace, at)
        at += _RECORD.size
        path, to = trace[at : at + n_path].decode(), trace[at + n_path :][:n_to].decode()
        at += n_path + n_to
        data = trace[at : at + max(0, size)]
        at += len(data)
        yield Call(kind, path, to, offset, data)
