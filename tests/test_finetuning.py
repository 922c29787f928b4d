"""kcsearch.finetuning: the forward pass beside transformers', losses by hand, runs cut off."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from kcsearch import models
from kcsearch.encoder import TextEncoder
from kcsearch.errors import InputError
from kcsearch.finetuning.examples import Given, Passage, Triple, examples
from kcsearch.finetuning.forward import embed
from kcsearch.finetuning.losses import contrast, cosent, nearer
from kcsearch.finetuning.run import LEAST_SCALE, Pace, Run, step_scale
from kcsearch.finetuning.trainer import Trainer, TrainingOptions
from kcsearch.types import Document, Pooling

MakeBert = Callable[..., Path]
COLOURS = ["빨강", "파랑", "노랑", "초록", "하양", "검정", "보라", "분홍"]
THINGS = ["사과", "차", "우산", "모자", "가방", "연필", "의자", "구두", "시계", "지갑"]


def pairs() -> list[Given]:
    """Eighty questions and answers that share no syllable but those of colour and thing."""
    rng = random.Random(1)
    both = [(colour, thing) for colour in COLOURS for thing in THINGS]
    rng.shuffle(both)
    return [
        Given(Triple(f"{colour} {thing} 어디 있나요", f"저기 {thing} {colour} 보입니다"))
        for colour, thing in both
    ]


OPTIONS = TrainingOptions(epochs=20, batch=32, rate=1e-3, held_out=0.2)


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
def test_the_forward_pass_equals_transformers(make_bert: MakeBert, pooling: Pooling) -> None:
    model = AutoModel.from_pretrained(make_bert()).eval()
    rng = np.random.default_rng(0)
    ids = [rng.integers(5, 2_000, n).tolist() for n in (3, 60, 1, 17, 2)]
    found = embed(model, ids, pooling)
    for row, sequence in zip(found, ids, strict=True):
        output = model(torch.tensor([sequence]))
        pooled = {
            "pooler": output.pooler_output,
            "cls": output.last_hidden_state[:, 0],
            "mean": output.last_hidden_state.mean(1),
        }[pooling]
        expected = torch.nn.functional.normalize(pooled[0], dim=0)
        torch.testing.assert_close(row, expected, atol=1e-5, rtol=1e-4)


def test_every_weight_that_the_pooler_reads_gets_a_gradient(make_bert: MakeBert) -> None:
    model = AutoModel.from_pretrained(make_bert()).eval()
    embed(model, [[2, 10, 11, 3], [2, 12, 3]], "pooler")[0, 0].backward()
    without = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert without == set()


def test_dropout_makes_two_readings_of_a_text_differ(make_bert: MakeBert) -> None:
    model = AutoModel.from_pretrained(make_bert()).train()
    one, other = embed(model, [[2, 10, 11, 3]] * 2, "pooler")
    assert 0.1 < (one @ other).item() < 0.9999


def test_losses_by_hand() -> None:
    rows = torch.eye(2)
    none, shared = torch.zeros(2, 2, dtype=torch.bool), ~torch.eye(2, dtype=torch.bool)
    # Scores are 1 on the diagonal and 0 beside it: ln(1 + e^-1) = 0.3133.
    assert contrast(rows, rows, none, 1.0).item() == pytest.approx(0.3133, abs=1e-4)
    assert contrast(rows, rows, shared, 1.0).item() == 0.0
    # A hard negative at cosine 1 of the first row, seen from a only: its log-sum becomes
    # ln(2e + 1) - 1 = 0.8620, the second's ln(e + 2) - 1 = 0.5514; b sees 0.3133 as before.
    hard = torch.cat([rows, rows[:1]])
    expected = ((0.8620 + 0.5514) / 2 + 0.3133) / 2
    assert contrast(rows, hard, none, 1.0).item() == pytest.approx(expected, abs=1e-4)
    # Only (second above first) is ordered: ln(1 + e^(0.5 - 0.4)) = 0.7444.
    ordered = cosent(torch.tensor([0.5, 0.4]), torch.tensor([1.0, 5.0]), 1.0)
    assert ordered.item() == pytest.approx(0.7444, abs=1e-4)
    # same at cosine 1, different at 0, temperature 0.5: ln(1 + e^-2) = 0.1269.
    found = nearer(rows[:1], rows[:1], rows[1:], 0.5)
    assert found.item() == pytest.approx(0.1269, abs=1e-4)


def test_the_rate_rises_and_falls() -> None:
    pace = Pace(steps=10, rate=1.0, warmup=2)
    assert [pace.at(step) for step in (0, 1, 2, 6, 9)] == [0.5, 1.0, 1.0, 0.5, 0.125]


def test_a_matrix_moves_by_its_size_and_a_vector_as_the_rate_says() -> None:
    rng = torch.Generator().manual_seed(0)
    usual = 0.04 * torch.randn(200, 200, generator=rng)
    assert step_scale(usual) == pytest.approx(1, abs=0.02)
    assert step_scale(25 * usual) == pytest.approx(25 * step_scale(usual))
    assert step_scale(torch.zeros(5, 5)) == LEAST_SCALE
    assert step_scale(torch.full((5,), 9.0)) == 1


def test_a_step_of_the_run_is_the_rate_times_that_scale(tmp_path: Path) -> None:
    """Adam's first step moves every number by the rate."""
    model = torch.nn.Linear(4, 3)
    torch.nn.init.constant_(model.weight, 0.4)
    before = [w.detach().clone() for w in model.parameters()]
    run = Run(
        model, lambda rng: model(torch.ones(1, 4)).sum(), Pace(10, 1e-3), tmp_path / "c.pt",
        seed=1, mark="",
    )  # fmt: skip
    run.one_step()
    moved = [
        (old - new).abs().mean().item() for old, new in zip(before, model.parameters(), strict=True)
    ]
    assert moved == pytest.approx([1e-2, 1e-3], rel=1e-3)


def test_a_killed_run_resumed_ends_where_an_unbroken_one_does(
    make_bert: MakeBert, tmp_path: Path
) -> None:
    folder = models.resolve(make_bert(spread=0.15))
    unbroken = Trainer(folder, pairs(), tmp_path / "unbroken", OPTIONS)
    report = unbroken.train()

    killed = Trainer(folder, pairs(), tmp_path / "killed", OPTIONS)
    assert killed.train(until=13) is None
    for _ in range(3):  # work after the last checkpoint, lost
        killed.run.one_step()
    resumed = Trainer(folder, pairs(), tmp_path / "killed", OPTIONS)
    assert resumed.run.step == 13
    again = resumed.train()

    assert report is not None
    assert again is not None
    assert (again.after, again.n_steps) == (report.after, report.n_steps)
    names = ("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json")
    for name in names:
        files = [tmp_path / which / name for which in ("unbroken", "killed")]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert not (tmp_path / "killed.training").exists()


def test_training_finds_more_answers_and_ends_in_a_folder_that_is_read(
    make_bert: MakeBert, tmp_path: Path
) -> None:
    source = models.resolve(make_bert(spread=0.15))
    report = Trainer(source, pairs(), tmp_path / "new", OPTIONS).train()
    assert report is not None
    assert (report.n_examples, report.n_held_out) == (64, 16)
    assert report.after.mean_reciprocal_rank > report.before.mean_reciprocal_rank + 0.2
    new = models.resolve(tmp_path / "new")
    assert (new.name, new.pooling, new.max_length) == ("new", source.pooling, source.max_length)
    assert new.fingerprint()["weights_sha256"] != source.fingerprint()["weights_sha256"]
    assert json.loads((tmp_path / "new" / "kcsearch.json").read_text())["name"] == "new"
    encoder = TextEncoder(new)
    queries, answers = [encoder.encode([getattr(one.triple, side) for one in pairs()])
                        for side in ("anchor", "positive")]  # fmt: skip
    ranks = (queries @ answers.T > (queries * answers).sum(1)[:, None]).sum(1)
    assert (ranks < 10).mean() > 0.6


def test_a_run_that_gets_no_better_stops_early_and_keeps_the_best(
    make_bert: MakeBert, tmp_path: Path
) -> None:
    options = TrainingOptions(epochs=50, batch=32, rate=0.0, held_out=0.2, patience=2)
    folder = models.resolve(make_bert(spread=0.15))
    report = Trainer(folder, pairs(), tmp_path / "new", options).train()
    assert report is not None
    assert report.before == report.after
    assert report.n_steps == 20  # of 100: two looks, 10 steps apart, that were no better


def test_other_texts_or_options_do_not_go_on_with_a_checkpoint(
    make_bert: MakeBert, tmp_path: Path
) -> None:
    folder = models.resolve(make_bert(spread=0.15))
    Trainer(folder, pairs(), tmp_path / "new", OPTIONS).train(until=1)
    with pytest.raises(InputError, match="other texts or options"):
        Trainer(folder, pairs()[1:], tmp_path / "new", OPTIONS)
    (tmp_path / "new.training" / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="remove it to begin anew"):
        Trainer(folder, pairs(), tmp_path / "new", OPTIONS)


def test_what_is_there_is_not_overwritten_and_too_little_is_refused(
    make_bert: MakeBert, tmp_path: Path
) -> None:
    folder = models.resolve(make_bert(spread=0.15))
    with pytest.raises(InputError, match="there already"):
        Trainer(folder, pairs(), tmp_path, OPTIONS)
    with pytest.raises(InputError, match="19 texts or pairs to learn from are too few"):
        Trainer(folder, pairs()[:19], tmp_path / "new", OPTIONS)


def test_plain_text_gives_a_sentence_and_the_rest() -> None:
    texts = ["하나입니다. 둘입니다. 셋입니다.", "혼자 있는 문장 하나.", "혼자 있는 문장 하나."]
    found = examples([Document(text) for text in texts])
    assert found == [
        Passage(("하나입니다.", "둘입니다.", "셋입니다.")),
        Passage(("혼자 있는 문장 하나.",)),
    ]
    drawn = {found[0].draw(np.random.default_rng(seed)) for seed in range(20)}
    assert drawn == {
        Triple("하나입니다.", "둘입니다. 셋입니다."),
        Triple("둘입니다.", "하나입니다. 셋입니다."),
        Triple("셋입니다.", "하나입니다. 둘입니다."),
    }
    assert found[0].trial() == Triple("하나입니다.", "둘입니다. 셋입니다.")
    alone = "혼자 있는 문장 하나."
    assert found[1].draw(np.random.default_rng(0)) == Triple(alone, alone)
    assert found[1].trial() == Triple("혼자 있는", "문장 하나.")
    assert Passage(("하나",)).trial() == Triple("하나", "하나")


def test_fields_give_pairs_and_triples() -> None:
    rows = [
        Document("묻다", source="a.csv", line=2, metadata={"답": "답하다", "아님": "딴소리"}),
        Document("또 묻다", source="a.csv", line=3, metadata={"답": "또 답하다", "아님": None}),
    ]
    assert examples(rows, "답", "아님") == [
        Given(Triple("묻다", "답하다", "딴소리")),
        Given(Triple("또 묻다", "또 답하다")),
    ]
    with pytest.raises(InputError, match=r"a.csv:2: no text in the field '정답'"):
        examples(rows, "정답")
