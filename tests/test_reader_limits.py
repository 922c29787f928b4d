"""Files that are made to take memory or time: an error with its line, before either is spent."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcsearch.cli.messages import explain
from kcsearch.errors import InputError
from kcsearch.readers import read
from kcsearch.readers.decoding import MAX_FIELDS

MILLION = 1_000_000


def names(n: int) -> Iterator[str]:
    return (f"c{i}" for i in range(n))


def refused(file: Path) -> tuple[str, int]:
    """What is said of a file, and how many bytes Python held at the most."""
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            list(read([file]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 60
    return str(caught.value).removeprefix(f"{file.parent}/"), peak


def test_a_json_line_of_100_mb_is_refused_in_less_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    with file.open("w") as out:
        out.write('{"text": "fine"}\n{"text": "')
        for _ in range(100):
            out.write("a" * MILLION)
        out.write('"}\n')
    message, peak = refused(file)
    assert message.startswith("a.jsonl:2: longer than 16777216 characters without an end")
    assert peak < 64e6


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("a.tsv", "\t")], ids=["csv", "tsv"]
)
def test_a_table_of_a_million_columns_is_refused(name: str, separator: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(separator.join(names(MILLION)) + "\n")
    message, peak = refused(file)
    assert message == f"{name}:1: more than {MAX_FIELDS} columns"
    assert peak < 64e6


def test_quotes_do_not_hide_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text\n" + ",".join(f'"{name}"' for name in names(MILLION // 10)) + "\n")
    message, peak = refused(file)
    assert message == f"a.csv:2: more than {MAX_FIELDS} columns"
    assert peak < 25e6


def test_commas_within_quotes_are_no_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    commas = "," * 2 * MAX_FIELDS
    file.write_text(f'id,text\n1,"글{commas}\n{commas}\n끝"\n', encoding="utf-8")
    assert [document.text for document in read([file])] == [f"글{commas}\n{commas}\n끝"]


def test_a_row_over_many_lines_is_one_record(tmp_path: Path) -> None:
    """No field of it is too long, and no line; their sum is."""
    file = tmp_path / "a.csv"
    with file.open("w") as out:
        out.write("text,more\n")
        for _ in range(40):
            out.write('"' + "a" * (MILLION - 4) + '\n",')
    message, peak = refused(file)
    assert message.startswith("a.csv:2: longer than 16777216 characters without an end")
    assert peak < 128e6


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_an_object_of_too_many_names_is_refused(name: str, tmp_path: Path) -> None:
    """With a million of them it takes 200 MB, and here as much less."""
    file = tmp_path / name
    fields = json.dumps(dict.fromkeys(names(MILLION // 10), 1))
    file.write_text(f"[{fields}]" if name == "a.json" else fields)
    message, peak = refused(file)
    assert message.startswith(
        f"{name}:1: not JSON as it should be (an object of more than {MAX_FIELDS} names)"
    )
    assert peak < 25e6


def test_a_file_that_is_one_object_of_a_million_names_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(dict.fromkeys(names(MILLION), 1)))
    message, peak = refused(file)
    assert f"more than {MAX_FIELDS} names" in message
    assert peak < 64e6


def test_parquet_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "a.parquet"
    table = pyarrow.table({name: [1] for name in names(MAX_FIELDS + 1)})
    parquet.write_table(table, file)
    assert refused(file)[0] == f"a.parquet:1: more than {MAX_FIELDS} columns"


def test_as_many_columns_as_are_allowed_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    header = ["text", *names(MAX_FIELDS - 1)]
    file.write_text(",".join(header) + "\n글" + ",1" * (MAX_FIELDS - 1) + "\n", encoding="utf-8")
    (document,) = read([file])
    assert (document.text, len(document.metadata)) == ("글", MAX_FIELDS - 1)
    file.write_text(",".join([*header[:-1], "text"]) + "\n")
    assert refused(file)[0] == "a.csv:1: two columns are called 'text'"


def test_a_message_shows_the_beginning_of_a_long_name() -> None:
    error = InputError("{path}:{line}: no field {field!r}", path="a.csv", line=2, field="b" * 10**7)
    assert explain(error) == "a.csv:2: no field '" + "b" * 1_000 + "…'"
