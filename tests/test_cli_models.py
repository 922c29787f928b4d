"""`kcsearch models`, `tokenize` and `embed`, on the bundled model and on a small random one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import Run, kcsearch

from kcsearch.encoder import TextEncoder
from kcsearch.models import BUNDLED, resolve


def test_models_are_listed(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "models", env={"HF_HOME": str(tmp_path), "HF_HUB_CACHE": ""})
    header, bundled, *others = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert header.split() == ["name", "alias", "state", "kind", "MB"]
    assert bundled.split()[:3] == ["bundled", "bundled", "bert"]
    assert others == [line for line in others if line.startswith("beomi/kcbert-base")]


def test_a_model_is_shown(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "models", "show")
    facts = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert facts["path"] == str(BUNDLED)
    assert facts["pooling"] == "pooler"
    assert facts["config"] == json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))
    assert kcsearch(tmp_path, "models", "show", "bundled") == done


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = kcsearch(tmp_path, "models", "show", str(tmp_path / "empty"))
    assert done == Run(
        2, "", f"Error: {tmp_path}/empty/config.json is missing: not a model folder\n"
    )


def test_tokenize_as_the_tutorial_prints_it(
    tmp_path: Path, kcbert_folder: Path, make_bert: Callable[..., Path]
) -> None:
    """With the vocabulary of beomi/kcbert-base, around random weights."""
    vocabulary = (kcbert_folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    model = make_bert(vocabulary=[piece for piece in vocabulary if piece])
    options = ("--model", str(model), "--max-length", "10")
    done = kcsearch(tmp_path, "tokenize", "안녕하세요", "하이!", *options)
    assert done == Run(
        0,
        "{\n"
        ' "pieces": [\n'
        '  ["[CLS]", "안녕", "##하세요", "[SEP]", "[PAD]", "[PAD]", "[PAD]", "[PAD]", '
        '"[PAD]", "[PAD]"],\n'
        '  ["[CLS]", "하이", "!", "[SEP]", "[PAD]", "[PAD]", "[PAD]", "[PAD]", "[PAD]", '
        '"[PAD]"]\n'
        " ],\n"
        ' "input_ids": [\n'
        "  [2, 19017, 8482, 3, 0, 0, 0, 0, 0, 0],\n"
        "  [2, 15830, 5, 3, 0, 0, 0, 0, 0, 0]\n"
        " ],\n"
        ' "attention_mask": [\n'
        "  [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],\n"
        "  [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]\n"
        " ],\n"
        ' "token_type_ids": [\n'
        "  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],\n"
        "  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n"
        " ]\n"
        "}\n",
        "",
    )


def test_tokenize_pads_to_the_longest_or_not_at_all(tmp_path: Path, tiny_bert: Path) -> None:
    def ids(*options: str) -> list[list[int]]:
        done = kcsearch(tmp_path, "tokenize", "가", "가나다", "-m", str(tiny_bert), *options)
        assert (done.code, done.err) == (0, "")
        found: list[list[int]] = json.loads(done.out)["input_ids"]
        return found

    short, long = ids("--padding", "none")
    assert (len(short), len(long)) == (3, 5)
    assert ids() == [[*short, 0, 0], long]
    assert ids("--max-length", "4", "--padding", "none") == [short, [*long[:3], long[-1]]]


def test_tokenize_reads_lines(tmp_path: Path, tiny_bert: Path) -> None:
    done = kcsearch(tmp_path, "tokenize", "-", "-m", str(tiny_bert), stdin="가\n\n나\n")
    assert len(json.loads(done.out)["pieces"]) == 2


@pytest.mark.parametrize("n", ["100001", "1000000000", "99999999999999999999"])
def test_tokenize_does_not_fill_up_without_end(n: str, tmp_path: Path, tiny_bert: Path) -> None:
    options = ("-m", str(tiny_bert), "--padding", "max_length", "--max-length", n)
    done = kcsearch(tmp_path, "tokenize", "가", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert f"{n} is not in the range 2<=x<=100000" in done.err


def test_embed_prints_the_vectors_of_the_encoder(tmp_path: Path, tiny_bert: Path) -> None:
    done = kcsearch(tmp_path, "embed", "안녕", "하이", "-m", str(tiny_bert), "--precision", "fp32")
    assert (done.code, done.err) == (0, "")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [record["text"] for record in records] == ["안녕", "하이"]
    vectors = np.array([record["vector"] for record in records], np.float32)
    expected = TextEncoder(resolve(tiny_bert), precision="fp32").encode(["안녕", "하이"])
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_embed_before_normalisation(tmp_path: Path, tiny_bert: Path) -> None:
    options = ("-m", str(tiny_bert), "--precision", "fp32", "--no-normalize")
    done = kcsearch(tmp_path, "embed", "안녕", *options)
    vector = np.array(json.loads(done.out)["vector"], np.float32)
    expected = TextEncoder(resolve(tiny_bert), precision="fp32").pool(["안녕"])[0]
    np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_embed_words(tmp_path: Path, tiny_bert: Path) -> None:
    options = ("-m", str(tiny_bert), "--level", "word")
    done = kcsearch(tmp_path, "embed", "가나", "다", *options)
    first, second = (json.loads(line) for line in done.out.splitlines())
    assert [word["piece"] for word in first["words"]] == ["[CLS]", "가", "##나", "[SEP]"]
    assert [word["piece"] for word in second["words"]] == ["[CLS]", "다", "[SEP]"]
    assert {len(word["vector"]) for word in first["words"]} == {32}
    done = kcsearch(tmp_path, "embed", "가", *options, "-o", "words.npy")
    assert done == Run(
        2,
        "",
        "Error: word vectors differ in number by text: they are printed as JSON only\n",
    )


def test_embed_into_a_file(tmp_path: Path, tiny_bert: Path) -> None:
    options = ("-m", str(tiny_bert), "--output", "vectors.npy")
    done = kcsearch(tmp_path, "embed", "-", *options, stdin="가나\n\n다라\n마바\n")
    assert done == Run(0, "", "")
    vectors = np.load(tmp_path / "vectors.npy", allow_pickle=False)
    assert (vectors.shape, vectors.dtype) == ((3, 32), np.float32)
    printed = kcsearch(tmp_path, "embed", "다라", "-m", str(tiny_bert))
    np.testing.assert_allclose(vectors[1], json.loads(printed.out)["vector"], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c/store.db", "c/store.db: a name that ends in .npy is needed"),
        ("vectors.txt", "vectors.txt: a name that ends in .npy is needed"),
        (
            "c/store.db.npy",
            "c/store.db.npy: this file belongs to a collection and is not written over",
        ),
    ],
)
def test_embed_writes_over_no_collection(
    name: str, words: str, tmp_path: Path, tiny_bert: Path
) -> None:
    store = tmp_path / "c" / "store.db"
    store.parent.mkdir()
    store.write_bytes(b"all there is")
    done = kcsearch(tmp_path, "embed", "가", "-m", str(tiny_bert), "-o", name)
    assert done == Run(2, "", f"Error: {words}\n")
    assert store.read_bytes() == b"all there is"
    assert [path.name for path in store.parent.iterdir()] == ["store.db"]


def test_embed_where_nothing_can_be_written(tmp_path: Path, tiny_bert: Path) -> None:
    done = kcsearch(tmp_path, "embed", "가", "-m", str(tiny_bert), "-o", "없음/v.npy")
    error = "없음/v.npy: cannot be written (No such file or directory)"
    assert done == Run(2, "", f"Error: {error}\n")
    (tmp_path / "folder.npy").mkdir()
    done = kcsearch(tmp_path, "embed", "가", "-m", str(tiny_bert), "-o", "folder.npy")
    assert done == Run(2, "", "Error: folder.npy: cannot be written (Is a directory)\n")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.npy"]


def test_embed_a_text_over_the_limit(tmp_path: Path, tiny_bert: Path) -> None:
    done = kcsearch(tmp_path, "embed", "가나다 " * 100, "-m", str(tiny_bert))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: a text of ")
    assert done.err.count("\n") == 1
