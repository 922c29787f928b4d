"""Files as a collection cites them: their source names, and which of them are gone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kcsearch.hangul import normalize
from kcsearch.readers.decoding import COMPRESSIONS
from kcsearch.readers.paths import FORMATS

_SUFFIXES = (*FORMATS, *COMPRESSIONS)  # of what is read in folders


def source_of(path: Path, root: Path) -> str:
    """A file as it is cited: relative to `root`, which holds the collection, if it lies inside."""
    absolute = Path(os.path.abspath(path))
    try:
        return absolute.relative_to(root).as_posix()
    except ValueError:
        return absolute.as_posix()


def gone_from_folders(
    paths: Sequence[str | os.PathLike[str]],
    root: Path,
    stored: Iterable[str | None],
    read_now: Iterable[str],
) -> Iterator[str]:
    """Those of the `stored` sources that lay below the folders among `paths` and no longer exist.

    read_now: sources that were just read, and so are not gone.
    """
    folders = [Path(path) for path in paths if os.path.isdir(path)]
    known = set(read_now)
    for source in stored if folders else ():
        if (
            source is not None
            and source not in known
            and Path(source).suffix.lower() in _SUFFIXES
            and any(_is_below(folder, source, root) for folder in folders)
            and not (root / source).exists()
        ):
            yield source


def is_left_alone(source: str, paths: Sequence[str | os.PathLike[str]], root: Path) -> bool:
    """Whether `source` is a file that is there and that none of these paths names or holds."""
    named = any(
        _is_below(Path(path), source, root)
        if os.path.isdir(path)
        else normalize(source_of(Path(path), root)) == source
        for path in paths
    )
    return not named and (root / source).is_file()


def _is_below(folder: Path, source: str, root: Path) -> bool:
    name = normalize(source_of(folder, root))
    if name == ".":
        return not os.path.isabs(source)
    return source.startswith(name.rstrip("/") + "/")
