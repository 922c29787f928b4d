import bz2
import csv
import doctest
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcsearch import readers
from kcsearch.errors import InputError
from kcsearch.readers import ReadReport, read
from kcsearch.readers.paths import BINARY, FORMATS
from kcsearch.types import Document

SUFFIXES = sorted(suffix for suffix, name in FORMATS.items() if name not in BINARY)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Tests name their files as a user in that folder would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, content: str | bytes | object) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str | bytes):
        content = json.dumps(content, ensure_ascii=False)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def documents(name: str, content: str | bytes | object, **options: object) -> list[Document]:
    return list(read([write(name, content)], **options))


def texts(name: str, content: str | bytes | object, **options: object) -> list[str]:
    return [document.text for document in documents(name, content, **options)]


def complaint(name: str, content: str | bytes | object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        documents(name, content, **options)
    return str(caught.value)


def test_the_example_in_the_docstring_holds():
    assert doctest.testmod(readers).failed == 0


# -- plain text ----------------------------------------------------------------------------------


def test_a_line_is_a_document_with_its_place():
    report = ReadReport()
    path = write("글/docs.txt", "안녕하세요\n\n  \u200b\n\t반갑습니다  \r\n또 봐요\r끝")
    assert list(read([path], report=report)) == [
        Document("안녕하세요", "글/docs.txt:1", "글/docs.txt", 1),
        Document("반갑습니다", "글/docs.txt:4", "글/docs.txt", 4),
        Document("또 봐요", "글/docs.txt:5", "글/docs.txt", 5),
        Document("끝", "글/docs.txt:6", "글/docs.txt", 6),
    ]
    size = os.path.getsize(path)
    assert (report.n_files, report.n_documents, report.n_blank) == (1, 4, 2)
    assert (report.bytes_read, report.bytes_total) == (size, size)
    assert report.sources == ["글/docs.txt"]


def test_only_line_breaks_end_a_line():
    line = "가\x0b나\x0c다\x1c라\x85마\u2028바\u2029사"
    assert texts("a.txt", f"{line}\n끝") == [line, "끝"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", b" \r\n "])
def test_files_without_text_give_nothing(suffix, content):
    report = ReadReport()
    assert list(read([write(f"leer{suffix}", content)], report=report)) == []
    assert (report.n_files, report.n_documents) == (1, 0)
    assert report.sources == [f"leer{suffix}"]


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("line", [(1, "하나. 둘!"), (2, "셋"), (5, "넷. 다섯")]),
        ("sentence", [(1, "하나."), (1, "둘!"), (2, "셋"), (5, "넷."), (5, "다섯")]),
        ("paragraph", [(1, "하나. 둘!\n셋"), (5, "넷. 다섯")]),
        ("none", [(1, "하나. 둘!\n셋\n\n\n넷. 다섯")]),
    ],
)
def test_text_is_split_as_asked(split, expected):
    found = documents("a.txt", "하나. 둘!\n셋\n\n\n넷. 다섯\n", split=split)
    assert [(document.line, document.text) for document in found] == expected


def test_documents_of_one_line_are_counted():
    found = documents("a.txt", "하나. 둘. 셋.\n넷. 다섯.", split="sentence")
    keys = ["a.txt:1", "a.txt:1.2", "a.txt:1.3", "a.txt:2", "a.txt:2.2"]
    assert [document.key for document in found] == keys


def test_markdown_is_split_into_paragraphs():
    content = """---
title: 제목
---
# 소개

첫 문단은
두 줄이다.

## 설치
### 파이썬

```sh
pip install kcsearch

# 주석
```

- 하나
- 둘

# 끝
"""
    assert [(d.line, d.text) for d in documents("a.md", content)] == [
        (4, "# 소개\n\n첫 문단은\n두 줄이다."),
        (9, "## 설치\n### 파이썬\n\n```sh\npip install kcsearch\n\n# 주석\n```"),
        (18, "- 하나\n- 둘"),
        (21, "# 끝"),
    ]
    assert [(d.line, d.text) for d in documents("a.md", content, split="sentence")][:3] == [
        (4, "# 소개"),
        (6, "첫 문단은"),
        (7, "두 줄이다."),
    ]


def test_what_only_begins_like_front_matter_is_text():
    assert texts("a.md", "---\n가\n\n나\n") == ["---\n가", "나"]
    assert texts("b.md", "가\n---\n나\n---\n") == ["가\n---\n나\n---"]


# -- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp949"])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".json", ".csv", ".tsv", ".md"])
def test_encodings_are_recognised(encoding, suffix):
    content = {
        ".txt": "똠방각하 안녕",
        ".md": "똠방각하 안녕",
        ".jsonl": '{"text": "똠방각하 안녕"}\n',
        ".json": '[{"text": "똠방각하 안녕"}]',
        ".csv": "text\r\n똠방각하 안녕\r\n",
        ".tsv": "text\n똠방각하 안녕\n",
    }[suffix]
    report = ReadReport()
    path = write(f"a{suffix}", content.encode(encoding))
    assert [d.text for d in read([path], report=report)] == ["똠방각하 안녕"]
    assert report.guessed == ([path] if encoding == "cp949" else [])


@pytest.mark.parametrize("mark", ["utf-16-be", "utf-32-be"])
def test_big_endian_marks_are_honoured(mark):
    assert texts("a.txt", "\ufeff안녕".encode(mark)) == ["안녕"]


@pytest.mark.parametrize("forced", ["utf-8", "UTF8", "utf-8-sig"])
def test_a_mark_never_becomes_text(forced):
    assert texts("a.txt", "\ufeff안녕".encode(), encoding=forced) == ["안녕"]
    assert texts("a.json", '\ufeff["안녕"]'.encode(), encoding=forced) == ["안녕"]
    assert texts("b.txt", "\ufeff안녕".encode("utf-16-le"), encoding="utf-16-le") == ["안녕"]


def test_an_encoding_can_be_forced():
    assert texts("a.txt", "안녕".encode("utf-16-le"), encoding="utf-16-le") == ["안녕"]
    assert texts("a.txt", "안녕".encode("johab"), encoding="johab") == ["안녕"]
    message = "a.txt:2: byte 0xBE at offset 4 is not UTF-8. Save the file as UTF-8, or name its "
    content = "가\n".encode() + "안녕".encode("cp949")
    assert complaint("a.txt", content, encoding="utf-8") == f"{message}encoding with --encoding"


@pytest.mark.parametrize("name", ["utf-9", "hex", "rot13", "안녕", "a\0b", "", "undefined"])
def test_an_unknown_encoding_is_refused_at_once(name):
    with pytest.raises(InputError, match="no encoding is called"):
        read([write("a.txt", "가")], encoding=name)


@pytest.mark.parametrize("n_lines", [0, 6, 200_000])
def test_a_byte_of_no_encoding_is_named_with_its_place(n_lines):
    content = "안녕하세요\r\n".encode() * n_lines + "가".encode() + b"\xff\n"
    assert complaint("a.txt", content) == (
        f"a.txt:{n_lines + 1}: byte 0xFF at offset {17 * n_lines + 3} is not UTF-8 or CP949. Save "
        "the file as UTF-8, or name its encoding with --encoding"
    )


def test_the_encoding_is_settled_before_the_first_line_is_given():
    content = "가나다\n".encode() * 300_000 + b"\xff"
    with pytest.raises(InputError):
        next(read([write("a.txt", content)]))
    cut = "가나".encode("cp949") * 700_000 + b"\xb0"
    assert complaint("b.txt", cut).startswith("b.txt:1: byte 0xB0 at offset 2800000 is not")
    marked = b"\xef\xbb\xbf" + "가".encode() + b"\xff"
    assert complaint("c.txt", marked).startswith("c.txt:1: byte 0xFF at offset 6 is not UTF-8.")


@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1])
def test_characters_across_the_edge_of_a_chunk(size):
    text = "a" * (size - 1) + "한글"
    assert texts("a.txt", text) == [text]
    assert texts("a.txt", text.encode("cp949")) == [text]


def test_everything_is_nfc():
    def nfd(value: str) -> str:
        return normalize("NFD", value)

    record = {nfd("text"): nfd("한글"), "id": nfd("열쇠"), nfd("갈래"): [nfd("값"), {nfd("속"): 1}]}
    write(nfd("파일.jsonl"), record)
    expected = Document("한글", "열쇠", "파일.jsonl", 1, {"갈래": ["값", {"속": 1}]})
    assert list(read(["파일.jsonl"])) == [expected]  # found under the other normal form
    assert texts("a.txt", nfd("한글")) == ["한글"]
    assert documents("a.csv", nfd("text,갈래\n한글,값\n")) == [
        Document("한글", "a.csv:2", "a.csv", 2, {"갈래": "값"})
    ]


# -- what is not text ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "HWP 5 or old Office"),
        (b"PK\x03\x04\x14\0", "a ZIP file"),
        (gzip.compress(b"abc"), "gzip"),
        (lzma.compress(b"abc"), "xz"),
        (b"SQLite format 3\0abc", "an SQLite database"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    ],
)
def test_other_files_are_called_by_their_name(content, kind):
    assert complaint("a.txt", content).startswith(f"a.txt: not text but {kind}")
    assert complaint("a.hwp", content).startswith(f"a.hwp: not text but {kind}")


@pytest.mark.parametrize("place", [0, 5_000, 3_000_000])
def test_a_nul_byte_is_no_text(place):
    content = b"a" * place + b"\0" + b"b" * 10
    assert complaint("a.txt", content) == (
        f"a.txt: not text: there is a NUL byte at offset {place}. For UTF-16 without a byte order "
        "mark give --encoding utf-16-le"
    )


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".json", ".csv", ".md", ".tsv"])
def test_a_line_without_end_is_refused_without_reading_it_all(suffix, monkeypatch):
    for module in ("decoding", "json_records", "table_records", "passages"):
        monkeypatch.setattr(import_module(f"kcsearch.readers.{module}"), "MAX_RECORD", 100_000)
    opening = {".json": '["', ".jsonl": '"'}.get(suffix, "")
    message = complaint(f"a{suffix}", "text\n" * (suffix == ".csv") + opening + "가" * 300_000)
    assert "longer than 100000 characters without an end" in message
    split = {"split": "none"} if suffix in (".txt", ".md") else {}
    many = ("가" * 50 + "\n") * 3_000
    if split:
        assert "a.txt:1: longer than" in complaint("a.txt", many, **split)
    if suffix == ".csv":
        assert "longer than" in complaint("a.csv", 'text\n"' + many)


def test_a_line_of_a_megabyte_is_fine():
    line = "가" * 2**20
    assert texts("a.txt", line) == [line]
    assert texts("a.jsonl", {"text": line}) == [line]
    assert texts("a.json", [line, "나"]) == [line, "나"]
    assert texts("a.csv", f"text\n{line}\n") == [line]
    assert csv.field_size_limit() == 131_072  # left as it was


# -- JSON ----------------------------------------------------------------------------------------


def test_json_lines():
    content = (
        '{"id": 7, "text": "하나", "tags": ["a", null], "n": 1.5}\n'
        "\n"
        '{"id": "여덟", "text": " 둘\\n셋 ", "nested": {"a": {"b": true}}}\r\n'
        '{"id": 9, "text": " "}\n'
    )
    report = ReadReport()
    assert list(read([write("a.jsonl", content)], report=report)) == [
        Document("하나", "7", "a.jsonl", 1, {"tags": ["a", None], "n": 1.5}),
        Document(" 둘\n셋 ", "여덟", "a.jsonl", 3, {"nested": {"a": {"b": True}}}),
    ]
    assert report.n_blank == 2


@pytest.mark.parametrize(
    "content",
    [
        '["하나", {"text": "둘", "a": 1}]',
        '[\n"하나",\n{"text":\n"둘", "a": 1}]\n\n',
        '{"version": 1, "data": ["하나", {"text": "둘", "a": 1}], "more": {"x": [1]}}',
    ],
)
def test_json_arrays(content):
    line = 3 if "\n" in content else 1
    keys = ("a.json:2", "a.json:3") if "\n" in content else ("a.json:1", "a.json:1.2")
    assert documents("a.json", content) == [
        Document("하나", keys[0], "a.json", 2 if line == 3 else 1),
        Document("둘", keys[1], "a.json", line, {"a": 1}),
    ]


def test_one_json_object_with_the_text_is_a_document():
    expected = [Document("하나", "a.json:1", "a.json", 1, {"tags": ["x"]})]
    assert documents("a.json", {"tags": ["x"], "text": "하나"}) == expected


def test_a_long_json_file_is_read_in_pieces():
    records = [{"text": f"글 {i} " + "가" * (i % 977)} for i in range(3_000)]
    assert texts("a.json", records) == [r["text"] for r in records]
    pretty = json.dumps({"data": records}, ensure_ascii=False, indent=1)
    found = documents("b.json", pretty)
    assert [d.text for d in found] == [r["text"] for r in records]
    assert [d.line for d in found] == [3 + 3 * i for i in range(3_000)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "가"', "Expecting ',' delimiter, column 13"),
        ("안녕", "Expecting value, column 1"),
        ('{"text": "가", "a": NaN}', "NaN is not a JSON number"),
        ('{"text": "가", "a": -Infinity}', "-Infinity is not a JSON number"),
        ('{"text": "가", "a": 1e999}', "the number 1e999 is too large"),
        ('{"text": "가", "text": "나"}', "the name 'text' comes twice"),
        ('{"text": "가", "가": 1, "\u1100\u1161": 2}', "the name '가' comes twice"),
        ('{"text": "\\ud800"}', "half a character: \\ud800 without its other half"),
        ('{"text": "가", "\\udfff": 1}', "half a character: \\udfff without its other half"),
        ('{"text": "가", "a": ' + "[" * 100 + "]" * 100 + "}", "nested deeper than 64 levels"),
        ('{"text": ' + "[" * 200_000, "nested too deeply"),
        ('{"text": "가\tb"}', "Invalid control character at, column 12"),
        ('{"text": "가"} {}', "Extra data, column 15"),
        ('{"text": "가", "a": ' + "9" * 5000 + "}", "a number of too many digits"),
    ],
)
def test_broken_json_is_named_with_its_line(line, reason):
    if "digits" in reason and not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python has no limit")
    lines = '{"text": "좋다"}\n' * 6 + line + '\n{"text": "좋다"}\n'
    advice = "If the file is of another format, name it with --format"
    assert (
        complaint("a.jsonl", lines) == f"a.jsonl:7: not JSON as it should be ({reason}). {advice}"
    )
    if "Extra" not in reason and "delimiter" not in reason:
        array = "[" + '{"text": "좋다"},\n' * 6 + line + ',\n{"text": "좋다"}]'
        assert complaint("a.json", array).startswith(
            f"a.json:7: not JSON as it should be ({reason}"
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '[{"text": "가"}\n{"text": "나"}]',
            "a.json:2: not JSON as it should be (expecting , or ])",
        ),
        ('[{"text": "가"},]', "a.json:1: not JSON as it should be (Expecting value, column"),
        ('[{"text": "가"}', "a.json:1: not JSON as it should be (expecting , or ])"),
        ('{"data": ["가"', "a.json:1: not JSON as it should be (expecting , or ])"),
        (
            '{"text": "가"}\n{"text": "나"}',
            "a.json:2: not JSON as it should be (a second value; for",
        ),
        (
            '["가"]\n]',
            "a.json:2: not JSON as it should be (a second value; for one value a line use",
        ),
        ('"가"', "a.json:1: not JSON as it should be (neither an array nor an object)"),
        ("{가: 1}", "a.json:1: not JSON as it should be (expecting a name in double quotes)"),
        ('{"a": [], "b": []}', "a.json: an object with several arrays (a, b); one of records is"),
        ('{"a": [1], "a": []}', "a.json:1: not JSON as it should be (the name 'a' comes twice)"),
        ('["가", 3]', "a.json:1: a number where a text or an object should be."),
        ('["가", [null]]', "a.json:1: an array where a text or an object should be."),
        ("{}", "a.json:1: no field 'text'; there is none. Name the field that holds the text, for"),
    ],
)
def test_json_of_another_shape(content, message):
    assert complaint("a.json", content).startswith(message)


def test_broken_json_is_found_without_reading_on(monkeypatch):
    content = "[" + '"가",\n' * 10 + "x,\n" + '"나",\n' * 1_000_000 + "]"
    start = time.perf_counter()
    assert complaint("a.json", content).startswith("a.json:11: not JSON as it should be (Expecting")
    assert time.perf_counter() - start < 2


# -- tables --------------------------------------------------------------------------------------


def test_csv_with_line_breaks_in_fields():
    content = 'id,text,갈래\r\n1,"두\r\n줄",a\r\n\r\n2,"따옴표 ""와"" 쉼표, 셋",\r\n3,,b\r\n'
    report = ReadReport()
    assert list(read([write("a.csv", content)], report=report)) == [
        Document("두\n줄", "1", "a.csv", 2, {"갈래": "a"}),
        Document('따옴표 "와" 쉼표, 셋', "2", "a.csv", 5, {"갈래": ""}),
    ]
    assert report.n_blank == 2


@pytest.mark.parametrize("before", ["", "\n \n", "\ufeff"])
def test_csv_with_semicolons(before):
    content = before + 'id;text;"갈,래"\r\n1;"두\n줄; 하나, 둘";a\r\n2;쉼표, 셋;\r\n'
    found = documents("a.csv", content.replace('"갈,래"', "갈래"))
    assert [(d.key, d.text, d.metadata) for d in found] == [
        ("1", "두\n줄; 하나, 둘", {"갈래": "a"}),
        ("2", "쉼표, 셋", {"갈래": ""}),
    ]
    assert [d.text for d in documents("a.csv", content)] == [d.text for d in found]
    assert texts("a.csv", "text,x;y\n가;나,1\n") == ["가;나"]
    assert list(documents("a.csv", '"a;b",text\n1,가\n')[0].metadata) == ["a;b"]
    assert complaint("a.csv", "id;text\n1;가;나\n") == "a.csv:2: 3 columns where the header has 2"
    many = ";".join(["text"] * 10_001)
    assert "a.csv:1: more than" in complaint("a.csv", f"{many}\n")


def test_csv_of_an_old_mac_and_without_names():
    content = ",text\r0,가\r1,나\r"
    assert documents("a.csv", content) == [
        Document("가", "a.csv:2", "a.csv", 2, {"column1": "0"}),
        Document("나", "a.csv:3", "a.csv", 3, {"column1": "1"}),
    ]


def test_tsv_knows_no_quotes():
    content = 'id\ttext\tlabel\n1\t"안녕" 하고\t1\n2\t"열린 채\t0\n'
    assert documents("a.tsv", content) == [
        Document('"안녕" 하고', "1", "a.tsv", 2, {"label": "1"}),
        Document('"열린 채', "2", "a.tsv", 3, {"label": "0"}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,a\n가,1\n나\n", "a.csv:3: 1 columns where the header has 2"),
        ('text,a\n"가\n나",1\n다,2,3\n', "a.csv:4: 3 columns where the header has 2"),
        ("text,a,a\n가,1,2\n", "a.csv:1: two columns are called 'a'"),
        (
            'text\n가\n"나\n다\n',
            "a.csv:3: a quote that opens in this row is never closed. A quote inside a quoted "
            'field is written twice ("")',
        ),
        (
            'text\n"가"나\n',
            "a.csv:2: not CSV (',' expected after '\"'). A field that holds quotes is quoted, and "
            'they are written twice ("")',
        ),
        (
            "문장,레이블\n안녕하세요 여러분,1\n",
            "a.csv:2: no field 'text'; there is 문장, 레이블. Name the field that holds the text, "
            "for example --text-field 문장",
        ),
        (
            "Text,body\n가,훨씬 더 긴 글이다\n",
            "a.csv:2: no field 'text'; there is Text, body. Name the field that holds the text, "
            "for example --text-field Text",
        ),
    ],
)
def test_broken_tables_are_named_with_their_line(content, message):
    assert complaint("a.csv", content) == message


# -- fields and keys -----------------------------------------------------------------------------


def test_the_text_field_can_be_named():
    content = [{"본문": "가", "text": 3}]
    assert documents("a.json", content, text_field=normalize("NFD", "본문")) == [
        Document("가", "a.json:1", "a.json", 1, {"text": 3})
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (3, "a number"), (True, "true or false"), ([], "an array"), ({}, "an object")],
)
def test_text_must_be_text(value, kind):
    message = complaint("a.jsonl", {"text": value})
    assert message == f"a.jsonl:1: the field 'text' holds {kind}, not text"


@pytest.mark.parametrize(
    ("record", "options", "key", "metadata"),
    [
        ({"key": "k", "id": 1}, {}, "k", {"id": 1}),
        ({"_id": "k", "id": 1}, {}, "1", {"_id": "k"}),
        ({"_id": "k"}, {}, "k", {}),
        ({"id": -3}, {}, "-3", {}),
        ({"id": 1, "no": "x"}, {"key_field": "no"}, "x", {"id": 1}),
        ({"id": 1}, {"key_field": ""}, "a.jsonl:1", {"id": 1}),
        ({}, {}, "a.jsonl:1", {}),
    ],
)
def test_where_the_key_comes_from(record, options, key, metadata):
    found = documents("a.jsonl", {**record, "text": "가"}, **options)
    assert found == [Document("가", key, "a.jsonl", 1, metadata)]


def test_the_first_record_decides_on_the_key():
    content = '{"text": "가"}\n{"text": "나", "id": 1}\n'
    assert [d.key for d in documents("a.jsonl", content)] == ["a.jsonl:1", "a.jsonl:2"]
    content = '{"text": "나", "id": 1, "x": 0}\n{"text": "가", "x": 0}\n'
    assert complaint("a.jsonl", content) == (
        "a.jsonl:2: no field 'id' to take the key from; there is text, x. Name another with "
        '--key-field, or "" to number the documents by line'
    )


@pytest.mark.parametrize(
    ("key", "found"), [("", "blank"), (" ", "blank"), (1.5, "a number"), (None, "null"), ([], "an")]
)
def test_a_key_is_a_string_or_a_whole_number(key, found):
    message = complaint("a.jsonl", {"text": "가", "id": key})
    assert message.startswith(f"a.jsonl:1: the key in 'id' is {found}")


def test_records_are_split_on_request():
    content = [
        {"id": "k", "text": "하나. 둘.\u2028\n\n셋", "a": 1},
        {"text": "넷. 다섯", "id": "m"},
    ]
    found = documents("a.json", content, split="sentence")
    assert [(d.text, d.key, d.line) for d in found] == [
        ("하나.", "k", 1),
        ("둘.", "k.2", 1),
        ("셋", "k.3", 1),
        ("넷.", "m", 1),
        ("다섯", "m.2", 1),
    ]
    assert found[2].metadata == {"a": 1}
    assert texts("a.json", content, split="paragraph") == ["하나. 둘.", "셋", "넷. 다섯"]


# -- which files ---------------------------------------------------------------------------------


def test_folders_are_read_by_name():
    for name in ["b.txt", "a/z.md", "a/가.TXT", "c.jsonl", "c.txt.gz", ".hidden.txt"]:
        text = '"글"' if name.endswith("jsonl") else "글"
        write(f"글/{name}", gzip.compress(text.encode()) if name.endswith("gz") else text)
    for name in ["a/picture.png", "README", ".kcsearch/x.txt", ".git/y.txt"]:
        write(f"글/{name}", "x")
    report = ReadReport()
    sources = [document.source for document in read(["글"], report=report)]
    assert sources == ["글/a/z.md", "글/a/가.TXT", "글/b.txt", "글/c.jsonl", "글/c.txt.gz"]
    assert report.skipped == ["글/README", "글/a/picture.png"]
    assert report.bytes_read == report.bytes_total


def test_named_files_come_in_their_order_and_once():
    for name in ["a.txt", "b.log", "c"]:
        write(name, name)
    paths = ["c", "b.log", "./a.txt", "c", ".", os.path.abspath("a.txt")]
    assert [document.text for document in read(paths)] == ["c", "b.log", "a.txt"]
    assert [document.text for document in read("a.txt")] == ["a.txt"]


def test_patterns():
    for name in ["2024/a.txt", "2024/b.csv", "2025/q/c.txt", "[x].txt"]:
        write(name, f"text\n{name}\n" if name.endswith("csv") else name)
    assert [d.text for d in read(["2024/*.txt"])] == ["2024/a.txt"]
    assert [d.text for d in read(["**/?.txt"])] == ["2024/a.txt", "2025/q/c.txt"]
    assert [d.text for d in read(["20*"])] == ["2024/a.txt", "2024/b.csv", "2025/q/c.txt"]
    assert [d.text for d in read(["[x].txt"])] == ["[x].txt"]
    with pytest.raises(InputError, match=r"^\*\.pdf: no file matches$"):
        read(["*.pdf"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("문소.txt", "문소.txt: no such file. In the same folder: 문서.txt"),
        ("zzzzzzz", "zzzzzzz: no such file"),
        ("no/문서.txt", "no/문서.txt: no such file"),
        ("문서.txt/x", "문서.txt/x: no such file"),
        ("", "'' is not the name of a file"),
        ("a\0b", "'a\\x00b' is not the name of a file"),
        ("x" * 300, f"{'x' * 300}: no such file"),
    ],
)
def test_a_missing_file_is_an_error_at_once(path, message):
    write("문서.txt", "가")
    with pytest.raises(InputError) as caught:
        read([path])
    assert str(caught.value) == message


def test_a_folder_without_texts():
    write("그림/a.png", "x")
    with pytest.raises(InputError, match=r"그림: no file in this folder ends in one of \.txt"):
        read(["그림"])


@pytest.mark.skipif(os.name == "nt", reason="links and bytes of POSIX")
def test_links_and_names_of_other_bytes():
    write("d/a.txt", "가")
    os.symlink("..", "d/loop")
    os.symlink("a.txt", "d/b.txt")
    os.symlink("nowhere.txt", "d/c.txt")
    assert [d.source for d in read(["d"])] == ["d/a.txt"]
    with pytest.raises(InputError, match=r"c\.txt: cannot be read \(No such file"):
        list(read(["d/c.txt"]))
    Path(os.fsdecode(b"d/\xff.txt")).write_text("x")
    with pytest.raises(InputError, match="a file name that is not UTF-8"):
        read(["d"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_permissions():
    os.chmod(write("a.txt", "가"), 0)
    with pytest.raises(InputError, match=r"^a.txt: cannot be read \(Permission denied\)$"):
        list(read(["a.txt"]))
    write("d/a.txt", "가")
    os.chmod("d", 0)
    try:
        with pytest.raises(InputError, match=r"^d: cannot be read \(Permission denied\)$"):
            read(["d"])
    finally:
        os.chmod("d", 0o700)


def test_the_caller_names_the_source():
    write("글/a.txt", "가\n나")
    found = list(read(["글"], source_of=lambda path: f"corpus/{path.name}"))
    assert found[1] == Document("나", "corpus/a.txt:2", "corpus/a.txt", 2)


@pytest.mark.parametrize(
    ("content", "format", "expected"),
    [
        ("가\n나", None, [Document("가", "-:1", "-", 1), Document("나", "-:2", "-", 2)]),
        ('{"id": 1, "text": "가"}', "jsonl", [Document("가", "1", "-", 1)]),
        ('["가"]', "json", [Document("가", "-:1", "-", 1)]),
        ("text\n가\n", "csv", [Document("가", "-:2", "-", 2)]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_standard_input(content, format, expected, encoding):
    report = ReadReport()
    stdin = io.BytesIO(content.encode(encoding))
    assert list(read(["-", "-"], format=format, stdin=stdin, report=report)) == expected
    assert (report.n_files, report.bytes_total) == (1, None)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe():
    os.mkfifo("pipe.jsonl")
    code = "open('pipe.jsonl', 'w').write('{\"text\": 3}')"
    with subprocess.Popen([sys.executable, "-c", code]), pytest.raises(InputError) as caught:
        list(read(["pipe.jsonl"]))
    assert str(caught.value) == "pipe.jsonl:1: the field 'text' holds a number, not text"


@pytest.mark.parametrize(
    ("suffix", "compress"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)]
)
def test_compressed_files(suffix, compress):
    whole = compress("text\n가나다\n".encode() * 1000)
    report = ReadReport()
    found = list(read([write(f"a.csv.{suffix}", whole)], report=report))
    assert found[-1] == Document("가나다", f"a.csv.{suffix}:2000", f"a.csv.{suffix}", 2000)
    assert report.bytes_read == report.bytes_total == len(whole)
    for broken in (whole[: len(whole) // 2], b"hello", whole[:30] + b"\xff\xff" + whole[32:]):
        assert complaint(f"b.txt.{suffix}", broken).startswith(f"b.txt.{suffix}: ")


# -- all of it -----------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
plain = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"])).map(
    lambda text: normalize("NFC", text).strip()
)
lines = plain.filter(lambda text: not readers._BLANK.match(text))


@settings(deadline=None)
@given(st.lists(lines))
def test_lines_come_back(texts_written):
    found = documents("a.txt", "\n".join(texts_written))
    assert [d.text for d in found] == texts_written
    assert [d.line for d in found] == list(range(1, len(texts_written) + 1))


@settings(deadline=None)
@given(st.lists(st.tuples(lines, st.integers(), json_values)), st.booleans())
def test_records_come_back_from_json(rows, as_lines):
    def nfc(value):
        return json.loads(normalize("NFC", json.dumps(value, ensure_ascii=False)))

    rows = [(text, key, nfc(value)) for text, key, value in rows]
    records = [{"text": text, "id": key, "more": value} for text, key, value in rows]
    if as_lines:
        content = "".join(json.dumps(r) + "\n" for r in records)
        found = documents("a.jsonl", content)
    else:
        found = documents("a.json", json.dumps(records, ensure_ascii=False, indent=2))
    assert [(d.text, d.key, d.metadata) for d in found] == [
        (text, str(key), {"more": value}) for text, key, value in rows
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(lines, st.text(st.sampled_from('가a,"\n ;\t')))))
def test_records_come_back_from_csv(rows):
    out = io.StringIO()
    csv.writer(out).writerows([("text", "more"), *rows])
    found = documents("a.csv", out.getvalue())
    assert [(d.text, d.metadata) for d in found] == [(t, {"more": more}) for t, more in rows]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=300)
    | st.text(st.sampled_from('{}[]",:\n\r\t가a1\\u\ud7ff "text"---```#')).map(str.encode),
    st.sampled_from([*SUFFIXES, ".txt.gz", ".csv.xz", ".json.bz2"]),
    st.sampled_from([None, "line", "sentence", "paragraph", "none"]),
    st.sampled_from([None, "utf-8", "utf-16", "cp949", "utf-7", "unicode_escape", "iso2022_kr"]),
)
def test_random_bytes_give_documents_or_an_input_error(content, suffix, split, encoding):
    path = write(f"a{suffix}", content)
    complaints = ""
    found = []
    try:
        found += read([path], split=split, encoding=encoding, text_field="a")
    except InputError as error:
        complaints = str(error)
    assert complaints.startswith(f"a{suffix}" if complaints else "")
    for document in found:
        assert document.text.strip()
        assert normalize("NFC", document.text) == document.text
        assert (document.source, bool(document.key), bool(document.line)) == (path, True, True)
        json.dumps([*asdict(document).values()], ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.skipif(sys.platform != "linux", reason="measured as Linux does")
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".json", ".csv"])
def test_memory_does_not_grow_with_the_file(suffix):
    row = {"text": "안녕하세요 반갑습니다 " * 5}
    n = 100_000
    content = {
        ".txt": (row["text"] + "\n") * n,
        ".jsonl": (json.dumps(row, ensure_ascii=False) + "\n") * n,
        ".json": "[" + ",\n".join([json.dumps(row, ensure_ascii=False)] * n) + "]",
        ".csv": "text\n" + (row["text"] + "\n") * n,
    }[suffix]
    code = (
        "import resource, sys; from kcsearch.readers import read;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "before = peak(); n = sum(1 for _ in read(sys.argv[1:])); print(n, peak() - before)"
    )
    command = [sys.executable, "-c", code, write(f"a{suffix}", content)]
    path = os.pathsep.join(sys.path)
    out = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": path})
    n_read, grown = map(int, out.stdout.split())
    assert n_read == n
    assert grown < 12_000  # KiB; the file has 16,000
