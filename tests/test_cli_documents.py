"""`kcsearch get`, `list`, `delete` and `status`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from running import Run, kcsearch

from kcsearch import models

LINES = ["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다.", "지하철이 늦게 옵니다."]
RECORDS = [
    {"key": "r1", "text": '따옴표 "와", 쉼표', "주제": "글", "stars": 5},
    {"key": "r2", "text": "두 줄\n짜리 \x1b[1m글", "주제": "글", "stars": 2},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs.txt").write_text("\n".join(LINES), encoding="utf-8")
    lines = "\n".join(json.dumps(record) for record in RECORDS)
    (tmp_path / "records.jsonl").write_text(lines, encoding="utf-8")
    assert kcsearch(tmp_path, "index", "docs.txt", "records.jsonl").code == 0
    return tmp_path


def expected() -> list[dict[str, object]]:
    documents: list[dict[str, object]] = [
        {
            "key": f"docs.txt:{number}",
            "text": text,
            "source": "docs.txt",
            "line": number,
            "metadata": {},
        }
        for number, text in enumerate(LINES, 1)
    ]
    documents += [
        {
            "key": record["key"],
            "text": record["text"],
            "source": "records.jsonl",
            "line": line,
            "metadata": {"주제": record["주제"], "stars": record["stars"]},
        }
        for line, record in enumerate(RECORDS, 1)
    ]
    return documents


def test_list_in_every_format(folder: Path) -> None:
    assert kcsearch(folder, "list") == Run(
        0,
        "key         text\n"
        "docs.txt:1  환불은 사흘 안에 처리됩니다.\n"
        "docs.txt:2  내일은 비가 옵니다.\n"
        "docs.txt:3  지하철이 늦게 옵니다.\n"
        'r1          따옴표 "와", 쉼표\n'
        "r2          두 줄⏎짜리 ␛[1m글\n",
        "",
    )
    done = kcsearch(folder, "list", "--format", "plain")
    assert done.out.splitlines() == [*LINES, '따옴표 "와", 쉼표', "두 줄", "짜리 ␛[1m글"]
    assert json.loads(kcsearch(folder, "list", "--format", "json").out) == expected()
    done = kcsearch(folder, "list", "--format", "jsonl")
    assert [json.loads(line) for line in done.out.splitlines()] == expected()
    assert "환불은" in done.out
    for format, delimiter in (("csv", ","), ("tsv", "\t")):
        done = kcsearch(folder, "list", "--format", format)
        rows = list(csv.DictReader(io.StringIO(done.out, newline=""), delimiter=delimiter))
        for row, document in zip(rows, expected(), strict=True):
            assert row == {
                "key": document["key"],
                "text": document["text"],
                "source": document["source"],
                "line": str(document["line"]),
                "metadata": json.dumps(document["metadata"], ensure_ascii=False),
            }


def test_list_with_conditions_limit_and_offset(folder: Path) -> None:
    def keys(*options: str) -> list[str]:
        done = kcsearch(folder, "list", "--format", "jsonl", *options)
        return [json.loads(line)["key"] for line in done.out.splitlines()]

    assert keys("--filter", "source=docs.txt", "--limit", "2") == ["docs.txt:1", "docs.txt:2"]
    assert keys("--offset", "1", "--limit", "2") == ["docs.txt:2", "docs.txt:3"]
    assert keys("--filter", "주제=글", "--filter", "stars=2") == ["r2"]
    assert keys("--where", "text like :like", "-p", "like", "%비가%") == ["docs.txt:2"]


def test_list_finds_nothing(folder: Path) -> None:
    assert kcsearch(folder, "list", "--filter", "주제=없음") == Run(1, "", "Nothing found.\n")
    said = "Nothing found: no document has a field '주재'.\n"
    assert kcsearch(folder, "list", "--filter", "주재=날씨") == Run(1, "", said)
    assert kcsearch(folder, "query", "비", "--filter", "주재=날씨") == Run(1, "", said)
    assert kcsearch(folder, "list", "--filter", "key=없음") == Run(1, "", "Nothing found.\n")
    done = kcsearch(folder, "list", "--filter", "주제=없음", "--format", "json")
    assert done == Run(1, "[]\n", "Nothing found.\n")


def test_get(folder: Path) -> None:
    assert kcsearch(folder, "get", "docs.txt:2") == Run(0, "내일은 비가 옵니다.\n", "")
    done = kcsearch(folder, "get", "r2", "docs.txt:1")
    assert done == Run(0, f"두 줄\n짜리 ␛[1m글\n{LINES[0]}\n", "")
    done = kcsearch(folder, "get", "r2", "r1", "--format", "json")
    assert json.loads(done.out) == [expected()[4], expected()[3]]


def test_get_an_unknown_key_prints_nothing(folder: Path) -> None:
    done = kcsearch(folder, "get", "r1", "r3")
    assert done == Run(1, "", "Error: no document has the key 'r3'\n")


def test_delete_by_key(folder: Path) -> None:
    done = kcsearch(folder, "delete", "r1", "docs.txt:1", "--dry-run")
    assert done == Run(0, "", "Documents that would be removed: 2\n")
    assert kcsearch(folder, "delete", "r1", "docs.txt:1") == Run(0, "", "Documents removed: 2\n")
    assert kcsearch(folder, "list", "--format", "plain").out.splitlines() == [
        *LINES[1:],
        "두 줄",
        "짜리 ␛[1m글",
    ]


def test_delete_an_unknown_key_removes_nothing(folder: Path) -> None:
    for options in ((), ("--dry-run",)):
        done = kcsearch(folder, "delete", "r1", "r3", *options)
        assert done == Run(1, "", "Error: no document has the key 'r3'\n")
    assert kcsearch(folder, "get", "r1").code == 0


def test_delete_by_condition(folder: Path) -> None:
    condition = ("--where", "line >= :n and source = 'docs.txt'", "-p", "n", "2")
    done = kcsearch(folder, "delete", *condition, "--dry-run")
    assert done == Run(0, "", "Documents that would be removed: 2\n")
    assert kcsearch(folder, "delete", *condition) == Run(0, "", "Documents removed: 2\n")
    assert kcsearch(folder, "delete", *condition) == Run(1, "", "Documents removed: 0\n")
    done = kcsearch(folder, "delete", "--filter", "주제=글")
    assert done == Run(0, "", "Documents removed: 2\n")


@pytest.mark.parametrize("arguments", [[], ["r1", "--filter", "주제=글"]])
def test_delete_needs_keys_or_a_condition(arguments: list[str], folder: Path) -> None:
    done = kcsearch(folder, "delete", *arguments)
    assert done == Run(
        2, "", "Error: give keys, or a condition with --filter or --where, and not both\n"
    )


def test_status(folder: Path) -> None:
    done = kcsearch(folder, "status")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:3] == [
        f"collection     {folder}/.kcsearch",
        "documents      5",
        "sources        2",
    ]
    assert lines[3].startswith("model          kcsearch-ko-")
    dim = json.loads((models.BUNDLED / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    assert lines[4].startswith(f"vectors        5 x {dim}, ")
    facts = json.loads(kcsearch(folder, "status", "--format", "json").out)
    assert facts["n_documents"] == facts["n_vectors"] == 5
    assert facts["sources"] == {"docs.txt": 3, "records.jsonl": 2}
    kcsearch(folder, "delete", "r1")
    facts = json.loads(kcsearch(folder, "status", "--format", "json").out)
    assert facts["n_documents"] == facts["n_vectors"] == 4
