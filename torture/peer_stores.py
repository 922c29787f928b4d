"""The same few verbs over kcsearch, txtai and Chroma, each saved as its own documentation says.

Every one gets its vectors from the hashed encoder of the tests. A batch counts as acknowledged when
`upsert` has returned.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tests.doubles import HashEncoder

Batch = Sequence[tuple[str, str]]  # key and text
_ENCODER = HashEncoder()


class Store(Protocol):
    def upsert(self, batch: Batch) -> None: ...

    def texts(self) -> dict[str, str]:
        """By key, as the text side holds them."""

    def n_vectors(self) -> int | None:
        """As the vector side holds them; None if it does not tell."""

    def nearest(self, texts: Sequence[str]) -> list[list[str]]:
        """For each text the keys of the ten that a search by its vector finds."""


class Kcsearch:
    def __init__(self, path: Path) -> None:
        from kcsearch import Collection

        self._collection = Collection(path, encoder=_ENCODER)

    def upsert(self, batch: Batch) -> None:
        from kcsearch import Document

        self._collection.add(Document(text, key) for key, text in batch)

    def texts(self) -> dict[str, str]:
        return {document.key or "": document.text for document in self._collection.list()}

    def n_vectors(self) -> int:
        return int(self._collection.status()["n_vectors"])

    def nearest(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._collection.search_many(texts, 10, mode="dense")
        return [[hit.key for hit in hits] for hits in found]


class Txtai:
    """Embeddings with content: `upsert`, then `save` to the same path."""

    def __init__(self, path: Path) -> None:
        os.environ["ALLOW_RESOLVE_TRANSFORM"] = "True"
        from txtai import Embeddings

        self._path = str(path)
        self._embeddings = Embeddings(
            content=True, backend="faiss", method="external", transform="torture.peer_stores.encode"
        )
        if path.exists():
            self._embeddings.load(self._path)

    def upsert(self, batch: Batch) -> None:
        self._embeddings.upsert([(key, text, None) for key, text in batch])
        self._embeddings.save(self._path)

    def texts(self) -> dict[str, str]:
        rows = self._embeddings.search("select id, text from txtai limit 100000")
        return {row["id"]: row["text"] for row in rows}

    def n_vectors(self) -> int:
        return int(self._embeddings.count())

    def nearest(self, texts: Sequence[str]) -> list[list[str]]:
        sql = "select id from txtai where similar(:text) limit 10"
        found = [self._embeddings.search(sql, parameters={"text": text}) for text in texts]
        return [[row["id"] for row in rows] for rows in found]


class Chroma:
    """A PersistentClient; sync_threshold: after how many records the vector index is written."""

    def __init__(self, path: Path, sync_threshold: int | None = None) -> None:
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(path), settings)
        hnsw: dict[str, Any] = {"space": "cosine"}
        if sync_threshold is not None:
            hnsw |= {"batch_size": sync_threshold, "sync_threshold": sync_threshold}
        self._collection = client.get_or_create_collection(
            "notes", configuration={"hnsw": hnsw}, embedding_function=None
        )

    def upsert(self, batch: Batch) -> None:
        keys, texts = (list(column) for column in zip(*batch, strict=True))
        self._collection.upsert(keys, documents=texts, embeddings=encode(texts))

    def texts(self) -> dict[str, str]:
        found = self._collection.get(include=["documents"])
        return dict(zip(found["ids"], found["documents"], strict=True))

    def n_vectors(self) -> None:
        return None

    def nearest(self, texts: Sequence[str]) -> list[list[str]]:
        found = self._collection.query(query_embeddings=encode(texts), n_results=10)
        return [list(ids) for ids in found["ids"]]


def prepare(name: str) -> None:
    """Import the library, so that forked processes begin with their work."""
    module = {"kcsearch": "kcsearch.collection", "txtai": "txtai"}.get(name, "chromadb")
    importlib.import_module(module)


def opened(name: str, path: Path) -> Store:
    if name == "kcsearch":
        return Kcsearch(path)
    if name == "txtai":
        return Txtai(path)
    return Chroma(path, sync_threshold=10 if name == "chroma, index every 10" else None)


def encode(texts: Sequence[str]) -> np.ndarray:
    """float32 (n, 64), unit rows."""
    return np.asarray(_ENCODER.encode(texts), np.float32)
