"""LlamaIndex's retriever and vector store over a Collection: `kcsearch[llama-index]`.

from kcsearch.integrations.llama_index import KcsearchRetriever

KcsearchRetriever("notes", similarity_top_k=3).retrieve("비가 오나요")

The collection embeds texts itself, queries as well as nodes; embeddings that nodes bring are not
kept. An index over the store therefore needs no model: `embed_model=MockEmbedding(1)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kcsearch.collection import Collection
from kcsearch.errors import InputError, MissingExtraError
from kcsearch.integrations.conditions import Conditions, Order
from kcsearch.integrations.diversity import diverse
from kcsearch.types import Document, Hit, Mode

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.schema import (
        BaseNode,
        MetadataMode,
        NodeWithScore,
        QueryBundle,
        TextNode,
    )
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        FilterOperator,
        MetadataFilter,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
        VectorStoreQueryResult,
    )
    from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'",
        package="llama-index-core",
        extra="llama-index",
    ) from error

__all__ = ["KcsearchRetriever", "KcsearchVectorStore"]

_MODES: dict[VectorStoreQueryMode, Mode] = {
    VectorStoreQueryMode.DEFAULT: "dense",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
    VectorStoreQueryMode.TEXT_SEARCH: "lexical",
    VectorStoreQueryMode.SPARSE: "lexical",
}
_ORDERS: dict[FilterOperator, Order] = {
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
}
_N_FETCHED = 5  # times similarity_top_k, to choose diverse ones from


class KcsearchRetriever(BaseRetriever):
    """Nodes of a collection by meaning and by words; their score is the cosine."""

    def __init__(
        self,
        collection: Collection | str | Path,
        similarity_top_k: int = 2,
        mode: Mode = "hybrid",
        filters: MetadataFilters | None = None,
        **kwargs: Any,
    ) -> None:
        """collection: an open one, or its folder. kwargs: those of BaseRetriever."""
        super().__init__(**kwargs)
        self.collection = _opened(collection)
        self.similarity_top_k, self.mode, self.filters = similarity_top_k, mode, filters

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self.collection.search(
            query_bundle.query_str,
            self.similarity_top_k,
            mode=self.mode,
            **_conditions(self.filters),
        )
        return [NodeWithScore(node=_node(hit.document), score=hit.cosine) for hit in hits]


class KcsearchVectorStore(BasePydanticVectorStore):
    """A collection as a LlamaIndex vector store. Similarities are cosines."""

    stores_text: bool = True
    is_embedding_query: bool = False  # it takes the text of a query

    _collection: Collection = PrivateAttr()

    def __init__(self, collection: Collection | str | Path) -> None:
        """collection: an open one, or a folder, which is made if it is not there."""
        super().__init__(stores_text=True)
        self._collection = _opened(collection, create=True)

    @classmethod
    def class_name(cls) -> str:
        return "KcsearchVectorStore"

    @property
    def client(self) -> Collection:
        return self._collection

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Add nodes, or replace those whose ids are here."""
        self._collection.add(
            Document(
                node.get_content(metadata_mode=MetadataMode.NONE),
                node.node_id,
                metadata=node_to_metadata_dict(node, remove_text=True),
            )
            for node in nodes
        )
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes that were made from this document."""
        self._collection.delete_matching({"ref_doc_id": ref_doc_id})

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Delete the nodes that have one of these ids and fulfil the filters."""
        if node_ids is None and filters is None:
            raise InputError("give node_ids or filters; clear() deletes every node")
        self._collection.delete_matching(**_conditions(filters, node_ids))

    def clear(self) -> None:
        self._collection.delete_matching()

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        keys = self._collection.keys(**_conditions(filters, node_ids))
        return [_node(document) for document in self._collection.find(keys).values()]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Search by `query_str`, or by `query_embedding` where there is no text."""
        # An index without nodes of its own asks with an empty list, and means all.
        ids, parents = query.node_ids or None, query.doc_ids or None
        hits = self._found(query, _conditions(query.filters, ids, parents))
        return VectorStoreQueryResult(
            nodes=[_node(hit.document) for hit in hits],
            similarities=[hit.cosine for hit in hits],
            ids=[hit.key for hit in hits],
        )

    def _found(self, query: VectorStoreQuery, conditions: dict[str, Any]) -> Sequence[Hit]:
        top_k = query.similarity_top_k
        if query.mode == VectorStoreQueryMode.MMR:
            vector = self._vector(query)
            hits = self._collection.nearest(vector, _N_FETCHED * top_k, **conditions)
            if not hits:
                return hits
            relevance = 0.5 if query.mmr_threshold is None else query.mmr_threshold
            rows = self._collection.vectors([hit.key for hit in hits])
            return [hits[i] for i in diverse(vector, rows, top_k, relevance)]
        if query.mode not in _MODES:
            raise InputError("no query mode {mode!r} here", mode=query.mode.value)
        if query.query_str is None:
            return self._collection.nearest(self._vector(query), top_k, **conditions)
        mode = _MODES[query.mode]
        if mode == "hybrid" and query.hybrid_top_k is not None:
            top_k = query.hybrid_top_k
        return self._collection.search(query.query_str, top_k, mode=mode, **conditions)

    def _vector(self, query: VectorStoreQuery) -> np.ndarray:
        """float32 (dim,), unit length."""
        if query.query_str is not None:
            return np.asarray(self._collection.embed_queries([query.query_str])[0])
        if query.query_embedding is None:
            raise InputError("the query has neither a text nor an embedding")
        vector = np.asarray(query.query_embedding, np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _opened(collection: Collection | str | Path, *, create: bool = False) -> Collection:
    if isinstance(collection, Collection):
        return collection
    return Collection(collection, create=create)


def _node(document: Document) -> BaseNode:
    """A node as it was written; of another document a TextNode, with its source and its line."""
    metadata = dict(document.metadata)
    if "_node_content" in metadata:
        return metadata_dict_to_node(metadata, document.text)
    if document.source is not None:
        metadata |= {"source": document.source, "line": document.line}
    return TextNode(id_=document.key or "", text=document.text, metadata=metadata)


def _conditions(
    filters: MetadataFilters | None,
    node_ids: list[str] | None = None,
    doc_ids: list[str] | None = None,
) -> dict[str, Any]:
    """The arguments `where` and `params` of a search."""
    conditions, parts = Conditions(), []
    if filters is not None and filters.filters:
        parts.append(_group(conditions, filters))
    if node_ids is not None:
        own = conditions.one_of("documents.key", node_ids)
        parts.append(conditions.any_of([own, conditions.one_of("documents.window_of", node_ids)]))
    if doc_ids is not None:
        parts.append(conditions.one_of(conditions.metadata("ref_doc_id"), doc_ids))
    if not parts:
        return {}
    return {"where": conditions.all_of(parts), "params": conditions.params}


def _group(conditions: Conditions, filters: MetadataFilters) -> str:
    parts = [
        _group(conditions, part) if isinstance(part, MetadataFilters) else _one(conditions, part)
        for part in filters.filters
    ]
    if filters.condition == FilterCondition.OR:
        return conditions.any_of(parts)
    if filters.condition == FilterCondition.NOT:  # to LlamaIndex: none of them
        return conditions.none_of(parts)
    return conditions.all_of(parts)


def _one(conditions: Conditions, filter: MetadataFilter) -> str:
    at, operator, value = conditions.metadata(filter.key), filter.operator, filter.value
    several = value if isinstance(value, list) else [value]
    if operator in _ORDERS:
        return conditions.ordered(at, _ORDERS[operator], value)
    if operator == FilterOperator.EQ:
        return conditions.equal(at, value)
    if operator == FilterOperator.NE:
        return conditions.different(at, value)
    if operator == FilterOperator.IN:
        return conditions.one_of(at, several)
    if operator == FilterOperator.NIN:
        return conditions.none_of([conditions.one_of(at, several)])
    if operator == FilterOperator.CONTAINS:
        return conditions.holds(at, value)
    if operator == FilterOperator.ANY:
        return conditions.any_of([conditions.holds(at, item) for item in several])
    if operator == FilterOperator.ALL:
        return conditions.all_of([conditions.holds(at, item) for item in several])
    if operator == FilterOperator.IS_EMPTY:
        return conditions.one_of(at, [None, "", "[]"])
    if isinstance(value, str):
        any_case = operator == FilterOperator.TEXT_MATCH_INSENSITIVE
        return conditions.includes(at, value, any_case=any_case)
    raise InputError("{operator} asks for a string, not {value!r}", operator=operator, value=value)
