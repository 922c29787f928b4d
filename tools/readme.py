"""Runs the README's examples and writes what they print, and the command reference, into it.

`python -m tools.readme --write` changes README.md; a test compares. Every block marked `console` is
run in one folder that holds a copy of data/, in the order of the page; lines that start with `$ `
are commands, the rest is their output.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SHOWN_FOLDER = "/home/you/notes"

_CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"(?<=^```python\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r"(?<=<!-- reference -->\n).*(?=<!-- end of reference -->)", re.DOTALL)
_SECONDS = re.compile(r"\(\d+\.\d s\)$", re.MULTILINE)
COMMANDS = [
    "",
    "index",
    "query",
    "get",
    "list",
    "delete",
    "status",
    "eval",
    "models",
    "models show",
    "models export",
]
COMMANDS += ["tokenize", "embed", "verify", "repair", "rebuild", "optimize", "backup"]
COMMANDS += ["export", "import", "serve", "mcp", "train"]


def rendered(page: str) -> str:
    """The page with fresh outputs and a fresh reference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        shutil.copytree(ROOT / "data", folder / "data")
        page = _CONSOLE.sub(lambda block: _console(block.group(), folder), page)
    return _REFERENCE.sub(lambda _: _reference(), page)


def python_examples(page: str) -> list[str]:
    """The blocks marked `python`, as they stand."""
    return _PYTHON.findall(page)


def comparable(page: str) -> str:
    """The page without what differs from machine to machine: cosines, sizes and seconds."""
    return re.sub(r"-?\d+\.\d+", "N", page)


def with_times_of(page: str, fresh: str) -> str:
    """`fresh` with the seconds that `page` tells, if it tells as many: they differ by the day."""
    times = iter(_SECONDS.findall(page))
    if len(_SECONDS.findall(page)) != len(_SECONDS.findall(fresh)):
        return fresh
    return _SECONDS.sub(lambda _: next(times), fresh)


def _console(block: str, folder: Path) -> str:
    out = []
    for line in block.splitlines():
        if line.startswith("$ "):
            out += [line, *_run(line[2:], folder).splitlines()]
    return "\n".join(line.replace(str(folder), SHOWN_FOLDER) for line in out) + "\n"


def _reference() -> str:
    parts = []
    for command in COMMANDS:
        title = f"kcsearch {command}".strip()
        parts.append(f"\n#### `{title}`\n\n```text\n{_run(f'{title} --help', ROOT)}```\n")
    return "".join(parts)


def _run(command: str, folder: Path) -> str:
    """What a shell prints for `command`, stdout and stderr as they come.

    RuntimeError if that is a traceback: no page shows one.
    """
    environment = dict(os.environ, LC_ALL="C.UTF-8", COLUMNS="80", TERM="dumb")
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment.pop("KCSEARCH_COLLECTION", None)
    environment.pop("LANGUAGE", None)
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if "Traceback (most recent call last)" in done.stdout:
        raise RuntimeError(f"{command}\n{done.stdout}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def main() -> None:
    page = README.read_text(encoding="utf-8")
    fresh = rendered(page)
    if sys.argv[1:] == ["--write"]:
        README.write_text(with_times_of(page, fresh), encoding="utf-8")
    elif comparable(fresh) != comparable(page):
        sys.exit("README.md is not what its examples print: python -m tools.readme --write")


if __name__ == "__main__":
    main()
