"""Rebuilds a damaged collection from what can still be read of it.

A row whose text is whole but whose vector is not is encoded again; full-text rows and FAISS come
from the texts and vectors. What cannot be mended is written to a file, and the damaged store stays
beside the new one: nothing is deleted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from kcsearch import models
from kcsearch.atomic_file import sync_folder
from kcsearch.errors import (
    CollectionDamagedError,
    CollectionNotFoundError,
    KcsearchError,
)
from kcsearch.index_cache import IndexCache
from kcsearch.store.salvage import SalvagedRow, last_commit, salvaged_rows, salvaged_settings
from kcsearch.store.seal import take_seal
from kcsearch.store.soundness import document_fault, vector_fault
from kcsearch.store.sqlite_file import explained
from kcsearch.store.text_store import NEEDED_SETTINGS, VECTOR_DTYPE, NewRow, TextStore
from kcsearch.types import Document, Encoder
from kcsearch.upkeep.verification import check_store
from kcsearch.write_lock import write_lock

_BATCH = 1000  # rows


@dataclass(slots=True)
class RepairReport:
    """In rows: documents, where a text longer than the model's limit counts once per window.

    n_set_aside: rows that were read and could not be mended, listed in the file `set_aside`.
    n_gone: rows of which nothing could be read. damaged: the store as it was, if it was replaced.
    """

    n_kept: int = 0
    n_encoded: int = 0
    n_set_aside: int = 0
    n_gone: int = 0
    set_aside: str | None = None
    damaged: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def repair(
    path: str | Path,
    *,
    encoder: Encoder | None = None,
    wait: float = 10.0,
    on_wait: Callable[[], None] | None = None,
) -> RepairReport:
    """Mend the collection in the folder `path` as far as it can be.

    encoder: in place of the model that the collection names. wait, on_wait: as for `Collection`.
    Raises CollectionNotFoundError, CollectionUnavailableError, and CollectionDamagedError where
    not even the settings can be read.
    """
    folder = Path(os.path.abspath(path))
    store = folder / "store.db"
    if not store.exists():
        raise CollectionNotFoundError(
            "{path} is not a collection. Make one with `kcsearch index FILE`", path=folder
        )
    with write_lock(folder / "write.lock", wait, on_wait), explained(folder):
        report = RepairReport()
        if not _is_sound(store):
            report = _renewed(store, encoder)
        with closing(TextStore(store, writable=True)) as opened, opened.snapshot():
            report.n_kept = opened.state().n_rows
            IndexCache(folder / "vectors.faiss").save(opened, whole=True)
        return report


def _is_sound(store: Path) -> bool:
    """Whether everything in store.db itself is as it should be; FAISS is built again anyway."""
    try:
        with closing(TextStore(store)) as opened:
            opened.check_settings()
            return not any(check.n_wrong for check in check_store(opened))
    except CollectionDamagedError:
        return False


def _renewed(store: Path, encoder: Encoder | None) -> RepairReport:
    """Put a new store in the place of the damaged one, which gets another name."""
    settings = salvaged_settings(store)
    if any(name not in settings for name in NEEDED_SETTINGS):
        raise CollectionDamagedError(
            "{path}: not even its settings can be read. Put back a copy of the collection, or "
            "delete its folder and index again",
            path=store,
        )
    number = next(n for n in range(1, 1 << 20) if not _damaged(store, n).exists())
    listed = store.with_name(f"set-aside-{number}.jsonl")
    report = RepairReport(damaged=_damaged(store, number).name)
    n_rows = last_commit(store)
    n_found = sum(row.values is not None for row in salvaged_rows(store))
    fresh = store.with_name("store.new.db")
    try:
        with (
            closing(TextStore.create(fresh, settings)) as new,
            listed.open("w", encoding="utf-8") as aside,
        ):
            renewal = _Renewal(new, encoder, report, aside, some_are_gone=n_found < n_rows)
            renewal.run(salvaged_rows(store))
        _swap(store, fresh, _damaged(store, number))
    finally:
        for name in (fresh.name, f"{fresh.name}-wal", f"{fresh.name}-shm", f"{fresh.stem}.sum"):
            fresh.with_name(name).unlink(missing_ok=True)
    report.n_gone = max(0, n_rows - report.n_kept - report.n_set_aside)
    if report.n_set_aside:
        report.set_aside = listed.name
    else:
        listed.unlink()
    return report


def _damaged(store: Path, number: int) -> Path:
    return store.with_name(f"store.damaged-{number}.db")


def _swap(store: Path, new: Path, damaged: Path) -> None:
    """The damaged store keeps its log; the new one must not find it."""
    log = store.with_name(f"{store.name}-wal")
    if log.exists() and log.stat().st_size:
        shutil.copy2(log, damaged.with_name(f"{damaged.name}-wal"))
    try:
        os.link(store, damaged)
    except OSError:  # a file system without links
        shutil.copy2(store, damaged)
    take_seal(store)
    store.with_name("vectors.faiss").unlink(missing_ok=True)  # it shows commits of the old one
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    new.replace(store)
    sync_folder(store.parent)


class _Renewal:
    """One run over the salvaged rows: keep, encode again, or set aside."""

    def __init__(
        self,
        new: TextStore,
        encoder: Encoder | None,
        report: RepairReport,
        aside: TextIO,
        *,
        some_are_gone: bool,
    ) -> None:
        self._new, self._encoder, self._report, self._aside = new, encoder, report, aside
        self._some_are_gone = some_are_gone
        self._keys: set[str] = set()

    def run(self, rows: Iterable[SalvagedRow]) -> None:
        for batch in _batches(self._mendable(rows)):
            self._keep(batch)

    def _mendable(self, rows: Iterable[SalvagedRow]) -> Iterator[SalvagedRow]:
        """Rows with a sound document; of a long text all of its windows, or none.

        Windows of a text were stored one after the other.
        """
        windows: list[SalvagedRow] = []
        for row in rows:
            if windows and _whole_key(row) != _whole_key(windows[0]):
                yield from self._complete(windows, row)
                windows = []
            if _whole_key(row) is not None:
                windows.append(row)
            elif fault := self._fault(row):
                self._set_aside(row, fault)
            else:
                yield row
        if windows:
            yield from self._complete(windows, None)

    def _fault(self, row: SalvagedRow) -> str | None:
        if row.values is None:
            return "its document cannot be read"
        fault = document_fault(row.values)
        if fault is None and row.values[0] in self._keys:
            return "another row has its key"
        if fault is None:
            self._keys.add(row.values[0])
        return fault

    def _complete(
        self, windows: list[SalvagedRow], behind: SalvagedRow | None
    ) -> Iterator[SalvagedRow]:
        """The windows of one text, if none is damaged or lost; `behind` is the row after them."""
        faults = [self._fault(row) for row in windows]
        expected = [f"{_whole_key(row)}#{number}" for number, row in enumerate(windows, 1)]
        ends = behind and behind.values and behind.row_id == windows[-1].row_id + 1
        may_go_on = self._some_are_gone and not ends
        if not any(faults) and not may_go_on and list(map(_key, windows)) == expected:
            yield from windows
            return
        for row, fault in zip(windows, faults, strict=True):
            self._set_aside(row, fault or "another part of its text is lost")

    def _keep(self, rows: list[SalvagedRow]) -> None:
        dim = int(self._new.settings["dim"])
        vectors = {row.row_id: row.vector for row in rows if not vector_fault(row.vector, dim)}
        lacking = [row for row in rows if row.row_id not in vectors]
        encoded, reason = self._encoded(lacking)
        for row in lacking:
            if row.row_id not in encoded:
                self._set_aside(row, f"{vector_fault(row.vector, dim)}; {reason}")
        new = [
            NewRow(
                _document(row),
                encoded[row.row_id]
                if row.row_id in encoded
                else np.frombuffer(vectors[row.row_id], VECTOR_DTYPE),
                _whole_key(row),
            )
            for row in rows
            if row.row_id in vectors or row.row_id in encoded
        ]
        self._new.write(add=new)
        self._report.n_kept += len(new)
        self._report.n_encoded += len(encoded)

    def _encoded(self, rows: list[SalvagedRow]) -> tuple[dict[int, np.ndarray], str]:
        """Vectors by row id; none, and the reason, where the collection's model is not at hand."""
        if not rows:
            return {}, ""
        try:
            if self._encoder is None:
                self._encoder = _encoder_of(self._new.settings)
            vectors = self._encoder.encode([_document(row).text for row in rows])
        except KcsearchError as error:
            return {}, str(error)
        return {row.row_id: vector for row, vector in zip(rows, vectors, strict=True)}, ""

    def _set_aside(self, row: SalvagedRow, fault: str) -> None:
        names = ("key", "text", "source", "line", "metadata")
        values = dict(zip(names, row.values or (), strict=False))
        record = {"row_id": row.row_id, "fault": fault, **values}
        self._aside.write(json.dumps(record, ensure_ascii=False, default=repr) + "\n")
        self._report.n_set_aside += 1


def _encoder_of(settings: Mapping[str, Any]) -> Encoder:
    """The collection's own model. Raises KcsearchError if it is not here, or is another by now."""
    from kcsearch.encoder import TextEncoder

    folder = models.resolve(
        settings["model_reference"] or None, settings["model"].get("clean", "none")
    )
    found = folder.fingerprint()
    differing = [
        name
        for name, value in settings["model"].items()
        if name not in ("name", "revision") and found.get(name) != value
    ]
    if differing:
        raise KcsearchError("its model is not here")
    return TextEncoder(folder)


def _key(row: SalvagedRow) -> str | None:
    return None if row.values is None else row.values[0]


def _whole_key(row: SalvagedRow) -> str | None:
    """Of the long text of which a row holds a part."""
    return None if row.values is None else row.values[6]


def _document(row: SalvagedRow) -> Document:
    assert row.values is not None
    key, text, source, line, metadata, _, _ = row.values
    return Document(text, key, source, line, json.loads(metadata))


def _batches(rows: Iterable[SalvagedRow]) -> Iterator[list[SalvagedRow]]:
    batch: list[SalvagedRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch
