"""training/: from a folder of generated text to a model folder, and a run that was cut off."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="training needs scipy: pip install 'kcsearch[training]'")

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertModel, BertTokenizer

from training import (
    alterations,
    average,
    build_bert,
    cooccurrence,
    extend,
    measure,
    pieces,
    ragged,
    vocabulary,
)  # fmt: skip
from training.embedders import model_embedder, table_embedder
from training.table import Settings, TableRun, numbers_by_name, read_sets, start_table
from training.table import main as table_main
from training.train_bert import main as train_bert_main

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
    cooccurrence.main(["--work", str(work), "--width", "48", "--window", "4"])
    table_main(["--work", str(work), "--steps", "40"])
    out = work / "model"
    build_bert.main([
        "--work", str(work), "--table", str(work / "table.npz"), "--out", str(out), "--waves", "2",
    ])  # fmt: skip

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
    # The model keeps 41 of the table's 48 directions here (493 of 512 at full width).
    kept = summed @ build_bert.turn_to_model(table, n_waves=2, seed=1)
    assert np.linalg.norm(kept, axis=1).min() > 0.95
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    cosines = (pooled * kept).sum(1)  # so tiny a model varies with its vocabulary
    assert cosines.min() > 0.998
    assert cosines.mean() > 0.999


def small_run(work: Path, checkpoint: Path) -> TableRun:
    settings = Settings(steps=24, batch=32, halves_batch=32)
    sets = read_sets(work / "pairs", settings)
    assert {"everyday", "halves", "korsts", "parallel", "rest", "section"} == set(sets)
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


def test_a_killed_run_of_the_bert_resumed_ends_where_an_unbroken_one_does(work: Path) -> None:
    start = np.random.default_rng(0).standard_normal((200, 48)).astype(np.float32)
    ragged.write_npz(work / "any.npz", {"table": start})
    build_bert.main([
        "--work", str(work), "--table", str(work / "any.npz"), "--out", str(work / "bert"),
        "--waves", "2", "--inner", "64",
    ])  # fmt: skip
    options = ["--work", str(work), "--start", str(work / "bert"), "--steps", "12",
               "--table", str(work / "any.npz"),
               "--tokens", "400", "--pool", "50"]  # fmt: skip
    train_bert_main([*options, "--out", str(work / "unbroken")])
    train_bert_main([*options, "--out", str(work / "killed"), "--until", "5"])
    shutil.rmtree(work / "killed")
    train_bert_main([*options, "--out", str(work / "killed")])
    weights = [(work / name / "model.safetensors").read_bytes() for name in ("unbroken", "killed")]
    assert weights[0] == weights[1]
    assert weights[0] != (work / "bert" / "model.safetensors").read_bytes()


def test_the_first_layer_looks_at_its_neighbours() -> None:
    directions = build_bert.basis(512, 8, seed=1)
    places = build_bert.positions(directions, 40) / np.sqrt(1 + build_bert.WAVE**2)
    written = build_bert.neighbour_attention(directions, 8, np.random.default_rng(0))
    query, key = (
        (places @ written[f"attention.self.{name}.weight"].T).reshape(40, 8, 64)
        for name in ("query", "key")
    )
    for head, offset in enumerate(build_bert.OFFSETS):
        logits = query[:, head] @ key[:, head].T / 8
        inner = np.arange(5, 35)
        assert (logits[inner].argmax(1) == inner + offset).all()


def test_sentences_are_altered_by_rule() -> None:
    rng = random.Random(1)
    sentence = "친구가 동생을 병원에서 만났습니다."
    moved = {alterations.move_phrase(sentence, rng) for _ in range(20)}
    assert moved == {
        "동생을 친구가 병원에서 만났습니다.",
        "친구가 병원에서 동생을 만났습니다.",
    }
    swapped = {alterations.swap_nouns("친구가 동생을 때렸다.", rng) for _ in range(5)}
    assert swapped == {"동생이 친구를 때렸다."}
    assert alterations.DIFFERENT["negation"]("비가 올 수 있습니다.", rng) == "비가 올 수 없습니다."
    assert alterations.DIFFERENT["tense"]("시험에 합격했다.", random.Random(1)) in (
        "시험에 합격할 것이다.", "시험에 합격하고 있다.",
    )  # fmt: skip
    assert alterations.other_particle("서울에서 왔다.", rng) == "서울까지 왔다."
    assert alterations.triple("네.", rng) is None


def test_a_hurried_sentence_keeps_its_letters_but_for_particles_and_one_slip() -> None:
    rng = random.Random(1)
    made = {alterations.hurried("환불은 언제 되나요?", rng) for _ in range(50)}
    assert {"환불은언제되나요?", "환불 언제 되나요?", "환불은언제 되나요?"} <= made
    assert "환불은 언제 되나요?" not in made
    assert {alterations.misspell("됐다", rng) for _ in range(9)} == {"됫다"}
    assert alterations.misspell("가나다 abc", rng) is None


def test_a_statement_becomes_a_question_that_shares_its_words() -> None:
    rng = random.Random(1)
    sentence = "임시정부는 1919년 4월 상하이에서 독립운동가들이 세웠다."
    made = {alterations.asked(sentence, rng) for _ in range(50)}
    assert len(made) > 40
    assert sentence not in made
    for question in made - {None}:
        assert question is not None
        assert set(question.split()[:2]) <= {*sentence.split(), "독립운동가들이", "세웠"}, question
        assert not question.endswith("세웠다.")
    assert sum("?" in (question or "") for question in made) > 30
    assert alterations.asked("너무 짧은 문장이다.", rng) is None


@pytest.mark.parametrize(("n_rows", "n"), [(100, 32), (100, 3), (5, 32), (1, 8), (8, 8)])
def test_runs_are_of_neighbouring_rows_and_in_range(n_rows: int, n: int) -> None:
    for seed in range(20):
        rows = ragged.draw_runs(np.random.default_rng(seed), n_rows, n, 8)
        assert 0 <= rows.min() <= rows.max() < n_rows
        assert len(rows) == len(set(rows.tolist()))
        alone = [row for row in rows if not {row - 1, row + 1} & set(rows.tolist())]
        assert n_rows == 1 or not alone


def test_questions_are_asked_of_whole_paragraphs_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "mono").mkdir()
    texts = [
        f"{word * 3} " * 30 + "끝이다. 그리고 이 문장은 열 글자보다 길다." for word in "가나다라"
    ]
    texts.insert(2, "짧은 글이다.")
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    (tmp_path / "mono" / "kowiki.jsonl").write_text("\n".join(lines), encoding="utf-8")
    vocabulary = {"[PAD]": 0, "[UNK]": 1} | {word * 3: i for i, word in enumerate("가나다라", 2)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    columns = pieces.asked(tokenizer, tmp_path, seed=1)
    paragraphs = list(ragged.Ragged.from_columns(columns, "b").rows())
    first = [int(row[0]) for row in paragraphs]
    assert first == sorted(first)
    assert {2, 5} <= set(first) <= {2, 3, 4, 5}  # no rule fits every sentence
    assert all((row == row[0]).sum() == 30 for row in paragraphs)
    assert columns["run"].tolist() == [8]


def test_questions_find_their_paragraph_by_its_hash(tmp_path: Path) -> None:
    paragraphs = ["가가가 나나나", "나나나 다다다", "다다다 라라라"]
    write_rows(tmp_path / "mono" / "kowiki.jsonl", [{"text": text} for text in paragraphs[:2]])
    write_rows(
        tmp_path / "pairs" / "kolaw_article_title_body.jsonl", [{"a": "가가가", "b": paragraphs[2]}]
    )
    names = [pieces.text_hash(text) for text in paragraphs]
    asked = tmp_path / "asked.tsv"
    asked.write_text(
        f"{names[2]}\t가가가\n{names[1]}\t나나나\t다다다\n{'0' * 12}\t라라라\n", encoding="utf-8"
    )
    vocabulary = {"[UNK]": 0} | {word * 3: i for i, word in enumerate("가나다라", 1)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    columns = pieces.paragraph_questions(tokenizer, tmp_path, asked)
    a, b = (list(ragged.Ragged.from_columns(columns, side).rows()) for side in "ab")
    found = [(x.tolist(), y.tolist()) for x, y in zip(a, b, strict=True)]
    assert found == [([2], [2, 3]), ([3], [2, 3]), ([1], [3, 4])]


def test_the_questions_of_paragraphs_are_whole() -> None:
    rows = [line.split("\t") for line in pieces.QUESTIONS.read_text(encoding="utf-8").splitlines()]
    assert all(len(row) in (2, 3) and all(row) for row in rows)
    assert all(len(row[0]) == 12 and int(row[0], 16) >= 0 for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


def test_own_texts_are_groups_of_different_texts_and_whole_triples() -> None:
    names = ("everyday_groups.txt", "more_everyday_groups.txt", "synonyms.txt", "situations.txt",
             "everyday_matters.txt")  # fmt: skip
    groups = [texts for name in names for texts in pieces.own_texts(name)]
    assert all(2 <= len(set(texts)) == len(texts) <= 6 for texts in groups)
    triples = pieces.own_texts("minimal_triples.txt")
    assert all(len(set(texts)) == 3 for texts in triples)
    anchors = [texts[0] for texts in triples]
    assert len(set(anchors)) == len(anchors)


def test_counts_of_neighbours_by_hand() -> None:
    text = ragged.Ragged.from_rows([np.array([5, 6, 7]), np.array([6, 5])])
    matrix = np.zeros((8, 8), np.float32)
    cooccurrence.add_neighbours(matrix, text, window=2)
    # One apart counts 1, two apart a half; the two texts do not touch.
    expected = {(5, 6): 1.0, (6, 7): 1.0, (5, 7): 0.5, (6, 5): 1.0}
    found = {(int(i), int(j)): float(matrix[i, j]) for i, j in zip(*matrix.nonzero(), strict=True)}
    assert found == expected


def test_singular_vectors_equal_numpys() -> None:
    rng = np.random.default_rng(0)
    values = np.array([9.0, 5.0, 3.0, *[1e-3] * 97])
    left, right = (np.linalg.qr(rng.standard_normal((100, 100)))[0] for _ in range(2))
    matrix = ((left * values) @ right).astype(np.float32)
    found = cooccurrence.singular_vectors(matrix, 3, 1.0, seed=1)
    expected = left[:, :3] * values[:3]
    # Each direction up to its sign.
    np.testing.assert_allclose(np.abs(found.T @ expected), np.diag(values[:3] ** 2), atol=1e-2)


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


def test_rare_pieces_start_longer_than_common_ones() -> None:
    vectors = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    table = start_table(vectors, np.array([0, 1, 1_000, 9_000, 1, 1]), common=3e-4)
    lengths = np.linalg.norm(table, axis=1)
    assert lengths[1] > 0.7 > lengths[2] > lengths[3]


def test_a_rank_counts_the_best_right_text_and_ties_go_to_the_earlier() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.5, 0.5, 0.5]])
    assert measure.best_ranks(scores, [[0, 2], [1]]).tolist() == [2, 2]


def test_minimal_pairs_are_right_wrong_or_tied(tmp_path: Path) -> None:
    vectors = {"a": [1.0, 0.0], "near": [0.8, 0.6], "far": [0.0, 1.0]}
    rows: list[dict[str, object]] = [
        {"kind": "tense", "anchor": "a", "same": same, "different": different}
        for same, different in (("near", "far"), ("near", "near"), ("far", "near"), ("a", "far"))
    ]
    write_rows(tmp_path / "minimal_pairs.jsonl", rows)
    found = measure.measure_minimal_pairs(
        lambda texts: np.array([vectors[text] for text in texts]), tmp_path
    )
    assert {name: figure["value"] for name, figure in found.items()} == {
        "right": (1 + 0.5 + 0 + 1) / 4, "tense": (1 + 0.5 + 0 + 1) / 4,
    }  # fmt: skip


def test_area_under_curve_counts_a_tie_as_half() -> None:
    positive = np.array([True, True, False, False])
    # Of the four pairs (positive, negative): won, won, tied, lost.
    found = measure.area_under_curve(np.array([0.9, 0.3, 0.3, 0.5]), positive)
    assert found == pytest.approx((1 + 1 + 0.5 + 0) / 4)


def test_pieces_are_counted_as_greedy_match_takes_them() -> None:
    known = ["[UNK]", "소", "소포", "##포", "##가"]
    used = vocabulary.used_pieces(known, Counter({"소포가": 3, "소가": 2, "포": 5}))
    assert used == {"소포": 3, "##가": 5, "소": 2, "[UNK]": 5}


def test_words_put_in_begin_as_the_sum_of_what_they_were() -> None:
    old = ["[PAD]", "소", "##포", "##가", "우", "##체", "##국"]
    new = extend.extended(old, ["소포", "우체국", "##체국", "돈"], Counter(["소포가", "우체국"]), 9)
    assert new == [*old, "소포", "우체국"]  # 돈 has no letters here, ##체국 is not used
    rng = np.random.default_rng(0)
    table = rng.standard_normal((7, 4)).astype(np.float32)
    codes = rng.standard_normal((7, 3)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    more = extend.extended_arrays({"table": table, "codes": codes}, new)
    assert np.array_equal(more["table"][:7], table)
    assert np.array_equal(more["codes"][:7], codes)
    assert np.allclose(more["table"][7:], [table[1] + table[2], table[4] + table[5] + table[6]])
    mixed = np.linalg.norm(table[1]) * codes[1] + np.linalg.norm(table[2]) * codes[2]
    assert np.allclose(more["codes"][7], mixed / np.linalg.norm(mixed), atol=1e-6)
    assert more["table"].dtype == more["codes"].dtype == np.float32


def test_a_vocabulary_is_never_cut_and_may_stay_as_it_is() -> None:
    old = ["[PAD]", "소", "##포"]
    with pytest.raises(ValueError, match="3 pieces already"):
        extend.extended(old, ["소포"], Counter(["소포"]), 2)
    same = extend.extended(old, ["소포"], Counter(["소포"]), 3)
    arrays = {"table": np.ones((3, 2), np.float32), "codes": np.ones((3, 2), np.float32)}
    assert extend.extended_arrays(arrays, same) == arrays
    assert extend.extended(old, ["소포", "소포"], Counter(["소포"]), 9) == [*old, "소포"]


def test_words_to_put_in_are_put_together_and_no_stem_with_an_ending() -> None:
    small = ["[UNK]", "돈", "##을", "##하", "도", "##배", "배", "##도", "##돈"]
    old = vocabulary.build_tokenizer(vocabulary.model_of(small))
    lexicon = ["도배하다 / 벽지를 바르다 / 돈을", "도배 : 벽, 종이", "돈하 / 배도"]
    assert extend.headwords(lexicon) == {"도배", "돈을", "돈하", "배도"}
    spoken = Counter({f"배돈{ending}": 2 for ending in ("", "을", "이", "은", "에", "만")})
    # 돈을, 돈하 and 배도 are a piece with an ending; 배돈 is not of the lexicon: no ##배돈.
    assert extend.candidates([], lexicon, spoken, old) == ["도배", "배돈", "##도배"]


def test_the_steps_go_on_with_a_larger_vocabulary(work: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ragged.write_npz(work / "small.npz", {"table": rng.standard_normal((200, 48)).astype("f4")})
    extend.main([
        "--corpus", str(work.parent / "corpus0"), "--work", str(work), "--size", "220",
        "--table", str(work / "small.npz"), "--out", str(tmp_path),
    ])  # fmt: skip
    assert len(ragged.read_npz(tmp_path / "small.npz")["table"]) == 220
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab_size() == 220


def test_a_set_can_have_a_temperature_of_its_own(work: Path) -> None:
    settings = Settings(batch=32, temperatures=numbers_by_name(["section=0.5"]))
    sets = read_sets(work / "pairs", settings)
    assert sets["section"].temperature == 0.5
    assert sets["rest"].temperature == settings.temperature
    table = torch.from_numpy(np.random.default_rng(0).standard_normal((200, 48)).astype("f4"))
    warmer = read_sets(work / "pairs", Settings(batch=32, temperature=0.5))
    for name in ("section", "rest"):
        own, warm = (one[name].loss(table, np.random.default_rng(1)) for one in (sets, warmer))
        assert torch.equal(own, warm) == (name == "section")


def test_the_command_takes_temperatures_of_sets_that_have_one(work: Path) -> None:
    start = np.random.default_rng(0).standard_normal((200, 48)).astype(np.float32)
    ragged.write_npz(work / "warm_start.npz", {"table": start})
    options = ["--work", str(work), "--start", str(work / "warm_start.npz"), "--steps", "3"]
    tables = []
    for out, more in (("cold", []), ("warm", ["section=0.5", "rest=0.5", "halves=0.5"])):
        given = [word for one in more for word in ("--temperature", one)]
        table_main([*options, "--out", out, *given])
        tables.append(ragged.read_npz(work / f"{out}.npz")["table"])
    assert not np.array_equal(*tables)
    for name in ("korsts", "nothing"):  # scores are not contrasted
        with pytest.raises(SystemExit):
            table_main([*options, "--out", "never", "--temperature", f"{name}=0.5"])


def test_associations_pair_a_word_with_halves_of_what_belongs_to_it() -> None:
    known = list("가나다라마바사아")
    tokenizer = vocabulary.build_tokenizer(vocabulary.model_of(["[UNK]", *known]))
    columns = pieces.associations(tokenizer, ["가 : 나, 다, 라, 마, 바, 사, 아", "나 : 가, 다"], 1)
    a, b = (
        [tokenizer.decode(row.tolist()).split() for row in
         ragged.Ragged.from_columns(columns, side).rows()]
        for side in "ab"
    )  # fmt: skip
    assert columns["group"].tolist() == [0] * 13 + [1] * 9
    for turn in range(pieces.HALVINGS):
        one, other = a[2 * turn], b[2 * turn]
        assert sorted(one + other) == sorted(known[1:])
        assert (a[2 * turn + 1], b[2 * turn + 1]) == (["가"], one)
    assert sorted(b[6]) == sorted(known[1:])
    assert b[7:13] == [[one] for one in known[1:7]]  # the closest, as they stand


def test_associations_are_of_different_words_and_enough() -> None:
    lines = pieces.own_lines("associations.txt")
    assert all(len(line.split(" : ")) == 2 for line in lines)
    assert all(len(line.split(" : ")[1].split(", ")) >= 6 for line in lines)
    assert len({line.split(" : ")[0] for line in lines}) == len(lines)


def test_what_was_written_is_among_the_sets(work: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    sets = pieces.pair_sets(tokenizer, tmp_path, 1)
    assert {"everyday", "matters", "situations", "synonyms", "associations"} <= set(sets)
    assert all(len(texts) == 5 for texts in pieces.own_texts("everyday_matters.txt"))
    matters = sets["matters"]()
    assert len(matters["a_offsets"]) == len(matters["group"]) + 1
    assert np.bincount(matters["group"]).max() == 10  # every two of five


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


def test_a_difference_is_of_the_same_questions_for_both() -> None:
    """Where one is better by as much at every question, chance has no part in it."""
    worse = np.random.default_rng(0).random(50)
    figures = {
        name: {"set": {"mean": measure.with_interval(lambda i, v=values: float(v[i].mean()), 50)}}
        for name, values in (("old", worse), ("new", worse + 0.25))
    }
    gained = measure.differences(figures["new"], figures["old"])["set"]["mean"]
    assert [gained[key] for key in ("value", "low", "high")] == pytest.approx([0.25] * 3)
    width = figures["old"]["set"]["mean"]["high"] - figures["old"]["set"]["mean"]["low"]
    assert width > 0.05
    assert measure.without_resampled({"set": {"mean": gained}})["set"]["mean"].keys() == {
        "value", "low", "high", "n",
    }  # fmt: skip
