"""Tables, CSV and JSON as text: what is read back is what was written."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcsearch.cli.output import as_csv, as_json, as_json_lines, as_table
from kcsearch.display import display_width

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def test_columns_are_aligned_by_display_width() -> None:
    rows = [["1", "서울", "a"], ["10", "b", "부산항"]]
    assert as_table(rows, ["#", "key", "text"]) == ("#   key   text\n1   서울  a\n10  b     부산항")


def test_a_table_without_a_header() -> None:
    assert as_table([["모델", "내장"], ["vectors", "3"]]) == "모델     내장\nvectors  3"


def test_the_last_column_loses_its_end_where_the_terminal_ends() -> None:
    rows = [["1", "k", "한글과 컴퓨터"]]
    assert as_table(rows, ["#", "key", "text"], width=18) == "#  key  text\n1  k    한글과 컴…"
    assert display_width("1  k    한글과 컴…") == 18


def test_the_other_columns_lose_their_beginning() -> None:
    table = as_table([["notes/2024/겨울/일기.txt:12", "눈이 왔다."]], ["key", "text"], width=30)
    assert table == "key         text\n…기.txt:12  눈이 왔다."


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80])
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_no_line_of_a_table_is_wider_than_the_terminal(
    width: int, rows: list[tuple[str, str]]
) -> None:
    lines = as_table(rows, ["key", "text"], width).split("\n")
    assert len(lines) == len(rows) + 1
    assert max(map(display_width, lines)) <= width


def test_what_could_move_the_cursor_is_shown() -> None:
    assert as_table([["\x1b[2J\r\n지움\u202e"]]) == "␛[2J⏎지움\\u202e"


def test_nothing_is_cut_without_a_width() -> None:
    long = "가" * 500
    assert as_table([["k" * 100, long]]) == "k" * 100 + "  " + long


@given(TEXTS, TEXTS)
def test_csv_and_tsv_read_back(text: str, name: str) -> None:
    records = [{"key": "k1", name: text}, {"key": "k2", name: "plain"}]
    for delimiter in (",", "\t"):
        written = as_csv(records, delimiter=delimiter)
        if name != "key":
            rows = list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter))
            assert rows == [["key", name], ["k1", text], ["k2", "plain"]]


def test_csv_cells_that_are_no_text() -> None:
    record: dict[str, Any] = {
        "rank": 1,
        "score": 0.1234567,
        "source": None,
        "metadata": {"주제": "날씨"},
        "flag": True,
    }
    assert as_csv([record]) == (
        'rank,score,source,metadata,flag\n1,0.123457,,"{""주제"": ""날씨""}",true'
    )


def test_csv_without_header_and_without_records() -> None:
    assert as_csv([{"a": 1}], header=False) == "1"
    assert as_csv([]) == ""


def test_json_keeps_hangul() -> None:
    assert as_json({"글": ["안녕"]}) == '{\n  "글": [\n    "안녕"\n  ]\n}'
    assert as_json_lines([{"글": "안녕"}, {"글": "하이\n!"}]) == (
        '{"글": "안녕"}\n{"글": "하이\\n!"}'
    )


def test_json_escapes_what_terminals_obey() -> None:
    assert as_json_lines(["\x1b[1m\x9b1m\u2028"]) == r'"\u001b[1m\u009b1m\u2028"'


@given(TEXTS)
def test_a_json_line_is_one_line_whatever_the_text(text: str) -> None:
    line = as_json_lines([{"text": text}])
    assert line.split("\n") == [line]
    assert json.loads(line) == {"text": text}
