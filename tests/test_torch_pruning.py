"""Zeros that a layer adds nothing with are left out, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import BertModel

from kcsearch import models
from kcsearch.engines.torch_engine import TorchEngine
from kcsearch.engines.torch_pruning import live_attention

ATTENTION = "encoder.layer.0.attention"
N_HEADS, HEAD = 4, 32


def pruned(folder: Path) -> dict[str, torch.Tensor]:
    """A BERT of heads of 32 of which the first layer needs head 2 alone, and of that 9 numbers."""
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    output = tensors[f"{ATTENTION}.output.dense.weight"].view(-1, N_HEADS, HEAD)
    output[:, [0, 1, 3]] = 0
    output[:, 2, 4:] = 0
    query = tensors[f"{ATTENTION}.self.query.weight"].view(N_HEADS, HEAD, -1)
    query[2, 9:] = 0
    tensors[f"{ATTENTION}.self.query.bias"].view(N_HEADS, HEAD)[2, 8:] = 0
    tensors["encoder.layer.0.output.dense.weight"].zero_()
    safetensors.torch.save_file(tensors, path)
    return tensors


@pytest.fixture
def folder(make_bert: Callable[..., Path]) -> Path:
    return make_bert(hidden_size=N_HEADS * HEAD, num_attention_heads=N_HEADS, spread=0.2)


def test_one_head_of_four_is_left_with_the_numbers_that_count(folder: Path) -> None:
    tensors = pruned(folder)
    attention = live_attention(tensors, ATTENTION, N_HEADS)
    assert (attention.n_heads, attention.head, attention.scale) == (1, 16, HEAD**-0.5)
    query, bias = attention.query
    whole = tensors[f"{ATTENTION}.self.query.weight"].view(N_HEADS, HEAD, -1)[2]
    assert torch.equal(query[:9], whole[:9])
    assert not query[9:].any()
    assert torch.equal(bias[:8], tensors[f"{ATTENTION}.self.query.bias"][64:72])
    assert int(attention.output[0].any(0).sum()) == 4


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_vectors_are_those_of_the_whole(folder: Path, deterministic: bool) -> None:
    pruned(folder)
    ids = [[2, 7, 8, 3], [2, 9, 3], [2, *range(10, 30), 3]]
    engine = TorchEngine(models.resolve(folder), "fp32", "cpu", deterministic=deterministic)
    assert engine._layers[0].n_heads == 1
    assert engine._layers[0].intermediate is None
    model = BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        outputs = [model(torch.tensor([one])) for one in ids]
    pooled = np.concatenate([output.pooler_output.numpy() for output in outputs])
    np.testing.assert_allclose(engine.pool(ids), pooled, rtol=0, atol=1e-5)
    for ours, output in zip(engine.words(ids), outputs, strict=True):
        theirs = output.last_hidden_state[0].numpy()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_layer_without_any_live_head_adds_its_bias(folder: Path, layer: int) -> None:
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    tensors[f"encoder.layer.{layer}.attention.output.dense.weight"].zero_()
    safetensors.torch.save_file(tensors, path)
    ids = [[2, 7, 8, 3], [2, 9, 3]]
    model = BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        pooled = np.concatenate([model(torch.tensor([one])).pooler_output.numpy() for one in ids])
    engine = TorchEngine(models.resolve(folder), "fp32", "cpu")
    np.testing.assert_allclose(engine.pool(ids), pooled, rtol=0, atol=1e-5)


def test_a_layer_that_is_mostly_alive_stays_whole(folder: Path) -> None:
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    tensors[f"{ATTENTION}.output.dense.weight"].view(-1, N_HEADS, HEAD)[:, 0] = 0
    attention = live_attention(tensors, ATTENTION, N_HEADS)
    assert (attention.n_heads, attention.head) == (N_HEADS, HEAD)
    assert attention.output[0] is tensors[f"{ATTENTION}.output.dense.weight"]
