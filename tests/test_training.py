"""training/: from a folder of generated text to a model folder, and a run that was cut off."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gensim", reason="training needs gensim: pip install 'kcsearch[training]'")
pytest.importorskip("scipy", reason="training needs scipy: pip install 'kcsearch[training]'")

import torch
from tokenizers import Tokenizer
from transformers import BertModel, BertTokenizer

from training import average, build_bert, measure, pieces, ragged, skipgram, vocabulary
from training.embedders import model_embedder, table_embedder
from training.table import Settings, TableRun, contrast, cosent, read_sets, start_table
from training.table import main as table_main

SUBJECTS = ["고양이", "친구", "선생님", "지하철", "버스", "환불", "비행기", "날씨", "영화", "의사"]
PLACES = ["서울", "부산", "학교", "병원", "공항", "시장", "바다", "회사"]
VERBS = ["옵니다", "늦었습니다", "좋아요", "도착했어요", "멈췄다", "보였다", "기다립니다"]


def sentence(rng: random.Random) -> str:
    first, second = rng.choice(SUBJECTS), rng.choice(SUBJECTS)
    return f"{rng.choice(PLACES)}에서 {first}, {second} 둘이 오늘 {rng.choice(VERBS)}."


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder after the steps vocabulary and pieces, on a few hundred generated sentences."""
    corpus, work = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("work")
    rng = random.Random(1)
    texts = [sentence(rng) for _ in range(600)]
    write_rows(corpus / "mono" / "nsmc_reviews.jsonl", [{"text": text} for text in texts])
    paragraphs = [" ".join(rng.sample(texts, 4)) for _ in range(100)]
    write_rows(corpus / "mono" / "kowiki.jsonl", [{"text": text} for text in paragraphs])
    pairs: list[dict[str, object]] = [
        {"a": one.split()[1], "b": f"{one} {two}", "score": rng.random() * 5}
        for one, two in zip(texts[:200], texts[200:400], strict=True)
    ]
    write_rows(corpus / "pairs" / "kowiki_section_para.jsonl", pairs)
    write_rows(corpus / "pairs" / "korsts_train.jsonl", pairs)
    words: list[dict[str, object]] = [{"ko": text, "en": "the cat came"} for text in texts[:50]]
    write_rows(corpus / "parallel" / "web.jsonl", words)
    place = ["--corpus", str(corpus), "--work", str(work)]
    vocabulary.main([*place, "--size", "200"])
    pieces.main([*place, "--what", "running"])
    pieces.main([*place, "--what", "pairs"])
    return work


def test_the_steps_end_in_a_folder_whose_pooler_is_the_weighted_mean(work: Path) -> None:
    skipgram.main(["--work", str(work), "--width", "48", "--parts", "2", "--threads", "1"])
    table_main(["--work", str(work), "--steps", "40"])
    out = work / "model"
    build_bert.main(["--work", str(work), "--table", str(work / "table.npz"), "--out", str(out)])

    tokenizer = BertTokenizer.from_pretrained(out)
    text = "지하철이 서울에서 늦었습니다. Cat!"
    ours = Tokenizer.from_file(str(out / "tokenizer.json"))
    assert tokenizer(text)["input_ids"] == ours.encode(text).ids
    model = BertModel.from_pretrained(out)
    assert model.dtype == torch.float16
    assert json.loads((out / "kcsearch.json").read_text())["pooling"] == "pooler"

    texts = [sentence(random.Random(seed)) for seed in range(50)] + [
        "고양이",
        "바다 " * 400,
        "고양이 ☃☃",
    ]
    pooled = model_embedder(out, "pooler")(texts)
    summed = table_embedder(work / "table.npz", work / "tokenizer.json")(texts)
    table = ragged.read_npz(work / "table.npz")["table"]
    # The model keeps 45 of the table's 48 directions here (381 of 384 at full width).
    kept = summed @ build_bert.turn_to_model(table, seed=1)
    assert np.linalg.norm(kept, axis=1).min() > 0.95
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    assert (pooled * kept).sum(1).min() > 0.999


def small_run(work: Path, checkpoint: Path) -> TableRun:
    settings = Settings(steps=24, batch=32, halves_batch=32)
    sets = read_sets(work / "pairs", settings)
    assert {"halves", "korsts", "parallel", "rest", "section"} == set(sets)
    start = np.random.default_rng(0).standard_normal((200, 48)).astype(np.float32)
    return TableRun(start, sets, settings, checkpoint)


def test_a_killed_table_run_resumed_ends_where_an_unbroken_one_does(
    work: Path, tmp_path: Path
) -> None:
    unbroken = small_run(work, tmp_path / "unbroken.pt").run()
    killed = small_run(work, tmp_path / "killed.pt")
    killed.run(until=11)
    for _ in range(4):  # work after the last checkpoint, lost
        killed.one_step()
    resumed = small_run(work, tmp_path / "killed.pt")
    assert resumed.step == 11
    assert np.array_equal(resumed.run(), unbroken)


def test_a_row_is_cut_at_a_word_and_short_rows_are_left_out(work: Path) -> None:
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    cut = pieces.HalfCutter(tokenizer, np.random.default_rng(0))
    text = f"{sentence(random.Random(3))} {sentence(random.Random(4))}"
    ids = np.array(tokenizer.encode(text, add_special_tokens=False).ids)
    found = cut(ids)
    assert found is not None
    left, right = found
    assert np.array_equal(np.concatenate([left, right]), ids)
    assert not (tokenizer.id_to_token(int(right[0])) or "").startswith("##")
    assert cut(ids[:4]) is None


def test_contrast_leaves_out_pairs_that_share_a_text() -> None:
    rows = torch.eye(2)
    none, shared = torch.zeros(2, 2, dtype=torch.bool), ~torch.eye(2, dtype=torch.bool)
    # Scores are 1 on the diagonal and 0 beside it: ln(1 + e^-1) = 0.3133.
    assert contrast(rows, rows, none, 1.0).item() == pytest.approx(0.3133, abs=1e-4)
    assert contrast(rows, rows, shared, 1.0).item() == 0.0


def test_cosent_counts_pairs_in_the_wrong_order() -> None:
    cosines, scores = torch.tensor([0.5, 0.4]), torch.tensor([1.0, 5.0])
    # Only (second above first) is ordered: ln(1 + e^(1 * (0.5 - 0.4))) = 0.7444.
    assert cosent(cosines, scores, 1.0).item() == pytest.approx(0.7444, abs=1e-4)


def test_rare_pieces_start_longer_than_common_ones() -> None:
    vectors = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    table = start_table(vectors, np.array([0, 1, 1_000, 9_000, 1, 1]), common=3e-4)
    lengths = np.linalg.norm(table, axis=1)
    assert lengths[1] > 0.7 > lengths[2] > lengths[3]


def test_a_rank_counts_the_best_right_text_and_ties_go_to_the_earlier() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.5, 0.5, 0.5]])
    assert measure.best_ranks(scores, [[0, 2], [1]]).tolist() == [2, 2]


def test_area_under_curve_counts_a_tie_as_half() -> None:
    positive = np.array([True, True, False, False])
    # Of the four pairs (positive, negative): won, won, tied, lost.
    found = measure.area_under_curve(np.array([0.9, 0.3, 0.3, 0.5]), positive)
    assert found == pytest.approx((1 + 1 + 0.5 + 0) / 4)


def test_an_average_weighs_each_table_and_needs_a_weight_for_each(tmp_path: Path) -> None:
    a, b, out = (tmp_path / f"{name}.npz" for name in ("a", "b", "out"))
    ragged.write_npz(a, {"table": np.array([[4.0, 0.0]], np.float32)})
    ragged.write_npz(b, {"table": np.array([[0.0, 8.0]], np.float32)})
    tables = ["--table", str(a), "--table", str(b), "--out", str(out)]
    average.main([*tables, "--weight", "0.75", "--weight", "0.25"])
    assert ragged.read_npz(out)["table"].tolist() == [[3.0, 2.0]]
    with pytest.raises(SystemExit):
        average.main([*tables, "--weight", "1"])
    with pytest.raises(ValueError, match="different shapes"):
        average.weighted_sum([np.zeros((1, 2)), np.zeros((2, 2))], [0.5, 0.5])
