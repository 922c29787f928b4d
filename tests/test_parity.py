"""Against plain transformers: BertTokenizer, BertModel, pooler_output."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import write_bert
from transformers import (
    AutoModel,
    BertModel,
    BertTokenizer,
    BertTokenizerFast,
)

from kcsearch.encoder import TextEncoder
from kcsearch.engines.transformers_engine import MAX_TOKENS, TransformersEngine
from kcsearch.errors import InputError, ModelError
from kcsearch.hub_cache import cached_snapshot
from kcsearch.models import resolve

TEXTS = [
    "안녕하세요",
    "하이!",
    "",
    "서울에서 부산까지 기차로 세 시간 걸립니다. 표는 미리 사 두세요.",
    "Hello, 세계 2024 🙂 漢字 뷁",
    "ㅋㅋㅋ 재밌다~~",
    "가 " * 62,
    "[SEP] 글 안의 [MASK]",
]
HOSTILE = [
    "\0가\x01나\u200b",
    "e\u0301 é İ ſ",
    "가" * 101,
    "a" * 99,
    "\u3000전각　공백\u00a0",
    "don't,stop",
]


def reference(folder: Path, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mask, last hidden state and pooler_output, by nothing but transformers."""
    tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False)
    model = BertModel.from_pretrained(folder).eval()
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    return inputs["attention_mask"], outputs.last_hidden_state, outputs.pooler_output


@pytest.mark.parametrize("text", TEXTS + HOSTILE)
@pytest.mark.parametrize("do_lower_case", [False, True])
def test_tokens_equal_bert_tokenizer(
    tiny_bert: Path, tmp_path: Path, text: str, do_lower_case: bool
) -> None:
    shutil.copytree(tiny_bert, tmp_path, dirs_exist_ok=True)
    config = {"do_lower_case": do_lower_case, "tokenizer_class": "BertTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = BertTokenizer.from_pretrained(tmp_path, do_lower_case=do_lower_case)
    ours = TextEncoder(resolve(tmp_path), engine="transformers")
    import unicodedata

    nfc = unicodedata.normalize("NFC", text)
    for max_length in (None, 5):
        theirs = tokenizer([nfc], max_length=max_length, truncation=max_length is not None)
        tokens = ours.tokenize([text], max_length)
        assert {name: tokens[name] for name in theirs} == dict(theirs)  # type: ignore[literal-required]


def test_a_tokenizer_json_with_truncation_and_padding_gives_the_same(
    tiny_bert: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_bert, tmp_path, dirs_exist_ok=True)
    backend = BertTokenizerFast.from_pretrained(tiny_bert, do_lower_case=False).backend_tokenizer
    backend.enable_truncation(8)
    backend.enable_padding(length=20)
    backend.save(str(tmp_path / "tokenizer.json"))
    by_json, by_vocabulary = TextEncoder(resolve(tmp_path)), TextEncoder(resolve(tiny_bert))
    assert resolve(tmp_path).tokenizer.name == "tokenizer.json"
    assert by_json.tokenize(TEXTS) == by_vocabulary.tokenize(TEXTS)
    assert by_json.split("가 " * 100) == by_vocabulary.split("가 " * 100)


@pytest.mark.parametrize("engine", ["transformers", "torch", "numpy"])
def test_vectors_equal_pooler_output_in_any_batch_and_order(tiny_bert: Path, engine: Any) -> None:
    _, hidden, pooled = reference(tiny_bert, TEXTS)
    unit = torch.nn.functional.normalize(pooled).numpy()
    encoder = TextEncoder(resolve(tiny_bert), engine=engine, precision="fp32", device="cpu")
    np.testing.assert_allclose(encoder.pool(TEXTS), pooled.numpy(), atol=1e-5, rtol=0)
    rng = random.Random(0)
    for n in (1, 3, 8, 40):
        order = [rng.randrange(len(TEXTS)) for _ in range(n)]
        vectors = encoder.encode([TEXTS[i] for i in order])
        np.testing.assert_allclose(vectors, unit[order], atol=1e-5, rtol=0)
    for (pieces, states), expected in zip(encoder.words(TEXTS), hidden.numpy(), strict=True):
        assert len(pieces) == len(states)
        np.testing.assert_allclose(states, expected[: len(states)], atol=1e-5, rtol=0)


def test_more_texts_than_one_batch_holds(tiny_bert: Path) -> None:
    encoder = TextEncoder(resolve(tiny_bert), engine="transformers", device="cpu")
    texts = [TEXTS[i % len(TEXTS)] for i in range(3 * MAX_TOKENS // 64)]
    expected = encoder.encode(TEXTS)[[i % len(TEXTS) for i in range(len(texts))]]
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("with_pooler", [True, False])
def test_other_poolings_equal_a_computation_by_hand(
    make_bert: Callable[..., Path], pooling: str, with_pooler: bool
) -> None:
    folder = make_bert(with_pooler=with_pooler)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    types = [
        {"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in modules
    ]
    (folder / "modules.json").write_text(json.dumps(types))
    (folder / "1_Pooling").mkdir()
    modes = {"pooling_mode_cls_token": pooling == "cls"}
    modes |= {"pooling_mode_mean_tokens": pooling == "mean"}
    (folder / "1_Pooling/config.json").write_text(json.dumps(modes))
    mask, hidden, _ = reference(folder, TEXTS)
    states = [hidden[i, : int(mask[i].sum())] for i in range(len(TEXTS))]
    by_hand = [state[0] if pooling == "cls" else state.mean(0) for state in states]
    for engine in ("transformers", "auto"):
        encoder = TextEncoder(resolve(folder), engine=engine, precision="fp32", device="cpu")  # type: ignore[arg-type]
        pooled = encoder.pool(TEXTS)
        np.testing.assert_allclose(pooled, torch.stack(by_hand).numpy(), atol=1e-5, rtol=0)


def test_weights_that_would_be_random_are_refused(tiny_bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_bert, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.bias"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"has no encoder\.layer\.1\.output\.dense\.bias"):
        TransformersEngine(resolve(tmp_path))


@pytest.mark.parametrize("option", [{"device": "gpu7"}, {"precision": "int8"}])
def test_what_the_engine_cannot_do_is_refused(tiny_bert: Path, option: dict[str, str]) -> None:
    with pytest.raises(InputError):
        TransformersEngine(resolve(tiny_bert), **option)


def test_bf16_is_near(tiny_bert: Path) -> None:
    exact, near = (
        TextEncoder(resolve(tiny_bert), engine="transformers", precision=precision).encode(TEXTS)  # type: ignore[arg-type]
        for precision in ("fp32", "bf16")
    )
    assert (exact * near).sum(1).min() > 0.99


def test_the_bundled_model_is_the_same_in_every_engine() -> None:
    names = ("transformers", "torch", "numpy")
    reference, *others = (
        TextEncoder(resolve(), engine=name, precision="fp32", device="cpu").pool(TEXTS)  # type: ignore[arg-type]
        for name in names
    )
    for vectors in others:
        np.testing.assert_allclose(vectors, reference, atol=1e-5, rtol=0)


# --- another architecture ---


def test_xlm_roberta_works_up_to_its_positions(xlm_roberta: Path) -> None:
    folder = resolve(xlm_roberta)
    assert (folder.architecture, folder.max_length) == ("xlm-roberta", 40)
    encoder = TextEncoder(folder, device="cpu")
    texts = ["안녕 세계", "가" * 37, "나 다", ""]  # 37 letters, ▁, <s>, </s>
    ids = encoder.tokenize(texts)["input_ids"]
    assert [len(sequence) for sequence in ids] == [6, 40, 6, 2]
    model = AutoModel.from_pretrained(xlm_roberta).eval()
    for vector, sequence in zip(encoder.pool(texts), ids, strict=True):
        with torch.no_grad():
            alone = model(torch.tensor([sequence])).pooler_output[0]
        np.testing.assert_allclose(vector, alone.numpy(), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="41 pieces"):
        encoder.encode(["가" * 38])
    text = "안녕 세계입니다. 반갑습니다 여러분! " * 10
    windows = encoder.split(text)
    assert "".join(windows) == text
    encoder.encode(windows)


# --- kcbert ---


@pytest.fixture(scope="module")
def kcbert_shape(kcbert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Random weights in the full shape of beomi/kcbert-base, with its vocabulary: 440 MB."""
    config = json.loads((kcbert_folder / "config.json").read_text())
    shape = {name: config[name] for name in config if name.endswith(("_size", "_embeddings"))}
    layers = {name: config[name] for name in ("num_hidden_layers", "num_attention_heads")}
    vocabulary = (kcbert_folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:30_000]
    folder = tmp_path_factory.mktemp("kcbert")
    yield write_bert(folder, vocabulary=vocabulary, spread=0.02, **shape, **layers)
    shutil.rmtree(folder)


def test_the_full_shape_of_kcbert_loads_and_has_the_tutorials_shapes(kcbert_shape: Path) -> None:
    folder = resolve(kcbert_shape)
    assert (folder.dim, folder.max_length) == (768, 300)
    encoder = TextEncoder(folder, engine="transformers", device="cpu")
    texts = ["안녕하세요", "하이!"]
    ids = encoder.tokenize(texts)["input_ids"]
    assert ids == [[2, 19017, 8482, 3], [2, 15830, 5, 3]]
    hidden, pooled, mask = encoder._engine(2).forward(ids, length=10)  # type: ignore[attr-defined]
    assert (hidden.shape, pooled.shape, mask.shape) == ((2, 10, 768), (2, 768), (2, 10))
    np.testing.assert_allclose(encoder.pool(texts), pooled.numpy(), atol=1e-5, rtol=0)
    few = TextEncoder(folder)
    np.testing.assert_allclose(few.pool(texts), pooled.numpy(), atol=1e-5, rtol=0)


def test_the_numbers_of_the_tutorial() -> None:
    if cached_snapshot("beomi/kcbert-base") is None:
        pytest.skip("the weights of beomi/kcbert-base are not in the Hugging Face cache")
    encoder = TextEncoder(resolve("kcbert"), engine="transformers", precision="fp32", device="cpu")
    vectors = encoder.pool(["안녕하세요", "하이!"])
    assert np.hstack([vectors[:, :3], vectors[:, -3:]]).round(4).tolist() == pytest.approx(
        np.array(
            [
                [-0.1594, 0.0547, 0.1101, 0.2684, 0.1596, -0.9828],
                [-0.9221, 0.2969, -0.0110, 0.4291, 0.0311, -0.9955],
            ]
        ),
        abs=1e-4,
    )
