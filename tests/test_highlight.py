"""Bold where a query's tokens are."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from running import DATA, command, environment, kcsearch

from kcsearch.cli.highlight import highlight, matched_words


@pytest.mark.parametrize(
    ("text", "tokens", "shown"),
    [
        ("서울은 춥다", ["서울", "울은"], "<서울은> 춥다"),
        ("KTX와 ktx", ["ktx"], "<KTX>와 <ktx>"),
        ("꽃이 꽃", ["꽃*"], "<꽃>이 <꽃>"),
        ("가가가", ["가가"], "<가가가>"),
        ("없다", ["있다"], "없다"),
        ("İ ktx", ["ktx"], "İ <ktx>"),
        ("", ["가"], ""),
    ],
)
def test_every_place_is_marked_once(text: str, tokens: list[str], shown: str) -> None:
    bold = highlight(text, tokens)
    assert bold.replace("\x1b[1m", "<").replace("\x1b[22m", ">") == shown


def test_matched_words_are_whole_and_once() -> None:
    words = matched_words("“서울은” 춥고, 서울은 북서울보다 넓다.", ["서울", "넓다"])
    assert words == ["서울은", "북서울보다", "넓다"]


def test_explain_is_bold_in_a_terminal_only(tmp_path: Path) -> None:
    assert kcsearch(tmp_path, "index", str(DATA / "everyday.jsonl")).code == 0
    ask = ("query", "서울 아침", "-k", "1", "--explain")
    piped = kcsearch(tmp_path, *ask).out
    assert "\x1b" not in piped
    for variables, is_bold in (({}, True), ({"NO_COLOR": "1"}, False)):
        shown = in_terminal(tmp_path, *ask, **variables)
        assert ("\x1b[1m서울\x1b[22m의 \x1b[1m아침\x1b[22m" in shown) == is_bold
        plain = re.sub(r"\x1b\[\d+m", "", shown).replace("\r\n", "\n")
        assert plain == piped  # wide enough: nothing is cut


def in_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(*arguments),
        cwd=folder,
        stdout=theirs,
        env=environment(COLUMNS="200", **variables),
    ) as running:
        os.close(theirs)
        out = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if not block:
                break
            out += block
        assert running.wait(60) == 0
    os.close(ours)
    return out.decode()
