"""`kcsearch eval` against the same measures taken by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from running import DATA, kcsearch

from kcsearch import Collection, Document, TextEncoder, models
from kcsearch.evaluation import MEASURES, spearman

FILES = (str(DATA / "everyday.queries.jsonl"), str(DATA / "everyday.qrels.tsv"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    assert kcsearch(folder, "index", str(DATA / "everyday.jsonl")).code == 0
    return folder


def test_the_table_and_the_json_tell_the_same(folder: Path) -> None:
    done = kcsearch(folder, "eval", *FILES, "--format", "json", "--per-query", "each.jsonl")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["n_queries"], report["index_recall@10"]) == (60, 1.0)
    assert list(report["modes"]) == ["dense", "lexical", "hybrid"]
    each = [json.loads(line) for line in (folder / "each.jsonl").read_text().splitlines()]
    assert len(each) == 180
    for mode, measures in report["modes"].items():
        assert list(measures) == list(MEASURES)
        for name, found in measures.items():
            values = [line[name] for line in each if line["mode"] == mode]
            assert found["mean"] == pytest.approx(np.mean(values))
            assert found["low"] <= found["mean"] <= found["high"]
    table = kcsearch(folder, "eval", *FILES)
    (row,) = re.findall(r"^recall@10 .*", table.out, re.MULTILINE)
    shown = [float(number) for number in re.findall(r"(\d\.\d{3}) \(", row)]
    means = [report["modes"][mode]["recall@10"]["mean"] for mode in report["modes"]]
    assert shown == pytest.approx(means, abs=0.0006)
    assert table.err.startswith("60 queries, with 95 % intervals. Of the 10 nearest vectors")


@pytest.mark.parametrize("name", ["store.db", "STORE.DB-wal", "store.sum", "vectors.faiss"])
def test_the_measures_are_not_written_over_a_collection(name: str, folder: Path) -> None:
    target = f".kcsearch/{name}"
    before = {path: path.read_bytes() for path in (folder / ".kcsearch").iterdir()}
    done = kcsearch(folder, "eval", *FILES, "--per-query", target)
    words = f"{target}: this file belongs to a collection and is not written over"
    assert (done.code, done.out, done.err) == (2, "", f"Error: {words}\n")
    assert {path: path.read_bytes() for path in (folder / ".kcsearch").iterdir()} == before


def test_what_was_found_is_what_a_query_finds(folder: Path) -> None:
    done = kcsearch(folder, "eval", *FILES, "--mode", "hybrid", "--per-query", "each.jsonl")
    assert done.code == 0
    lines = (folder / "each.jsonl").read_text(encoding="utf-8").splitlines()
    with Collection(folder / ".kcsearch") as collection:
        every = [json.loads(line) for line in lines]
        answers = collection.search_many([line["text"] for line in every], 100)
        for line, hits in zip(every, answers, strict=True):
            keys = [hit.key for hit in hits]
            assert line["found"] == keys[:10]
            is_first = line["relevant"].get(keys[0], 0) > 0
            assert line["success@1"] == float(is_first)


def test_the_windows_of_a_long_text_count_as_the_text(tmp_path: Path) -> None:
    sentences = [f"{n}번째 문단은 {n * 7} 이야기를 합니다." for n in range(150)]
    with Collection(tmp_path / ".kcsearch") as made:
        made.add([Document(" ".join(sentences), key="long"), Document("비가 온다", key="a#1")])
    (tmp_path / "q.tsv").write_text(f"q1\t{sentences[140]}\nq2\t비가 온다\n", encoding="utf-8")
    (tmp_path / "r.tsv").write_text("q1\tlong\t1\nq2\ta#1\t1\n", encoding="utf-8")
    done = kcsearch(tmp_path, "eval", "q.tsv", "r.tsv", "--format", "json")
    for measures in json.loads(done.out)["modes"].values():
        assert measures["success@1"]["mean"] == 1


def test_what_does_not_fit_together_is_told(folder: Path) -> None:
    (folder / "q.tsv").write_text("q1\t비가 오나요\nq2\t눈\n", encoding="utf-8")
    (folder / "r.tsv").write_text("q1\tweather-01\t1\nq1\tgone\t1\nq9\tx\t1\n", encoding="utf-8")
    done = kcsearch(folder, "eval", "q.tsv", "r.tsv", "--mode", "dense")
    assert done.code == 0
    assert done.err.splitlines()[:3] == [
        "Queries without a relevant document, left out: 1",
        "Judged queries whose text is not there, left out: 1",
        "Relevant documents that the collection does not hold: 1 of 2",
    ]
    (folder / "r.tsv").write_text("q9\tx\t1\n", encoding="utf-8")
    done = kcsearch(folder, "eval", "q.tsv", "r.tsv")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: no query of q.tsv has a relevant document in r.tsv\n"
    for arguments in ([], ["q.tsv"], ["q.tsv", "r.tsv", "--sts", "p.tsv"]):
        done = kcsearch(folder, "eval", *arguments)
        assert (done.code, done.out) == (2, "")
        assert done.err == "Error: give QUERIES and QRELS, or --sts FILE, and not both\n"


def test_scored_pairs(tmp_path: Path) -> None:
    pairs = [
        ("비가 온다", "비가 옵니다", 5.0),
        ("비가 온다", "날씨가 흐리다", 2.0),
        ("환불", "비가 온다", 0.0),
        ("지하철이 늦다", "전철이 지연된다", 4.0),
    ]
    text = "".join(f"{a}\t{b}\t{score}\n" for a, b, score in pairs)
    (tmp_path / "pairs.tsv").write_text(text, encoding="utf-8")
    done = kcsearch(tmp_path, "eval", "--sts", "pairs.tsv", "--format", "json")
    encoder = TextEncoder(models.resolve())
    a, b = (encoder.encode([pair[i] for pair in pairs]) for i in (0, 1))  # type: ignore[misc]
    report = json.loads(done.out)
    assert report["n_pairs"] == 4
    assert report["spearman"]["mean"] == pytest.approx(
        spearman((a * b).sum(1), [score for _, _, score in pairs])
    )
