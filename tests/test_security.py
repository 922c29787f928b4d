"""SECURITY.md names tests that are there, and numbers that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from kcsearch.readers.decoding import MAX_FIELDS, MAX_RECORD
from kcsearch.readers.zipped_xml import MAX_PART

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_tests_that_are_named_are_there() -> None:
    named = set(re.findall(r"\btest_\w+", TEXT))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / f"tests/{name}.py").exists()] == []


def test_the_limits_that_are_named_are_those_of_the_code() -> None:
    limits = [f"{MAX_RECORD // 10**6} million letters", f"{MAX_FIELDS:,} columns"]
    limits.append(f"at most {MAX_PART // 2**20} MB")
    assert [limit for limit in limits if limit not in TEXT] == []


def test_it_is_a_page() -> None:
    assert len(TEXT.split()) < 1_000
