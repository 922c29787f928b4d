"""What only a process of its own can show: signals, pipes, closed streams, locales."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import DATA, command, environment, kcsearch, process

SHELL = ["bash", "-c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    done = kcsearch(folder, "index", str(DATA / "everyday.jsonl"))
    assert done.code == 0, done.err
    return folder


def in_shell(folder: Path, line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A line for bash, in which `kcsearch` is ours. Its exit code is that of the first command."""
    ours = " ".join(command())
    script = f'kcsearch() {{ {ours} "$@"; }}; {line}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        [*SHELL, script],
        cwd=folder,
        capture_output=True,
        env=environment(**variables),
        timeout=120,
    )


def count(folder: Path) -> int:
    """Rows in the store, 0 before there is one."""
    with contextlib.suppress(sqlite3.OperationalError):
        uri = f"file:{folder}/.kcsearch/store.db?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as store:
            return int(store.execute("SELECT count(*) FROM documents").fetchone()[0])
    return 0


def lines(n: int, folder: Path) -> None:
    text = "\n".join(f"{number}번째 문장은 {number * 7} 이야기입니다." for number in range(n))
    (folder / "docs.txt").write_text(text, encoding="utf-8")


def wait_for_rows(folder: Path, running: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        if count(folder) or running.poll() is not None:
            return
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_keeps_what_was_committed(number: int, code: int, tmp_path: Path) -> None:
    lines(8000, tmp_path)
    with subprocess.Popen(
        command("index", "docs.txt"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
    ) as running:
        wait_for_rows(tmp_path, running)
        running.send_signal(number)
        _, stderr = running.communicate(timeout=60)
    kept = count(tmp_path)
    assert running.returncode == code, stderr
    assert 0 < kept < 8000
    assert stderr.decode() == (
        f"Interrupted. What was embedded is kept: documents now {kept:,}, of this run {kept:,}. "
        "The same command goes on from there.\n"
    )
    done = process(tmp_path, "index", "docs.txt")
    assert done.returncode == 0
    assert done.stderr.decode().startswith(
        f"Documents read: 8,000 ({8000 - kept:,} new, 0 changed, 0 removed, {kept:,} unchanged; "
        f"{8000 - kept:,} embedded)\n"
    )
    assert count(tmp_path) == 8000


def test_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    lines(3000, tmp_path)
    with subprocess.Popen(
        ["nohup", *command("index", "docs.txt")],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
    ) as running:
        wait_for_rows(tmp_path, running)
        running.send_signal(signal.SIGHUP)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 0, stderr
    assert count(tmp_path) == 3000


def test_a_terminal_that_is_killed_ends_the_command_tidily(tmp_path: Path) -> None:
    """The process leads the terminal's session, as a shell that was replaced by exec does."""
    lines(8000, tmp_path)
    process_id, outer = pty.fork()
    if not process_id:
        os.chdir(tmp_path)
        ours = command("index", "docs.txt")
        os.execve(ours[0], ours, environment(TERM="xterm", COLUMNS="80"))
    for _ in range(3000):
        if count(tmp_path):
            break
        time.sleep(0.02)
    os.close(outer)
    _, status = os.waitpid(process_id, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    kept = count(tmp_path)
    assert 0 < kept < 8000
    done = kcsearch(tmp_path, "verify")
    assert done.code == 0, done.out
    assert kcsearch(tmp_path, "index", "docs.txt").code == 0
    assert count(tmp_path) == 8000


@pytest.mark.parametrize(
    ("line", "code"), [("index docs.txt", 0), ("index gone.txt", 2), ("query 비 -c gone", 2)]
)
def test_messages_that_nobody_reads_are_no_error(line: str, code: int, tmp_path: Path) -> None:
    lines(100, tmp_path)
    end, pipe = os.pipe()
    os.close(end)
    done = subprocess.run(
        command(*line.split()),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=pipe,
        timeout=120,
    )
    os.close(pipe)
    assert (done.returncode, done.stdout) == (code, b"")
    assert count(tmp_path) == (0 if code else 100)


def test_control_c_while_waiting_for_a_question(folder: Path) -> None:
    with subprocess.Popen(
        command("query", "-", "-k", "1", "-f", "plain"),
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write("비\n".encode())
        running.stdin.flush()
        assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout, stderr) == (130, b"", b"")


@pytest.mark.parametrize("line", ["list --format jsonl", "list", "query - -f plain < many.txt"])
def test_a_reader_that_goes_away_is_no_error(line: str, folder: Path) -> None:
    (folder / "many.txt").write_text("비가 오나요\n" * 1000, encoding="utf-8")
    done = in_shell(folder, f"kcsearch {line} | sleep 0")
    assert (done.returncode, done.stdout, done.stderr) == (141, b"", b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("line", ["query 비", "--help", "--version", "query --help", "models -h"])
def test_a_full_disk_behind_standard_output_is_told(
    line: str, unbuffered: str, folder: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = in_shell(folder, f"kcsearch {line} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"Error: standard output cannot be written (No space left on device)\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("query 비 >&-", "standard output cannot be written (Bad file descriptor)"),
        ("query - <&-", "standard input cannot be read (Bad file descriptor)"),
    ],
)
def test_a_closed_stream_is_told(line: str, error: str, folder: Path) -> None:
    done = in_shell(folder, f"kcsearch {line}")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"Error: {error}\n"


def test_a_working_directory_that_is_gone_is_told(folder: Path) -> None:
    done = in_shell(folder, "mkdir gone; cd gone; rmdir ../gone; kcsearch query 비")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("Error: the working directory cannot be read (")


def test_closed_standard_error_is_no_error(folder: Path) -> None:
    done = in_shell(folder, "kcsearch query 비 -k 1 -f plain 2>&-")
    assert done.returncode == 0
    assert done.stdout.decode().count("\n") == 1


@pytest.mark.parametrize(
    "variables",
    [{"LANG": "C", "LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "LANG": ""}],
    ids=["C", "ascii", "unset"],
)
def test_hangul_is_printed_whatever_the_locale(variables: dict[str, str], folder: Path) -> None:
    done = process(folder, "get", "refund-01", **variables)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "환불" in done.stdout.decode("utf-8")
    done = process(folder, "get", "없는 키", **variables)
    assert done.returncode == 1
    assert done.stderr.decode("utf-8") == "Error: no document has the key '없는 키'\n"


def test_no_home_is_no_error(folder: Path) -> None:
    variables = {k: v for k, v in environment().items() if k not in ("HOME", "HF_HOME")}
    done = subprocess.run(
        command("query", "비", "-k", "1"), cwd=folder, env=variables, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_moves_where_there_is_no_terminal(tmp_path: Path) -> None:
    """With batches enough that a terminal would see the bar."""
    lines = "\n".join(f"{number}번째 줄" for number in range(1500))
    (tmp_path / "docs.txt").write_text(lines, encoding="utf-8")
    done = process(tmp_path, "index", "docs.txt", FORCE_COLOR="1")
    assert done.returncode == 0
    assert re.search(rb"[\x1b\r]", done.stderr) is None
    assert done.stderr.count(b"\n") == 2


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the bar shows how far it is, and leaves nothing behind."""
    lines = "\n".join(f"{number}번째 줄, 그리고 {number * 13}" for number in range(2500))
    (tmp_path / "docs.txt").write_text(lines, encoding="utf-8")
    outer, inner = pty.openpty()
    with subprocess.Popen(
        command("index", "docs.txt"),
        cwd=tmp_path,
        env=environment(TERM="xterm", COLUMNS="80"),
        stderr=inner,
        stdout=inner,
    ) as running:
        os.close(inner)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal is EIO
            while chunk := os.read(outer, 4096):
                seen += chunk
    os.close(outer)
    assert running.returncode == 0
    shown = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode()
    assert re.search(r"\d %  [\d,]+ documents, [\d,]+/s, \d+:\d\d left", shown)
    assert "Documents read: 2,500 (2,500 new" in shown
    assert b"\x1b[?25h" in seen  # the cursor is back


def test_a_terminal_cuts_a_table_to_its_width(folder: Path) -> None:
    outer, inner = pty.openpty()
    with subprocess.Popen(
        command("query", "돈을 언제 돌려받나요"),
        cwd=folder,
        env=environment(COLUMNS="40"),
        stdout=inner,
    ) as running:
        os.close(inner)
        seen = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(outer, 4096):
                seen += chunk
    os.close(outer)
    assert running.returncode == 0
    lines = seen.decode().splitlines()
    assert len(lines) == 11
    assert any(line.endswith("…") for line in lines)


def test_a_query_leaves_at_once_and_has_printed_everything(folder: Path) -> None:
    """Nothing registered to run at the end runs, and a full pipe of output is whole."""
    script = (
        "import atexit, sys; atexit.register(print, 'too late');"
        "sys.argv = ['kcsearch', 'list', '--format', 'jsonl'];"
        "from kcsearch.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, env=environment()
    )
    n_lines = len((DATA / "everyday.jsonl").read_text(encoding="utf-8").splitlines())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == n_lines
