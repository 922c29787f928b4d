"""Any bytes to every reader, and any words to the query syntax.

`python -m torture fuzzing`. A reader gives documents or an InputError; a command ends with 0, 1 or
2, and says nothing but lines that begin as its messages do. Inputs are drawn by Hypothesis: pieces
of the format itself, and valid files with bytes changed, cut out and repeated.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kcsearch.__main__ import main
from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.readers import read

N_EACH = 10_000
_PIECES = {
    "txt": ["\n", "\r\n", "\r", " ", "\t", "서울", "\u1112\u1161", "\ufeff", "\u2028", "\x00", "a"],
    "md": ["#", "# ", "\n", "\n\n", "```", "~~~", "- ", "> ", "|", "---", "서울 날씨", "    "],
    "jsonl": [
        '{"text": "글"}',
        *'{}[]":,-0',
        "\n",
        '"text"',
        '"id"',
        "NaN",
        "1e999",
        "null",
        "서울",
    ],
    "csv": [
        "text",
        "id",
        ",",
        '"',
        '""',
        "\n",
        "\r\n",
        "서울",
        ";",
        "\t",
        "'",
        "text,id\n",
        "a,b\n",
    ],
}
_PIECES["jsonl"] += ["\\ud800", "\\u0000", "[[[[", '{"text": 1}']
_PIECES["json"], _PIECES["tsv"] = _PIECES["jsonl"], _PIECES["csv"]
_SAMPLES = {
    "txt": "서울 날씨\n\n환불 문의\r\n끝",
    "md": "# 제목\n\n첫 문단입니다.\n\n```\ncode\n```\n\n- 하나\n- 둘\n",
    "jsonl": '{"id": 1, "text": "서울", "n": [1, 2]}\n{"id": 2, "text": "부산 \\ud83d\\ude00"}\n',
    "json": '[{"id": 1, "text": "서울", "n": {"a": null}}, {"id": 2, "text": "부산"}]',
    "csv": 'id,text,n\n1,"서울, ""날씨""",3\n2,부산,4\n',
    "tsv": 'id\ttext\n1\t서울\n2\t부산 "\n',
}
_UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}
_SQL = ["key", "text", "line", "=", "<", "(", ")", "'", '"', ";", "--", "/*", "SELECT", "FROM"]
_SQL += ["documents", "1", "NULL", "LIKE", ":x", "?", "json_extract(metadata, '$.n')", "UNION"]
_SQL += ["ATTACH", "PRAGMA", "load_extension('x')", "\x00", "\ud800", "서울", "ORDER BY", "DROP"]
_QUERY = [
    "서울",
    "날씨",
    '"',
    "*",
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "NEAR",
    ":",
    "^",
    "-",
    "+",
    "\x00",
]
_QUERY += [
    "\u1100",
    "ㄱ",
    "ㅋㅋㅋ",
    "🙂",
    "\u200b",
    "\ud800",
    "%",
    "'",
    "\n",
    "a" * 500,
    "漢字",
    "1,200",
]
_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate, Phase.shrink],
    "suppress_health_check": list(HealthCheck),
}


def run(folder: Path, n_each: int = N_EACH) -> dict[str, Any]:
    """Raises at the first input that ends otherwise, with the smallest such input."""
    report: dict[str, Any] = {"inputs": {}, "problems": []}
    for name in _SAMPLES:
        report["inputs"][f"reader of {name}"] = _fuzz_reader(name, folder, n_each)
    with Collection(folder / ".kcsearch") as collection:
        collection.add(["서울 날씨가 좋습니다", "환불은 사흘 걸립니다", "부산에 비가 옵니다"])
    report["inputs"]["query"] = _fuzz_commands(folder, max(1, n_each // 10))
    return report


def _inputs(name: str) -> st.SearchStrategy[bytes]:
    pieces = st.lists(st.sampled_from(_PIECES[name]), max_size=40).map("".join)
    encoded = st.tuples(pieces, st.sampled_from(["utf-8", "cp949", "utf-16", "utf-8-sig"])).map(
        lambda pair: pair[0].encode(pair[1], errors="ignore")
    )
    edits = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 9), st.binary(max_size=4)))
    changed = edits.map(lambda some: _edited(_SAMPLES[name].encode(), some))
    return st.one_of(encoded, changed, st.binary(max_size=200))


def _edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """At each place some bytes make way for others."""
    for at, n, new in edits:
        at %= len(content) + 1
        content = content[:at] + new + content[at + n :]
    return content


def _fuzz_reader(name: str, folder: Path, n: int) -> dict[str, int]:
    counts = Counter[str]()
    splits = st.sampled_from([None, "line", "sentence", "paragraph", "none"])
    packed = st.sampled_from(["", "", "", *_UNPACKED])

    @settings(max_examples=n, **_SETTINGS)
    @given(content=_inputs(name), split=splits, suffix=packed, spoil=st.booleans())
    def reads(content: bytes, split: Any, suffix: str, spoil: bool) -> None:
        file = folder / f"input.{name}{suffix}"
        whole = _UNPACKED[suffix](content)
        file.write_bytes(whole[: len(whole) // 2] if suffix and spoil else whole)
        started = time.monotonic()
        try:
            n_documents = sum(1 for document in read([file], split=split) if document.text.strip())
            counts["read, with documents" if n_documents else "read, empty"] += 1
        except InputError:
            counts["refused"] += 1
        assert time.monotonic() - started < 10

    reads()
    return dict(sorted(counts.items()))


def _fuzz_commands(folder: Path, n: int) -> dict[str, int]:
    counts = Counter[str]()
    words = st.lists(st.sampled_from(_QUERY), max_size=8).map("".join)
    anything = st.one_of(words, st.text(max_size=30))
    sql = st.one_of(st.lists(st.sampled_from(_SQL), max_size=8).map(" ".join), st.text(max_size=20))
    options = st.lists(
        st.one_of(
            st.tuples(st.just("--where"), sql),
            st.tuples(st.just("--filter"), anything.map("n={}".format)),
            st.tuples(st.just("--filter"), anything),
            st.tuples(st.just("-p"), st.just("x"), anything),
            st.tuples(st.just("--mode"), st.sampled_from(["dense", "lexical", "hybrid", "x"])),
            st.tuples(st.just("-k"), st.sampled_from(["1", "0", "-1", "999999999", "x", ""])),
            st.tuples(st.just("--min-score"), st.sampled_from(["0.1", "2", "nan", "p99", "-1"])),
            st.tuples(st.just("-f"), st.sampled_from(["json", "jsonl", "csv", "tsv", "plain"])),
            st.tuples(st.just("--similar-to"), anything),
        ),
        max_size=3,
    )

    @settings(max_examples=n, **_SETTINGS)
    @given(query=anything, options=options)
    def answers(query: str, options: list[tuple[str, ...]]) -> None:
        code, err = _command(
            ["query", query, *(word for words in options for word in words)], folder
        )
        assert code in (0, 1, 2), err
        assert code == 0 or err.count("\n") == 1
        counts[f"exit code {code}"] += 1

    answers()
    return dict(sorted(counts.items()))


def _command(words: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and standard error; a traceback is an exception here."""
    streams = {name: io.TextIOWrapper(io.BytesIO()) for name in ("stdout", "stderr", "stdin")}
    with contextlib.ExitStack() as stack:
        for name, stream in streams.items():
            stack.enter_context(mock.patch.object(sys, name, stream))
        argv = ["kcsearch", *words, "-c", str(folder / ".kcsearch")]
        stack.enter_context(mock.patch.object(sys, "argv", argv))
        try:
            main()
        except SystemExit as end:
            streams["stderr"].flush()
            written = streams["stderr"].buffer.getvalue()  # type: ignore[attr-defined]
            return int(end.code or 0), written.decode()
    raise AssertionError("main returns by SystemExit")
