"""A collection: documents that can be added, kept in step with files, and searched by meaning.

Here encoder, text store and vector index meet. How documents become rows is in indexing.py, how
FAISS follows SQLite in index_cache.py.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kcsearch import models
from kcsearch.analyzer import analyzer_of
from kcsearch.errors import (
    CollectionDamagedError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    DocumentNotFoundError,
    InputError,
    ModelError,
    ModelMismatchError,
)
from kcsearch.hangul import fold, narrow, normalize
from kcsearch.index_cache import IndexCache, sample_of, shows_lost_commit
from kcsearch.interpretation import interpret
from kcsearch.search_space import SearchSpace
from kcsearch.searching import Searcher, matching, unit
from kcsearch.store.sqlite_file import explained
from kcsearch.store.text_store import VECTOR_DTYPE, StoredRow, TextStore
from kcsearch.turns import Turns
from kcsearch.types import (
    Answer,
    Clean,
    Document,
    Encoder,
    Hit,
    IndexReport,
    Interpretation,
    Mode,
    Words,
)
from kcsearch.whitening import SETTING, Whitening
from kcsearch.write_lock import write_lock

if TYPE_CHECKING:  # a query needs none of it
    from kcsearch.readers import ReadReport
    from kcsearch.readers.passages import Split
    from kcsearch.readers.paths import Format
    from kcsearch.upkeep.transfer import Writable
    from kcsearch.upkeep.verification import Check
    from kcsearch.vector_map import CollectionMap

DEFAULT_NAME = ".kcsearch"
_STORE, _INDEX, _LOCK = "store.db", "vectors.faiss", "write.lock"

# Connections that a forked child must neither use nor close: they are its parent's.
_OF_THE_PARENT: list[TextStore] = []


def find_collection(start: str | Path = ".") -> Path:
    """The collection that `start` or a folder above it holds, as git finds its own.

    KCSEARCH_COLLECTION names another. Raises CollectionNotFoundError.
    """
    if named := os.environ.get("KCSEARCH_COLLECTION"):
        return Path(named)
    here = Path(start).absolute()
    for folder in (here, *here.parents):
        if _has_store(folder / DEFAULT_NAME):
            return folder / DEFAULT_NAME
    raise CollectionNotFoundError(
        "there is no collection in {folder} or above it. Make one with `kcsearch index FILE`, or "
        "name one with --collection DIR",
        folder=here,
    )


def _has_store(folder: Path) -> bool:
    with explained(folder):
        return (folder / _STORE).exists()


class Collection:
    """A folder of documents with their vectors.

    with Collection("notes") as notes:
        notes.add(["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다."])
        print(notes.search("비가 오나요")[0].text)

    One object may be used by several threads, which take turns, and by a process that was forked
    off, which opens the files anew and computes with one thread. A GPU is not shared with forked
    processes: there let multiprocessing spawn them.
    """

    def __init__(
        self,
        path: str | Path = DEFAULT_NAME,
        model: str | Path | None = None,
        *,
        create: bool = True,
        encoder: Encoder | None = None,
        clean: Clean | None = None,
        words: Words | None = None,
        wait: float = 10.0,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        """Open the collection in the folder `path`, or make it.

        model: name or folder; an existing collection knows its own and refuses another.
        encoder: in place of the one that `model` names. clean: how a new collection's texts and
        queries are cleaned before they are encoded, words: what they are looked up by (bigrams, or
        Kiwi's morphemes); an existing one knows both.
        wait: seconds for another writer to finish, on_wait is called before.
        Raises CollectionNotFoundError (with create=False), ModelError, ModelMismatchError,
        CollectionDamagedError, CollectionUnavailableError, MissingExtraError, InputError.
        """
        if path == "":
            raise InputError("the name of the collection's folder is empty")
        self.path = Path(os.path.abspath(path))
        self._encoder = encoder
        self._wait, self._on_wait = wait, on_wait
        self.use_engine()
        self._lock = Turns(self._open_again_if_needed)
        if not _has_store(self.path):
            if not create:
                raise CollectionNotFoundError(
                    "{path} is not a collection. Make one with `kcsearch index FILE`",
                    path=self.path,
                )
            self._create(model, clean, words)
        self._store = self._opened_store()
        self._cache = IndexCache(self.path / _INDEX)
        self._map: CollectionMap | None = None
        try:
            if encoder is not None:
                self._check_fingerprint(encoder.fingerprint())
            elif model is not None:
                self._check_folder(models.resolve(model, self._clean()))
            if clean not in (None, self._clean()):
                raise ModelMismatchError(
                    "{path} was made with --clean {mine}, not {other}",
                    path=self.path,
                    mine=self._clean(),
                    other=clean,
                )
            if words not in (None, self._store.analyzer.name):
                raise ModelMismatchError(
                    "{path} was made with --words {mine}, not {other}",
                    path=self.path,
                    mine=self._store.analyzer.name,
                    other=words,
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.count()

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first needed. Raises ModelMismatchError."""
        if self._encoder is None:
            from kcsearch.encoder import TextEncoder

            try:
                folder = models.resolve(self._store.settings["model_reference"], self._clean())
                self._check_folder(folder)
            except ModelError as error:  # what made these vectors is damaged, or gone
                raise error.recast(ModelMismatchError) from error
            self._encoder = TextEncoder(folder, **self._engine_options)
        return self._encoder

    def use_engine(
        self,
        precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
        device: str = "auto",
        threads: int | None = None,
        deterministic: bool = False,
    ) -> None:
        """Say how the collection's own encoder is to run; see `TextEncoder`."""
        self._engine_options: dict[str, Any] = {
            "precision": precision,
            "device": device,
            "threads": threads,
            "deterministic": deterministic,
        }

    # -- writing ---------------------------------------------------------------------------------

    def add(
        self,
        documents: Iterable[str | Document],
        *,
        progress: Callable[[IndexReport], None] | None = None,
    ) -> IndexReport:
        """Add documents; one whose key is here already replaces the other.

        A document without a key gets a random one. Raises InputError for an empty text and for a
        key that comes twice; the batches before it stay.
        """
        _refuse_single(documents)
        return self.sync(documents, prune=False, progress=progress)

    def sync(
        self,
        documents: Iterable[str | Document],
        *,
        sources: Iterable[str] = (),
        prune: bool = True,
        dry_run: bool = False,
        is_kept: Callable[[str], bool] | None = None,
        progress: Callable[[IndexReport], None] | None = None,
    ) -> IndexReport:
        """Make the collection hold `documents`, and of `sources` nothing else.

        sources: looked at when the last document has been read. dry_run: only count.
        is_kept: whether a source keeps a document whose key another source brings, which raises
        InputError then; else the new one takes its place.
        """
        from kcsearch.indexing import Indexer

        with self._lock:
            if dry_run:
                indexer = Indexer(
                    self._store, self.encoder, dry_run=True, progress=progress, is_kept=is_kept
                )
                indexer.run(documents)
                indexer.prune(sources if prune else ())
                return indexer.report
            with self._writer() as store:
                indexer = Indexer(
                    store,
                    self.encoder,
                    progress=progress,
                    after_commit=lambda: self._cache.save_now_and_then(store),
                    is_kept=is_kept,
                )
                indexer.run(documents)
                indexer.prune(sources if prune else ())
            return indexer.report

    def index(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        split: Split | None = None,
        text_field: str = "text",
        key_field: str | None = None,
        encoding: str | None = None,
        format: Format | None = None,
        sql: str | None = None,
        prune: bool = True,
        dry_run: bool = False,
        report: ReadReport | None = None,
        progress: Callable[[IndexReport], None] | None = None,
    ) -> IndexReport:
        """Bring the collection in step with files and folders; embeds only what changed.

        prune: remove documents that vanished from these files, and those of files that vanished
        from these folders. The options before it are those of `readers.read`, which fills `report`
        while it reads. Raises InputError for what cannot be read, and for a key that a document of
        another file has, which is still there; the batches before it stay.
        """
        from kcsearch.readers import ReadReport, read
        from kcsearch.readers.sources import gone_from_folders, is_left_alone, source_of

        report = ReadReport() if report is None else report
        paths = [paths] if isinstance(paths, str | os.PathLike) else paths
        root = self.path.parent

        def vanished() -> Iterator[str]:
            """Lazily, when all has been read: files in `report`, and those gone from folders."""
            yield from report.sources
            yield from gone_from_folders(paths, root, self._store.sources(), report.sources)

        documents = read(
            paths,
            split=split,
            text_field=text_field,
            key_field=key_field,
            encoding=encoding,
            format=format,
            sql=sql,
            source_of=lambda path: source_of(path, root),
            report=report,
        )
        return self.sync(
            documents,
            sources=vanished(),
            prune=prune,
            dry_run=dry_run,
            is_kept=lambda source: is_left_alone(source, paths, root),
            progress=progress,
        )

    def delete(self, keys: Sequence[str]) -> int:
        """Remove documents; how many. Raises DocumentNotFoundError, and then removes none."""
        _refuse_single(keys)
        with self._lock, self._writer() as store:
            rows = store.rows_by_key([normalize(key) for key in keys])
            found = {row.whole_key for row in rows} | {row.document.key for row in rows}
            for key in keys:
                if normalize(key) not in found:
                    raise _no_such_key(key)
            if rows:
                store.write(remove=rows)
            return len({row.whole_key for row in rows})

    def delete_matching(
        self,
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> int:
        """Remove every document that fulfils the conditions of `search`; how many."""
        with self._lock, self._writer() as store:
            row_ids = matching(store, filters, where, params)
            rows = list(store.rows(row_ids.tolist()).values())
            if rows and not dry_run:
                store.write(remove=rows)
            return len({row.whole_key for row in rows})

    # -- keeping ---------------------------------------------------------------------------------
    # What mends a collection that cannot be opened is `kcsearch.upkeep.repairing.repair`.

    def verify(self) -> Sequence[Check]:
        """Look at everything that is stored, and say what does not fit. Encodes nothing."""
        from kcsearch.upkeep.verification import verify

        with self._lock:
            return verify(self._store, self.path / _INDEX, self._model_difference())

    def rebuild(self) -> None:
        """Build vectors.faiss again from the stored vectors, without encoding anything."""
        with self._lock, self._writer() as store, store.snapshot():
            self._cache.save(store, whole=True)

    def whiten(self, dim: int | None) -> None:
        """Compare vectors after PCA whitening to `dim` numbers, fitted on those that are here.

        None: compare them as they are again. Encodes nothing; stored vectors stay as they are.
        Raises InputError for more numbers than vectors have, or than there are vectors but one.
        """
        with self._lock, self._writer() as store:
            fitted = None if dim is None else Whitening.fit(sample_of(store, store), dim)
            store.set_setting(SETTING, None if fitted is None else fitted.as_json())
            self._store.settings[SETTING] = store.settings[SETTING]
            self._cache = IndexCache(self.path / _INDEX)

    def optimize(self) -> tuple[int, int]:
        """Give back the room of removed documents; the bytes of store.db before and after."""
        files = [self.path / _STORE, self.path / f"{_STORE}-wal"]

        def size() -> int:
            return sum(file.stat().st_size for file in files if file.exists())

        with self._lock:
            before = size()
            with self._writer() as store:
                store.compact()
            return before, size()

    def backup(self, folder: str | Path) -> int:
        """Copy the collection as it is now into a new folder, whoever writes; how many rows."""
        from kcsearch.upkeep.backing_up import backup

        with self._lock:
            return backup(self._store, self.path / _INDEX, Path(folder))

    def export(
        self,
        out: Writable | str | Path,
        *,
        vectors: bool = False,
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> int:
        """Write documents as JSON Lines, or their vectors to a .npy file; how many.

        vectors: in the lines, too, and of long texts the windows. A .npy file comes with the lines
        beside it. The conditions are those of `search`.
        """
        from kcsearch.upkeep import transfer

        with self._lock, self._store.snapshot():
            row_ids = matching(self._store, filters, where, params)
            return transfer.export(self._store, row_ids, out, vectors=vectors)

    def import_(
        self, path: str | Path, *, progress: Callable[[IndexReport], None] | None = None
    ) -> IndexReport:
        """Add what `export` wrote; with vectors, nothing is encoded.

        Raises InputError, and ModelMismatchError for vectors of another model.
        """
        from kcsearch.upkeep import transfer

        path = Path(path)
        origin = transfer.origin_of(path)
        if origin is None:
            return self.add(transfer.read_documents(path), progress=progress)
        with self._lock, self._writer() as store:
            transfer.check_origin(origin, store, path)
            rows = transfer.read_rows(path, int(store.settings["dim"]))
            return transfer.add_rows(store, path, rows, progress)

    # -- reading ---------------------------------------------------------------------------------

    def count(self) -> int:
        """Rows: documents, where a text longer than the model's limit counts once per window."""
        with self._lock:
            return self._store.state().n_rows

    def get(self, key: str) -> Document:
        """The document of this key; a long text whole. Raises DocumentNotFoundError."""
        found = self.find([key])
        if not found:
            raise _no_such_key(key)
        return found[key]

    def find(self, keys: Sequence[str]) -> dict[str, Document]:
        """The documents of those of `keys` that are here, by key; a long text whole."""
        _refuse_single(keys)
        with self._lock, self._store.snapshot():
            found = {key: self._store.rows_by_key([normalize(key)]) for key in keys}
        return {key: _joined(rows, normalize(key)) for key, rows in found.items() if rows}

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """float32 (n, dim), unit rows: the stored vectors of these documents, in their order.

        Of a long text the mean of its windows. Raises DocumentNotFoundError.
        """
        _refuse_single(keys)
        with self._lock, self._store.snapshot():
            return np.stack([self._vector_of(self._rows_of(key)) for key in keys])

    def list(
        self,
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[Document]:
        """Stored documents in the order of their row ids, windows as they are stored.

        All are of the moment when the first is asked for, whoever writes meanwhile.
        """
        with self._lock:
            self._store.state()  # a closed collection says so
        with closing(TextStore(self.path / _STORE)) as store, store.snapshot():
            row_ids = matching(store, filters, where, params)
            chosen = row_ids[offset:][:limit].tolist()
            for start in range(0, len(chosen), 1000):
                rows = store.rows(chosen[start : start + 1000])
                yield from (row.document for _, row in sorted(rows.items()))

    def keys(
        self,
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Sequence[str]:
        """The keys of the documents that fulfil the conditions, a long text's once, in order."""
        with self._lock, self._store.snapshot():
            row_ids = matching(self._store, filters, where, params).tolist()
            rows = self._store.rows(row_ids)
        return [*dict.fromkeys(rows[row_id].whole_key for row_id in row_ids)]

    def around(self, document: Document, n_lines: int) -> Sequence[Document]:
        """The document between its neighbours of the same source, `n_lines` on either side."""
        if n_lines < 0:
            raise InputError("n_lines is at least 0, not {n_lines}", n_lines=n_lines)
        with self._lock, self._store.snapshot():
            rows = self._rows_of(document.key or "")
            return [row.document for row in self._store.rows_around(rows[0], n_lines, n_lines)]

    def search(
        self,
        query: str,
        top_k: int = 10,
        *,
        mode: Mode = "hybrid",
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        min_score: float | str | None = None,
    ) -> Sequence[Hit]:
        """The `top_k` documents nearest to `query`, best first, ties by row id.

        mode: dense compares vectors, lexical words and their bigrams, hybrid joins the two.
        filters: NAME=VALUE conditions, all of which must hold, on metadata fields or on key,
        source, line. where: a SQL condition on the table documents, with `params`. Both choose
        before the search, so that top_k hits come back whenever so many documents fulfil them.
        min_score: least cosine, or least percentile as "p99". Raises InputError.
        """
        return self.search_many(
            [query],
            top_k,
            mode=mode,
            filters=filters,
            where=where,
            params=params,
            min_score=min_score,
        )[0]

    def search_many(
        self,
        queries: Sequence[str],
        top_k: int = 10,
        *,
        mode: Mode = "hybrid",
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        min_score: float | str | None = None,
    ) -> Sequence[Sequence[Hit]]:
        """`search` for several queries at once, which is quicker than one by one."""
        _refuse_single(queries)
        conditions = (filters, where, params, min_score)
        return [answer.hits for answer in self._answers(queries, top_k, mode, *conditions)]

    def ask(
        self,
        query: str,
        top_k: int = 10,
        *,
        mode: Mode = "hybrid",
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        min_score: float | str | None = None,
    ) -> Answer:
        """`search`, telling what the query was taken for."""
        return self._answers([query], top_k, mode, filters, where, params, min_score)[0]

    def interpret(self, query: str) -> Interpretation:
        """What `search` takes a query for: as typed, a keyboard slip mended, or 초성 read."""
        _refuse_empty([query])
        with self._lock, self._store.snapshot():
            return interpret(normalize(query), self._store)[0]

    def similar(
        self,
        key: str,
        top_k: int = 10,
        *,
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        min_score: float | str | None = None,
    ) -> Sequence[Hit]:
        """The documents nearest to a stored one, without that one. Encodes nothing."""
        with self._lock, self._store.snapshot():
            rows = self._rows_of(key)
            with self._searcher(top_k, filters, where, params, without=rows) as searcher:
                return searcher.nearest(self._vector_of(rows), top_k, min_score)

    def nearest(
        self,
        vector: Sequence[float] | np.ndarray,
        top_k: int = 10,
        *,
        filters: Mapping[str, str] | None = None,
        where: str | None = None,
        params: Mapping[str, Any] | None = None,
        min_score: float | str | None = None,
    ) -> Sequence[Hit]:
        """The documents nearest to a vector, `dim` numbers of any length but zero."""
        given = np.asarray(vector, np.float32)
        dim = self._store.settings["dim"]
        if given.shape != (dim,) or not np.isfinite(given).all() or not given.any():
            raise InputError("a vector of {dim} numbers is asked for, not all of them 0", dim=dim)
        with self._lock, self._searcher(top_k, filters, where, params) as searcher:
            return searcher.nearest(unit(given[None])[0], top_k, min_score)

    def status(self) -> dict[str, Any]:
        """What the collection holds and how, as JSON values."""
        with self._lock, self._store.snapshot():
            settings, state = self._store.settings, self._store.state()
            index = self._cache.current(self._store)
            background = self._cache.background(self._store)
            sources = self._store.sources()
        whitening = settings.get(SETTING)
        files = {name: self.path / name for name in (_STORE, f"{_STORE}-wal", _INDEX)}
        return {
            "path": str(self.path),
            "n_documents": state.n_rows,
            "n_vectors": len(index),
            "n_sources": len(sources),
            "sources": {source or "": n for source, n in sources.items()},
            "model": settings["model"],
            "words": self._store.analyzer.name,
            "dim": settings["dim"],
            "whitening": whitening and {n: whitening[n] for n in ("dim", "n_rows")},
            "random_pairs": background
            and {"median": background.center, "spread": background.spread},
            "index": index.kind,
            "bytes": {n: f.stat().st_size for n, f in files.items() if f.exists()},
            "created_with": settings.get("created_with"),
        }

    def embed_queries(self, queries: Sequence[str]) -> np.ndarray:
        """float32 (n, dim), unit rows. A query over the model's limit: the mean of its windows."""
        _refuse_empty(queries)
        windows = [self.encoder.split(narrow(query)) for query in queries]
        vectors = self.encoder.encode([text for texts in windows for text in texts], "query")
        starts = np.cumsum([0] + [len(texts) for texts in windows[:-1]])
        return unit(np.add.reduceat(vectors, starts, axis=0))

    def cosine(self, row_id: int, vector: np.ndarray) -> float | None:
        """The cosine of a row's vector and of one of `embed_queries`, as hits have it.

        None where no row has this id, which is `row_id` of the table documents.
        """
        with self._lock, self._store.snapshot():
            space = SearchSpace(self._store)
            for row_ids, found in self._store.vectors_after(row_id - 1, 1):
                if row_ids[0] != row_id:
                    break
                return float((space.project(found) @ space.project(vector[None]).T)[0, 0])
            return None

    def map(self) -> CollectionMap:
        """A picture of the vectors in two dimensions; drawn again after a commit only."""
        from kcsearch.vector_map import draw, map_id

        with self._lock, self._store.snapshot():
            if self._map is None or self._map.id != map_id(self._store):
                self._map = draw(self._store)
            return self._map

    def places(
        self, keys: Sequence[str], query: str | None = None
    ) -> tuple[dict[str, tuple[float, float]], tuple[float, float] | None]:
        """Where those of `keys` that are here lie in `map`, by key, and where the query does."""
        _refuse_single(keys)
        asked = None if query is None else self.embed_queries([query])
        with self._lock, self._store.snapshot():
            plane, space = self.map().plane, SearchSpace(self._store)
            found = {key: self._store.rows_by_key([normalize(key)]) for key in keys}
            vectors = {key: self._vector_of(rows) for key, rows in found.items() if rows}

            def place(vector: np.ndarray) -> tuple[float, float]:
                x, y = plane.place(space.project(vector.reshape(1, -1)))[0].tolist()
                return x, y

            places = {key: place(vector) for key, vector in vectors.items()}
            return places, None if asked is None else place(asked)

    def n_known(self, keys: Iterable[str]) -> int:
        """How many of these keys are of a document here."""
        with self._lock, self._store.snapshot():
            wanted = {normalize(key) for key in keys}
            rows = self._store.rows_by_key(list(wanted))
        return len(wanted & {key for row in rows for key in (row.document.key, row.whole_key)})

    def index_recall(self, queries: Sequence[str], top_k: int = 10) -> float:
        """Which share of the nearest rows of these queries, by exact comparison, FAISS finds."""
        vectors = self.embed_queries(queries)
        with self._lock, self._searcher(top_k, None, None, None) as searcher:
            found = [{hit.key for hit in searcher.nearest(v, top_k, None)} for v in vectors]
            space = SearchSpace(self._store)
            best = space.nearest_exactly(space.project(vectors), top_k)
            exact = [{row.document.key for row in self._store.rows(ids).values()} for ids in best]
        n_wanted = sum(map(len, exact))
        return sum(len(a & b) for a, b in zip(found, exact, strict=True)) / max(1, n_wanted)

    # -- inside ----------------------------------------------------------------------------------

    def _answers(
        self,
        queries: Sequence[str],
        top_k: int,
        mode: Mode,
        filters: Mapping[str, str] | None,
        where: str | None,
        params: Mapping[str, Any] | None,
        min_score: float | str | None,
    ) -> Sequence[Answer]:
        if not queries:
            return []
        _refuse_empty(queries)  # before a model is loaded for them
        with self._lock, self._searcher(top_k, filters, where, params) as searcher:
            read = [interpret(normalize(query), self._store) for query in queries]
            vectors = self.embed_queries([asked.text for asked, _ in read])
            return [
                Answer(
                    asked,
                    searcher.search(mode, asked.text, by_initials, vector, top_k, min_score),
                )
                for (asked, by_initials), vector in zip(read, vectors, strict=True)
            ]

    def _rows_of(self, key: str) -> Sequence[StoredRow]:
        """The row of `key`, or its windows. Raises DocumentNotFoundError."""
        rows = self._store.rows_by_key([normalize(key)])
        if not rows:
            raise _no_such_key(key)
        return rows

    def _vector_of(self, rows: Sequence[StoredRow]) -> np.ndarray:
        """float32 (dim,), unit length: the mean of a document's windows."""
        mean = self._store.vectors([row.row_id for row in rows]).mean(axis=0, keepdims=True)
        return unit(mean).reshape(-1)

    def _clean(self) -> str:
        return str(self._store.settings["model"].get("clean", "none"))

    def _create(self, model: str | Path | None, clean: Clean | None, words: Words | None) -> None:
        """Make the folder and an empty store; needs the model, whose fingerprint it keeps."""
        from kcsearch import __version__

        analyzer = analyzer_of(words or "bigrams")
        analyzer.of_texts([""])  # one that cannot be loaded leaves no collection behind
        settings: dict[str, Any] = {"model_reference": "", "model_stamp": {}}
        if self._encoder is None:
            folder = models.resolve(model, clean)
            settings["model_reference"] = folder.reference
            settings["model_stamp"] = folder.quick_stamp()
            settings["model"], settings["dim"] = folder.fingerprint(), folder.dim
        else:
            settings["model"] = dict(self._encoder.fingerprint())
            settings["dim"] = self._encoder.dim
        settings |= {
            "collection_id": uuid.uuid4().hex,
            "vector_dtype": VECTOR_DTYPE.str,
            "words": analyzer.name,
            "tokenizer_version": analyzer.version,
            "created_with": f"kcsearch {__version__}",
        }
        try:
            os.fspath(self.path).encode()
        except UnicodeEncodeError:  # FAISS could not write there
            raise InputError(
                "the name of the folder {path!r} is not UTF-8", path=str(self.path)
            ) from None
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with write_lock(self.path / _LOCK, self._wait, self._on_wait):
            if not (self.path / _STORE).exists():
                TextStore.create(self.path / _STORE, settings).close()

    @contextmanager
    def _writer(self) -> Iterator[TextStore]:
        """The store for writing, under the lock; FAISS follows when all went well."""
        with write_lock(self.path / _LOCK, self._wait, self._on_wait):
            store = TextStore(self.path / _STORE, writable=True)
            try:
                yield store
                with store.snapshot(), explained(self.path):
                    self._cache.save(store)
            finally:
                store.close()

    def _open_again_if_needed(self, is_new_process: bool) -> None:
        """In a forked child, and when another file was put in the place of store.db."""
        if is_new_process:
            _OF_THE_PARENT.append(self._store)
        elif not self._store.was_replaced():
            return
        else:
            self._store.close()
        self._store = self._opened_store()
        self._cache = IndexCache(self.path / _INDEX)

    def _opened_store(self) -> TextStore:
        """The store for reading. Raises CollectionDamagedError.

        SQLite takes a broken frame for the end of its log. A store without a log that lacks a
        commit is an older copy that somebody put back.
        """
        store = TextStore(self.path / _STORE)
        try:
            store.check_settings()
            if store.has_log() and shows_lost_commit(self.path / _INDEX, store):
                raise CollectionDamagedError(
                    "{path}-wal is damaged: the last commit, which vectors.faiss shows, cannot be "
                    "read. `kcsearch repair` goes on with what is left; `kcsearch index` then adds "
                    "what is missing",
                    path=store.path,
                )
        except BaseException:
            store.close()
            raise
        return store

    def _model_difference(self) -> dict[str, str] | None:
        """How the model at hand differs from the collection's, by what a fingerprint names."""
        mine, reference = self._store.settings["model"], self._store.settings["model_reference"]
        if self._encoder is None and not reference:
            return None  # made with an encoder that only its owner has
        try:
            folder = None if self._encoder else models.resolve(reference, self._clean())
            found = (folder or self.encoder).fingerprint()
        except ModelError as error:
            return {"model": str(error)}
        return {
            name: f"{found.get(name)} instead of {mine[name]}"
            for name in mine
            if name not in ("name", "revision") and found.get(name) != mine[name]
        }

    def _check_folder(self, folder: models.ModelFolder) -> None:
        """Compare a model folder with the collection's: by size and time, else by its bytes."""
        settings = self._store.settings
        same_files = settings["model_stamp"] == folder.quick_stamp()
        if not (same_files and settings["model_reference"] == folder.reference):
            self._check_fingerprint(folder.fingerprint())

    def _check_fingerprint(self, fingerprint: Mapping[str, Any]) -> None:
        mine = self._store.settings["model"]
        decides = [name for name in mine if name not in ("name", "revision")]
        differing = [name for name in decides if mine[name] != fingerprint.get(name)]
        if differing:
            raise ModelMismatchError(
                "{path} was made with the model {mine}, not with {other}: they differ in {what}. "
                "Leave --model out to use its own, or index into another collection",
                path=self.path,
                mine=f"{mine.get('name')} {mine.get('revision', '')}".strip(),
                other=f"{fingerprint.get('name')} {fingerprint.get('revision', '')}".strip(),
                what=", ".join(differing),
            )

    @contextmanager
    def _searcher(
        self,
        top_k: int,
        filters: Mapping[str, str] | None,
        where: str | None,
        params: Mapping[str, Any] | None,
        without: Sequence[StoredRow] = (),
    ) -> Iterator[Searcher]:
        if top_k < 1:
            raise InputError("top_k is at least 1, not {top_k}", top_k=top_k)
        with self._store.snapshot():
            allowed = None
            if filters or where is not None:
                allowed = matching(self._store, filters, where, params)
            index = self._current_index()
            background = self._cache.background(self._store)
            unwanted = [row.row_id for row in without]
            yield Searcher(self._store, index, background, allowed, unwanted)

    def _current_index(self) -> Any:
        """The index as the store stands; one that had to be built is kept for the next process."""
        index = self._cache.current(self._store)
        if self._cache.is_due(self._store):
            try:
                with write_lock(self.path / _LOCK, wait=0):
                    self._cache.save(self._store)
            except CollectionUnavailableError:
                pass  # somebody writes, or we may not: they will save it, or nobody can
        return index


def _refuse_single(texts: object) -> None:
    """A string is a sequence of strings, too: its characters."""
    if isinstance(texts, str):
        raise InputError("a list of strings is asked for, not the string {text!r}", text=texts)


def _refuse_empty(queries: Iterable[str]) -> None:
    for query in queries:
        if not isinstance(query, str):
            raise InputError("a query is a string, not {query!r}", query=query)
        if not fold(query).strip():
            raise InputError("the query is empty")


def _joined(rows: Sequence[StoredRow], key: str) -> Document:
    """The document of `key` from its row, or from its windows."""
    first = rows[0].document
    if first.key == key:
        return first
    text = "".join(row.document.text for row in rows)
    return Document(text, key, first.source, first.line, first.metadata)


def _no_such_key(key: str) -> DocumentNotFoundError:
    return DocumentNotFoundError("no document has the key {key!r}", key=key)
