"""Documents and tables that are no text files: HTML, DOCX, HWPX, PDF, Parquet, SQLite."""

from __future__ import annotations

import datetime
import io
import sqlite3
import tracemalloc
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from doubles import HashEncoder
from running import kcsearch

from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.readers import ReadReport, read, zipped_xml

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
HP = 'xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph"'
PAGE = """<!doctype html>
<html><head><title>제목</title><style>p { color: red }</style></head>
<body><h1>환불 안내</h1>
<script>if (1 < 2) document.write("<p>스크립트</p>")</script>
<p>환불은 <b>사흘</b> 안에&nbsp;처리됩니다.<br>주말은
  빼고 셉니다.</p>
<ul><li>첫째<li>둘째 &amp; 셋째</ul>
<table><tr><td>칸 하나</td><td>칸 둘</td></tr></table>
<select><option>고르기</option></select>끝</body></html>
"""


def zipped(**parts: str) -> bytes:
    """A ZIP file; `__` in a name stands for a slash, `_xml` for its suffix."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), text)
    return packed.getvalue()


def docx(body: str) -> bytes:
    return zipped(word__document_xml=f"<w:document {W}><w:body>{body}</w:body></w:document>")


def found(path: Path, **options: Any) -> list[tuple[int | None, str]]:
    documents = read([path], source_of=lambda path: path.name, **options)
    return [(document.line, document.text) for document in documents]


def test_html_comes_in_blocks_with_the_line_where_each_begins(tmp_path: Path) -> None:
    path = tmp_path / "안내.html"
    path.write_text(PAGE, encoding="utf-8")
    assert found(path) == [
        (3, "환불 안내"),
        (5, "환불은 사흘 안에\xa0처리됩니다.\n주말은 빼고 셉니다."),
        (7, "첫째"),
        (7, "둘째 & 셋째"),
        (8, "칸 하나"),
        (8, "칸 둘"),
        (9, "끝"),
    ]
    assert found(path, split="line")[1:3] == [
        (5, "환불은 사흘 안에\xa0처리됩니다."),
        (5, "주말은 빼고 셉니다."),
    ]
    ((line, whole),) = found(path, split="none")
    assert (line, whole.splitlines()[0], whole.splitlines()[-1]) == (3, "환불 안내", "끝")


@pytest.mark.parametrize(
    "page",
    ["<p>가<p>나<div>다", "<p>가</p></p></div><b>나</p>다", "가<hr>나<hr/>다", "<x>가</x>나<y>다"],
)
def test_broken_html_is_read_as_far_as_it_goes(page: str, tmp_path: Path) -> None:
    path = tmp_path / "a.htm"
    path.write_bytes(page.encode("cp949"))
    assert "".join(text for _, text in found(path)) == "가나다"


def test_docx_is_read_as_python_docx_writes_it(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx", reason="needs python-docx")
    path, made = tmp_path / "글.docx", docx.Document()
    made.add_heading("제목", 1)
    made.add_paragraph("첫 문단입니다.\n둘째 줄\t탭 뒤")
    made.add_paragraph("")
    table = made.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "칸 하나", "칸 둘"
    made.add_paragraph("끝")
    made.save(path)
    texts = ["제목", "첫 문단입니다.\n둘째 줄\t탭 뒤", "칸 하나", "칸 둘", "끝"]
    assert [text for _, text in found(path)] == texts
    assert [line for line, _ in found(path)] == [1, 2, 4, 5, 6]


def test_docx_leaves_out_what_was_deleted_and_what_is_said_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(
        docx(
            "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>남은 </w:t></w:r>"
            "<w:del><w:r><w:delText>지운 </w:delText></w:r></w:del><w:r><w:t>글</w:t></w:r></w:p>"
            "<w:p><w:r><w:t>밖</w:t><w:Choice><w:p><w:r><w:t>상자</w:t></w:r></w:p></w:Choice>"
            "<w:Fallback><w:p><w:r><w:t>상자</w:t></w:r></w:p></w:Fallback></w:r></w:p>"
        )
    )
    assert [text for _, text in found(path)] == ["남은 글", "상자", "밖"]


def test_hwpx_is_read_section_by_section(tmp_path: Path) -> None:
    def section(*texts: str) -> str:
        paragraphs = "".join(f"<hp:p><hp:run><hp:t>{t}</hp:t></hp:run></hp:p>" for t in texts)
        return f"<hs:sec xmlns:hs='urn:s' {HP}>{paragraphs}</hs:sec>"

    path = tmp_path / "보고서.hwpx"
    path.write_bytes(
        zipped(
            mimetype="application/hwp+zip",
            Contents__section10_xml=section("열한째 구역"),
            Contents__section0_xml=section("환불은 사흘<hp:lineBreak/>안에", "", "내일<hp:tab/>비"),
            Contents__section2_xml=section("셋째 구역"),
            Contents__header_xml=section("머리"),
        )
    )
    assert found(path) == [
        (1, "환불은 사흘\n안에"),
        (3, "내일\t비"),
        (4, "셋째 구역"),
        (5, "열한째 구역"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip at all", "a.docx: no DOCX file, or a damaged or encrypted one"),
        (docx("<w:p><w:r><w:t>x</w:t></w:r></w:p>")[:-30], "no DOCX file, or a damaged"),
        (zipped(other_xml="<a/>"), "a.docx: there is no text part in it"),
        (zipped(word__document_xml="<a><b></a>"), "its XML is broken"),
        (
            zipped(word__document_xml='<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
            "document type declaration",
        ),
    ],
)
def test_a_docx_that_is_none_is_told_in_words(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        found(path)


@pytest.mark.parametrize("name", ["p", "pPr", "any"])
def test_xml_that_is_nested_without_end_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(docx("<x>" * 900 + "<w:p><w:r><w:t>속</w:t></w:r></w:p>" + "</x>" * 900))
    assert found(path) == [(1, "속")]
    path.write_bytes(zipped(word__document_xml="<r>" + f"<{name}>" * 1_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="its XML is nested deeper than 1000 levels"):
            found(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 8e6  # bytes; a list for each paragraph would be 64 MB


def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(docx("<w:p><w:r><w:t>" + "가" * 10_000 + "</w:t></w:r></w:p>"))
    assert len(found(path)) == 1
    monkeypatch.setattr(zipped_xml, "MAX_PART", 10_000)
    with pytest.raises(InputError, match="too large when unpacked"):
        found(path)
    monkeypatch.setattr(zipped_xml, "MAX_PART", 2**28)
    monkeypatch.setattr(zipped_xml, "MAX_RECORD", 5_000)
    with pytest.raises(InputError, match="longer than"):
        found(path)


def pdf(*pages: str) -> bytes:
    """A PDF whose pages show one text each, by glyph numbers that are UTF-16 (Identity-H)."""
    kids = " ".join(f"{6 + 2 * i} 0 R" for i in range(len(pages)))
    cmap = "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
    cmap += "1 beginbfrange <0000> <ffff> <0000> endbfrange"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type0 /BaseFont /F /Encoding /Identity-H "
        "/DescendantFonts [4 0 R] /ToUnicode 5 0 R >>",
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /F "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        f"<< /Length {len(cmap)} >>\nstream\n{cmap}\nendstream",
    ]
    for i, text in enumerate(pages):
        shown = f"BT /F 12 Tf 72 700 Td <{text.encode('utf-16-be').hex()}> Tj ET" if text else ""
        objects += [
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] "
            f"/Resources << /Font << /F 3 0 R >> >> /Contents {7 + 2 * i} 0 R >>",
            f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream",
        ]
    out, places = "%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size, start = len(objects) + 1, len(out)
    out += f"xref\n0 {size}\n0000000000 65535 f \n{table}"
    return (out + f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").encode()


def test_pdf_comes_by_page(tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs kcsearch[docs]")
    path, report = tmp_path / "안내.pdf", ReadReport()
    path.write_bytes(pdf("환불은 사흘 안에 처리됩니다.", "", "내일은 비가 옵니다. 눈도 옵니다."))
    assert found(path, report=report) == [
        (1, "환불은 사흘 안에 처리됩니다."),
        (3, "내일은 비가 옵니다. 눈도 옵니다."),
    ]
    assert (report.bytes_read, report.bytes_total) == (path.stat().st_size,) * 2
    assert found(path, split="sentence")[1:] == [(3, "내일은 비가 옵니다."), (3, "눈도 옵니다.")]


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", pdf("가")[:200], b"\0" * 5000])
def test_a_pdf_that_is_none_is_told_in_words(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("pypdf", reason="needs kcsearch[docs]")
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.pdf: no PDF file, or a damaged one"):
        found(path)


def test_an_encrypted_pdf_is_told_in_words(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf", reason="needs kcsearch[docs]")
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("비밀")))
    writer.encrypt("암호", algorithm="RC4-128")
    writer.write(tmp_path / "a.pdf")
    with pytest.raises(InputError, match=r"a\.pdf: is encrypted; save it without a password"):
        found(tmp_path / "a.pdf")


def test_parquet_rows_are_records(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs kcsearch[parquet]")
    from pyarrow.parquet import write_table

    path = tmp_path / "후기.parquet"
    rows = {
        "id": ["a", "b"],
        "text": ["재미있다", "지루하다"],
        "day": [datetime.date(2026, 1, 31), None],
        "stars": [4.5, float("nan")],
        "tags": [["웃음"], []],
    }
    write_table(pyarrow.table(rows), path)
    documents = list(read([path], source_of=lambda path: path.name))
    assert [(d.key, d.line, d.text, d.metadata) for d in documents] == [
        ("a", 1, "재미있다", {"day": "2026-01-31", "stars": 4.5, "tags": ["웃음"]}),
        ("b", 2, "지루하다", {"day": None, "stars": None, "tags": []}),
    ]
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="no Parquet file, or a damaged one"):
        found(path)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE reviews (id INTEGER, body TEXT, stars REAL, photo BLOB)")
        rows = [(1, "재미있다", 4.5, None), (2, "지루하다", 1, b"x"), (3, None, 3, None)]
        database.executemany("INSERT INTO reviews VALUES (?, ?, ?, ?)", rows)
        database.commit()
    return path


def test_rows_of_a_query_are_records_and_follow_the_table(shop: Path) -> None:
    sql = "SELECT id, body AS text, stars FROM reviews WHERE body IS NOT NULL"
    documents = list(read([shop], sql=sql, source_of=lambda path: path.name))
    assert [(d.key, d.source, d.line, d.text, d.metadata) for d in documents] == [
        ("1", "shop.db", 1, "재미있다", {"stars": 4.5}),
        ("2", "shop.db", 2, "지루하다", {"stars": 1.0}),
    ]
    with Collection(shop.parent / "notes", encoder=HashEncoder()) as notes:
        notes.index([shop], sql=sql)
        with closing(sqlite3.connect(shop)) as database:
            database.execute("DELETE FROM reviews WHERE id = 1")
            database.commit()
        assert notes.index([shop], sql=sql).n_removed == 1
        assert notes.keys() == ["2"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT id, body AS text, photo FROM reviews", "shop.db:2: a value of the type bytes"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELECT body FROM reviews", "no field 'text'; there is body"),
        ("SELECT id, id FROM reviews", "two columns have the same name"),
        ("SELECT id, body AS text FROM reviews", "shop.db:3: the field 'text' holds null"),
        ("DELETE FROM reviews", "attempt to write a readonly database"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
    ],
)
def test_a_query_that_cannot_be_indexed_is_told_in_words(
    sql: str, message: str, shop: Path
) -> None:
    with pytest.raises(InputError, match=message):
        found(shop, sql=sql)


def test_the_command_line_reads_them_all(shop: Path) -> None:
    folder = shop.parent
    (folder / "안내.html").write_text(PAGE, encoding="utf-8")
    (folder / "글.docx").write_bytes(docx("<w:p><w:r><w:t>고양이가 잡니다.</w:t></w:r></w:p>"))
    (folder / "옛글.hwp").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99)
    done = kcsearch(folder, "index", ".")
    assert (done.code, "Files of other formats left out: 2" in done.err) == (0, True)
    assert kcsearch(folder, "get", "글.docx:1").out == "고양이가 잡니다.\n"
    sql = "SELECT id, body AS text FROM reviews WHERE id < 3"
    assert kcsearch(folder, "index", "shop.db", "--sql", sql).code == 0
    assert kcsearch(folder, "get", "1").out == "재미있다\n"
    old = kcsearch(folder, "index", "옛글.hwp")
    assert (old.code, "save it as HWPX or DOCX first" in old.err) == (2, True)
    korean = kcsearch(folder, "index", "옛글.hwp", env={"LANGUAGE": "ko"})
    assert korean.err == (
        "오류: 옛글.hwp: 텍스트 파일이 아니라 HWP 5 파일이거나 옛 오피스 파일입니다. 한글에서 "
        "HWPX로, 또는 DOCX로 저장한 뒤 쓰십시오\n"
    )
    stdin = kcsearch(folder, "index", "-", "--sql", sql)
    assert (stdin.code, "not for -" in stdin.err) == (2, True)
