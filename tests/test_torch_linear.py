"""The ways to multiply, each against torch's plain linear."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from kcsearch.engines import torch_linear
from kcsearch.engines.torch_linear import ACTIVATIONS, choose_precision, cpu_flags, linear_maker

CPU = torch.device("cpu")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 0.05), ("int8", 0.1)]
)
def test_each_way_equals_the_plain_one(precision: str, tolerance: float, activation: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(37, 96, generator=generator)
    weight, bias = torch.randn(50, 96, generator=generator) / 10, torch.randn(50)
    plain = ACTIVATIONS[activation](F.linear(x, weight, bias))
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    make = linear_maker(precision, CPU)
    with torch.inference_mode():
        ours = make(weight.to(dtype), bias.to(dtype), activation)(x.to(dtype))
    torch.testing.assert_close(ours.float(), plain, rtol=tolerance, atol=tolerance)


def test_without_the_private_operators_it_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise AttributeError("no such operator")

    monkeypatch.setattr(torch_linear, "_packed_linear", absent)
    x, weight, bias = torch.randn(3, 8), torch.randn(5, 8), torch.randn(5)
    assert torch.equal(
        linear_maker("fp32", CPU)(weight, bias, "none")(x), F.linear(x, weight, bias)
    )


def test_auto_is_bf16_with_amx_and_on_amd_with_avx512_bf16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intel, amd = {"avx2", "avx512_bf16"}, {"avx2", "avx512_bf16", "sse4a"}
    for flags, precision in (
        ({"avx2"}, "fp32"),
        ({"avx2", "sse4a"}, "fp32"),
        (intel, "fp32"),
        (amd, "bf16"),
        ({"amx_bf16"}, "bf16"),
    ):
        monkeypatch.setattr(torch_linear, "cpu_flags", lambda flags=flags: frozenset(flags))
        assert choose_precision("auto", CPU) == precision
    assert choose_precision("auto", torch.device("mps")) == "fp32"


def test_the_processor_is_asked() -> None:
    assert all(flag and " " not in flag for flag in cpu_flags())
