"""x @ weight.T + bias in torch, in the form that is fastest on this processor and still right.

Asks the processor and torch what they can do; decides nothing by timing, so that a machine always
decides alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from kcsearch.errors import InputError

Linear = Callable[[Tensor], Tensor]
LinearMaker = Callable[[Tensor, Tensor, str], Linear]  # of weight (out, in), bias, activation

PRECISIONS = ("auto", "fp32", "bf16", "int8")
TYPICAL_ROWS = 2_048  # what a packed weight is arranged for; any number works
ACTIVATIONS: dict[str, Linear] = {  # by the names of bert_layout.ACTIVATIONS
    "none": lambda x: x,
    "gelu": F.gelu,
    "tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}


def cpu_flags() -> frozenset[str]:
    """What the processor says it can do: the flags of /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    flags = next((line.split(":")[1] for line in lines if line.startswith("flags")), "")
    return frozenset(flags.split())


def choose_precision(name: str, device: torch.device) -> str:
    """auto: bf16 where the hardware multiplies it quickly, else fp32.

    That is CUDA, AMX, and AMD from Zen 4 on: 1.6 times fp32 there with packed weights
    (benchmarks/encode.py). Intel's AVX512-bf16 without AMX was slower than fp32.
    """
    if name not in PRECISIONS:
        raise InputError(
            "precision {name!r} is none of {known}", name=name, known=", ".join(PRECISIONS)
        )
    if name == "int8" and device.type != "cpu":
        raise InputError("int8 is for the CPU only, not for {device}", device=device)
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = cpu_flags() if device.type == "cpu" else frozenset()
    is_amd = "sse4a" in flags  # no other maker has these
    return "bf16" if "amx_bf16" in flags or ("avx512_bf16" in flags and is_amd) else "fp32"


def linear_maker(precision: str, device: torch.device) -> LinearMaker:
    """Choose how to multiply. precision: fp32, bf16 or int8; weights come in bf16 or fp32."""
    if precision == "int8":
        return _int8_linear
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    return _packed_linear if device.type == "cpu" and _packing_works(dtype) else _plain_linear


def _plain_linear(weight: Tensor, bias: Tensor, activation: str) -> Linear:
    activate = ACTIVATIONS[activation]
    return lambda x: activate(F.linear(x, weight, bias))


def _packed_linear(weight: Tensor, bias: Tensor, activation: str) -> Linear:
    """The weight in oneDNN's own order, the activation in the same kernel.

    The operators are private, made for torch's inductor: `_packing_works` asks first.
    """
    oneDNN_names = {"none": ("none", ""), "gelu": ("gelu", "none"), "tanh": ("gelu", "tanh")}
    name, kind = oneDNN_names.get(activation, (activation, ""))
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, TYPICAL_ROWS)

    def linear(x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, name, [], kind)
        return out

    return linear


def _packing_works(dtype: torch.dtype) -> bool:
    """Say whether this torch on this processor has the private operators, and they are right."""
    generator = torch.Generator().manual_seed(0)
    weight, x = (torch.randn(32, 32, generator=generator).to(dtype) for _ in range(2))
    try:
        ours = _packed_linear(weight, weight[0], "gelu")(x)
    except (AttributeError, RuntimeError, TypeError):  # absent, other signature, no such processor
        return False
    return torch.allclose(ours, _plain_linear(weight, weight[0], "gelu")(x), rtol=0.02, atol=0.02)


def _int8_linear(weight: Tensor, bias: Tensor, activation: str) -> Linear:
    """The weight in int8 with a scale for each output, x in 8 bits with one scale for all of it.

    Without VNNI a processor adds pairs of products in 16 bits, which overflow: there x gets 7 bits,
    as in torch.ao.nn.quantized.dynamic.Linear.
    """
    has_7_bits = not {"avx512_vnni", "avx_vnni"} & cpu_flags()
    scales = weight.abs().amax(1).clamp_(min=1e-8) / 127
    zeros = torch.zeros(len(scales), dtype=torch.long)
    try:
        with warnings.catch_warnings():  # deprecated since torch 2.13, without an equal as quick
            warnings.simplefilter("ignore", UserWarning)
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(quantised, bias)
    except (AttributeError, RuntimeError) as error:
        raise InputError("torch has no int8 matrices here; use fp32 or bf16") from error
    activate = ACTIVATIONS[activation]
    return lambda x: activate(torch.ops.quantized.linear_dynamic(x, packed, has_7_bits))
