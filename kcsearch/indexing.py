"""The write path: documents in, batches of rows out, and only what changed is embedded.

Memory depends on the batch, not on the corpus. A batch is one transaction: after a crash or Ctrl-C,
what was committed is there, and the same command goes on from it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from kcsearch.errors import InputError
from kcsearch.hangul import normalize
from kcsearch.store.text_store import (
    MAX_LINE,
    NewRow,
    StoredRow,
    TextStore,
    check_metadata,
    hash_text,
    metadata_json,
)
from kcsearch.types import Document, Encoder, IndexReport

Progress = Callable[[IndexReport], None]

SECONDS_PER_COMMIT = (2.0, 8.0)  # a batch grows below the first and shrinks above the second
DOCUMENTS_PER_COMMIT = (64, 256, 8192)  # least, first, most


class Indexer:
    """One run over one store. With `dry_run` it finds out what it would do, and does nothing."""

    def __init__(
        self,
        store: TextStore,
        encoder: Encoder,
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
        after_commit: Callable[[], None] | None = None,
        is_kept: Callable[[str], bool] | None = None,
    ) -> None:
        """is_kept: whether a source keeps its documents when another brings one of their keys."""
        self.report = IndexReport()
        self._store = store
        self._encoder = encoder
        self._dry_run = dry_run
        self._progress = progress or (lambda report: None)
        self._after_commit = after_commit or (lambda: None)
        self._is_kept = is_kept or (lambda source: False)
        store.start_run()

    def run(self, documents: Iterable[str | Document]) -> None:
        """Add what is new, replace what changed, leave the rest. Raises InputError."""
        least, size, most = DOCUMENTS_PER_COMMIT
        stream = iter(documents)
        while batch := list(islice(stream, size)):
            started = time.monotonic()
            self._upsert([checked(document) for document in batch])
            seconds = time.monotonic() - started
            if seconds < SECONDS_PER_COMMIT[0]:
                size = min(most, 2 * size)
            elif seconds > SECONDS_PER_COMMIT[1]:
                size = max(least, size // 2)

    def prune(self, sources: Iterable[str]) -> None:
        """Remove the rows of `sources` whose documents this run has not met."""
        for source in dict.fromkeys(sources):
            rows = self._store.unseen_rows(source)
            self.report.n_removed += len({row.whole_key for row in rows})
            if rows and not self._dry_run:
                self._store.write(remove=rows)
            self._progress(self.report)

    def _upsert(self, batch: Sequence[Document]) -> None:
        self._store.mark_seen(batch)
        held = self._held([document.key for document in batch if document.key])
        stale: list[StoredRow] = []
        parts: list[tuple[Document, str | None]] = []
        for document in batch:
            rows = held.get(document.key or "", [])
            self.report.n_read += 1
            if rows and same(document, rows):
                self.report.n_unchanged += 1
                continue
            if rows:
                self._refuse_key_of_another(document, rows[0].document)
            self.report.n_changed += bool(rows)
            self.report.n_added += not rows
            stale += rows
            parts += self._windows(document)
        if stale or parts:
            rows_to_add = self._embed(parts)
            if not self._dry_run:
                self._store.keep_vectors(stale)
                self._store.write(add=rows_to_add, remove=stale)
                self._after_commit()
        self._progress(self.report)

    def _refuse_key_of_another(self, document: Document, held: Document) -> None:
        sources = (held.source, document.source)
        is_other = None not in sources and held.source != document.source
        if is_other and self._is_kept(held.source or ""):
            raise InputError(
                "{source}:{line}: the key {key!r} is that of {held}:{held_line}, which is in "
                "the collection. Name a field that is unique in both files with --key-field, "
                "or use another collection",
                source=document.source,
                line=document.line,
                key=document.key,
                held=held.source,
                held_line=held.line,
            )

    def _held(self, keys: Sequence[str]) -> dict[str, list[StoredRow]]:
        held: dict[str, list[StoredRow]] = {}
        for row in self._store.rows_by_key(keys):
            held.setdefault(row.whole_key, []).append(row)
        return held

    def _windows(self, document: Document) -> list[tuple[Document, str | None]]:
        """The document itself, or the windows of a text longer than the model's limit."""
        texts = self._encoder.split(document.text)
        if len(texts) == 1:
            return [(document, None)]
        self.report.n_windows += len(texts)
        windows, line = [], document.line
        for number, text in enumerate(texts, 1):
            key = f"{document.key}#{number}"
            windows.append((replace(document, text=text, key=key, line=line), document.key))
            if line is not None:
                line += text.count("\n")
        return windows

    def _embed(self, parts: Sequence[tuple[Document, str | None]]) -> list[NewRow]:
        """Rows with their vectors: those of texts that are stored already, the rest encoded."""
        hashes = [hash_text(document.text) for document, _ in parts]
        vectors = self._store.vectors_by_text(set(hashes))
        texts = {
            text_hash: document.text
            for text_hash, (document, _) in zip(hashes, parts, strict=True)
            if text_hash not in vectors
        }
        self.report.n_embedded += len(texts)
        if texts and not self._dry_run:
            new = self._encoder.encode(list(texts.values()))
            vectors |= dict(zip(texts, new, strict=True))
        if self._dry_run:
            return []
        return [
            NewRow(document, vectors[text_hash], window_of)
            for text_hash, (document, window_of) in zip(hashes, parts, strict=True)
        ]


def same(document: Document, rows: Sequence[StoredRow]) -> bool:
    """Whether `rows`, one or the windows of a long text, are what is stored of `document`."""
    first = rows[0].document
    return (
        "".join(row.document.text for row in rows) == document.text
        and (first.source, first.line) == (document.source, document.line)
        and metadata_json(first.metadata) == metadata_json(document.metadata)
    )


def checked(document: str | Document) -> Document:
    """A document in NFC with a key. Raises InputError for what cannot be stored."""
    if isinstance(document, str):
        document = Document(document)
    if not isinstance(document, Document):
        raise InputError(
            "a document is a string or a kcsearch.Document, not {document!r}", document=document
        )
    if not isinstance(document.text, str) or not document.text.strip():
        raise InputError(
            "the document {key!r} has no text: {text!r}", key=document.key, text=document.text
        )
    if document.key is not None and (not isinstance(document.key, str) or not document.key):
        raise InputError("a key is a string and not empty, not {key!r}", key=document.key)
    if isinstance(document.line, int) and not -MAX_LINE <= document.line <= MAX_LINE:
        raise InputError("the line number of the document {key!r} is too large", key=document.key)
    if not isinstance(document.source, str | None) or not isinstance(document.line, int | None):
        raise InputError(
            "the document {key!r} has a source that is no string, or a line that is no number: "
            "{source!r}, {line!r}",
            key=document.key,
            source=document.source,
            line=document.line,
        )
    key = uuid.uuid4().hex if document.key is None else document.key
    try:
        document.text.encode()
    except UnicodeEncodeError:
        raise InputError(
            "the text of the document {key!r} holds half of a surrogate pair (no character)",
            key=key,
        ) from None
    check_metadata(document.metadata)
    return replace(
        document,
        text=normalize(document.text),
        key=normalize(key),
        source=None if document.source is None else normalize(document.source),
    )
