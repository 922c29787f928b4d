"""Exported models: their files, and the vectors that other programs make with them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import Run, kcsearch
from safetensors.numpy import load_file

from kcsearch.encoder import TextEncoder
from kcsearch.models import BUNDLED, ModelFolder, resolve

TEXTS = [
    "안녕하세요",
    "하이! 반갑습니다.",
    "2호선이 지연 운행되고 있습니다.",
    "뷁 漢字 🙂 ㅋㅋㅋㅋ",
]
TEXTS += [unicodedata.normalize("NFD", "맥에서 온 글입니다.")]


@pytest.fixture(params=["pooler", "cls", "mean", "xlm-roberta"])
def model(
    request: pytest.FixtureRequest, make_bert: Callable[..., Path], xlm_roberta: Path
) -> ModelFolder:
    if request.param == "xlm-roberta":
        return resolve(xlm_roberta)
    folder = make_bert()
    declared = {"pooling": request.param, "name": "작은 것", "query_prompt": "질문: "}
    (folder / "kcsearch.json").write_text(json.dumps(declared), encoding="utf-8")
    return resolve(folder)


def vectors(model: ModelFolder, role: str = "passage") -> np.ndarray:
    return TextEncoder(model, precision="fp32").encode(TEXTS, role)


def export(out: Path, model: str, *options: str) -> Path:
    folder = out / "exported"
    done = kcsearch(out, "models", "export", model, str(folder), *options)
    assert done == Run(0, "", f"The model is in {folder}.\n")
    return folder


def test_the_files_of_a_sentence_transformers_folder(model: ModelFolder, tmp_path: Path) -> None:
    folder = export(tmp_path, str(model.path))
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    paths = paths if model.pooling == "pooler" else ["", "1_Pooling", "2_Normalize"]
    kinds = ["Transformer", *(path[2:] for path in paths[1:])]
    assert [(m["idx"], m["path"], m["type"].rpartition(".")[2]) for m in modules] == [
        (i, *both) for i, both in enumerate(zip(paths, kinds, strict=True))
    ]
    pooling = json.loads((folder / "1_Pooling/config.json").read_text(encoding="utf-8"))
    chosen = [name for name, value in pooling.items() if value is True]
    assert chosen == [f"pooling_mode_{'mean_tokens' if model.pooling == 'mean' else 'cls_token'}"]
    assert (folder / "README.md").read_text(encoding="utf-8").startswith(f"# {model.name}\n")
    assert not list(folder.rglob("*.bin"))
    assert len({file.stat().st_mode for file in folder.rglob("*") if file.is_file()}) == 1
    if model.pooling == "pooler":
        dense = load_file(folder / "2_Dense/model.safetensors")
        own = load_file(model.weights)
        np.testing.assert_array_equal(dense["linear.weight"], own["pooler.dense.weight"])
        np.testing.assert_array_equal(dense["linear.bias"], own["pooler.dense.bias"])


def test_kcsearch_reads_what_it_exported(model: ModelFolder, tmp_path: Path) -> None:
    again = resolve(export(tmp_path, str(model.path)))
    assert again.declared() == model.declared()
    assert again.name == model.name
    np.testing.assert_allclose(vectors(again), vectors(model), atol=1e-6)


def test_sentence_transformers_gives_the_same_vectors(model: ModelFolder, tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = export(tmp_path, str(model.path))
    there = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    assert there.max_seq_length == model.max_length
    np.testing.assert_allclose(there.encode_document(TEXTS), vectors(model), atol=1e-6)
    np.testing.assert_allclose(there.encode_query(TEXTS), vectors(model, "query"), atol=1e-6)


def test_sentence_transformers_gives_the_bundled_models_vectors(tmp_path: Path) -> None:
    """Which are kept in fp16, and computed in fp32."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = export(tmp_path, "bundled")
    there = sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(there, vectors(resolve()), atol=1e-5)
    assert (folder / "README.md").read_bytes() == (BUNDLED / "README.md").read_bytes()
    sizes = [(path / "model.safetensors").stat().st_size for path in (folder, BUNDLED)]
    assert sizes[0] <= sizes[1] * 1.01


def test_onnx_runtime_gives_the_same_vectors(model: ModelFolder, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs kcsearch[onnx]")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    from tokenizers import Tokenizer

    folder = export(tmp_path, str(model.path), "--format", "onnx")
    assert (folder / "config.json").is_file()
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=int(model.config["pad_token_id"]))
    encodings = tokenizer.encode_batch(TEXTS)
    feed = {
        "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
        "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
    }
    (found,) = session.run(["sentence_embedding"], feed)
    np.testing.assert_allclose(found, vectors(model), atol=1e-5)
    for name in feed:  # another batch, another length
        feed[name] = feed[name][:1, :4]
    assert session.run(None, feed)[0].shape == (1, model.dim)


def test_numbers_that_one_file_cannot_hold_lie_beside_it(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript", reason="needs kcsearch[onnx]")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    from kcsearch.model_export import onnx_graph

    monkeypatch.setattr(onnx_graph, "MAX_BYTES", 0)
    folder = export(tmp_path, str(tiny_bert), "--format", "onnx")
    weights, graph = (tiny_bert / "model.safetensors", folder / "model.onnx")
    assert graph.stat().st_size < weights.stat().st_size / 2
    session = onnxruntime.InferenceSession(graph)
    ids = np.array([[2, 100, 200, 3]])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    assert np.linalg.norm(session.run(None, feed)[0]) == pytest.approx(1, abs=1e-5)


def test_onnx_without_what_writes_it(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.delitem(sys.modules, "kcsearch.model_export.onnx_graph", raising=False)
    done = kcsearch(tmp_path, "models", "export", str(tiny_bert), "out", "-f", "onnx")
    line = "this needs onnxscript: pip install 'kcsearch[onnx]'"
    assert done == Run(2, "", f"Error: {line}\n")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(
    tmp_path: Path, make_bert: Callable[..., Path]
) -> None:
    folder = make_bert()
    (tmp_path / "mine").mkdir()
    done = kcsearch(tmp_path, "models", "export", str(folder), "mine")
    assert (done.code, done.out) == (2, "")
    assert "mine is there already" in done.err
    (folder / "kcsearch.json").write_text('{"clean": "kcbert"}', encoding="utf-8")
    done = kcsearch(tmp_path, "models", "export", str(folder), "other")
    assert (done.code, done.out) == (2, "")
    assert "its texts are cleaned (kcbert)" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
