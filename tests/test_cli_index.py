"""`kcsearch index`: what it tells, what it keeps, and what it leaves alone."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from running import Run, kcsearch

LINES = ["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다.", "지하철이 늦게 옵니다."]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "docs.txt", LINES)
    return tmp_path


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))


def report(
    folder: Path,
    read: int,
    *,
    new: int = 0,
    changed: int = 0,
    removed: int = 0,
    embedded: int | None = None,
) -> str:
    unchanged = read - new - changed
    n_embedded = new + changed if embedded is None else embedded
    return (
        f"Documents read: {read} ({new} new, {changed} changed, {removed} removed, "
        f"{unchanged} unchanged; {n_embedded} embedded)\n"
    )


def told(done: Run) -> str:
    """What a run told, without the line that ends it (it holds seconds)."""
    assert (done.code, done.out) == (0, "")
    *lines, last = done.err.splitlines(keepends=True)
    assert last.startswith("Documents in /")
    return "".join(lines)


def texts(folder: Path) -> list[str]:
    return kcsearch(folder, "list", "--format", "plain").out.splitlines()


def test_only_what_changed_is_embedded(folder: Path) -> None:
    first = kcsearch(folder, "index", "docs.txt")
    assert told(first) == report(folder, 3, new=3)
    assert first.err.splitlines()[-1].startswith(f"Documents in {folder}/.kcsearch: 3 (")
    assert told(kcsearch(folder, "index", "docs.txt")) == report(folder, 3)
    write(folder / "docs.txt", [LINES[0], "모레는 눈이 옵니다.", LINES[2], "새 줄입니다."])
    assert told(kcsearch(folder, "index", "docs.txt")) == report(folder, 4, new=1, changed=1)
    assert sorted(texts(folder)) == sorted(
        [LINES[0], "모레는 눈이 옵니다.", LINES[2], "새 줄입니다."]
    )


def test_a_dry_run_changes_nothing(folder: Path) -> None:
    kcsearch(folder, "index", "docs.txt")
    write(folder / "docs.txt", [LINES[0], "모레는 눈이 옵니다."])
    done = kcsearch(folder, "index", "docs.txt", "--dry-run")
    expected = report(folder, 2, changed=1, removed=1) + "A dry run: nothing was changed.\n"
    assert done == Run(0, "", expected)
    assert texts(folder) == LINES


def test_a_dry_run_makes_no_collection(folder: Path) -> None:
    done = kcsearch(folder, "index", "docs.txt", "--dry-run")
    assert done == Run(0, "", report(folder, 3, new=3) + "A dry run: nothing was changed.\n")
    assert [path.name for path in folder.iterdir()] == ["docs.txt"]


def test_vanished_lines_are_removed_unless_told_otherwise(folder: Path) -> None:
    kcsearch(folder, "index", "docs.txt")
    write(folder / "docs.txt", LINES[:2])
    assert told(kcsearch(folder, "index", "docs.txt", "--no-prune")) == report(folder, 2)
    assert texts(folder) == LINES
    assert told(kcsearch(folder, "index", "docs.txt")) == report(folder, 2, removed=1)
    assert texts(folder) == LINES[:2]


def test_a_report_in_json(folder: Path) -> None:
    done = kcsearch(folder, "index", "docs.txt", "--json")
    assert done.code == 0
    assert json.loads(done.out) == {
        "n_read": 3,
        "n_unchanged": 0,
        "n_added": 3,
        "n_changed": 0,
        "n_removed": 0,
        "n_embedded": 3,
        "n_windows": 0,
    }
    assert done.err.startswith("Documents read: 3 ")


def test_standard_input(folder: Path) -> None:
    done = kcsearch(folder, "index", "-", stdin="첫 줄\n\n둘째 줄\n")
    assert told(done) == "Blank lines skipped: 1\n" + report(folder, 2, new=2)
    done = kcsearch(folder, "list", "--format", "jsonl")
    assert [json.loads(line)["key"] for line in done.out.splitlines()] == ["-:1", "-:3"]


def test_what_was_read_as_cp949_is_told(folder: Path) -> None:
    write(folder / "old.txt", LINES, "cp949")
    done = kcsearch(folder, "index", "old.txt")
    assert told(done) == "old.txt is not UTF-8; it was read as CP949.\n" + report(folder, 3, new=3)
    assert texts(folder) == LINES
    again = kcsearch(folder, "index", "old.txt", "--encoding", "cp949")
    assert told(again) == report(folder, 3)


def test_other_files_in_a_folder_are_counted(folder: Path) -> None:
    (folder / "notes").mkdir()
    write(folder / "notes" / "a.md", ["# 제목", "", "본문입니다."])
    (folder / "notes" / "그림.png").write_bytes(b"\x89PNG\r\n")
    done = kcsearch(folder, "index", "notes")
    assert "Files of other formats left out: 1, such as notes/그림.png\n" in done.err
    assert done.code == 0


def test_a_table_with_named_fields(folder: Path) -> None:
    rows = ["번호,질문,답", "1,언제 오나요?,사흘 걸립니다.", "2,얼마인가요?,무료입니다."]
    write(folder / "faq.csv", rows)
    fields = ("--text-field", "답", "--key-field", "번호")
    assert told(kcsearch(folder, "index", "faq.csv", *fields)) == report(folder, 2, new=2)
    done = kcsearch(folder, "get", "2", "--format", "json")
    assert json.loads(done.out) == [
        {
            "key": "2",
            "text": "무료입니다.",
            "source": "faq.csv",
            "line": 3,
            "metadata": {"질문": "얼마인가요?"},
        }
    ]


def test_a_format_can_be_forced(folder: Path) -> None:
    write(folder / "data.log", ['{"text": "기록입니다."}'])
    assert told(kcsearch(folder, "index", "data.log", "--format", "jsonl")) == report(
        folder, 1, new=1
    )
    assert texts(folder) == ["기록입니다."]


def test_texts_over_the_limit_are_told(folder: Path) -> None:
    write(folder / "long.txt", ["아주 긴 문장을 하나 적어 봅니다. " * 100])
    done = kcsearch(folder, "index", "long.txt")
    assert "Windows that hold the texts over the model's limit: " in done.err


def test_the_collection_can_be_named(folder: Path) -> None:
    done = kcsearch(folder, "index", "docs.txt", "--collection", "elsewhere/notes")
    assert done.err.splitlines()[-1].startswith(f"Documents in {folder}/elsewhere/notes: 3 (")
    assert sorted(path.name for path in folder.iterdir()) == ["docs.txt", "elsewhere"]
    done = kcsearch(folder, "index", "docs.txt", env={"KCSEARCH_COLLECTION": "elsewhere/notes"})
    assert told(done) == report(folder, 3)


def test_a_file_is_cited_from_where_the_collection_lies(folder: Path) -> None:
    kcsearch(folder, "index", "docs.txt")
    (folder / "sub").mkdir()
    assert told(kcsearch(folder / "sub", "index", "../docs.txt")) == report(folder, 3)


# -- errors -------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_makes_no_collection(folder: Path) -> None:
    done = kcsearch(folder, "index", "dosc.txt")
    assert done == Run(2, "", "Error: dosc.txt: no such file. In the same folder: docs.txt\n")
    assert [path.name for path in folder.iterdir()] == ["docs.txt"]


def test_what_came_before_an_error_stays(folder: Path) -> None:
    (folder / "b.jsonl").write_text('{"text": "하나"}\n{"text": \n', encoding="utf-8")
    done = kcsearch(folder, "index", "docs.txt", "b.jsonl")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: b.jsonl:2: not JSON as it should be (")
    assert kcsearch(folder, "index", "docs.txt").code == 0
    assert texts(folder) == LINES


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["docs.txt", "--encoding", "utf-9"], "no encoding is called 'utf-9'"),
        (["docs.txt", "--encoding", "utf-16"], "docs.txt"),
        (["*.md"], "*.md: no file matches"),
        (["docs.txt", "--model", "nowhere/at-all"], "model 'nowhere/at-all' is neither a folder"),
        (["docs.txt", "--device", "abacus"], "no device 'abacus' here"),
    ],
)
def test_an_input_error_is_one_line(arguments: list[str], error: str, folder: Path) -> None:
    done = kcsearch(folder, "index", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Error: {error}")
    assert done.err.count("\n") == 1


def test_another_model_is_refused(folder: Path, make_bert: Callable[..., Path]) -> None:
    kcsearch(folder, "index", "docs.txt")
    other = str(make_bert())
    for arguments in (("index", "docs.txt"), ("query", "비")):
        done = kcsearch(folder, *arguments, "--model", other)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"Error: {folder}/.kcsearch was made with the model ")
        assert done.err.count("\n") == 1
    assert told(kcsearch(folder, "index", "docs.txt", "--model", "bundled")) == report(folder, 3)


def test_a_damaged_store(folder: Path) -> None:
    kcsearch(folder, "index", "docs.txt")
    for path in (folder / ".kcsearch").glob("store.db*"):
        path.unlink()
    (folder / ".kcsearch" / "store.db").write_bytes(b"garbage" * 1000)
    for arguments in (("index", "docs.txt"), ("query", "비"), ("status",)):
        done = kcsearch(folder, *arguments)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"Error: {folder}/.kcsearch/store.db: ")
        assert done.err.count("\n") == 1


def test_another_writer(folder: Path) -> None:
    kcsearch(folder, "index", "docs.txt")
    write(folder / "docs.txt", LINES[:1])
    with FileLock(folder / ".kcsearch" / "write.lock"):
        done = kcsearch(folder, "index", "docs.txt", "--wait", "0.1")
        assert kcsearch(folder, "query", "비", "-f", "plain").code == 0
    assert (done.code, done.out) == (4, "")
    waiting, error = done.err.splitlines()
    assert waiting == "Another process is writing; waiting for it …"
    assert error.startswith(f"Error: {folder}/.kcsearch: another process is writing to this")
    assert texts(folder) == LINES


def test_a_deterministic_index_holds_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    lines = [f"{'아주 ' * (n % 4)}긴 이야기 {n}번" for n in range(30)]
    found = []
    for name, some in (("one", lines), ("two", lines[::-1])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "docs.txt").write_text("\n".join(some), encoding="utf-8")
        done = kcsearch(tmp_path / name, "index", "docs.txt", "--deterministic")
        assert done.code == 0, done.err
        with contextlib.closing(sqlite3.connect(tmp_path / name / ".kcsearch/store.db")) as store:
            sql = "SELECT text, vector FROM documents JOIN vectors USING (row_id)"
            found.append(dict(store.execute(sql)))
    assert len(found[0]) == 30
    assert found[0] == found[1]


def test_cleaning_is_chosen_once_and_for_all(tmp_path: Path) -> None:
    write(tmp_path / "docs.txt", ["완전 최고ㅋㅋㅋㅋㅋㅋㅋㅋ", "비가 옵니다."])
    assert kcsearch(tmp_path, "index", "docs.txt", "--clean", "kcbert").code == 0
    done = kcsearch(tmp_path, "query", "완전 최고ㅋㅋㅋㅋㅋㅋ", "-k", "1", "--format", "json")
    (hit,) = json.loads(done.out)[0]["hits"]
    assert (hit["text"], round(hit["cosine"], 5)) == ("완전 최고ㅋㅋㅋㅋㅋㅋㅋㅋ", 1)
    assert kcsearch(tmp_path, "index", "docs.txt").code == 0  # its own way
    done = kcsearch(tmp_path, "index", "docs.txt", "--clean", "none")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith(".kcsearch was made with --clean kcbert, not none\n")
    status = json.loads(kcsearch(tmp_path, "status", "--format", "json").out)
    assert status["model"]["clean"] == "kcbert"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("", "the name of the collection's folder is empty"),
        ("c\udcff", "the name of the folder '{folder}/c\\udcff' is not UTF-8"),
    ],
)
def test_a_folder_whose_name_is_none_is_told(name: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("비가 옵니다", encoding="utf-8")
    done = kcsearch(tmp_path, "index", "a.txt", "-c", name)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: {line.format(folder=tmp_path)}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
