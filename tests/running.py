"""Runs of the command line: in this process, where everything but the start is the same, and in one
of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from kcsearch.__main__ import main

DATA = Path(__file__).parents[1] / "data"
_LOCALE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@dataclass(frozen=True)
class Run:
    """What a command did: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def kcsearch(
    folder: Path, *arguments: str, stdin: str | bytes = "", env: Mapping[str, str] | None = None
) -> Run:
    """`kcsearch ARGUMENTS` in `folder`, in this process and in English."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    streams = {name: io.TextIOWrapper(io.BytesIO()) for name in ("stdout", "stderr")}
    streams["stdin"] = io.TextIOWrapper(io.BytesIO(given))
    with contextlib.ExitStack() as stack:
        for name, stream in streams.items():
            stack.enter_context(mock.patch.object(sys, name, stream))
        stack.enter_context(mock.patch.object(sys, "argv", ["kcsearch", *arguments]))
        stack.enter_context(mock.patch.dict(os.environ, {"LANGUAGE": "en", **(env or {})}))
        stack.callback(os.chdir, os.getcwd())
        os.chdir(folder)
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    out, err = (_written(streams[name]) for name in ("stdout", "stderr"))
    return Run(code, out, err)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def command(*arguments: str) -> list[str]:
    """The same as a process of its own, for subprocess."""
    return [sys.executable, "-m", "kcsearch", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with another locale, English unless `variables` say otherwise."""
    kept = {name: value for name, value in os.environ.items() if name not in _LOCALE}
    return {**kept, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "", **variables}


def process(
    folder: Path, *arguments: str, stdin: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        input=stdin,
        capture_output=True,
        env=environment(**variables),
        timeout=120,
    )
