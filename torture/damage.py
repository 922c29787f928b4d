"""Flipped bytes and cut files: store.db, its log, vectors.faiss, and the files of the model.

`python -m torture damage`. Every 64th byte is flipped and each file cut at 200 places; after each
the command line answers a question and, of store.db, lists all documents. It must give the right
answer, or end with 3 and one line with advice: no traceback, no other rows, no hang, no more than
twice the memory. SQLite takes a broken frame for the end of its log; that a commit is lost is seen
by vectors.faiss. Only a log that is gone altogether gives an older commit, which is counted apart.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kcsearch.__main__ import main
from kcsearch.collection import Collection
from kcsearch.types import Document

STRIDE, N_CUTS = 64, 200
SECONDS = 30  # after which a command hangs
_QUESTION = ["query", "환불 날씨", "-k", "5", "-f", "json"]
_COMMANDS = [_QUESTION, ["list", "-f", "jsonl"]]
_WORDS = ["환불", "날씨", "배송", "여행", "학교", "병원", "영화", "김치", "기차", "서울"]


@dataclass
class Answers:
    """What a command may say: exit code 0 and one of `right`; `older` are those of past commits."""

    right: list[bytes] = field(default_factory=list)
    older: list[set[bytes]] = field(default_factory=list)
    kilobytes: int = 0


def run(folder: Path, stride: int = STRIDE, n_cuts: int = N_CUTS) -> dict[str, Any]:
    make(folder)
    report: dict[str, Any] = {"outcomes": {}, "problems": []}
    path = folder / "c"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        _main([*_QUESTION, "-c", str(path)])  # so that the forks find everything imported
    for name, file in {
        "store.db": path / "store.db",
        "vectors.faiss": path / "vectors.faiss",
        "store.sum": path / "store.sum",
        **{f"model/{file.name}": file for file in sorted((folder / "model").iterdir())},
    }.items():
        _damage_all(report, name, file, path, stride, n_cuts)
    logged = with_log(folder)
    _damage_all(report, "store.db-wal", logged / "store.db-wal", logged, stride, n_cuts)
    return report


def make(folder: Path) -> None:
    """A collection c of 60 documents, made with a model of two small layers."""
    code, _, err, _ = _forked(lambda: _make_model(folder / "model"), seconds=600)
    assert code == 0, err.decode()
    with Collection(folder / "c", folder / "model") as collection:
        collection.add(_document(i) for i in range(60))


def with_log(folder: Path) -> Path:
    """A copy of it whose last four commits lie in the log."""
    path, copy = folder / "c", folder / "logged"
    with Collection(path, create=False) as reader, reader._store.snapshot():
        reader.count()  # is in the way of the checkpoint
        for i in range(60, 64):
            with Collection(path, create=False) as writer:
                writer.add([_document(i)])
        shutil.copytree(path, copy)
    return copy


def _document(number: int) -> Document:
    words = [_WORDS[(number * step) % len(_WORDS)] for step in (1, 5, 7)]
    return Document(f"{number} {' '.join(words)}", f"k{number}", "a.txt", number, {"n": number})


def _make_model(folder: Path) -> None:
    from tests.conftest import SPECIAL_PIECES, write_bert

    syllables = sorted({*"".join(_WORDS), *"0123456789"})
    write_bert(folder, vocabulary=SPECIAL_PIECES + syllables + [f"##{s}" for s in syllables])


def _damage_all(
    report: dict[str, Any], name: str, file: Path, path: Path, stride: int, n_cuts: int
) -> None:
    whole, place = file.read_bytes(), os.stat(file)
    answers = _expected(path, with_older=name.endswith("-wal"))
    for how, damaged in (("flipped", _flips(whole, stride)), ("cut", _cuts(whole, n_cuts))):
        counts = Counter[str]()
        for where, content in damaged:
            with _replaced(file, content, whole, place):
                for number, command in enumerate(_COMMANDS[: 2 if name == "store.db" else 1]):
                    outcome = _outcome([*command, "-c", str(path)], answers, number)
                    counts[outcome] += 1
                    if outcome.startswith("!"):
                        report["problems"].append(f"{name}, {how} at {where}: {outcome}")
        report["outcomes"][f"{name}, {how}"] = dict(sorted(counts.items()))


def _flips(whole: bytes, stride: int) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(whole), stride):
        yield at, whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]


def _cuts(whole: bytes, n: int) -> Iterator[tuple[int, bytes]]:
    for at in sorted({len(whole) * i // n for i in range(n)}):
        yield at, whole[:at]


@contextmanager
def _replaced(file: Path, content: bytes, whole: bytes, place: os.stat_result) -> Iterator[None]:
    """The damaged content in a new file; then the old one with its old time, by which it is known.

    What a command left beside the store, SQLite's shared memory, goes with it.
    """
    kept = {f: f.read_bytes() for f in file.parent.iterdir() if f.suffix in (".faiss", ".sum")}
    kept |= {f: f.read_bytes() for f in file.parent.glob("store.db-wal")}
    file.unlink()
    file.write_bytes(content)
    try:
        yield
    finally:
        for other, before in kept.items():
            if not other.exists() or other.read_bytes() != before:
                other.unlink(missing_ok=True)
                other.write_bytes(before)
        file.unlink(missing_ok=True)
        file.write_bytes(whole)
        os.utime(file, ns=(place.st_atime_ns, place.st_mtime_ns))
        file.with_name("store.db-shm").unlink(missing_ok=True)


def _expected(path: Path, *, with_older: bool) -> Answers:
    answers = Answers()
    for command in _COMMANDS:
        code, out, err, kilobytes = _answer([*command, "-c", str(path)])
        assert code == 0, err
        answers.right.append(out)
        answers.kilobytes = max(answers.kilobytes, kilobytes)
        answers.older.append(set())
    if with_older:
        log = path / "store.db-wal"
        whole = log.read_bytes()
        for at in [0, *_ends_of_commits(whole)]:
            with _replaced(log, whole[:at], whole, os.stat(log)):
                answers.older[0].add(_answer([*_QUESTION, "-c", str(path)])[1])
    return answers


def _ends_of_commits(log: bytes) -> list[int]:
    """Where the frames end that SQLite's file format marks with the size of the file after them."""
    page = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page)
    return [at + 24 + page for at in frames if int.from_bytes(log[at + 4 : at + 8], "big")]


def _outcome(command: list[str], answers: Answers, number: int) -> str:
    """What became of it, in words; a ! marks what must not be."""
    code, out, err, kilobytes = _answer(command)
    advice = err.decode(errors="replace").strip()
    if kilobytes > 2 * answers.kilobytes:
        return f"! {kilobytes} KB of memory"
    if code == 0 and out == answers.right[number]:
        return "right answer"
    if code == 0 and out in answers.older[number]:
        return "answer of an older commit"
    if code == 0:
        return "! another answer"
    is_one_line = advice.startswith("Error: ") and "\n" not in advice
    if is_one_line and not out and code == 3:
        return f"exit code {code} with advice"
    return f"! exit code {code}: {advice[-300:]}"


def _answer(command: list[str]) -> tuple[int, bytes, bytes, int]:
    """Exit code, standard output, standard error and peak memory of a command, in a fork."""
    return _forked(lambda: _main(command))


def _main(command: list[str]) -> None:
    sys.argv[1:] = command
    main()


def _forked(work: Callable[[], None], seconds: int = SECONDS) -> tuple[int, bytes, bytes, int]:
    with _temporary() as out, _temporary() as err:
        process = os.fork()
        if not process:
            code = 99
            try:
                signal.alarm(seconds)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                for number, stream in ((1, "stdout"), (2, "stderr")):
                    setattr(sys, stream, open(number, "w", closefd=False))  # noqa: SIM115
                work()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 98
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                with contextlib.suppress(OSError):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(code)
        _, status, usage = os.wait4(process, 0)
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return code, _all(out), _all(err), usage.ru_maxrss


def _temporary() -> Any:
    import tempfile

    return tempfile.TemporaryFile()


def _all(file: io.BufferedRandom) -> bytes:
    file.seek(0)
    return file.read()
