"""The numpy engine against plain transformers, and what it must not import."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import BertModel

from kcsearch import models
from kcsearch.engines.numpy_engine import NumpyEngine
from kcsearch.errors import ModelError

SHAPES: dict[str, dict[str, Any]] = {
    "heads of 8": {},
    "one layer, one head of 64, gelu_new": {
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "hidden_act": "gelu_new",
    },
    "three heads of 16, relu, other epsilon": {
        "hidden_size": 48,
        "num_attention_heads": 3,
        "hidden_act": "relu",
        "layer_norm_eps": 1e-5,
    },
    "2 x 384": {
        "hidden_size": 384,
        "num_attention_heads": 6,
        "intermediate_size": 1_536,
        "max_position_embeddings": 300,
        "spread": 0.05,
    },
}


def sequences(n_words: int, lengths: list[int]) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [[2, *rng.integers(5, n_words, length - 2).tolist(), 3] for length in lengths]


def reference(model: Any, ids: list[list[int]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """pooler_output (n, hidden) and last_hidden_state by sequence, each run on its own."""
    with torch.inference_mode():
        outputs = [model(torch.tensor([one])) for one in ids]
    return (
        np.concatenate([output.pooler_output.numpy() for output in outputs]),
        [output.last_hidden_state[0].numpy() for output in outputs],
    )


@pytest.mark.parametrize("name", SHAPES)
def test_it_equals_transformers(make_bert: Callable[..., Path], name: str) -> None:
    folder = models.resolve(make_bert(**SHAPES[name]))
    longest = folder.config["max_position_embeddings"]
    ids = sequences(folder.config["vocab_size"], [7, 2, longest, 3, 19, 7])
    pooled, words = reference(BertModel.from_pretrained(folder.path).eval(), ids)
    engine = NumpyEngine(folder)
    assert engine.pool(ids).dtype == np.float32
    np.testing.assert_allclose(engine.pool(ids), pooled, rtol=0, atol=1e-5)
    np.testing.assert_allclose(engine.pool(ids[:1]), pooled[:1], rtol=0, atol=1e-5)
    for ours, theirs in zip(engine.words(ids), words, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    cls = NumpyEngine(dataclasses.replace(folder, pooling="cls")).pool(ids)
    np.testing.assert_allclose(cls, [each[0] for each in words], rtol=0, atol=1e-5)
    mean = NumpyEngine(dataclasses.replace(folder, pooling="mean")).pool(ids)
    np.testing.assert_allclose(mean, [each.mean(0) for each in words], rtol=0, atol=1e-5)


def test_the_shape_of_kcbert_equals_transformers(make_bert: Callable[..., Path]) -> None:
    path = make_bert(
        vocabulary=[f"piece{i}" for i in range(100)],
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3_072,
        spread=0.02,  # BERT's own; at 0.05 transformers is 8e-6 away from itself in float64
    )
    ids = sequences(100, [2, 21])
    pooled, words = reference(BertModel.from_pretrained(path).eval(), ids)
    engine = NumpyEngine(models.resolve(path))
    np.testing.assert_allclose(engine.pool(ids), pooled, rtol=0, atol=1e-5)
    np.testing.assert_allclose(engine.words(ids[1:])[0], words[1], rtol=0, atol=1e-5)


def test_many_texts_in_several_passes_keep_their_order(tiny_bert: Path) -> None:
    engine = NumpyEngine(models.resolve(tiny_bert))
    ids = sequences(2_000, [2 + i % 60 for i in range(150)])  # 4,500 pieces: five passes
    each = np.concatenate([engine.pool([one]) for one in ids])
    np.testing.assert_allclose(engine.pool(ids), each, rtol=0, atol=1e-5)
    assert [len(states) for states in engine.words(ids)] == [len(one) for one in ids]


def test_no_texts_give_no_rows(tiny_bert: Path) -> None:
    engine = NumpyEngine(models.resolve(tiny_bert))
    assert engine.pool([]).shape == (0, 32)
    assert engine.words([]) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_widened(
    make_bert: Callable[..., Path], tmp_path: Path, dtype: torch.dtype
) -> None:
    path = make_bert()
    short = {
        name: tensor.to(dtype)
        for name, tensor in safetensors.torch.load_file(path / "model.safetensors").items()
    }
    safetensors.torch.save_file(short, path / "model.safetensors", metadata={"format": "pt"})
    ids = sequences(2_000, [5, 9])
    model = BertModel.from_pretrained(path, dtype=torch.float32).eval()
    engine = NumpyEngine(models.resolve(path))
    np.testing.assert_allclose(engine.pool(ids), reference(model, ids)[0], rtol=0, atol=1e-5)


def test_a_pickle_is_refused(tiny_bert: Path) -> None:
    folder = models.resolve(tiny_bert)
    pickled = dataclasses.replace(folder, weights=folder.path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: the numpy engine reads"):
        NumpyEngine(pickled)


def test_neither_torch_nor_transformers_is_imported(tiny_bert: Path) -> None:
    code = (
        "import sys\n"
        "from kcsearch import models\n"
        "from kcsearch.engines.numpy_engine import NumpyEngine\n"
        "engine = NumpyEngine(models.resolve(sys.argv[1]))\n"
        "assert engine.pool([[2, 9, 3]]).shape == (1, 32)\n"
        "heavy = {'torch', 'transformers', 'safetensors', 'scipy', 'faiss', 'sqlite_utils'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(tiny_bert)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
