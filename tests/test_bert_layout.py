"""What a BERT folder must hold: architectures, tensor names and shapes, piece ids."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kcsearch import models
from kcsearch.engines.bert_layout import flatten, pick, read_shape, supports, tensor_shapes
from kcsearch.errors import ModelError


def test_plain_bert_encoders_are_supported_and_nothing_else(kcbert_folder: Path) -> None:
    kcbert = json.loads((kcbert_folder / "config.json").read_text(encoding="utf-8"))
    assert supports(kcbert)
    assert supports({"hidden_act": "relu"})  # older than model_type
    assert not supports({"model_type": "roberta"})
    assert not supports(kcbert | {"hidden_act": "silu"})
    assert not supports(kcbert | {"position_embedding_type": "relative_key"})
    assert not supports(kcbert | {"is_decoder": True})


def test_every_parameter_of_the_encoder_is_named(tiny_bert: Path) -> None:
    from transformers import BertModel

    shape = read_shape(models.resolve(tiny_bert))
    parameters = BertModel.from_pretrained(tiny_bert).named_parameters()
    expected = {name: tuple(parameter.shape) for name, parameter in parameters}
    assert tensor_shapes(shape, has_pooler=True) == expected


def test_old_spellings_are_known(tiny_bert: Path) -> None:
    folder = models.resolve(tiny_bert)
    shape = read_shape(folder)
    wanted = {name: np.zeros(size) for name, size in tensor_shapes(shape, True).items()}
    old = {
        "bert." + name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
        for name, value in wanted.items()
    }
    picked = pick(old | {"cls.predictions.bias": np.zeros(3)}, shape, folder)
    assert picked.keys() == wanted.keys()
    assert all(picked[name] is old_value for name, old_value in zip(wanted, old.values()))  # noqa: B905


def test_missing_and_misshapen_tensors_are_named_with_their_file(tiny_bert: Path) -> None:
    folder = models.resolve(tiny_bert)
    shape = read_shape(folder)
    tensors = {name: np.zeros(size) for name, size in tensor_shapes(shape, True).items()}
    name = "encoder.layer.1.output.dense.weight"
    with pytest.raises(ModelError) as caught:
        pick(tensors | {name: np.zeros((32, 63))}, shape, folder)
    assert str(caught.value) == (
        f"{folder.weights}: the tensor {name} is (32, 63), but config.json says (32, 64)"
    )
    del tensors[name]
    with pytest.raises(ModelError) as caught:
        pick(tensors, shape, folder)
    assert str(caught.value) == f"{folder.weights}: the tensor {name} is missing"


def test_the_pooler_is_needed_for_its_own_pooling_only(make_bert: Callable[..., Path]) -> None:
    path = make_bert(with_pooler=False)
    (path / "kcsearch.json").write_text('{"pooling": "mean"}', encoding="utf-8")
    folder = models.resolve(path)
    shape = read_shape(folder)
    tensors = {name: np.zeros(size) for name, size in tensor_shapes(shape, False).items()}
    assert pick(tensors, shape, folder).keys() == tensors.keys()
    with pytest.raises(ModelError, match=r"the tensor pooler\.dense\.weight is missing"):
        pick(tensors, shape, dataclasses.replace(folder, pooling="pooler"))


@pytest.mark.parametrize("change", [{"hidden_size": None}, {"num_attention_heads": 5}])
def test_a_config_that_does_not_add_up_is_refused(
    tiny_bert: Path, change: dict[str, object]
) -> None:
    folder = models.resolve(tiny_bert)
    with pytest.raises(ModelError, match="hidden_size"):
        read_shape(dataclasses.replace(folder, config=folder.config | change))


def test_sequences_lie_one_after_the_other(tiny_bert: Path) -> None:
    shape = read_shape(models.resolve(tiny_bert))
    flat, lengths = flatten([[2, 3], [2, 9, 3]], shape)
    assert flat.tolist() == [2, 3, 2, 9, 3]
    assert lengths.tolist() == [2, 3]
    with pytest.raises(ValueError, match="1 to 65 pieces"):
        flatten([[2] * 65, [2]], shape)
    with pytest.raises(ModelError, match="piece 99999, but the model has"):
        flatten([[2, 99_999, 3]], shape)
