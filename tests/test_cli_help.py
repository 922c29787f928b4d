"""Help, version, completion and usage errors, in English and in Korean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from running import environment, kcsearch, process

from kcsearch import __version__
from kcsearch.display import display_width

COMMANDS = (
    ["index"],
    ["query"],
    ["get"],
    ["list"],
    ["delete"],
    ["status"],
    ["tokenize"],
    ["embed"],
    ["models"],
    ["models", "show"],
    ["verify"],
    ["repair"],
    ["rebuild"],
    ["optimize"],
    ["backup"],
    ["export"],
    ["import"],
)
HEAVY = ("numpy", "faiss", "torch", "transformers", "tokenizers", "rich", "sqlite3", "pydantic")


def test_help_says_what_there_is(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "--help", env={"COLUMNS": "80"})
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "Usage: kcsearch [OPTIONS] COMMAND [ARGUMENTS]\n\n"
        "  Search Korean text by meaning, on this machine.\n"
    )
    for command in COMMANDS:
        assert f"\n  {command[0]} " in done.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(command: list[str], tmp_path: Path) -> None:
    done = kcsearch(tmp_path, *command, "--help")
    assert (done.code, done.err) == (0, "")
    assert "\nExamples:\n  " in done.out
    example = done.out.split("\nExamples:\n")[1].split("\n")[0]
    assert "kcsearch " + " ".join(command) in example
    assert kcsearch(tmp_path, *command, "-h") == done


@pytest.mark.parametrize("columns", ["60", "80", "200"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_help_keeps_to_the_width_of_the_terminal(
    language: str, columns: str, tmp_path: Path
) -> None:
    """One process for all commands: the language is chosen when they are imported."""
    program = (
        "import sys; from kcsearch.__main__ import main\n"
        f"for command in {COMMANDS!r}:\n"
        "    sys.argv[1:] = [*command, '--help']\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env=environment(LANGUAGE=language, COLUMNS=columns, PYTHONIOENCODING="ascii"),
    )
    lines = done.stdout.decode().split("\n")
    examples = [line for line in lines if line.startswith("  kcsearch") or "| kcsearch" in line]
    assert all(display_width(line) <= 80 for line in examples)
    limit = min(int(columns), 100)
    wide = [line for line in lines if display_width(line) > limit and line not in examples]
    assert wide == []
    assert any("가" <= letter <= "힣" for letter in lines[2]) is (language == "ko")


def test_korean_help(tmp_path: Path) -> None:
    done = process(tmp_path, "models", "show", "--help", LANG="ko_KR.UTF-8", COLUMNS="80")
    assert done.stdout.decode() == (
        "사용법: kcsearch models show [NAME] [옵션]\n"
        "\n"
        "  모델의 설정을 출력합니다.\n"
        "\n"
        "예:\n"
        "  kcsearch models show\n"
        "  kcsearch models show kcbert\n"
        "\n"
        "인수:\n"
        "  [NAME]  --model에 쓰는 이름.\n"
        "\n"
        "옵션:\n"
        "  -h, --help  이 도움말을 출력합니다.\n"
    )


@pytest.mark.parametrize(
    "variables", [{"LANGUAGE": "ko"}, {"LC_ALL": "ko_KR.UTF-8"}, {"LANG": "ko_KR.UTF-8"}]
)
def test_the_locale_chooses_korean(variables: dict[str, str], tmp_path: Path) -> None:
    done = process(tmp_path, "query", **variables)
    assert done.returncode == 2
    told = "오류: 검색어나 --similar-to KEY 중 하나를 쓰십시오(둘을 함께 쓸 수는 없습니다)\n"
    assert done.stderr.decode() == told
    done = process(tmp_path, "get", **variables)
    assert done.stderr.decode() == (
        "오류: 'KEY' 인수가 필요합니다. 자세한 사용법: `kcsearch get --help`\n"
    )


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_nothing_heavy_is_imported_to_answer(option: str) -> None:
    program = (
        "import sys; sys.argv = ['kcsearch', sys.argv[1]]\n"
        "from kcsearch.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, option], capture_output=True, text=True, check=True
    )
    assert set(HEAVY) & set(done.stderr.split()) == set()
    assert done.stdout


def test_version(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "--version")
    assert (done.code, done.out, done.err) == (0, f"kcsearch {__version__}\n", "")


def test_without_a_command_the_help_is_an_error(tmp_path: Path) -> None:
    done = kcsearch(tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: kcsearch ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["qury"], "No such command 'qury'"),
        (["query", "비", "--frmat", "json"], "No such option: --frmat"),
        (["query", "비", "-k", "0"], "Invalid value for '--top-k' / '-k': "),
        (["query", "비", "-k", "x"], "Invalid value for '--top-k' / '-k': "),
        (["query", "비", "--format", "xml"], "Invalid value for '--format' / '-f': 'xml' is not"),
        (["delete", "k", "--wait", "x"], "Invalid value for '--wait': "),
        (["query", "비", "-k"], "Option '-k' requires an argument"),
        (["query", "비", "--param"], "Option '--param' requires an argument"),
        (["index"], "Missing argument 'PATH'"),
        (["get"], "Missing argument 'KEY'"),
        (["status", "x"], "Got unexpected extra argument"),
        (["index", "--json=3", "x"], "Option '--json' does not take a value"),
    ],
)
def test_a_usage_error_is_one_line_with_the_next_step(
    arguments: list[str], error: str, tmp_path: Path
) -> None:
    done = kcsearch(tmp_path, *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Error: {error}")
    assert done.err.endswith(" --help`\n")
    assert done.err.count("\n") == 1


def test_a_usage_error_shows_escape_sequences(tmp_path: Path) -> None:
    done = kcsearch(tmp_path, "query", "비", "--\x1b[31m")
    assert "\x1b" not in done.err
    assert done.code == 2


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("kcsearch que", "query"),
        ("kcsearch models s", "show"),
        ("kcsearch query --top", "--top-k"),
        ("kcsearch query --format js", "json\njsonl"),
        ("kcsearch embed --level w", "word"),
    ],
)
def test_completion_in_bash(words: str, completions: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kcsearch"))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(
            _KCSEARCH_COMPLETE="complete_bash",
            COMP_WORDS=words,
            COMP_CWORD=str(words.count(" ")),
        ),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{completions}\n", "")


def test_the_completion_script_calls_us(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kcsearch"))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(_KCSEARCH_COMPLETE="source_bash"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "_KCSEARCH_COMPLETE=complete_bash" in done.stdout
    assert "complete -o default -F _kcsearch_completion kcsearch" in done.stdout
