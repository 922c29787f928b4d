"""The vector index on FAISS: nearest rows by inner product, and the file that keeps it.

It is a cache. A base, built in one go and mapped from `vectors.faiss`, never changes; rows that
came later lie in a small matrix beside it, and rows that went are masked. When these grow, the
collection builds another base from the stored vectors. Deciding that is not this file's business.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import faiss
import numpy as np

from kcsearch.atomic_file import replacing

# Below this, every vector is compared in fp16: 1.5 ms a query at 50,000 x 384 on one thread. Above,
# RaBitQ fast-scan (Gao and Long 2024, arXiv:2405.12497) looks at every row's bits and fp16 refines
# the best: a fifth of the time at recall@10 0.9995 (100,000 x 384, clustered, 16 x refinement).
EXACT_LIMIT = 50_000
_SMALL, _LARGE = "IDMap,SQfp16", "IDMap,RaBitQfs,Refine(SQfp16)"
TRAINING_ROWS = 20_000  # RaBitQ only learns the mean

_MAGIC = b"kcsearch-faiss-1"
_TAIL = struct.Struct("<II16s")  # length and CRC-32 of the JSON stamp, magic: the last bytes
_LENGTH = struct.Struct("<Q")  # of an array in FAISS's file
_HEAD = 1 << 16  # bytes: here lie the sizes that FAISS believes
_QUICK_TO_CHECK = 16 << 20  # bytes: 8 ms


# A forked child has none of OpenMP's threads, and would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: faiss.omp_set_num_threads(1))

_Read = TypeVar("_Read")


class StaleIndexError(Exception):
    """The file is missing, damaged or foreign; whoever opened it builds another."""


class FaissIndex:
    """Vectors by row id. Row ids are added in ascending order and never twice.

    >>> index = FaissIndex(dim=2)
    >>> index.add(np.array([7, 9]), np.eye(2, dtype=np.float32))
    >>> index.search(np.array([[0.6, 0.8]], np.float32), top_k=1)
    (array([[9]]), array([[0.8]], dtype=float32))
    """

    def __init__(self, dim: int, base: Any = None) -> None:
        self.dim = dim
        self._base = base
        self._base_ids = _no_ids() if base is None else faiss.vector_to_array(base.id_map)
        self._base_alive = np.ones(len(self._base_ids), bool)
        self._late_ids = _no_ids()
        self._late = np.empty((0, dim), np.float32)

    def __len__(self) -> int:
        return int(self._base_alive.sum()) + len(self._late_ids)

    @property
    def kind(self) -> str:
        """exact or rabitq: how the base is searched."""
        if self._base is None:
            return "exact"
        inner = faiss.downcast_index(self._base.index)
        return "rabitq" if isinstance(inner, faiss.IndexRefine) else "exact"

    @property
    def n_outside_base(self) -> int:
        """Rows that came or went after the base was built: what a new base would put in order."""
        return len(self._late_ids) + int((~self._base_alive).sum())

    @property
    def row_ids(self) -> np.ndarray:
        """int64 (n,), ascending."""
        return np.concatenate([self._base_ids[self._base_alive], self._late_ids])

    @classmethod
    def build(
        cls,
        dim: int,
        n_rows: int,
        sample: np.ndarray,
        blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    ) -> FaissIndex:
        """An index whose base holds all of `blocks`: (row ids int64 (m,), float32 (m, dim)) each.

        n_rows: how many they will be. sample: float32 (s, dim), for training.
        """
        if n_rows == 0:
            return cls(dim)
        factory = _SMALL if n_rows <= EXACT_LIMIT else _LARGE
        base = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
        base.train(np.ascontiguousarray(sample))
        for row_ids, vectors in blocks:
            base.add_with_ids(np.ascontiguousarray(vectors), row_ids)
        return cls(dim, base)

    @classmethod
    def write(
        cls,
        path: Path,
        stamp: Mapping[str, Any],
        dim: int,
        n_rows: int,
        sample: np.ndarray,
        blocks: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    ) -> None:
        """The file that `build` and `save` make, of vectors that need not fit in memory.

        blocks: gives the same blocks at each call; of a large index they are asked for twice. Only
        their bits are held (dim / 8 + 8 bytes a row); fp16 goes into the file as it comes.
        """
        if n_rows <= EXACT_LIMIT:
            cls.build(dim, n_rows, sample, blocks()).save(path, stamp)
            return
        base = faiss.index_factory(dim, _LARGE, faiss.METRIC_INNER_PRODUCT)
        base.train(np.ascontiguousarray(sample))
        refined = faiss.downcast_index(base.index)
        bits = faiss.downcast_index(refined.base_index)
        flat = faiss.downcast_index(refined.refine_index)
        row_ids = []
        for ids, vectors in blocks():
            bits.add(np.ascontiguousarray(vectors))
            row_ids.append(ids)
        faiss.copy_array_to_vector(np.concatenate(row_ids), base.id_map)
        mark = np.random.default_rng(0).standard_normal((1, dim), np.float32)
        flat.add(mark)  # stands for all rows, until the file is written
        flat.ntotal = refined.ntotal = base.ntotal = bits.ntotal
        codes = (flat.sa_encode(np.ascontiguousarray(vectors)) for _, vectors in blocks())
        with replacing(path) as draft:
            with open(draft, "wb") as file:
                _write_in_place_of(flat.sa_encode(mark).tobytes(), codes, base, file)
            _write_stamp(draft, stamp, dim, base.ntotal)

    def add(self, row_ids: np.ndarray, vectors: np.ndarray) -> None:
        """row_ids: int64 (n,), above all that are here; vectors: float32 (n, dim), unit rows."""
        self._late_ids = np.concatenate([self._late_ids, row_ids])
        self._late = np.concatenate([self._late, vectors])

    def remove(self, row_ids: np.ndarray) -> None:
        self._base_alive &= ~np.isin(self._base_ids, row_ids)
        keep = ~np.isin(self._late_ids, row_ids)
        self._late_ids, self._late = self._late_ids[keep], self._late[keep]

    def search(
        self, queries: np.ndarray, top_k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Row ids int64 (n, top_k), best first, -1 where there are no more; scores float32.

        queries: float32 (n, dim). allowed: the row ids to choose from; all when None.
        Scores of base rows are of fp16 vectors: within 1e-3 of the inner product.
        """
        ids, scores = self._search_late(queries, allowed)
        if self._base_alive.any():
            base_ids, base_scores = self._search_base(queries, top_k, allowed)
            ids = np.concatenate([base_ids, ids], axis=1)
            scores = np.concatenate([base_scores, scores], axis=1)
        missing = max(0, top_k - ids.shape[1])
        ids = np.pad(ids, ((0, 0), (0, missing)), constant_values=-1)
        scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
        order = np.lexsort((ids, -scores), axis=1)[:, :top_k]
        ids, scores = np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1)
        return np.where(np.isneginf(scores), -1, ids), scores.astype(np.float32)

    def _search_late(
        self, queries: np.ndarray, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        keep = slice(None) if allowed is None else np.isin(self._late_ids, allowed)
        ids, vectors = self._late_ids[keep], self._late[keep]
        return np.broadcast_to(ids, (len(queries), len(ids))), queries @ vectors.T

    def _search_base(
        self, queries: np.ndarray, top_k: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        queries = np.ascontiguousarray(queries, np.float32)
        n_dead = int((~self._base_alive).sum())
        if allowed is None and n_dead <= top_k + 64:
            n_wanted = min(top_k + n_dead, len(self._base_ids))
            scores, places = self._base.index.search(
                queries, n_wanted, params=self._parameters(n_wanted)
            )
            scores[(places < 0) | ~self._base_alive[places]] = -np.inf
        else:
            mask = self._base_alive.copy()
            if allowed is not None:
                mask &= np.isin(self._base_ids, allowed)
            scores, places = self._scan(queries, min(top_k, len(mask)), mask)
        return self._base_ids[places], scores

    def _parameters(self, n_wanted: int) -> Any:
        """How many rows RaBitQ hands on to fp16: 16 for each wanted, and one in a thousand."""
        if self.kind == "exact":
            return None
        n_base = len(self._base_ids)
        n_refined = min(n_base, max(16 * n_wanted, n_base // 1000))
        return faiss.IndexRefineSearchParameters(k_factor=n_refined / n_wanted)

    def _scan(
        self, queries: np.ndarray, top_k: int, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compare with every row that `mask` (bool, by place in the base) lets through, in fp16."""
        inner = faiss.downcast_index(self._base.index)
        flat = inner if self.kind == "exact" else faiss.downcast_index(inner.refine_index)
        bits = np.packbits(mask, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)
        scores, places = flat.search(queries, top_k, params=faiss.SearchParameters(sel=selector))
        scores[places < 0] = -np.inf
        return scores, places

    # -- the file --------------------------------------------------------------------------------

    def save(self, path: Path, stamp: Mapping[str, Any]) -> None:
        """Write the base, which must hold every row, with `stamp` and a checksum behind it."""
        assert self.n_outside_base == 0, "only a whole base is saved"
        with replacing(path) as draft:
            if self._base is not None:
                _write_index(self._base, draft)
            _write_stamp(draft, stamp, self.dim, len(self))

    @classmethod
    def load(cls, path: Path) -> tuple[FaissIndex, dict[str, Any]]:
        """The index of a file, mapped rather than read, and its stamp.

        Raises StaleIndexError when the file is missing or is not what its stamp says. Of a large
        file's bytes the head and the row ids are checked; its vectors are left to `check_file`.
        """
        return _of_one_file(path, lambda: cls._load(path))

    @classmethod
    def _load(cls, path: Path) -> tuple[FaissIndex, dict[str, Any]]:
        stamp = read_stamp(path)
        try:
            if stamp["n"] == 0:
                return cls(stamp["dim"]), stamp
            if stamp["size"] <= _QUICK_TO_CHECK:
                _check_file(path)
            elif _checksum_ends(path, stamp) != stamp["crc32_ends"]:
                raise StaleIndexError(f"{path}: the checksum of its ends does not fit")
            # What the file claims to hold cannot be larger than the file.
            faiss.set_deserialization_vector_byte_limit(stamp["size"])
            faiss.set_deserialization_loop_limit(stamp["size"])
            base = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, RuntimeError, MemoryError) as error:
            raise StaleIndexError(f"{path}: {error}") from error
        found = (base.d, base.ntotal)
        if not isinstance(base, faiss.IndexIDMap) or found != (stamp["dim"], stamp["n"]):
            raise StaleIndexError(f"{path}: not the index that its stamp tells of")
        return cls(stamp["dim"], base), stamp


def read_stamp(path: Path) -> dict[str, Any]:
    """What `save` wrote behind the index. Raises StaleIndexError."""
    try:
        with open(path, "rb") as file:
            if hasattr(os, "posix_fadvise"):  # a cold disk would fault page by page
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL.size))
            length, checksum, magic = _TAIL.unpack(file.read())
            if magic != _MAGIC or length > size - _TAIL.size:
                raise StaleIndexError(f"{path}: no stamp")
            file.seek(size - _TAIL.size - length)
            words = file.read(length)
    except (OSError, struct.error) as error:
        raise StaleIndexError(f"{path}: {error}") from error
    if zlib.crc32(words) != checksum:
        raise StaleIndexError(f"{path}: the checksum of its stamp does not fit")
    stamp: dict[str, Any] = json.loads(words)
    if stamp["size"] != size - _TAIL.size - length:
        raise StaleIndexError(f"{path}: {size} bytes, but the stamp tells of {stamp['size']}")
    return stamp


def file_identity(path: Path) -> tuple[int, ...] | None:
    """What tells one file under a name from the next; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _of_one_file(path: Path, read: Callable[[], _Read]) -> _Read:
    """What `read` gives when no writer put another file in the place of the first meanwhile."""
    while True:
        before = file_identity(path)
        try:
            found = read()
        except StaleIndexError:
            if before == file_identity(path):
                raise
            continue
        if before == file_identity(path):
            return found


def check_file(path: Path) -> dict[str, Any]:
    """Compare the file with its checksum; its stamp. Raises StaleIndexError."""
    return _of_one_file(path, lambda: _check_file(path))


def _check_file(path: Path) -> dict[str, Any]:
    stamp = read_stamp(path)
    if _checksum(path, 0, stamp["size"]) != stamp["crc32"]:
        raise StaleIndexError(f"{path}: the checksum does not fit")
    return stamp


def _write_index(base: Any, path: Path) -> None:
    try:
        faiss.write_index(base, str(path))
    except RuntimeError as error:  # so does FAISS say that the disk is full
        raise OSError(errno.EIO, str(error).rpartition("failed: ")[2], str(path)) from error


def _write_in_place_of(mark: bytes, codes: Iterable[np.ndarray], base: Any, file: BinaryIO) -> None:
    """Write `base` with all of `codes`, uint8 (m, width) each, where it holds `mark` alone.

    FAISS writes an array as its length, 8 bytes, and then its bytes, at one go.
    """

    def write(given: bytes) -> None:
        if given != mark:
            file.write(given)
            return
        start = file.tell()
        for block in codes:
            file.write(block.tobytes())
        end = file.tell()
        file.seek(start - _LENGTH.size)
        file.write(_LENGTH.pack(end - start))
        file.seek(end)

    faiss.write_index(base, faiss.PyCallbackIOWriter(write))


def _write_stamp(draft: Path, stamp: Mapping[str, Any], dim: int, n: int) -> None:
    """Write `stamp`, the index's measures and its checksums behind it."""
    with open(draft, "ab") as file:
        whole = {**stamp, "dim": dim, "n": n, "size": file.tell()}
        whole["crc32"] = _checksum(draft, 0, file.tell())
        whole["crc32_ends"] = _checksum_ends(draft, whole)
        words = json.dumps(whole).encode()
        file.write(words + _TAIL.pack(len(words), zlib.crc32(words), _MAGIC))


def _checksum_ends(path: Path, stamp: Mapping[str, Any]) -> int:
    """CRC-32 of the head and of the row ids, which FAISS writes last."""
    size = stamp["size"]
    head = _checksum(path, 0, min(size, _HEAD))
    return _checksum(path, max(0, size - 8 * stamp["n"]), size, head)


def _checksum(path: Path, start: int, end: int, checksum: int = 0) -> int:
    """CRC-32 of the bytes from `start` to `end`, going on from `checksum`."""
    with open(path, "rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(end - start, 1 << 20))):
            checksum, start = zlib.crc32(block, checksum), start + len(block)
    return checksum


def _no_ids() -> np.ndarray:
    return np.empty(0, np.int64)
