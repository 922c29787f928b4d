"""Queries, qrels and scored pairs in every form that they come in, and what is wrong with them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kcsearch.errors import InputError
from kcsearch.readers.judgements import read_qrels, read_queries, read_scored_pairs

QUERIES = {"q1": "비가 오나요", "q2": "환불은 언제"}
QRELS = {"q1": {"d1": 2, "d2": 0}, "q2": {"my file.txt:3": 1}}
PAIRS = [("비가 온다", "비 내린다", 4.5), ("비가 온다", "환불", 0.0)]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "q.jsonl",
            '{"_id": "q1", "text": "비가 오나요"}\n\n{"_id": "q2", "text": "환불은 언제"}\n',
        ),
        ("q.jsonl", '{"key": "q1", "query": "비가 오나요"}\n{"id": "q2", "text": "환불은 언제"}'),
        ("q.tsv", "q1\t비가 오나요\nq2\t환불은 언제\n"),
        ("q.tsv", "\ufeffquery-id\ttext\r\nq1\t비가 오나요\r\nq2\t환불은 언제\r\n"),
        (
            "topics.txt",
            "<top>\n<num> Number: q1\n<title> 비가\n오나요\n<desc> 날씨\n</top>\n\n"
            "<top>\n<num>q2</num>\n<title>환불은 언제</title>\n</top>\n",
        ),
    ],
)
def test_queries_of_every_form(name: str, text: str, tmp_path: Path) -> None:
    assert read_queries(written(tmp_path / name, text)) == QUERIES
    nfd = unicodedata.normalize("NFD", text)
    assert read_queries(written(tmp_path / name, nfd)) == QUERIES


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trec.qrels", "q1 0 d1 2\nq1 0 d2 0\n"),
        ("trec.tsv", "q1\t0\td1\t2\nq1\t0\td2\t0\n"),
        ("beir.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n"),
        ("plain.txt", "q1 d1 2\n\nq1  d2  0\n"),
        ("beir.jsonl", '{"query-id": "q1", "corpus-id": "d1", "score": 2}\n'
                       '{"query-id": "q1", "corpus-id": "d2", "score": 0}\n'),
        ("ours.jsonl", '{"query": "q1", "document": "d1", "grade": 2}\n'
                       '{"query": "q1", "document": "d2", "grade": 0}\n'),
    ],
)  # fmt: skip
def test_qrels_of_every_form(name: str, text: str, tmp_path: Path) -> None:
    assert read_qrels(written(tmp_path / name, text)) == {"q1": QRELS["q1"]}


def test_keys_may_hold_spaces_between_tabs(tmp_path: Path) -> None:
    text = "q1\td1\t2\nq1\td2\t0\nq2\tmy file.txt:3\t1\n"
    assert read_qrels(written(tmp_path / "q.tsv", text)) == QRELS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.jsonl", '{"a": "비가 온다", "b": "비 내린다", "score": 4.5}\n'
                    '{"sentence1": "비가 온다", "sentence2": "환불", "label": 0}\n'),
        ("p.tsv", "sentence1\tsentence2\tscore\n비가 온다\t비 내린다\t4.5\n비가 온다\t환불\t0\n"),
        ("p.tsv", "비가 온다\t비 내린다\t4.5\n비가 온다\t환불\t0\n"),
    ],
)  # fmt: skip
def test_pairs_of_every_form(name: str, text: str, tmp_path: Path) -> None:
    assert read_scored_pairs(written(tmp_path / name, text)) == PAIRS


@pytest.mark.parametrize(
    ("read", "name", "text", "error"),
    [
        (read_queries, "q.tsv", "q1\t비\nq1\t눈\n", ":2: the query 'q1' comes twice"),
        (read_queries, "q.tsv", "q1\t비\nq2\n", ":2: 1 columns between tabs where 2 are needed"),
        (read_queries, "q.tsv", "q1\t \n", ":1: the query is empty"),
        (read_queries, "q.tsv", "\n\n", ": there is nothing in it"),
        (read_queries, "q.jsonl", '{"id": "q1"}\n', ":1: no field text / query"),
        (read_queries, "q.jsonl", '{"id": "q1"\n', ":1: "),
        (read_queries, "q.jsonl", '"비"\n', ":1: no field _id / id / key"),
        (read_queries, "t.txt", "<top>\n<num> 1\n</top>", ":1: a topic without num or title"),
        (read_qrels, "q.txt", "q1 d1 1\nq1 d2\n", ":2: 2 columns; judgements are QUERY"),
        (read_qrels, "q.txt", "q1 d1 1\nq1 d2 좋음\n", ":2: '좋음' is no number"),
        (read_qrels, "q.txt", "q1 d1 1\nq1 d2 1.5\n", ":2: '1.5' is no number"),
        (read_qrels, "q.jsonl", '{"query": "q", "document": "d", "grade": true}', ":1: True is no"),
        (read_scored_pairs, "p.tsv", "a\tb\t1\na\tb\tnan\n", ":2: 'nan' is no number"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    read: Callable[[Path], Any], name: str, text: str, error: str, tmp_path: Path
) -> None:
    path = written(tmp_path / name, text)
    with pytest.raises(InputError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}{error}")
