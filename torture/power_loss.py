"""A power cut after each call that writes: what was not synced is lost, or some of it is.

`python -m torture power_loss`. An operation is traced once; from the trace come the folders that a
disk may hold afterwards. What was synced is there. Of the rest there is nothing, all, or any part
(two drawn at random, single writes torn at 512 bytes). A name is safe when its folder was synced.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torture import faults, kills, scenario
from torture.children import fresh_copy
from torture.faults import Call

_SECTOR = 512
SURVIVORS = ("nothing unsynced", "everything", "some, 1", "some, 2")


@dataclass
class _File:
    """synced: what is safe. waiting: the calls since."""

    synced: bytearray = field(default_factory=bytearray)
    waiting: list[Call] = field(default_factory=list)


@dataclass
class Disk:
    """Files by the names that processes see, and by those that are safe."""

    seen: dict[str, _File]
    safe: dict[str, _File]
    renames: list[Call] = field(default_factory=list)  # and unlinks, since the folder was synced

    @classmethod
    def of(cls, folder: Path) -> Disk:
        files = {str(path): _File(bytearray(path.read_bytes())) for path in folder.iterdir()}
        return cls(dict(files), dict(files))

    def take(self, call: Call) -> None:
        if call.kind == "s" and call.path not in self.seen:  # the folder
            self.safe, self.renames = dict(self.seen), []
        elif call.kind == "s":
            file = self.seen[call.path]
            for waiting in file.waiting:
                _apply(file.synced, waiting)
            file.waiting = []
        elif call.kind in "wt" and not call.path.endswith(" (deleted)"):
            self.seen.setdefault(call.path, _File()).waiting.append(call)
        elif call.kind in "ru":
            self.renames.append(call)
            _rename(self.seen, call)

    def survivors(self, how: str) -> dict[str, bytes]:
        """What the disk may hold after a power cut now, by name."""
        chance = random.Random(f"{how} {len(self.renames)} {sum(map(len, self.seen))}")
        if how == "nothing unsynced":
            return {name: bytes(file.synced) for name, file in self.safe.items()}
        if how == "everything":
            return {name: _content(file, file.waiting) for name, file in self.seen.items()}
        names = {**self.safe}
        for name, file in self.seen.items():  # new files may have got their names
            if file not in names.values() and chance.random() < 0.5:
                names.setdefault(name, file)
        for call in self.renames[: chance.randint(0, len(self.renames))]:
            if call.path in names:
                _rename(names, call)
        return {name: _content(file, _some(file.waiting, chance)) for name, file in names.items()}


def run(folder: Path, stride: int = 1) -> dict[str, Any]:
    template, victim = folder / "template", folder / "victim"
    scenario.make(template)
    report: dict[str, Any] = {"cuts": {}, "folders": 0, "problems": []}
    for operation in scenario.OPERATIONS:
        expected = scenario.reference(operation, template, folder / "reference")
        fresh_copy(template, victim)
        disk = Disk.of(victim)
        child = scenario.start(operation, victim, partial(faults.arm, "trace", 0, victim))
        code, told = child.told()
        calls = list(faults.calls(told))
        report["cuts"][operation] = len(calls)
        if code:
            report["problems"].append(f"{operation} itself ended with {code}")
        n_told = 0
        for number, call in enumerate(calls):
            disk.take(call)
            n_told += call.kind == "."
            for how in SURVIVORS if number % stride == 0 else ():
                _put(victim, disk.survivors(how))
                report["folders"] += 1
                where = f"{operation}, power cut after call {number} ({call.kind}), {how}"
                kills.check(report, victim, expected, n_told, where)
    return report


def _apply(content: bytearray, call: Call) -> None:
    if call.kind == "t":
        del content[call.offset :]
        content.extend(bytes(call.offset - len(content)))
        return
    content.extend(bytes(max(0, call.offset - len(content))))
    content[call.offset : call.offset + len(call.data)] = call.data


def _content(file: _File, calls: list[Call]) -> bytes:
    content = bytearray(file.synced)
    for call in calls:
        _apply(content, call)
    return bytes(content)


def _some(calls: list[Call], chance: random.Random) -> list[Call]:
    """Any of the calls, and of some only their first sectors."""
    chosen = []
    for call in calls:
        if chance.random() < 0.5:
            n = len(call.data) // _SECTOR * _SECTOR
            torn = chance.randrange(0, n + 1, _SECTOR) if chance.random() < 0.3 else None
            chosen.append(Call(call.kind, call.path, call.to, call.offset, call.data[:torn]))
    return chosen


def _rename(names: dict[str, _File], call: Call) -> None:
    file = names.pop(call.path, None)
    if call.kind == "r" and file is not None:
        names[call.to] = file


def _put(folder: Path, files: dict[str, bytes]) -> None:
    """All but the memory that SQLite shares between processes: no process has survived."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        if not name.endswith("-shm"):
            (folder / Path(name).name).write_bytes(content)
