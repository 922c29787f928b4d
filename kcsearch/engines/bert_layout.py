"""What a BERT folder must hold for our two engines: its shape, its tensors by name, its piece ids.

Imports neither torch nor transformers. Other architectures are refused here, not converted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

import numpy as np

from kcsearch.errors import ModelError
from kcsearch.models import ModelFolder

# config.hidden_act -> what we call it. transformers computes gelu_new and gelu_pytorch_tanh alike.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "relu": "relu"}


class _Shaped(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


Tensor = TypeVar("Tensor", bound=_Shaped)


@dataclass(frozen=True, slots=True)
class BertShape:
    """The numbers of a BERT config that its forward pass needs."""

    n_layers: int
    n_heads: int
    hidden: int
    intermediate: int
    n_words: int
    n_positions: int
    n_segments: int
    eps: float
    activation: str  # a value of ACTIVATIONS

    @property
    def head(self) -> int:
        return self.hidden // self.n_heads


def supports(config: Mapping[str, Any]) -> bool:
    """Say whether the engines compute this architecture exactly: a plain BERT encoder."""
    return (
        (config.get("model_type") or "bert") == "bert"  # kcbert-base is older than the field
        and config.get("position_embedding_type", "absolute") == "absolute"
        and config.get("hidden_act", "gelu") in ACTIVATIONS
        and not config.get("is_decoder", False)
        and not config.get("add_cross_attention", False)
        and not config.get("quantization_config")
    )


def read_shape(folder: ModelFolder) -> BertShape:
    """Read the shape out of the folder's config; ModelError if it is not ours or lacks a number."""
    config, file = folder.config, folder.path / "config.json"
    if not supports(config):
        raise ModelError("{file}: not a plain BERT encoder, so no engine here reads it", file=file)

    def number(key: str) -> int:
        if not isinstance(config.get(key), int) or config[key] < 1:
            raise ModelError("{file}: {key} must be a positive number", file=file, key=key)
        return int(config[key])

    shape = BertShape(
        n_layers=number("num_hidden_layers"),
        n_heads=number("num_attention_heads"),
        hidden=number("hidden_size"),
        intermediate=number("intermediate_size"),
        n_words=number("vocab_size"),
        n_positions=number("max_position_embeddings"),
        n_segments=number("type_vocab_size"),
        eps=float(config.get("layer_norm_eps", 1e-12)),
        activation=ACTIVATIONS[config.get("hidden_act", "gelu")],
    )
    if shape.hidden % shape.n_heads:
        raise ModelError("{file}: hidden_size is no multiple of num_attention_heads", file=file)
    return shape


def tensor_shapes(shape: BertShape, has_pooler: bool) -> dict[str, tuple[int, ...]]:
    """Name every tensor of the forward pass, as transformers' BertModel does, with its shape."""
    wide, deep = shape.hidden, shape.intermediate
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape.n_words, wide),
        "embeddings.position_embeddings.weight": (shape.n_positions, wide),
        "embeddings.token_type_embeddings.weight": (shape.n_segments, wide),
    }
    linears: dict[str, tuple[int, int]] = {}
    norms = ["embeddings.LayerNorm"]
    for i in range(shape.n_layers):
        layer = f"encoder.layer.{i}"
        linears |= {f"{layer}.attention.self.{n}": (wide, wide) for n in ("query", "key", "value")}
        linears[f"{layer}.attention.output.dense"] = (wide, wide)
        linears[f"{layer}.intermediate.dense"] = (deep, wide)
        linears[f"{layer}.output.dense"] = (wide, deep)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    if has_pooler:
        linears["pooler.dense"] = (wide, wide)
    for name, (n_out, n_in) in linears.items():
        shapes |= {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}
    for name in norms:
        shapes |= {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}
    return shapes


def pick(tensors: Mapping[str, Tensor], shape: BertShape, folder: ModelFolder) -> dict[str, Tensor]:
    """Choose the tensors of the forward pass, under BertModel's names and of the right shapes.

    Known spellings: with or without a leading `bert.`, LayerNorm gamma and beta of old files.
    """
    found = {
        name.removeprefix("bert.")
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias"): tensor
        for name, tensor in tensors.items()
    }
    wanted = tensor_shapes(shape, has_pooler=folder.pooling == "pooler")
    for name, expected in wanted.items():
        if name not in found:
            raise ModelError("{file}: the tensor {name} is missing", file=folder.weights, name=name)
        if tuple(found[name].shape) != expected:
            raise ModelError(
                "{file}: the tensor {name} is {found}, but config.json says {expected}",
                file=folder.weights,
                name=name,
                found=tuple(found[name].shape),
                expected=expected,
            )
    return {name: found[name] for name in wanted}


def flatten(ids: Sequence[Sequence[int]], shape: BertShape) -> tuple[np.ndarray, np.ndarray]:
    """Lay sequences one after the other: int64 (tokens,) piece ids and int64 (n,) lengths.

    A length outside 1..n_positions is the caller's fault: ValueError. A piece id without a row in
    the table is the model folder's (its tokenizer has more pieces than its weights): ModelError.
    """
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    if len(ids) and not (lengths.min() >= 1 and lengths.max() <= shape.n_positions):
        raise ValueError(f"sequences of {lengths.min()} to {lengths.max()} pieces")
    flat = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
    if len(flat) and not (flat.min() >= 0 and flat.max() < shape.n_words):
        raise ModelError(
            "the tokenizer gave piece {piece}, but the model has {n_words} pieces: "
            "its vocabulary belongs to another model",
            piece=int(flat.max() if flat.max() >= shape.n_words else flat.min()),
            n_words=shape.n_words,
        )
    return flat, lengths
