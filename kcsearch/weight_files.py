"""Which files of a model folder hold its weights, and which tensors they say they hold.

Nothing is loaded, and a pickle is never unpickled here.
"""

from __future__ import annotations

import json
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from kcsearch.errors import ModelError
from kcsearch.json_file import read_object

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there, whole or sharded
# What comes of a header that is no JSON, or JSON of another kind.
_NO_HEADER = (
    *(ValueError, LookupError, AttributeError, TypeError),
    *(OverflowError, RecursionError),
)


def find_weights(path: Path) -> Path:
    """The weights of a model folder: one file, or the index.json of several; safetensors first."""
    for name in WEIGHTS:
        for candidate in (path / name, path / f"{name}.index.json"):
            if candidate.is_file():
                return candidate
    raise ModelError(
        "{path}: no weights here; {names} are looked for", path=path, names=" and ".join(WEIGHTS)
    )


def weight_files(weights: Path) -> list[Path]:
    """The files that hold tensors, in the order of their names."""
    if weights.suffix != ".json":
        return [weights]
    shards = set(_weight_map(weights).values())
    return [weights.parent / name for name in sorted(shards)]


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_object(index).get("weight_map")
    names = weight_map.values() if isinstance(weight_map, dict) else [None]
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError("{path}: weight_map has to name a file here for each tensor", path=index)
    return cast("dict[str, str]", weight_map)


def _safetensors_shapes(path: Path) -> dict[str, list[int]]:
    """Tensor shapes by name. The format: u64 length, a JSON header of that length, the numbers."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= size - 8 else b""
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        end = max((int(tensor["data_offsets"][1]) for tensor in tensors.values()), default=0)
        shapes = {name: [int(n) for n in tensor["shape"]] for name, tensor in tensors.items()}
    except _NO_HEADER as error:
        raise _broken_weights(path) from error
    if 8 + length + end > size:
        raise ModelError(
            "{path} is cut short: it has {size} bytes, its header says {expected}. "
            "Copy or download it again",
            path=path,
            size=size,
            expected=8 + length + end,
        )
    return shapes


def _bin_names(path: Path) -> set[str]:
    """Every string in the pickles of a torch file, tensor names among them; nothing is unpickled.

    Since torch 1.6 a zip with one `data.pkl`; before, four pickles one after the other.
    """
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as stream:
                return {text for _ in range(4) for text in _pickled_strings(stream)}
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(entry) as stream:
                return set(_pickled_strings(stream))
    except (ValueError, StopIteration, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise _broken_weights(path) from error


def _pickled_strings(stream: IO[bytes]) -> Iterator[str]:
    return (str(arg) for op, arg, _ in pickletools.genops(stream) if "UNICODE" in op.name)


def _broken_weights(path: Path) -> ModelError:
    with path.open("rb") as file:
        is_pointer = file.read(24) == b"version https://git-lfs."
    if is_pointer:
        return ModelError("{path} is a Git LFS pointer: `git lfs pull` fetches the file", path=path)
    return ModelError("{path} is damaged: copy or download it again", path=path)


def tensor_shapes(weights: Path) -> dict[str, list[int]]:
    """Shapes by tensor name, of all the files; empty lists where only names can be had."""
    shapes: dict[str, list[int]] = {}
    for file in weight_files(weights):
        if not file.is_file():
            raise ModelError("{path} is missing; {index} names it", path=file, index=weights.name)
        is_safe = file.suffix == ".safetensors"
        shapes |= _safetensors_shapes(file) if is_safe else {name: [] for name in _bin_names(file)}
    return shapes
