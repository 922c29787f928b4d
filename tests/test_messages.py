"""Every message of the package is there in Korean, with the same placeholders."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import kcsearch
from kcsearch import errors
from kcsearch.cli.messages import explain, is_korean, say
from kcsearch.cli.messages_ko import KOREAN
from kcsearch.cli.usage import TYPER_ERRORS, TYPER_HELP

PACKAGE = Path(kcsearch.__file__).parent
ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.KcsearchError)
}
LOCALE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def english() -> Iterator[tuple[str, str]]:
    """Every message with its place: say("…"), Phrase("…"), and the templates of errors."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in (tree, *(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))):
            for call in _own_calls(function):
                name = call.func.id if isinstance(call.func, ast.Name) else ""
                if name in ("say", "Phrase") or name in ERRORS:
                    place = f"{file.relative_to(PACKAGE)}:{call.lineno}"
                    for text in _texts(call.args[0], function, place):
                        yield text, place
    yield from ((text, "cli/usage.py") for text in (*TYPER_HELP, *TYPER_ERRORS))


def _own_calls(function: ast.AST) -> Iterator[ast.Call]:
    """The calls in a function, without those in functions inside it."""
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef):
            for decoration in (*node.decorator_list, node.args):
                yield from _own_calls(decoration)
                if isinstance(decoration, ast.Call):
                    yield decoration
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from _own_calls(node)


def _texts(node: ast.AST, function: ast.AST, place: str) -> list[str]:
    """The strings that an expression can be: a literal, a sum, a choice, a local name of them."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.BinOp):
        firsts, seconds = (_texts(side, function, place) for side in (node.left, node.right))
        return [first + second for first in firsts for second in seconds]
    if isinstance(node, ast.IfExp):
        return _texts(node.body, function, place) + _texts(node.orelse, function, place)
    if isinstance(node, ast.Name):
        values = [
            assignment.value
            for assignment in ast.walk(function)
            if isinstance(assignment, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == node.id for t in assignment.targets)
        ]
        if values:
            return [text for value in values for text in _texts(value, function, place)]
    if place.startswith(("cli/messages.py", "cli/usage.py")):  # they pass on what others wrote
        return []
    raise AssertionError(f"{place}: not a literal, so nobody can tell whether it is translated")


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_message_has_a_korean_one() -> None:
    missing = {text: place for text, place in english() if text not in KOREAN}
    assert missing == {}


def test_no_korean_message_has_lost_its_english_one() -> None:
    assert set(KOREAN) - {text for text, _ in english()} == set()


@pytest.mark.parametrize("text", KOREAN)
def test_a_translation_keeps_placeholders_and_paragraphs(text: str) -> None:
    assert placeholders(KOREAN[text]) == placeholders(text)
    assert KOREAN[text].count("\n\n") == text.count("\n\n")


@pytest.mark.parametrize("text", [text for text in KOREAN if len(text) > 20])
def test_a_sentence_is_translated(text: str) -> None:
    assert any("가" <= letter <= "힣" for letter in KOREAN[text])
    assert KOREAN[text] != text


@pytest.mark.parametrize(
    ("variables", "korean"),
    [
        ({}, False),
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "ko:en"}, True),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "ko_KR.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, False),
        ({"LANG": "ko"}, True),
        ({"LANG": "kok_IN"}, False),  # Konkani
        ({"LANG": "ko_KR.UTF-8", "LANGUAGE": ""}, True),
    ],
)
def test_the_locale_chooses(
    variables: dict[str, str], korean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in LOCALE:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_korean() is korean


def test_an_error_is_explained_in_one_line_in_either_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = errors.InputError("{path}: no such file", path="가\n\x1b[31m나.txt")
    monkeypatch.setenv("LANGUAGE", "en")
    assert explain(error) == "가⏎␛[31m나.txt: no such file"
    monkeypatch.setenv("LANGUAGE", "ko")
    assert explain(error) == "가⏎␛[31m나.txt: 그런 파일이 없습니다"
    assert str(error) == "가\n\x1b[31m나.txt: no such file"  # a library speaks English
    assert say("no translation") == "no translation"
