import json
import random
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kcsearch.encoder import TextEncoder
from kcsearch.errors import InputError, ModelError
from kcsearch.models import resolve
from kcsearch.windows import _last_boundary, _starts_a_character

SENTENCES = "서울에서 부산까지 기차로 갑니다. 정말 좋네요! 3.14는 원주율이다.그리고 또 만나요\n"


@pytest.fixture(scope="module")
def encoder(tiny_bert: Path) -> TextEncoder:
    return TextEncoder(resolve(tiny_bert), engine="transformers")


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_bert` that a test may spoil."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "model"))


def n_pieces(encoder: TextEncoder, text: str) -> int:
    return len(encoder.tokenize([text])["input_ids"][0])


def test_an_encoder_is_had_by_path_and_without_a_name_it_is_the_bundled_one(
    encoder: TextEncoder, tiny_bert: Path
) -> None:
    assert TextEncoder(tiny_bert).fingerprint() == encoder.fingerprint()
    assert TextEncoder().folder.path == resolve("bundled").path


# --- encode ---


def test_rows_are_unit_float32_in_the_order_of_the_texts(encoder: TextEncoder) -> None:
    texts = ["안녕하세요", "", "하이!", "🙂 漢字 뷁", "hello 세계", "   ", "안녕하세요"]
    vectors = encoder.encode(texts)
    assert (vectors.shape, vectors.dtype) == ((7, encoder.dim), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[6], atol=1e-6)
    np.testing.assert_allclose(vectors[1], vectors[5], atol=1e-6)  # both are [CLS] [SEP]
    assert vectors[0] @ vectors[2] < 0.999


def test_no_text_gives_no_row(encoder: TextEncoder) -> None:
    assert encoder.encode([]).shape == (0, 32)
    assert encoder.words([]) == []
    assert encoder.tokenize([])["input_ids"] == []


def test_nfd_and_nfc_are_the_same_text(encoder: TextEncoder) -> None:
    nfd = unicodedata.normalize("NFD", "안녕하세요 Café")
    assert encoder.tokenize([nfd]) == encoder.tokenize(["안녕하세요 Café"])
    np.testing.assert_array_equal(encoder.encode([nfd]), encoder.encode(["안녕하세요 Café"]))


def test_a_zero_vector_stays_zero(make_bert: Callable[..., Path]) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = make_bert(seed=1)
    tensors = load_file(folder / "model.safetensors")
    for name in ("pooler.dense.weight", "pooler.dense.bias"):
        tensors[name] = torch.zeros_like(tensors[name])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert not TextEncoder(resolve(folder), engine="transformers").encode(["가"]).any()
    tensors["pooler.dense.bias"] += torch.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="no numbers"):
        TextEncoder(resolve(folder), engine="transformers").encode(["가"])


def test_a_text_over_the_limit_is_refused_with_its_length(encoder: TextEncoder) -> None:
    encoder.encode(["가 " * 62])
    with pytest.raises(InputError, match="65 pieces is longer than the model's 64"):
        encoder.encode(["짧다", "가 " * 63])
    with pytest.raises(InputError, match="65 pieces"):
        encoder.words(["가 " * 63])


@pytest.mark.parametrize("text", ["\0", "가\0나", "\x01\x1b[31m", "\ufffe\uffff", "\u200b", "\r\n"])
def test_control_characters_are_text_like_any_other(encoder: TextEncoder, text: str) -> None:
    assert encoder.split(text) == [text]
    assert np.isfinite(encoder.encode([text])).all()


def test_half_of_a_surrogate_pair_is_refused_with_its_place(encoder: TextEncoder) -> None:
    for use in (encoder.encode, encoder.words, encoder.tokenize):
        with pytest.raises(InputError, match=r"character 3 .* \(U\+D83D\)"):
            use(["좋다", "가나\ud83d"])
    with pytest.raises(InputError, match=r"character 501 .* \(U\+DCFF\)"):
        encoder.split("가" * 500 + "\udcff" + "가" * 100)


@pytest.mark.parametrize("option", [{"engine": "onnx"}, {"precision": "fp8"}])
def test_an_unknown_choice_is_refused(tiny_bert: Path, option: dict[str, str]) -> None:
    with pytest.raises(InputError, match="is none of"):
        TextEncoder(resolve(tiny_bert), **option)  # type: ignore[arg-type]


# --- prompts ---


def test_prompts_go_before_the_text_by_role(folder: Path, encoder: TextEncoder) -> None:
    prompts = {"query": "query: ", "passage": "passage: "}
    card = json.dumps({"prompts": prompts})
    (folder / "config_sentence_transformers.json").write_text(card)
    prompted = TextEncoder(resolve(folder), engine="transformers")
    for role, prompt in (("query", "query: "), ("passage", "passage: ")):
        expected = encoder.encode([f"{prompt}안녕"])
        np.testing.assert_allclose(prompted.encode(["안녕"], role), expected, atol=1e-6)  # type: ignore[arg-type]
    np.testing.assert_array_equal(prompted.encode(["안녕"]), prompted.encode(["안녕"], "passage"))
    assert prompted.tokenize(["안녕"]) == encoder.tokenize(["안녕"])
    windows = prompted.split("가 " * 120)  # eight pieces of 62 are the prompt's
    assert ([len(w) for w in windows], len(encoder.split("가 " * 120))) == ([108, 108, 24], 2)
    prompted.encode(windows, "passage")
    prompted.encode(windows, "query")


def test_a_prompt_without_room_for_a_text_is_refused(folder: Path) -> None:
    (folder / "kcsearch.json").write_text(json.dumps({"query_prompt": "가" * 62}))
    with pytest.raises(ModelError, match="no room for a text"):
        TextEncoder(resolve(folder))


# --- tokenize ---


def test_kcbert_tokens_are_those_of_the_tutorial(
    kcbert_folder: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "vocab.txt"):
        shutil.copy(kcbert_folder / name, tmp_path / name)
    (tmp_path / "kcsearch.json").write_text('{"pooling": "cls"}')
    import torch
    from safetensors.torch import save_file

    save_file(
        {"embeddings.word_embeddings.weight": torch.zeros(30_000, 1)},
        tmp_path / "model.safetensors",
    )
    encoder = TextEncoder(resolve(tmp_path))
    tokens = encoder.tokenize(["안녕하세요", "하이!"], max_length=10, padding="max_length")
    assert tokens == {
        "input_ids": [[2, 19017, 8482, 3, 0, 0, 0, 0, 0, 0], [2, 15830, 5, 3, 0, 0, 0, 0, 0, 0]],
        "token_type_ids": [[0] * 10, [0] * 10],
        "attention_mask": [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]],
        "pieces": [
            ["[CLS]", "안녕", "##하세요", "[SEP]", *["[PAD]"] * 6],
            ["[CLS]", "하이", "!", "[SEP]", *["[PAD]"] * 6],
        ],
    }
    assert resolve(tmp_path).max_length == 300
    assert len(encoder.split("가 " * 298)) == 1
    assert len(encoder.split("가 " * 299)) == 2


def test_padding_and_truncation_as_bert_tokenizer_does_them(encoder: TextEncoder) -> None:
    texts = ["가나다", "가"]
    assert [len(ids) for ids in encoder.tokenize(texts)["input_ids"]] == [5, 3]
    longest = encoder.tokenize(texts, padding="longest")
    assert longest["attention_mask"] == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    cut = encoder.tokenize(texts, max_length=4)
    assert cut["pieces"] == [["[CLS]", "가", "##나", "[SEP]"], ["[CLS]", "가", "[SEP]"]]
    for bad in ({"max_length": 1}, {"padding": "max_length"}):
        with pytest.raises(InputError, match="max_length"):
            encoder.tokenize(texts, **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["{", "{}", '{"model": 1}'])
def test_a_broken_tokenizer_json_is_named(folder: Path, text: str) -> None:
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a tokenizer"):
        TextEncoder(resolve(folder))


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [
        ("▁한국\n▁사람\n", "no WordPiece vocabulary"),
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n▁한국\n", "##pieces"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_vocabulary_of_another_kind_is_refused(folder: Path, vocabulary: str, said: str) -> None:
    (folder / "vocab.txt").write_bytes(vocabulary.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=said):
        TextEncoder(resolve(folder))


def test_more_pieces_than_vectors_is_refused(folder: Path) -> None:
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("하나더\n")
    with pytest.raises(ModelError, match="4862 pieces, but the model has vectors for 4861"):
        TextEncoder(resolve(folder))


# --- split ---


def test_a_short_text_is_one_window(encoder: TextEncoder) -> None:
    for text in ("", " ", "안녕하세요", "가" * 62, "가 " * 62, "뷁" * 101):
        assert encoder.split(text) == [text]


def test_windows_end_with_sentences(encoder: TextEncoder) -> None:
    windows = encoder.split(SENTENCES * 4)
    assert "".join(windows) == SENTENCES * 4
    assert len(windows) > 2
    assert all(window.endswith((". ", "! ", "이다.", "\n")) for window in windows)


def test_a_long_sentence_is_cut_at_white_space_and_a_long_word_anywhere(
    encoder: TextEncoder,
) -> None:
    words = "가나다라마 " * 30
    windows = encoder.split(words)
    assert [window.count("가나다라마 ") for window in windows] == [12, 12, 6]
    word = "가" * 90
    assert encoder.split(word) == ["가" * 62, "가" * 28]


def test_a_cut_never_parts_a_letter_from_its_mark() -> None:
    assert _last_boundary("가나e\u0301다", 0, 3) == 2
    assert _last_boundary("가나 e\u0301다", 0, 4) == 3
    assert _last_boundary("\u0301\u0301\u0301", 0, 2) == 2  # nothing better


def test_a_character_starts_wherever_nfc_joins_nothing() -> None:
    decompositions = (unicodedata.normalize("NFD", char) for char in map(chr, range(0x110000)))
    joined = {char for text in decompositions for char in text[1:]}
    assert joined > {"\u0301", "\u1161", "\u11a8"}
    assert [char for char in joined if _starts_a_character(char)] == []


def test_windows_give_back_any_text_and_fit(encoder: TextEncoder) -> None:
    rng = random.Random(0)
    letters = "가나다라 .!?\n\tabc漢🙂뷁á\u0301\u1161\u11a8\u3000\"'"
    for _ in range(300):
        text = "".join(rng.choices(letters, k=rng.randrange(400)))
        for form in (text, unicodedata.normalize("NFD", text)):
            windows = encoder.split(form)
            assert "".join(windows) == form
            assert max(n_pieces(encoder, window) for window in windows) <= 64
            assert len(windows) == 1 or all(window.strip() for window in windows)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (SENTENCES * 7_000, 6),  # a third of a million characters, 0.9 MB
        ("가" * 1_000_000, 6),  # one word of over 100 characters is [UNK], as BertTokenizer has it
        (" " * 1_000_000, 6),
        (unicodedata.normalize("NFD", SENTENCES * 1_000), 6),
    ],
    ids=["sentences", "word", "blanks", "nfd"],
)
def test_a_line_of_a_megabyte_is_split_in_linear_time(
    encoder: TextEncoder, text: str, seconds: float
) -> None:
    import time

    start = time.perf_counter()
    windows = encoder.split(text)
    assert time.perf_counter() - start < seconds
    assert "".join(windows) == text


# --- engines ---


def test_few_texts_need_no_torch(tiny_bert: Path) -> None:
    code = (
        "import sys; from kcsearch.models import resolve; from kcsearch.encoder import TextEncoder;"
        f"encoder = TextEncoder(resolve({str(tiny_bert)!r}));"
        "print(encoder.encode(['안녕하세요']).shape, len(encoder.split('가 ' * 100)));"
        "print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "(1, 32) 2\nset()\n"


def test_many_texts_go_through_torch_and_so_do_later_few(tiny_bert: Path) -> None:
    encoder = TextEncoder(resolve(tiny_bert), precision="fp32", device="cpu")
    few = encoder.encode(["안녕하세요"])
    assert list(encoder._engines) == ["numpy"]
    many = encoder.encode(["안녕하세요"] * 9)
    assert list(encoder._engines) == ["numpy", "torch"]
    np.testing.assert_allclose(many, np.repeat(few, 9, axis=0), atol=1e-5)


def test_loading_is_silent(tiny_bert: Path, capfd: pytest.CaptureFixture[str]) -> None:
    TextEncoder(resolve(tiny_bert), engine="transformers").encode(["가"])
    assert capfd.readouterr() == ("", "")


# --- windows of texts, and the same bytes ---


def test_windows_of_texts_give_the_same_rows_in_order(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{'아주 ' * (n % 7)}긴 문장 {n}" for n in range(40)]
    whole = TextEncoder(resolve(tiny_bert), engine="torch").encode(texts)
    monkeypatch.setattr("kcsearch.encoder.WINDOW", 9)
    np.testing.assert_allclose(
        TextEncoder(resolve(tiny_bert), engine="torch").encode(texts), whole, atol=1e-5
    )


def test_a_text_over_the_limit_is_refused_in_any_window(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kcsearch.encoder.WINDOW", 2)
    with pytest.raises(InputError, match="pieces is longer than the model's"):
        encoder.encode(["하나", "둘", "셋", "긴 글 " * 500, "다섯"])


def test_deterministic_rows_are_the_same_bytes_in_any_order_and_number(tiny_bert: Path) -> None:
    texts = [f"{'아주 ' * (n % 5)}긴 문장 {n}" for n in range(60)]
    encoder = TextEncoder(resolve(tiny_bert), deterministic=True)
    rows = dict(zip(texts, encoder.encode(texts), strict=True))
    random.Random(1).shuffle(texts)
    for some in (texts, texts[:3], texts[:1]):
        for text, row in zip(some, encoder.encode(some), strict=True):
            assert row.tobytes() == rows[text].tobytes()


def test_what_cannot_be_deterministic_says_so(tiny_bert: Path) -> None:
    folder = resolve(tiny_bert)
    with pytest.raises(InputError, match="only BERT folders"):
        TextEncoder(folder, engine="transformers", deterministic=True).encode(["글"])
    with pytest.raises(InputError, match="int8 scales by batch"):
        TextEncoder(folder, precision="int8", deterministic=True).encode(["글"])


# --- cleaning ---


def test_comments_are_cleaned_before_they_are_encoded_if_asked(tiny_bert: Path) -> None:
    plain = TextEncoder(resolve(tiny_bert))
    cleaning = TextEncoder(resolve(tiny_bert, clean="kcbert"))
    comment, cleaned = "大박ㅋㅋㅋㅋㅋ 이거 봐 https://example.com/a?b=1", "박ㅋㅋ 이거 봐"
    for role in ("passage", "query"):
        np.testing.assert_array_equal(
            cleaning.encode([comment], role), plain.encode([cleaned], role)
        )
    assert abs(plain.encode([comment]) @ plain.encode([cleaned]).T - 1) > 1e-4
    only_hanja = ["大韓民國"]
    np.testing.assert_array_equal(cleaning.encode(only_hanja), plain.encode(only_hanja))


def test_cleaning_is_part_of_the_fingerprint(tiny_bert: Path, folder: Path) -> None:
    plain, cleaning = resolve(tiny_bert), resolve(tiny_bert, clean="kcbert")
    assert "clean" not in plain.fingerprint()
    assert cleaning.fingerprint() == {**plain.fingerprint(), "clean": "kcbert"}
    (folder / "kcsearch.json").write_text('{"clean": "kcbert"}', encoding="utf-8")
    assert resolve(folder).clean == "kcbert"
    with pytest.raises(ModelError, match="clean is none or kcbert, not 'soap'"):
        resolve(tiny_bert, clean="soap")
