"""The torch engine against plain transformers: any order, any company, any pooling."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import BertModel

from kcsearch import models
from kcsearch.engines.torch_engine import TorchEngine, _padded
from kcsearch.errors import InputError, ModelError

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


def sequences(lengths: list[int], seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [[2, *rng.integers(5, 2_000, length - 2).tolist(), 3] for length in lengths]


def reference(path: Path, ids: list[list[int]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """pooler_output (n, hidden) and last_hidden_state by sequence, each run on its own."""
    model = BertModel.from_pretrained(path, dtype=torch.float32).eval()
    with torch.inference_mode():
        outputs = [model(torch.tensor([one])) for one in ids]
    return (
        np.concatenate([output.pooler_output.numpy() for output in outputs]),
        [output.last_hidden_state[0].numpy() for output in outputs],
    )


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.fixture(scope="module")
def wide_bert(make_bert: Callable[..., Path]) -> Path:
    """The bundled model's shape, 2 layers x 384, with random weights."""
    return make_bert(**SHAPES["2 x 384"])


@pytest.mark.parametrize("name", SHAPES)
def test_it_equals_transformers(make_bert: Callable[..., Path], name: str) -> None:
    folder = models.resolve(make_bert(**SHAPES[name]))
    longest = folder.config["max_position_embeddings"]
    ids = sequences([7, 2, longest, 3, 19, 7, longest, 33])
    pooled, words = reference(folder.path, ids)
    engine = TorchEngine(folder, "fp32", "cpu")
    assert engine.pool(ids).dtype == np.float32
    np.testing.assert_allclose(engine.pool(ids), pooled, rtol=0, atol=1e-5)
    np.testing.assert_allclose(engine.pool(ids[:1]), pooled[:1], rtol=0, atol=1e-5)
    for ours, theirs in zip(engine.words(ids), words, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
    cls = TorchEngine(dataclasses.replace(folder, pooling="cls"), "fp32", "cpu").pool(ids)
    np.testing.assert_allclose(cls, [each[0] for each in words], rtol=0, atol=1e-5)
    mean = TorchEngine(dataclasses.replace(folder, pooling="mean"), "fp32", "cpu").pool(ids)
    np.testing.assert_allclose(mean, [each.mean(0) for each in words], rtol=0, atol=1e-5)


def test_neither_order_nor_company_moves_a_vector(wide_bert: Path) -> None:
    engine = TorchEngine(models.resolve(wide_bert), "fp32", "cpu")
    rng = np.random.default_rng(1)
    ids = sequences([2, 298, *rng.integers(3, 40, 300).tolist()])  # 6,700 pieces: four batches
    vectors = engine.pool(ids)
    order = rng.permutation(len(ids))
    shuffled = engine.pool([ids[i] for i in order])
    np.testing.assert_allclose(shuffled, vectors[order], rtol=0, atol=1e-5)
    alone = np.concatenate([engine.pool([one]) for one in ids[:20]])
    np.testing.assert_allclose(alone, vectors[:20], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "precision"), [("heads of 8", "fp32"), ("2 x 384", "fp32"), ("2 x 384", "bf16")]
)
def test_deterministic_gives_the_same_bytes_in_any_company(
    make_bert: Callable[..., Path], shape: str, precision: str
) -> None:
    folder = models.resolve(make_bert(**SHAPES[shape]))
    engine = TorchEngine(folder, precision, "cpu", deterministic=True)
    rng = np.random.default_rng(2)
    ids = sequences([2, 60, *rng.integers(7, 15, 50).tolist()])
    vectors, words = torch.from_numpy(engine.pool(ids)), engine.words(ids)
    for share in (1, 3):
        order = rng.permutation(len(ids))[: len(ids) // share]
        some = [ids[i] for i in order]
        assert torch.equal(torch.from_numpy(engine.pool(some)), vectors[order])
    assert torch.equal(torch.from_numpy(engine.pool([ids[5]])), vectors[5:6])
    assert np.array_equal(engine.words([ids[5]])[0], words[5])


def test_no_texts_give_no_rows(tiny_bert: Path) -> None:
    engine = TorchEngine(models.resolve(tiny_bert))
    assert engine.pool([]).shape == (0, 32)
    assert engine.words([]) == []


def test_lower_precisions_stay_close(wide_bert: Path) -> None:
    folder = models.resolve(wide_bert)
    ids = sequences([2, 150, *np.random.default_rng(3).integers(3, 40, 30).tolist()])
    pooled = reference(wide_bert, ids)[0]
    assert cosines(TorchEngine(folder, "bf16", "cpu").pool(ids), pooled).min() >= 0.9995
    assert cosines(TorchEngine(folder, "int8", "cpu").pool(ids), pooled).min() >= 0.99


@pytest.mark.parametrize("is_legacy", [False, True])
def test_old_names_in_a_pickle_are_read(make_bert: Callable[..., Path], is_legacy: bool) -> None:
    path = make_bert()
    ids = sequences([5, 9])
    pooled = reference(path, ids)[0]
    tensors = safetensors.torch.load_file(path / "model.safetensors")
    old = {
        "bert." + name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): each
        for name, each in tensors.items()
    }
    (path / "model.safetensors").unlink()
    torch.save(old, path / "pytorch_model.bin", _use_new_zipfile_serialization=not is_legacy)
    engine = TorchEngine(models.resolve(path), "fp32", "cpu")
    np.testing.assert_allclose(engine.pool(ids), pooled, rtol=0, atol=1e-5)


def test_a_pickle_that_runs_code_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    weights = tmp_path / "pytorch_model.bin"
    weights.write_bytes(pickle.dumps(print, protocol=2))
    folder = dataclasses.replace(models.resolve(tiny_bert), weights=weights)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        TorchEngine(folder)


def test_half_precision_weights_are_widened(make_bert: Callable[..., Path]) -> None:
    path = make_bert()
    tensors = safetensors.torch.load_file(path / "model.safetensors")
    half = {name: tensor.half() for name, tensor in tensors.items()}
    safetensors.torch.save_file(half, path / "model.safetensors", metadata={"format": "pt"})
    ids = sequences([5, 9])
    engine = TorchEngine(models.resolve(path), "fp32", "cpu")
    np.testing.assert_allclose(engine.pool(ids), reference(path, ids)[0], rtol=0, atol=1e-5)


def test_a_missing_tensor_is_named(make_bert: Callable[..., Path]) -> None:
    path = make_bert()
    tensors = safetensors.torch.load_file(path / "model.safetensors")
    del tensors["encoder.layer.0.output.dense.bias"]
    safetensors.torch.save_file(tensors, path / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        TorchEngine(models.resolve(path))
    assert str(caught.value) == (
        f"{path / 'model.safetensors'}: the tensor encoder.layer.0.output.dense.bias is missing"
    )


def test_wishes_that_cannot_be_met_are_refused(tiny_bert: Path) -> None:
    folder = models.resolve(tiny_bert)
    with pytest.raises(InputError, match="'fp16' is none of auto, fp32, bf16, int8"):
        TorchEngine(folder, "fp16")
    with pytest.raises(InputError, match="no device 'tpu9' here"):
        TorchEngine(folder, device="tpu9")
    with pytest.raises(InputError, match="no device 'meta' here: use cpu, cuda or mps"):
        TorchEngine(folder, device="meta")
    with pytest.raises(InputError, match="cannot be deterministic"):
        TorchEngine(folder, "int8", "cpu", deterministic=True)


def test_threads_are_set_for_the_process(tiny_bert: Path) -> None:
    before = torch.get_num_threads()
    try:
        TorchEngine(models.resolve(tiny_bert), threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_row_counts_are_few() -> None:
    assert [_padded(n, 256) for n in (1, 17, 255, 256, 257, 1_000, 2_048)] == [
        16, 32, 256, 256, 512, 1_280, 2_048,
    ]  # fmt: skip
