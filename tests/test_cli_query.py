"""`kcsearch query` on data/everyday.jsonl with the bundled model: formats, conditions, streams."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from running import DATA, Run, command, environment, kcsearch

from kcsearch.cli.output import as_table

DOCUMENTS = [
    json.loads(line)
    for line in (DATA / "everyday.jsonl").read_text(encoding="utf-8").split("\n")
    if line
]
REFUND = next(document for document in DOCUMENTS if document["key"] == "refund-01")
BY_KEY = {document["key"]: document for document in DOCUMENTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the indexed documents, a sub-folder, and twelve lines of text."""
    folder = tmp_path_factory.mktemp("query")
    (folder / "a" / "b").mkdir(parents=True)
    lines = "".join(f"{number}월에는 비가 옵니다.\n" for number in range(1, 13))
    (folder / "lines.txt").write_text(lines, encoding="utf-8")
    hostile = {"key": "hostile", "text": "\x1b[31m빨간\x9b0m 글자\r\n다음 줄\t탭\u202e뒤집힘"}
    (folder / "hostile.jsonl").write_text(json.dumps(hostile), encoding="utf-8")
    files = (str(DATA / "everyday.jsonl"), "lines.txt", "hostile.jsonl")
    done = kcsearch(folder, "index", *files, "--precision", "fp32")
    assert done.code == 0, done.err
    return folder


def hits(done: Run) -> list[dict[str, Any]]:
    """Of the one query of a run with --format json."""
    assert (done.code, done.err) == (0, "")
    (answer,) = json.loads(done.out)
    found: list[dict[str, Any]] = answer["hits"]
    return found


def test_a_table_of_one_hit(folder: Path) -> None:
    done = kcsearch(folder, "query", REFUND["text"], "-k", "1")
    assert done == Run(
        0,
        "#  cosine  percentile  key        text\n"
        f"1  1.000   >99.9       refund-01  {REFUND['text']}\n",
        "",
    )


def test_every_format_tells_the_same(folder: Path) -> None:
    def run(format: str) -> str:
        done = kcsearch(folder, "query", "돈을 언제 돌려받나요", "-k", "5", "--format", format)
        assert (done.code, done.err) == (0, "")
        assert "\\u" not in done.out
        return done.out

    (answer,) = json.loads(run("json"))
    found = answer["hits"]
    assert answer["query"] == "돈을 언제 돌려받나요"
    assert [hit["rank"] for hit in found] == [1, 2, 3, 4, 5]
    assert [list(hit) for hit in found] == [
        ["rank", "score", "cosine", "percentile", "key", "text", "source", "line", "metadata"]
    ] * 5
    assert {hit["key"]: hit["text"] for hit in found}.items() <= {
        document["key"]: document["text"] for document in DOCUMENTS
    }.items()
    assert found[0]["metadata"] == {
        name: BY_KEY[found[0]["key"]][name] for name in ("topic", "register")
    }

    lines = [json.loads(line) for line in run("jsonl").splitlines()]
    assert lines == [{"query": answer["query"], **hit} for hit in found]
    rows = [
        [
            str(hit["rank"]),
            f"{hit['cosine']:.3f}",
            ">99.9" if hit["percentile"] > 99.9 else f"{hit['percentile']:.1f}",
            hit["key"],
            hit["text"],
        ]
        for hit in found
    ]
    assert run("table") == as_table(rows, ["#", "cosine", "percentile", "key", "text"]) + "\n"
    assert run("plain") == "".join(f"{hit['text']}\n" for hit in found)
    for format, delimiter in (("csv", ","), ("tsv", "\t")):
        table = list(csv.DictReader(io.StringIO(run(format), newline=""), delimiter=delimiter))
        assert [row["text"] for row in table] == [hit["text"] for hit in found]
        assert [row["key"] for row in table] == [hit["key"] for hit in found]
        assert [json.loads(row["metadata"]) for row in table] == [hit["metadata"] for hit in found]
        assert [float(row["cosine"]) for row in table] == pytest.approx(
            [hit["cosine"] for hit in found], abs=1e-6
        )


def test_several_queries(folder: Path) -> None:
    texts = [BY_KEY[key]["text"] for key in ("refund-02", "weather-01")]
    done = kcsearch(folder, "query", *texts, "-k", "1")
    assert done == Run(
        0,
        f"# {texts[0]}\n"
        "#  cosine  percentile  key        text\n"
        f"1  1.000   >99.9       refund-02  {texts[0]}\n"
        "\n"
        f"# {texts[1]}\n"
        "#  cosine  percentile  key         text\n"
        f"1  1.000   >99.9       weather-01  {texts[1]}\n",
        "",
    )
    done = kcsearch(folder, "query", *texts, "-k", "1", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out, newline="")))
    assert [(row["query"], row["key"]) for row in rows] == [
        (texts[0], "refund-02"),
        (texts[1], "weather-01"),
    ]


def test_queries_from_standard_input_with_others(folder: Path) -> None:
    texts = [BY_KEY[key]["text"] for key in ("refund-02", "weather-01", "law-01")]
    stdin = f"\ufeff{texts[0]}\n\n  \n{texts[1]}".encode()
    done = kcsearch(folder, "query", "-", texts[2], "-k1", "--format", "plain", stdin=stdin)
    assert done == Run(0, "".join(f"{text}\n" for text in texts), "")


def test_standard_input_is_answered_line_by_line(folder: Path) -> None:
    """The answer is there before the next question is asked."""
    with subprocess.Popen(
        command("query", "-", "-k", "1", "--format", "jsonl"),
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for key in ("refund-02", "weather-01"):
            running.stdin.write(BY_KEY[key]["text"].encode() + b"\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["key"] == key
        running.stdin.close()
        assert running.stdout.read() == b""
    assert running.returncode == 0


def test_standard_input_that_is_not_utf_8(folder: Path) -> None:
    stdin = "비가 오나요\n환불\n".encode("cp949")
    done = kcsearch(folder, "query", "-", stdin=stdin)
    assert done == Run(
        2,
        "",
        "Error: standard input:1: not UTF-8. Convert it first: iconv -f cp949 -t utf-8\n",
    )


def test_a_decomposed_query_finds_composed_text(folder: Path) -> None:
    query = unicodedata.normalize("NFD", REFUND["text"])
    assert query != REFUND["text"]
    done = kcsearch(folder, "query", query, "-k", "1", "--format", "json")
    assert [hit["key"] for hit in hits(done)] == ["refund-01"]
    assert hits(done)[0]["cosine"] == pytest.approx(1, abs=1e-3)


def test_escape_sequences_are_shown_not_sent(folder: Path) -> None:
    key = "--filter=key=hostile"
    done = kcsearch(folder, "query", "글자", key, "--format", "table")
    assert done.out.endswith("hostile  ␛[31m빨간\\x9b0m 글자⏎다음 줄 탭\\u202e뒤집힘\n")
    done = kcsearch(folder, "query", "글자", key, "--format", "plain")
    assert done.out == "␛[31m빨간\\x9b0m 글자⏎다음 줄 탭\\u202e뒤집힘\n"
    done = kcsearch(folder, "query", "글자", key, "--format", "jsonl")
    assert "\x1b" not in done.out
    assert "\x9b" not in done.out
    text = "\x1b[31m빨간\x9b0m 글자\r\n다음 줄\t탭\u202e뒤집힘"
    assert json.loads(done.out)["text"] == text
    done = kcsearch(folder, "query", "글자", key, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.out, newline=""))
    assert row["text"] == text


@pytest.mark.parametrize("format", ["table", "plain"])
def test_a_query_with_escape_sequences_is_shown(folder: Path, format: str) -> None:
    done = kcsearch(folder, "query", "\x1b[31m비", "눈", "-k", "1", "--format", format)
    assert done.code == 0
    assert "\x1b" not in done.out + done.err


# -- conditions ---------------------------------------------------------------------------------


def test_filters_choose_before_the_search(folder: Path) -> None:
    done = kcsearch(
        folder,
        *("query", "돈을 언제 돌려받나요", "-k", "20", "--format", "json"),
        *("--filter", "topic=날씨", "--filter", "register=casual"),
    )
    chosen = {
        document["key"]
        for document in DOCUMENTS
        if (document["topic"], document["register"]) == ("날씨", "casual")
    }
    assert {hit["key"] for hit in hits(done)} == chosen
    assert len(hits(done)) == min(20, len(chosen))


def test_a_condition_in_sql_with_values(folder: Path) -> None:
    where = "source = :file and line between 3 and :last"
    values = ("-p", "file", "lines.txt", "--param", "last", "5")
    done = kcsearch(folder, "query", "비", "--where", where, *values, "--format", "json")
    assert {hit["key"] for hit in hits(done)} == {"lines.txt:3", "lines.txt:4", "lines.txt:5"}


def test_a_value_may_look_like_an_option_or_hold_an_equals_sign(folder: Path) -> None:
    where = "text = :text or text = :other"
    values = ("-p", "text", "--help", "-p", "other", "a=b")
    done = kcsearch(folder, "query", "비", "--where", where, *values)
    assert done == Run(1, "", "Nothing found.\n")


def test_min_score(folder: Path) -> None:
    done = kcsearch(folder, "query", REFUND["text"], "--min-score", "0.99", "--format", "json")
    assert [hit["key"] for hit in hits(done)] == ["refund-01"]


def test_similar_to_a_stored_document(folder: Path) -> None:
    done = kcsearch(folder, "query", "--similar-to", "refund-01", "-k", "3", "--format", "json")
    dense = ("-k", "4", "--mode", "dense", "--format", "json")
    expected = [hit["key"] for hit in hits(kcsearch(folder, "query", REFUND["text"], *dense))]
    assert expected[0] == "refund-01"
    assert [hit["key"] for hit in hits(done)] == expected[1:]


def test_context_in_every_format(folder: Path) -> None:
    query = ("query", "6월에는 비가 옵니다.", "-k", "1", "--context", "2")
    lines = [f"{number}월에는 비가 옵니다." for number in range(4, 9)]
    done = kcsearch(folder, *query)
    assert done.out == (
        "#  cosine  percentile  key          text\n"
        f"                                    {lines[0]}\n"
        f"                                    {lines[1]}\n"
        f"1  1.000   >99.9       lines.txt:6  {lines[2]}\n"
        f"                                    {lines[3]}\n"
        f"                                    {lines[4]}\n"
    )
    assert kcsearch(folder, *query, "-f", "plain").out == "".join(f"{line}\n" for line in lines)
    (hit,) = hits(kcsearch(folder, *query, "-f", "json"))
    assert hit["context"] == [
        {"line": number, "text": text} for number, text in enumerate(lines, 4)
    ]
    done = kcsearch(folder, *query[:3], "2", *query[4:], "-f", "plain")
    assert done.out.split("\n").count("--") == 1


def test_context_ends_where_the_file_ends(folder: Path) -> None:
    query = ("query", "1월에는 비가 옵니다.", "-k", "1", "--context", "2", "-f", "json")
    (hit,) = hits(kcsearch(folder, *query))
    assert [line["line"] for line in hit["context"]] == [1, 2, 3]


# -- nothing found, and errors ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "out"),
    [
        ("table", ""),
        ("plain", ""),
        ("jsonl", ""),
        ("csv", ""),
        ("json", '[\n  {\n    "query": "비",\n    "hits": []\n  }\n]\n'),
    ],
)
def test_nothing_found(format: str, out: str, folder: Path) -> None:
    done = kcsearch(folder, "query", "비", "--filter", "topic=없음", "--format", format)
    assert done == Run(1, out, "Nothing found.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ([], 2, "give a query, or --similar-to KEY, and not both"),
        (["비", "--similar-to", "refund-01"], 2, "give a query, or --similar-to KEY, and not both"),
        ([""], 2, "the query is empty"),
        (["  "], 2, "the query is empty"),
        (["비", "--filter", "topic"], 2, "--filter 'topic': NAME=VALUE is needed"),
        (["비", "--filter", "=날씨"], 2, "--filter '=날씨': NAME=VALUE is needed"),
        (["비", "-p", "x"], 2, "--param 'x': NAME VALUE is needed"),
        (["비", "--min-score", "nan"], 2, "min_score is a cosine"),
        (["비", "--min-score", "1.1"], 2, "min_score is a cosine from -1 to 1, or a percentile"),
        (["비", "--min-score", "p101"], 2, "min_score is a cosine from -1 to 1, or a percentile"),
        (["비", "--min-score", "높게"], 2, "min_score is a cosine from -1 to 1"),
        (["비", "--context", "9" * 30], 2, "Invalid value for '--context': "),
        (["--similar-to", "없음"], 1, "no document has the key '없음'"),
        (["비", "-c", "nowhere"], 2, "{folder}/nowhere is not a collection. Make one with"),
        (["비", "--where", "no_column = 1"], 2, "--where 'no_column = 1': no such column"),
        (["비", "--where", "1; delete from documents"], 2, "--where '1; delete from documents'"),
        (["비", "--where", "line = :n"], 2, "--where 'line = :n': "),
    ],
)
def test_an_error_is_one_line(arguments: list[str], code: int, error: str, folder: Path) -> None:
    done = kcsearch(folder, "query", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("Error: " + error.format(folder=folder))
    assert done.err.count("\n") == 1


# -- which collection ---------------------------------------------------------------------------


def test_the_collection_is_found_from_a_folder_below(folder: Path) -> None:
    query = ("query", REFUND["text"], "-k", "1")
    assert kcsearch(folder / "a" / "b", *query) == kcsearch(folder, *query)


def test_the_collection_can_be_named(folder: Path, tmp_path: Path) -> None:
    query = ("query", REFUND["text"], "-k", "1")
    there = str(folder / ".kcsearch")
    expected = kcsearch(folder, *query)
    assert kcsearch(tmp_path, *query, "-c", there) == expected
    assert kcsearch(tmp_path, *query, env={"KCSEARCH_COLLECTION": there}) == expected
    named = kcsearch(tmp_path, *query, "-c", there, env={"KCSEARCH_COLLECTION": "nowhere"})
    assert named == expected
    assert kcsearch(folder, *query, env={"KCSEARCH_COLLECTION": "nowhere"}).code == 2


def test_no_collection(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "query", "비")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"Error: there is no collection in {tmp_path} or above it. Make one with "
        "`kcsearch index FILE`, or name one with --collection DIR\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_least_percentile_is_the_cosine_that_so_many_pairs_do_not_reach(folder: Path) -> None:
    ask = ("query", "비가 오나요", "-k", "60", "--mode", "dense", "-f", "json")
    every = hits(kcsearch(folder, *ask))
    found = hits(kcsearch(folder, *ask, "--min-score", "p99"))
    assert 0 < len(found) < 60
    assert found == [hit for hit in every if hit["percentile"] >= 99]


def test_a_small_collection_has_no_percentiles(tmp_path: Path) -> None:
    (tmp_path / "docs.txt").write_text("비가 옵니다.\n눈이 옵니다.\n", encoding="utf-8")
    assert kcsearch(tmp_path, "index", "docs.txt").code == 0
    assert kcsearch(tmp_path, "query", "비").out.startswith("#  cosine  key         text\n")
    done = kcsearch(tmp_path, "query", "비", "--min-score", "p99")
    assert (done.code, done.out) == (2, "")
    assert "the collection is too small for percentiles. Use a cosine" in done.err


def test_what_a_query_is_taken_for_is_told_on_stderr(folder: Path) -> None:
    done = kcsearch(folder, "query", "dkssudgktpdy", "-k", "1", "-f", "plain")
    said = (
        "Nothing holds dkssudgktpdy; "
        "this is for 안녕하세요, as if typed in the other keyboard mode\n"
    )
    assert done == Run(0, "안녕하세요, 처음 뵙겠습니다.\n", said)
    done = kcsearch(folder, "query", "ㅇㄴㅎㅅㅇ", "-f", "plain")
    assert done == Run(0, "안녕하세요, 처음 뵙겠습니다.\n", "ㅇㄴㅎㅅㅇ is read as 안녕하세요\n")
