"""What the user names (files, folders, patterns, `-`) to the list of files to read, in order."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kcsearch.errors import InputError
from kcsearch.hangul import normalize
from kcsearch.readers.decoding import COMPRESSIONS

Format = Literal[
    "txt", "md", "jsonl", "json", "csv", "tsv", "html", "docx", "hwpx", "pdf", "parquet"
]
BINARY = ("docx", "hwpx", "pdf", "parquet")

FORMATS: dict[str, Format] = {
    ".txt": "txt",
    ".md": "md",
    ".markdown": "md",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".html": "html",
    ".htm": "html",
    ".docx": "docx",
    ".hwpx": "hwpx",
    ".pdf": "pdf",
    ".parquet": "parquet",
}
_STDIN = "-"


@dataclass(frozen=True, slots=True)
class InputFile:
    """path: None for standard input. label: the path as the user would write it."""

    path: Path | None
    label: str
    format: Format


@dataclass(slots=True)
class Found:
    """skipped: files in folders whose suffix names no format."""

    files: list[InputFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def find(names: Sequence[str | os.PathLike[str]], format: Format | None) -> Found:
    """Expand folders and patterns; a file that is met twice is read once.

    A file that is named is read whatever its suffix, as text if the suffix says nothing. In a
    folder, hidden entries and unknown suffixes are skipped. Raises InputError for a name that
    leads to nothing.
    """
    found = Found()
    met: set[str] = set()
    for name in names:
        for path in _expand(os.fspath(name), found.skipped):
            identity = _STDIN if path is None else os.path.realpath(path)
            if identity not in met:
                met.add(identity)
                label = _STDIN if path is None else _label(path)
                kind = format or _format_of(label) or "txt"
                found.files.append(InputFile(path, label, kind))
    return found


def _expand(name: str, skipped: list[str]) -> list[Path | None]:
    if name == _STDIN:
        return [None]
    if not name or "\0" in name:
        raise InputError("{name!r} is not the name of a file", name=name)
    path = _existing(Path(name))
    if path is None and glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True), key=normalize)
        if not matches:
            raise InputError("{path}: no file matches", path=name)
    elif path is None:
        raise _missing(Path(name))
    else:
        matches = [str(path)]
    files: list[Path | None] = []
    for match in map(Path, matches):
        files += _in_folder(match, skipped) if os.path.isdir(match) else [match]
    return files


def _in_folder(folder: Path, skipped: list[str]) -> list[Path]:
    files = list(_walk(folder, skipped))
    if not files:
        raise InputError(
            "{path}: no file in this folder ends in one of {suffixes}",
            path=_label(folder),
            suffixes=" ".join(FORMATS),
        )
    return files


def _walk(folder: Path, skipped: list[str]) -> list[Path]:
    """Files below a folder, by name; links to folders are not followed (they may lead back)."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: normalize(entry.name))
    except OSError as error:
        raise InputError(
            "{path}: cannot be read ({reason})", path=_label(folder), reason=error.strerror
        ) from None
    files: list[Path] = []
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            files += _walk(path, skipped)
        elif entry.is_file():
            if _format_of(entry.name):
                files.append(path)
            else:
                skipped.append(_label(path))
    return files


def _format_of(name: str) -> Format | None:
    stem, suffix = os.path.splitext(name.lower())
    if suffix in COMPRESSIONS:
        packed = FORMATS.get(os.path.splitext(stem)[1])
        return None if packed in BINARY else packed
    return FORMATS.get(suffix)


def _existing(path: Path) -> Path | None:
    """The path itself, or the same name in another normal form (a folder copied from macOS)."""
    if os.path.lexists(path):
        return path
    return next((s for s in _siblings(path) if normalize(s.name) == normalize(path.name)), None)


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())
    except OSError:  # the folder is not there either
        return []


def _missing(path: Path) -> InputError:
    names = [normalize(sibling.name) for sibling in _siblings(path)]
    close = difflib.get_close_matches(normalize(path.name), names, n=3)
    if close:
        return InputError(
            "{path}: no such file. In the same folder: {close}",
            path=path.as_posix(),
            close=", ".join(close),
        )
    return InputError("{path}: no such file", path=path.as_posix())


def _label(path: Path) -> str:
    label = path.as_posix()
    try:
        label.encode()
    except UnicodeEncodeError:
        raise InputError(
            "{path!r}: a file name that is not UTF-8; rename the file", path=label
        ) from None
    return label
