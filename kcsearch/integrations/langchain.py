"""LangChain's retriever, vector store and embeddings over a Collection: `kcsearch[langchain]`.

from kcsearch.integrations.langchain import KcsearchRetriever

retriever = KcsearchRetriever(collection="notes", k=4)
retriever.invoke("비가 오나요", filter={"topic": "날씨"})
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kcsearch.collection import Collection
from kcsearch.errors import InputError, MissingExtraError
from kcsearch.integrations.conditions import as_filters
from kcsearch.integrations.diversity import diverse
from kcsearch.types import Document, Encoder, Hit, Mode, Role

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document as LangChainDocument
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.vectorstores import VectorStore
    from pydantic import ConfigDict, field_validator
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'",
        package="langchain-core",
        extra="langchain",
    ) from error

__all__ = ["KcsearchEmbeddings", "KcsearchRetriever", "KcsearchVectorStore"]

Filter = Mapping[str, Any]  # NAME to VALUE, all of which must hold


class KcsearchEmbeddings(Embeddings):
    """The vectors of a kcsearch model: unit length, a text over the model's limit by its mean."""

    def __init__(self, model: str | Path | None = None, *, encoder: Encoder | None = None) -> None:
        """model: as for `Collection`; encoder: in place of the one that it names."""
        if encoder is None:
            from kcsearch import models
            from kcsearch.encoder import TextEncoder

            encoder = TextEncoder(models.resolve(model))
        self.encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._embed(texts, "passage")

    def embed_query(self, text: str) -> list[float]:
        return self._embed([text], "query")[0]

    def _embed(self, texts: list[str], role: Role) -> list[list[float]]:
        windows = [self.encoder.split(text) or [text] for text in texts]
        vectors = iter(self.encoder.encode([w for some in windows for w in some], role))
        means = [np.mean([next(vectors) for _ in some], axis=0) for some in windows]
        return [(mean / max(float(np.linalg.norm(mean)), 1e-12)).tolist() for mean in means]


class KcsearchRetriever(BaseRetriever):
    """Documents of a collection by meaning and by words, with `score` and `cosine` as metadata.

    collection: an open one, or its folder. k: how many. mode: hybrid, dense or lexical.
    filter: NAME to VALUE, all of which must hold. All but the first may be given to `invoke`, too.
    """

    collection: Collection
    k: int = 4
    mode: Mode = "hybrid"
    filter: dict[str, Any] | None = None

    model_config = ConfigDict(arbitrary_types_allowed=True)

    @field_validator("collection", mode="before")
    @classmethod
    def _opened(cls, value: Any) -> Any:
        return Collection(value, create=False) if isinstance(value, str | Path) else value

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        mode: Mode | None = None,
        filter: Filter | None = None,
    ) -> list[LangChainDocument]:
        hits = self.collection.search(
            query,
            self.k if k is None else k,
            mode=mode or self.mode,
            filters=as_filters(self.filter if filter is None else filter),
        )
        return [_with_scores(hit) for hit in hits]


class KcsearchVectorStore(VectorStore):
    """A collection as a LangChain vector store. Scores are cosines, in [-1, 1].

    mode: how texts are searched for; with hybrid and lexical the order is not that of the scores.
    `filter={"topic": "날씨"}` goes with every search and chooses before it.
    """

    def __init__(self, collection: Collection | str | Path, *, mode: Mode = "dense") -> None:
        """collection: an open one, or a folder, which is made if it is not there."""
        if not isinstance(collection, Collection):
            collection = Collection(collection)
        self.collection = collection
        self.mode: Mode = mode
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def from_texts(  # type: ignore[override]
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        path: str | Path | None = None,
        mode: Mode = "dense",
    ) -> KcsearchVectorStore:
        """A store that holds these texts.

        embedding: of LangChain; None for kcsearch's own model. path: the collection's folder; None
        for a temporary one, which goes with the store.
        """
        folder = None
        if path is None:
            folder = tempfile.TemporaryDirectory(prefix="kcsearch-")
            path = folder.name
        encoder = None if embedding is None else _encoder_of(embedding)
        store = cls(Collection(path, encoder=encoder), mode=mode)
        store._folder = folder
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @property
    def embeddings(self) -> Embeddings:
        encoder = self.collection.encoder
        if isinstance(encoder, _EmbeddingsEncoder):
            return encoder.embeddings
        return KcsearchEmbeddings(encoder=encoder)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, or replace those whose ids are here; their ids, made up where not given."""
        texts = list(texts)
        for name, given in (("metadatas", metadatas), ("ids", ids)):
            if given is not None and len(given) != len(texts):
                raise InputError("{n} texts, but {m} {name}", n=len(texts), m=len(given), name=name)
        keys = [key or uuid.uuid4().hex for key in ids or [""] * len(texts)]
        rows = zip(texts, keys, metadatas or [{}] * len(texts), strict=True)
        self.collection.add(Document(text, key, metadata=data) for text, key, data in rows)
        return keys

    def add_documents(
        self, documents: list[LangChainDocument], *, ids: list[str] | None = None, **kwargs: Any
    ) -> list[str]:
        keys = [document.id or "" for document in documents] if ids is None else ids
        texts = [document.page_content for document in documents]
        return self.add_texts(texts, [document.metadata for document in documents], ids=keys)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete these documents, those that are not here without a word; None deletes all."""
        if ids is None:
            self.collection.delete_matching()
        else:
            self.collection.delete(list(self.collection.find(ids)))
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[LangChainDocument]:
        return [_langchain(document) for document in self.collection.find(ids).values()]

    def similarity_search(
        self, query: str, k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[LangChainDocument]:
        found = self.similarity_search_with_score(query, k, filter, **kwargs)
        return [document for document, _ in found]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[tuple[LangChainDocument, float]]:
        """Documents with their cosines, 1 is nearest."""
        hits = self.collection.search(query, k, mode=self.mode, filters=as_filters(filter))
        return [(_langchain(hit.document), hit.cosine) for hit in hits]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[LangChainDocument]:
        hits = self.collection.nearest(embedding, k, filters=as_filters(filter))
        return [_langchain(hit.document) for hit in hits]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[LangChainDocument]:
        vector = self.collection.embed_queries([query])[0]
        return self.max_marginal_relevance_search_by_vector(
            vector.tolist(), k, fetch_k, lambda_mult, filter
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[LangChainDocument]:
        """`k` of the `fetch_k` nearest; lambda_mult: 1 for the nearest, 0 for the most diverse."""
        hits = self.collection.nearest(embedding, max(k, fetch_k), filters=as_filters(filter))
        if not hits:
            return []
        vectors = self.collection.vectors([hit.key for hit in hits])
        query = np.asarray(embedding, np.float32)
        chosen = diverse(query / np.linalg.norm(query), vectors, k, lambda_mult)
        return [_langchain(hits[i].document) for i in chosen]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """Cosines to [0, 1]; of rounding no more than that remains."""
        return lambda cosine: min(1.0, max(0.0, (1.0 + cosine) / 2.0))


class _EmbeddingsEncoder:
    """LangChain's embeddings as an Encoder. Texts are not cut: their limits are not known."""

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self.dim = len(embeddings.embed_query("가"))

    def fingerprint(self) -> Mapping[str, Any]:
        names = (getattr(self.embeddings, name, None) for name in ("model", "model_name"))
        model = next((name for name in names if isinstance(name, str)), "")
        kind = type(self.embeddings).__name__
        return {"name": f"{kind} {model}".strip(), "embeddings": [kind, model], "dim": self.dim}

    def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        if role == "query":
            rows = [self.embeddings.embed_query(text) for text in texts]
        else:
            rows = self.embeddings.embed_documents(list(texts))
        vectors = np.asarray(rows, np.float32).reshape(len(texts), self.dim)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)

    def split(self, text: str) -> list[str]:
        return [text]


def _encoder_of(embeddings: Embeddings) -> Encoder:
    if isinstance(embeddings, KcsearchEmbeddings):
        return embeddings.encoder
    return _EmbeddingsEncoder(embeddings)


def _langchain(document: Document) -> LangChainDocument:
    """With the file and the line that it was read from, if it was."""
    metadata = dict(document.metadata)
    if document.source is not None:
        metadata |= {"source": document.source, "line": document.line}
    return LangChainDocument(page_content=document.text, id=document.key, metadata=metadata)


def _with_scores(hit: Hit) -> LangChainDocument:
    document = _langchain(hit.document)
    document.metadata |= {"score": hit.score, "cosine": hit.cosine}
    return document
