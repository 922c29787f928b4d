"""Mapping safetensors with numpy alone, against the safetensors package and torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from kcsearch.engines.safetensors_file import map_tensors, widen
from kcsearch.errors import ModelError


def test_tensors_equal_those_of_the_package(tmp_path: Path) -> None:
    tensors = {
        "a": torch.randn(3, 5),
        "b": torch.randn(7).half(),
        "c": torch.randn(2, 3, 4).bfloat16(),
        "empty": torch.zeros(0, 4),
        "scalar": torch.tensor(1.5),
        "ids": torch.arange(4),  # whole numbers are left out
    }
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    mapped = map_tensors(path)
    assert sorted(mapped) == ["a", "b", "c", "empty", "scalar"]
    for name, array in mapped.items():
        assert np.array_equal(widen(array), tensors[name].float().numpy())
        assert not array.flags.writeable


def test_every_finite_half_is_widened_exactly() -> None:
    halves = np.arange(65_536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert np.array_equal(widen(halves).view(np.uint32), halves.astype(np.float32).view(np.uint32))


def test_float32_is_not_copied() -> None:
    array = np.ones(3, np.float32)
    assert widen(array) is array


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"\xff" * 100,
        (2).to_bytes(8, "little") + b"[]",
        (9).to_bytes(8, "little") + b'{"a": {}}',
        (68).to_bytes(8, "little")
        + b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}'.ljust(68),
        (68).to_bytes(8, "little")
        + b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [-36, 0]}}'.ljust(68)
        + bytes(99),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        map_tensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors: No such file"):
        map_tensors(tmp_path / "none.safetensors")
