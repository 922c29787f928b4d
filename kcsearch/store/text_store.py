"""The truth of a collection: documents, vectors and full-text rows in one SQLite file.

Every change is one transaction, and there is no other commit point. A row never changes: another
text under the same key is another row, and row ids are never given twice. So a copy of the vectors
(FAISS) is current exactly when it holds the same set of row ids.
Reading needs sqlite3 alone; what creates and migrates tables is in schema.py.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args

import numpy as np

from kcsearch.analyzer import analyzer_of
from kcsearch.atomic_file import replacing
from kcsearch.errors import CollectionDamagedError, CollectionUnavailableError, InputError
from kcsearch.hangul import normalize
from kcsearch.store.filters import condition_of, read_only, unrestricted
from kcsearch.store.seal import has_broken_seal, put_seal, take_seal
from kcsearch.store.sqlite_file import connect, explained, transaction
from kcsearch.types import MAX_DEPTH, Document, Words

APPLICATION_ID = 0x6B637331  # "kcs1", so that file(1) can tell what it looks at
SCHEMA_VERSION = 1
SCHEMA_SINCE = "0.1.0"  # the first kcsearch that knows it; stores tell it to older ones
VECTOR_DTYPE = np.dtype("<f4")
MAX_LINE = 2**63 - 1  # SQLite's largest integer
LENGTH_TOLERANCE = 1e-3  # of one; rows that were scaled in fp32 are within 1e-6


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to be written. window_of: the key of the longer text of which this is a part.

    vector: float32 (dim,), unit length.
    """

    document: Document
    vector: np.ndarray
    window_of: str | None = None

    @property
    def whole_key(self) -> str:
        """The key of the text that this row holds, or holds a part of."""
        return self.window_of or self.document.key or ""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What is known of a stored document without reading its vector."""

    row_id: int
    document: Document
    window_of: str | None

    @property
    def whole_key(self) -> str:
        """The key that the caller knows: of the text that this row holds, or holds a part of."""
        assert self.document.key is not None  # the column is NOT NULL
        return self.window_of or self.document.key


@dataclass(frozen=True, slots=True)
class StoreState:
    """Where the store stands after a commit, which `token` names at random.

    last_row_id: the largest row id ever given. n_removed: how many rows were ever removed.
    """

    token: str
    n_rows: int
    last_row_id: int
    n_removed: int


def hash_text(text: str) -> bytes:
    """BLAKE2b, 16 bytes: equal texts share their vector."""
    return blake2b(text.encode(), digest_size=16).digest()


class TextStore:
    """store.db, opened for reading or for writing."""

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = path
        self.writable = writable
        self._connection = connect(path, writable=writable)
        self._identity = _identity(path)
        try:
            with self.explained():
                self._check_schema()
                self.settings: dict[str, Any] = self._read_settings()
                self._check_seal()
                self.analyzer = analyzer_of(self._words())
                if writable:
                    take_seal(path)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close; a writer leaves everything in store.db itself, if no reader is in the way."""
        if self.writable:
            with suppress(sqlite3.Error, OSError):  # what is committed is as safe in the WAL
                self._connection.execute("PRAGMA busy_timeout = 0")
                checkpoint = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if checkpoint.fetchone() == (0, 0, 0):  # nobody in the way, nothing left behind
                    put_seal(self.path, self.state().token)
        self._connection.close()

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, Any]) -> TextStore:
        """A new store with its settings; nothing is there until it is whole.

        The caller holds the write lock.
        """
        from kcsearch.store.schema import keep_morphemes, migrate

        with explained(path), replacing(path) as draft:
            for suffix in ("-wal", "-shm"):  # of a store that somebody deleted: not ours to replay
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            connection = sqlite3.connect(draft, isolation_level=None)
            migrate(connection)
            with transaction(connection):
                connection.executemany(
                    "INSERT OR IGNORE INTO settings (name, value) VALUES (?, ?)",
                    [(n, json.dumps(v, ensure_ascii=False)) for n, v in settings.items()],
                )
                if settings.get("words") == "kiwi":
                    keep_morphemes(connection)
                _mark_commit(connection, StoreState("", 0, 0, 0))
            connection.close()
        return cls(path, writable=True)

    def check_settings(self) -> None:
        """Raise CollectionDamagedError if one that a collection needs is not there, or no use."""
        for name, kind in NEEDED_SETTINGS.items():
            value = self.settings.get(name)
            is_in_bounds = not isinstance(value, int) or 1 <= value <= MAX_DIM
            if type(value) is not kind or not is_in_bounds:
                raise CollectionDamagedError(
                    "{path}: the setting {name} is lost. Put back a copy of the collection, or "
                    "delete its folder and index again",
                    path=self.path,
                    name=name,
                )

    def was_replaced(self) -> bool:
        """Whether another file has taken the place of the one that is open here."""
        return _identity(self.path) not in (None, self._identity)

    def has_log(self) -> bool:
        """Whether commits wait in SQLite's log to be put into store.db itself."""
        log = self.path.with_name(f"{self.path.name}-wal")
        return log.exists() and log.stat().st_size > 0

    # -- reading ---------------------------------------------------------------------------------

    def select(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one at a time."""
        with self.explained():
            yield from self._connection.execute(sql, values)

    def state(self) -> StoreState:
        found = self._all(f"{_STATE} ORDER BY commit_id DESC LIMIT 1")
        if not found:
            raise CollectionDamagedError("{path}: the table commits is empty", path=self.path)
        return self._checked_state(found[0])

    def state_at(self, token: str) -> StoreState | None:
        """The state that `token` names; None if this store never was in it."""
        found = self._all(f"{_STATE} WHERE token = ?", token)
        return self._checked_state(found[0]) if found else None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment, whoever writes meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        with self.explained(), transaction(self._connection):
            yield

    def row_ids(self) -> np.ndarray:
        """int64 (n,), ascending."""
        return self._ids("SELECT row_id FROM documents")

    def rows(self, row_ids: Iterable[int]) -> dict[int, StoredRow]:
        return {row.row_id: row for row in self._select("row_id", list(row_ids))}

    def rows_by_key(self, keys: Sequence[str]) -> list[StoredRow]:
        """The rows of these keys: one each, or the windows of a long text in their order."""
        found = self._select("key", keys) + self._select("window_of", keys)
        return [row for _, row in sorted({row.row_id: row for row in found}.items())]

    def rows_around(self, row: StoredRow, n_before: int, n_after: int) -> list[StoredRow]:
        """Rows of the same source, by line, from `n_before` before `row` to `n_after` after it."""
        document = row.document
        if document.source is None or document.line is None:
            return [row]
        place = (document.source, document.line, row.row_id)
        columns = f"SELECT {_COLUMNS} FROM documents WHERE source = ? AND (line, row_id)"
        before = self._all(
            f"{columns} < (?, ?) ORDER BY line DESC, row_id DESC LIMIT ?", *place, n_before
        )
        after = self._all(f"{columns} > (?, ?) ORDER BY line, row_id LIMIT ?", *place, n_after)
        return [*map(self._stored_row, reversed(before)), row, *map(self._stored_row, after)]

    def sources(self) -> dict[str | None, int]:
        """Number of rows by source, by name."""
        sql = "SELECT source, count(*) FROM documents GROUP BY source ORDER BY source"
        found = self._all(sql)
        if not all(isinstance(source, str | None) for source, _ in found):
            wrong = "SELECT row_id FROM documents WHERE typeof(source) NOT IN ('text', 'null')"
            raise self._damaged_row(self._one(wrong)[0])
        return dict(found)

    def vectors(self, row_ids: Sequence[int]) -> np.ndarray:
        """float32 (n, dim) in the order of `row_ids`."""
        found: dict[int, object] = {}
        for some in _slices(list(row_ids)):
            marks = ",".join("?" * len(some))
            found.update(
                self._all(f"SELECT row_id, vector FROM vectors WHERE row_id IN ({marks})", *some)
            )
        missing = [row_id for row_id in row_ids if row_id not in found]
        if missing:
            raise self._damaged_row(missing[0])
        return self._matrix([found[row_id] for row_id in row_ids])

    def vectors_after(
        self, row_id: int, size: int = 8192
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row ids int64 (n,) above `row_id`, ascending, with their vectors (n, dim), in blocks."""
        sql = "SELECT row_id, vector FROM vectors WHERE row_id > ? ORDER BY row_id LIMIT ?"
        while block := self._all(sql, row_id, size):
            row_id = block[-1][0]
            yield np.array([r for r, _ in block], np.int64), self._matrix([v for _, v in block])

    def vectors_by_text(self, hashes: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """The vectors of texts that are here, or were when this run began, by `hash_text`."""
        found: dict[bytes, np.ndarray] = {}
        for some in _slices(list(hashes)):
            marks = ",".join("?" * len(some))
            for sql in (
                f"SELECT text_hash, vector FROM temp.gone WHERE text_hash IN ({marks})",
                f"""SELECT text_hash, vector FROM documents JOIN vectors USING (row_id)
                    WHERE text_hash IN ({marks}) GROUP BY text_hash""",
            ):
                rows = self._all(sql, *some)
                matrix = self._matrix([vector for _, vector in rows])
                found.update(zip((text_hash for text_hash, _ in rows), matrix, strict=True))
        return found

    def lexical(
        self, tokens: Sequence[str], top_k: int, allowed: np.ndarray | None = None
    ) -> list[tuple[int, float]]:
        """Row ids with their BM25 (higher is better) of the rows that hold any of `tokens`.

        A token that ends in * stands for all that begin so. allowed: int64 row ids to choose from.
        Best first, ties by row id.
        """
        if not tokens:
            return []
        words = " OR ".join(map(_match_word, tokens))
        condition = ""
        if allowed is not None:
            condition = "AND rowid IN (SELECT value FROM json_each(?3))"
        sql = f"""SELECT rowid, -bm25(documents_fts) FROM documents_fts
                  WHERE documents_fts MATCH ?1 {condition}
                  ORDER BY bm25(documents_fts), rowid LIMIT ?2"""
        values = [words, top_k] + ([] if allowed is None else [json.dumps(allowed.tolist())])
        return [(int(row_id), float(score)) for row_id, score in self._all(sql, *values)]

    def document_frequencies(self, tokens: Sequence[str]) -> dict[str, int]:
        """How many rows hold each of `tokens` of a query."""
        self._all(_VOCABULARY)
        frequencies = {}
        for token in tokens:
            if token.endswith("*"):
                sql, value = _COUNT_MATCHES, _match_word(token)
            else:
                sql, value = "SELECT total(doc) FROM temp.token_rows WHERE term = ?", token
            frequencies[token] = int(self._one(sql, value)[0])
        return frequencies

    def morphemes(self, row_ids: Sequence[int]) -> dict[int, list[str]]:
        """The tokens of rows as the full-text index was given them, where they are kept."""
        found: dict[int, list[str]] = {}
        for some in _slices(row_ids):
            marks = ",".join("?" * len(some))
            sql = f"SELECT row_id, tokens FROM morphemes WHERE row_id IN ({marks})"
            found.update((row_id, str(tokens).split()) for row_id, tokens in self._all(sql, *some))
        missing = [row_id for row_id in row_ids if row_id not in found]
        if missing:
            raise self._damaged_row(missing[0])
        return found

    def all_tokens(self) -> Iterator[tuple[int, list[str]]]:
        """Each row id with the tokens that the full-text index should hold of it."""
        if self._keeps_tokens:
            sql = """SELECT row_id, tokens FROM documents LEFT JOIN morphemes USING (row_id)
                     ORDER BY row_id"""
            for row_id, tokens in self.select(sql):
                yield row_id, str(tokens or "").split()
        else:
            for row_id, text in self.select("SELECT row_id, text FROM documents ORDER BY row_id"):
                yield row_id, self.analyzer.of_texts([str(text)])[0]

    def full_text(self) -> Iterator[tuple[Any, ...]]:
        """All that the full-text index holds: (row id, token, its place in the row) each."""
        self._all(
            """CREATE VIRTUAL TABLE IF NOT EXISTS temp.token_places
               USING fts5vocab (main, documents_fts, instance)"""
        )
        return self.select("SELECT doc, term, offset FROM token_places")

    def tokens_between(self, first: tuple[str, str], second: tuple[str, str]) -> list[str]:
        """Tokens of two letters that lie in these ranges, ends included."""
        self._all(_VOCABULARY)
        sql = """SELECT term FROM temp.token_rows WHERE term >= ? AND term < ?
                 AND length(term) = 2 AND substr(term, 2) BETWEEN ? AND ?"""
        after = chr(ord(first[1]) + 1)
        return [term for (term,) in self._all(sql, first[0], after, *second)]

    def holds_phrase(self, tokens: Sequence[str]) -> bool:
        """Whether any row holds these tokens one behind the other."""
        sql = "SELECT 1 FROM documents_fts WHERE documents_fts MATCH ? LIMIT 1"
        return bool(self._all(sql, " + ".join(map(_match_word, tokens))))

    def rows_with_each(self, groups: Sequence[Sequence[str]]) -> list[int]:
        """Row ids of the rows that hold a token of every group."""
        if not groups or not all(groups):
            return []
        words = " AND ".join(f"({' OR '.join(map(_match_word, group))})" for group in groups)
        sql = "SELECT rowid FROM documents_fts WHERE documents_fts MATCH ?"
        return [row_id for (row_id,) in self._all(sql, words)]

    def matching(
        self, filters: Mapping[str, str], where: str | None, params: Mapping[str, Any]
    ) -> np.ndarray:
        """Row ids int64, ascending, that fulfil every filter and the SQL condition `where`."""
        conditions = [condition_of(name, value) for name, value in filters.items()]
        sql = f"SELECT row_id FROM documents WHERE {' AND '.join(c for c, _ in conditions) or '1'}"
        ids = self._ids(sql, *(value for _, values in conditions for value in values))
        return ids if where is None else np.intersect1d(ids, self._where(where, params))

    # -- writing ---------------------------------------------------------------------------------

    def write(self, add: Sequence[NewRow] = (), remove: Sequence[StoredRow] = ()) -> list[int]:
        """Remove and add rows in one transaction; the ids of the new rows, in order."""
        tokens = self.analyzer.of_texts([row.document.text for row in add])
        with self.explained(), transaction(self._connection, "IMMEDIATE"):
            self._remove(remove)
            row_ids = [self._insert(row, words) for row, words in zip(add, tokens, strict=True)]
            before = self.state()
            after = StoreState(
                token="",
                n_rows=before.n_rows + len(add) - len(remove),
                last_row_id=row_ids[-1] if row_ids else before.last_row_id,
                n_removed=before.n_removed + len(remove),
            )
            _mark_commit(self._connection, after)
        if _identity(self.path) != self._identity:
            raise CollectionUnavailableError(
                "{path} was deleted or replaced while it was written: what this run has added is "
                "not there. Run the command again",
                path=self.path,
            )
        return row_ids

    def compact(self) -> None:
        """Merge the full-text index and give the room of removed rows back to the disk."""
        with self.explained():
            self._connection.execute(
                "INSERT INTO documents_fts (documents_fts) VALUES ('optimize')"
            )
            self._connection.execute("VACUUM")

    def copy_to(self, path: Path) -> None:
        """A whole store of this moment in a new file, while others may write."""
        with explained(path), closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)

    def set_setting(self, name: str, value: Any) -> None:
        with self.explained(), transaction(self._connection, "IMMEDIATE"):
            self._connection.execute(
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
                (name, json.dumps(value, ensure_ascii=False)),
            )
        self.settings[name] = value

    # -- one run's memory of the keys it has met and the vectors it gave up, in temporary tables --

    def start_run(self) -> None:
        with self.explained():
            for table in (_SEEN, _GONE):
                self._connection.execute(f"DROP TABLE IF EXISTS temp.{table.split()[0]}")
                self._connection.execute(f"CREATE TEMP TABLE {table}")

    def mark_seen(self, documents: Sequence[Document]) -> None:
        """Raise InputError if a key comes a second time; then none of `documents` is marked."""
        places = [(document.key, document.source, document.line) for document in documents]
        with self.explained():
            try:
                with transaction(self._connection):
                    self._connection.executemany("INSERT INTO temp.seen VALUES (?, ?, ?)", places)
            except sqlite3.IntegrityError:
                raise self._used_twice(places) from None

    def _used_twice(self, places: Sequence[tuple[Any, ...]]) -> InputError:
        met: dict[str, tuple[Any, ...]] = {}
        for place in places:
            key, source, line = place
            seen = self._all("SELECT key, source, line FROM temp.seen WHERE key = ?", key)
            if not seen and key not in met:
                met[key] = place
                continue
            _, first_source, first_line = seen[0] if seen else met[key]
            if source is None or first_source is None:
                break
            return InputError(
                "{source}:{line}: the key {key!r} was already used at {first_source}:"
                "{first_line}. Keys must be unique; name another field with --key-field",
                source=source,
                line=line,
                key=key,
                first_source=first_source,
                first_line=first_line,
            )
        return InputError("two documents have the key {key!r}. Keys must be unique", key=key)

    def keep_vectors(self, rows: Sequence[StoredRow]) -> None:
        """For rows that are about to go: their texts may come again in this run, as lines move."""
        for some in _slices([row.row_id for row in rows]):
            marks = ",".join("?" * len(some))
            self._all(
                f"""INSERT OR IGNORE INTO temp.gone SELECT text_hash, vector
                    FROM documents JOIN vectors USING (row_id) WHERE row_id IN ({marks})""",
                *some,
            )

    def unseen_rows(self, source: str) -> list[StoredRow]:
        """Rows of `source` whose key (or whose long text's key) this run has not met."""
        sql = f"""SELECT {_COLUMNS} FROM documents WHERE source = ?
                  AND coalesce(window_of, key) NOT IN (SELECT key FROM temp.seen)"""
        return [self._stored_row(row) for row in self._all(sql, source)]

    # -- inside ----------------------------------------------------------------------------------

    @contextmanager
    def explained(self) -> Iterator[None]:
        with explained(self.path):
            yield

    def _one(self, sql: str, *values: Any) -> tuple[Any, ...]:
        return self._all(sql, *values)[0]

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.explained():
            return self._connection.execute(sql, values).fetchall()

    def _ids(self, sql: str, *values: Any) -> np.ndarray:
        with self.explained():
            rows = self._connection.execute(sql, values)
            return np.sort(np.fromiter((row_id for (row_id,) in rows), np.int64))

    def _select(self, column: str, values: Sequence[Any]) -> list[StoredRow]:
        rows: list[StoredRow] = []
        for some in _slices(values):
            marks = ",".join("?" * len(some))
            sql = f"SELECT {_COLUMNS} FROM documents WHERE {column} IN ({marks})"
            rows += map(self._stored_row, self._all(sql, *some))
        return rows

    def _checked_state(self, row: tuple[Any, ...]) -> StoreState:
        """SQLite keeps any value in any column."""
        token, *counts = row
        if not isinstance(token, str) or any(type(n) is not int or n < 0 for n in counts):
            raise CollectionDamagedError(
                "{path}: the table commits is damaged. Run `kcsearch repair`, which counts again",
                path=self.path,
            )
        return StoreState(token, *counts)

    def _matrix(self, blobs: Sequence[object]) -> np.ndarray:
        dim = int(self.settings["dim"])
        vectors = [blob for blob in blobs if isinstance(blob, bytes)]
        is_whole = all(len(vector) == dim * VECTOR_DTYPE.itemsize for vector in vectors)
        if len(vectors) < len(blobs) or not is_whole:
            raise CollectionDamagedError(
                "{path}: a stored vector does not have {dim} numbers. Run `kcsearch repair`, which "
                "encodes its text again",
                path=self.path,
                dim=dim,
            )
        matrix = np.frombuffer(b"".join(vectors), VECTOR_DTYPE).reshape(-1, dim)
        squares = np.einsum("ij,ij->i", matrix, matrix)
        if not ((np.abs(squares - 1) < 2 * LENGTH_TOLERANCE) | (squares == 0)).all():
            raise CollectionDamagedError(
                "{path}: a stored vector is not of length one. Run `kcsearch repair`, which "
                "encodes its text again",
                path=self.path,
            )
        return matrix

    def _stored_row(self, row: tuple[Any, ...]) -> StoredRow:
        row_id, key, text, source, line, metadata, text_hash, window_of = row
        if not isinstance(text, str) or hash_text(text) != text_hash or not isinstance(key, str):
            raise self._damaged_row(row_id)
        are_texts = isinstance(source, str | None) and isinstance(window_of, str | None)
        try:
            fields = json.loads(metadata)
        except (TypeError, ValueError, RecursionError):
            raise self._damaged_row(row_id) from None
        if not are_texts or not isinstance(line, int | None) or not isinstance(fields, dict):
            raise self._damaged_row(row_id)
        return StoredRow(row_id, Document(text, key, source, line, fields), window_of)

    def _damaged_row(self, row_id: int) -> CollectionDamagedError:
        return CollectionDamagedError(
            "{path}: row {row_id} is damaged. Run `kcsearch repair`, which keeps every document "
            "that is whole",
            path=self.path,
            row_id=row_id,
        )

    def _insert(self, row: NewRow, tokens: Sequence[str]) -> int:
        document = row.document
        values = (
            document.key,
            document.text,
            document.source,
            document.line,
            metadata_json(document.metadata),
            hash_text(document.text),
            row.window_of,
        )
        try:
            cursor = self._connection.execute(
                """INSERT INTO documents (key, text, source, line, metadata, text_hash, window_of)
                   VALUES (?, ?, ?, ?, ?, ?, ?)""",
                values,
            )
        except sqlite3.IntegrityError:
            raise self._key_taken(row) from None
        row_id = cursor.lastrowid
        assert row_id is not None  # an INSERT that did not raise
        vector = np.ascontiguousarray(row.vector, VECTOR_DTYPE).tobytes()
        self._connection.execute("INSERT INTO vectors VALUES (?, ?)", (row_id, vector))
        self._connection.execute(
            "INSERT INTO documents_fts (rowid, tokens) VALUES (?, ?)",
            (row_id, " ".join(tokens)),
        )
        if self._keeps_tokens:
            kept = (row_id, " ".join(tokens))
            self._connection.execute("INSERT INTO morphemes VALUES (?, ?)", kept)
        return row_id

    def _key_taken(self, row: NewRow) -> InputError:
        key = row.document.key
        ((window_of,),) = self._all("SELECT window_of FROM documents WHERE key = ?", key)
        return InputError(
            "the key {key!r} is taken: the parts of the long text {whole!r} are stored as "
            "{whole}#1, {whole}#2 … Give one of the two another key",
            key=key,
            whole=row.window_of or window_of,
        )

    def _remove(self, rows: Sequence[StoredRow]) -> None:
        if self._keeps_tokens:
            kept = self.morphemes([row.row_id for row in rows])
            tokens = [kept[row.row_id] for row in rows]
        else:
            tokens = self.analyzer.of_texts([row.document.text for row in rows])
        for row, words in zip(rows, tokens, strict=True):
            # A contentless FTS5 table must be told what it forgets.
            self._connection.execute(
                "INSERT INTO documents_fts (documents_fts, rowid, tokens) VALUES ('delete', ?, ?)",
                (row.row_id, " ".join(words)),
            )
            if self._keeps_tokens:
                self._connection.execute("DELETE FROM morphemes WHERE row_id = ?", (row.row_id,))
            self._connection.execute("DELETE FROM vectors WHERE row_id = ?", (row.row_id,))
            self._connection.execute("DELETE FROM documents WHERE row_id = ?", (row.row_id,))

    def _where(self, where: str, params: Mapping[str, Any]) -> np.ndarray:
        """A condition that a person wrote: it may read, and nothing else."""
        sql = f"SELECT row_id FROM documents WHERE ({where}\n)"
        # Their first use in a connection declares a table, which the authorizer would refuse.
        self._all("SELECT 1 FROM json_each('[]'), json_tree('[]')")
        self._connection.set_authorizer(read_only)
        try:
            rows = self._connection.execute(sql, dict(params)).fetchall()
            return np.array([row_id for (row_id,) in rows], np.int64)
        except (sqlite3.Error, sqlite3.Warning, ValueError, TypeError, OverflowError) as error:
            raise InputError(
                "--where {where!r}: {reason}. The columns are row_id, key, text, source, line, "
                "metadata (JSON)",
                where=where,
                reason=" ".join(str(error).split()).rstrip("."),
            ) from None
        finally:
            self._connection.set_authorizer(unrestricted)

    def _check_schema(self) -> None:
        application_id = self._one("PRAGMA application_id")[0]
        version = self._one("PRAGMA user_version")[0]
        if application_id != APPLICATION_ID:
            raise CollectionDamagedError(
                "{path} is not a store of kcsearch: put back a copy of it, or delete the "
                "collection's folder and index again",
                path=self.path,
            )
        if version > SCHEMA_VERSION:
            needed = None
            with suppress(CollectionDamagedError):  # that table may have changed, too
                needed = self._read_settings().get("needs_kcsearch")
            if isinstance(needed, str):
                raise CollectionDamagedError(
                    "{path} was written by a newer kcsearch; it needs {needed} or later: "
                    "`pip install --upgrade kcsearch`",
                    path=self.path,
                    needed=needed,
                )
            raise CollectionDamagedError(
                "{path} has schema {version}, this kcsearch knows {known}: "
                "`pip install --upgrade kcsearch`",
                path=self.path,
                version=version,
                known=SCHEMA_VERSION,
            )

    def _check_seal(self) -> None:
        if has_broken_seal(self.path, self.state().token):
            raise CollectionDamagedError(
                "{path} does not fit its checksum: it is damaged, or another program wrote in it. "
                "Run `kcsearch repair`, which keeps every document that is whole",
                path=self.path,
            )

    @property
    def _keeps_tokens(self) -> bool:
        return self.analyzer.name == "kiwi"

    def _words(self) -> Words:
        """Collections older than the choice have none: bigrams."""
        words: Any = self.settings.get("words", "bigrams")
        if words not in get_args(Words):
            raise CollectionDamagedError(
                "{path}: the setting {name} is lost. Put back a copy of the collection, or "
                "delete its folder and index again",
                path=self.path,
                name="words",
            )
        return words  # type: ignore[no-any-return]

    def _read_settings(self) -> dict[str, Any]:
        rows = self._all("SELECT name, value FROM settings")
        try:
            return {name: json.loads(value) for name, value in rows}
        except (TypeError, ValueError, RecursionError):
            return {}


NEEDED_SETTINGS: Mapping[str, type] = {
    "collection_id": str,
    "dim": int,
    "model": dict,
    "model_reference": str,
    "model_stamp": dict,
}
MAX_DIM = 1 << 16  # numbers in a vector
_STATE = "SELECT token, n_rows, last_row_id, n_removed FROM commits"
_VOCABULARY = """CREATE VIRTUAL TABLE IF NOT EXISTS temp.token_rows
                 USING fts5vocab (main, documents_fts, row)"""
_COUNT_MATCHES = "SELECT count(*) FROM documents_fts WHERE documents_fts MATCH ?"
_COLUMNS = "row_id, key, text, source, line, metadata, text_hash, window_of"
_SEEN = "seen (key TEXT PRIMARY KEY, source TEXT, line INTEGER) WITHOUT ROWID"
_GONE = "gone (text_hash BLOB PRIMARY KEY, vector BLOB)"


def _match_word(token: str) -> str:
    """A token of a query as FTS5 wants it: quoted, the star of a prefix outside."""
    prefix = "*" if token.endswith("*") else ""
    return '"' + token.removesuffix("*").replace('"', '""') + '"' + prefix


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells one file under a name from the next; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def metadata_json(metadata: Mapping[str, Any]) -> str:
    """Metadata as it is stored and compared: JSON in NFC, Hangul as it is, in the order given."""
    if not metadata:
        return "{}"
    try:
        return normalize(json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError("metadata must be JSON values: {reason}", reason=error) from None


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise InputError for what `metadata_json` refuses, and for what others could not read."""
    _check_levels(metadata, MAX_DEPTH)
    text = metadata_json(metadata)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("metadata holds half of a surrogate pair (no character)") from None


def _check_levels(value: object, levels: int) -> None:
    """levels: of values that may be within this one."""
    if levels < 0:
        raise InputError("metadata is nested deeper than {limit} levels", limit=MAX_DEPTH)
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        _check_levels(item, levels - 1)


def _slices(values: Sequence[Any], size: int = 500) -> Iterator[Sequence[Any]]:
    """SQLite takes a bounded number of parameters (999 before 3.32)."""
    return (values[i : i + size] for i in range(0, len(values), size))


def _mark_commit(connection: sqlite3.Connection, state: StoreState) -> None:
    connection.execute(
        "INSERT INTO commits (token, n_rows, last_row_id, n_removed) VALUES (?, ?, ?, ?)",
        (secrets.token_hex(16), state.n_rows, state.last_row_id, state.n_removed),
    )
