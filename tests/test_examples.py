"""The programs in examples/, run as their README says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import environment

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("the examples are not beside the tests", allow_module_level=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy: what an example writes beside its files does not stay."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    shutil.copytree(ROOT / "data", tmp_path / "data")
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    path = ":".join([str(ROOT), *(place for place in sys.path if place)])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == code, done.stderr
    return done


def command_of(program: str) -> list[str]:
    """The arguments in the README's line for this program."""
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^python (examples/{program} .*?)(?: >.*)?$", page, re.MULTILINE)
    return shlex.split(line)


def test_a_question_is_answered_from_passages(folder: Path) -> None:
    pytest.importorskip("langchain_core", reason="needs kcsearch[langchain]")
    done = run(folder, *command_of("rag_langchain.py"))
    assert done.stdout == "예금은 한 금융 회사에서 1인당 1억 원까지 보호받습니다.\n"


def test_a_chat_model_gets_the_passages_and_the_question(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_core", reason="needs kcsearch[langchain]")
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.messages import HumanMessage

    from kcsearch import Collection
    from kcsearch.integrations.langchain import KcsearchRetriever

    monkeypatch.syspath_prepend(str(EXAMPLES))
    import rag_langchain

    asked = []

    class ChatModel(FakeListChatModel):
        def _call(self, messages: list, *rest: object, **options: object) -> str:
            asked.append(messages)
            return super()._call(messages, *rest, **options)

    with Collection(folder / "notes") as notes:
        notes.add(["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다."])
        retriever = KcsearchRetriever(collection=notes, k=1)
        chain = rag_langchain.respond(retriever, ChatModel(responses=["사흘이요."]))
        assert chain.invoke("환불은 언제 되나요?") == "사흘이요."
    (messages,) = asked
    assert messages[0].content.endswith("\n\n- 환불은 사흘 안에 처리됩니다.")
    assert messages[1] == HumanMessage("환불은 언제 되나요?")


def test_an_faq_is_found_in_other_words_and_nothing_is_made_up(folder: Path) -> None:
    done = run(folder, *command_of("faq_bot.py"), "비번이 기억 안 나요", "양자역학이 뭐예요")
    answers = done.stdout.splitlines()
    assert "반품 신청" in answers[0]
    assert "비밀번호 찾기" in answers[1]
    assert answers[2] == "잘 모르겠습니다. 상담원에게 연결해 드릴까요?"


def test_an_faq_follows_its_file(folder: Path) -> None:
    faq = folder / "examples/faq.csv"
    run(folder, *command_of("faq_bot.py"))
    text = faq.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("hours")]
    faq.write_text(
        "\n".join([*lines, "cafe,카페가 있나요?|커피 파는 곳은요?,2층에 있습니다."]),
        encoding="utf-8",
    )
    question = ["상담 시간이 언제예요?", "카페가 있나요?"]
    done = run(folder, "examples/faq_bot.py", "examples/faq.csv", *question)
    first, second = done.stdout.splitlines()
    assert "9시부터" not in first
    assert second == "2층에 있습니다."


def test_comments_that_say_the_same_are_left_out(folder: Path) -> None:
    done = run(folder, *command_of("deduplicate_comments.py"))
    assert done.stdout.splitlines() == [
        "배우들 연기가 정말 좋았어요",
        "결말이 너무 허무해요",
        "음악이 아직도 귀에 맴돈다",
        "재미없어요",
        "중간에 졸았습니다",
    ]
    assert len(done.stderr.splitlines()) == 4


@pytest.mark.parametrize(
    ("program", "code"),
    [("rag_langchain.py", 1), ("faq_bot.py", 1), ("deduplicate_comments.py", 2)],
)
def test_without_arguments_the_usage_is_told(program: str, code: int, folder: Path) -> None:
    if program == "rag_langchain.py":
        pytest.importorskip("langchain_core", reason="needs kcsearch[langchain]")
    done = run(folder, f"examples/{program}", code=code)
    assert (done.stdout, program in done.stderr) == ("", True)
    assert "Traceback" not in done.stderr
