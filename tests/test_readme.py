"""The README is what its examples print, and its Python runs as it stands."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from kcsearch.errors import MissingExtraError
from tools import readme

PAGE = readme.README.read_text(encoding="utf-8")


def test_the_outputs_and_the_reference_are_what_the_commands_print() -> None:
    """After a change of an option or of the model: `make docs`."""
    assert readme.comparable(readme.rendered(PAGE)) == readme.comparable(PAGE)


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = readme.python_examples(PAGE)
    assert examples
    for example in examples:
        with suppress(MissingExtraError):  # those of the integrations whose extra is not here
            exec(compile(example, "README.md", "exec"), {})
    assert "2호선이 지연 운행되고 있습니다." in capsys.readouterr().out.splitlines()[0]


def test_a_traceback_is_never_written_into_the_page() -> None:
    page = "```console\n$ python -c 'import no_such_module'\n```\n"
    with pytest.raises(RuntimeError, match="ModuleNotFoundError"):
        readme.rendered(page)
