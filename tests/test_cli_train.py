"""`kcsearch train`, as a process: what it writes, what it tells, and how an interruption ends."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from running import command, environment, kcsearch

COLOURS = ["빨강", "파랑", "노랑", "초록", "하양", "검정"]
THINGS = ["사과", "자동차", "우산", "모자", "가방", "연필"]


def write_pairs(path: Path) -> None:
    rows = [
        {"question": f"{colour} {thing} 어디 있나요", "answer": f"{thing} {colour} 보입니다"}
        for colour in COLOURS
        for thing in THINGS
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")


PAIRS = ("--text-field", "question", "--positive-field", "answer")


def test_a_model_is_trained_on_pairs_and_indexes(
    tmp_path: Path, make_bert: Callable[..., Path]
) -> None:
    write_pairs(tmp_path / "faq.jsonl")
    options = ("--model", str(make_bert()), "--output", "new", "--epochs", "10", "--rate", "0.002")
    done = kcsearch(tmp_path, "train", "faq.jsonl", *PAIRS, *options, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["path"] == "new"
    assert (report["n_examples"], report["n_held_out"]) == (31, 5)
    assert report["after"]["among_ten"] >= report["before"]["among_ten"]
    told = done.err.splitlines()
    assert told[0] == "Learning from 31 texts or pairs; measuring by 5."
    assert told[1].startswith("step 0 of 10: among the first ten ")
    assert told[-1] == "The model is in new: `kcsearch index FILE --model new` uses it."

    done = kcsearch(tmp_path, "index", "faq.jsonl", "--text-field", "answer", "--model", "new")
    assert done.code == 0, done.err
    done = kcsearch(tmp_path, "train", "faq.jsonl", *PAIRS, *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: new is there already, and nothing is overwritten")


def test_plain_text_is_learnt_from(tmp_path: Path, make_bert: Callable[..., Path]) -> None:
    lines = [
        f"{colour} {thing} 샀다. 참 {colour} 빛이 곱다.\n" for colour in COLOURS for thing in THINGS
    ]
    (tmp_path / "notes.txt").write_text("".join(lines), encoding="utf-8")
    options = ("--model", str(make_bert()), "--output", "new", "--epochs", "0.5")
    done = kcsearch(tmp_path, "train", "notes.txt", *options)
    assert (done.code, done.out) == (0, "")
    assert kcsearch(tmp_path, "models", "show", "./new").code == 0


def test_an_interruption_keeps_the_checkpoint_and_says_how_to_go_on(
    tmp_path: Path, make_bert: Callable[..., Path]
) -> None:
    write_pairs(tmp_path / "faq.jsonl")
    words = ("train", "faq.jsonl", *PAIRS, "--model", str(make_bert()), "--output", "new",
               "--epochs", "2000", "--rate", "0.002")  # fmt: skip
    process = subprocess.Popen(
        command(*words),
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env=environment(),
    )  # fmt: skip
    assert process.stderr is not None
    try:
        told = [process.stderr.readline() for _ in range(2)]  # the first look: training has begun
        assert told[1].startswith("step 0 of 1,938"), told
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 130
    finally:
        process.kill()
    assert "Interrupted at step " in rest
    assert "The same command goes on from there; to give it up, remove new.training" in rest
    assert "Traceback" not in rest
    assert not (tmp_path / "new").exists()


def test_a_negative_needs_a_positive(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "train", "a.txt", "--output", "new", "--negative-field", "no")
    assert (done.code, done.err) == (2, "Error: --negative-field needs --positive-field\n")
