"""Haystack's document store and retriever over a Collection: `kcsearch[haystack]`.

from kcsearch.integrations.haystack import KcsearchDocumentStore, KcsearchRetriever

store = KcsearchDocumentStore("notes")
store.write_documents([Document(content="내일은 비가 옵니다.", meta={"topic": "날씨"})])
KcsearchRetriever(store).run("비가 오나요")["documents"]

The collection embeds texts itself: an `embedding` that a document brings is not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from kcsearch import types
from kcsearch.collection import Collection
from kcsearch.errors import InputError, MissingExtraError
from kcsearch.integrations.conditions import Conditions, Order
from kcsearch.types import Mode

try:
    from haystack import Document, component, default_to_dict
    from haystack.document_stores.errors import DuplicateDocumentError
    from haystack.document_stores.types import (
        DuplicatePolicy,
        FilterPolicy,
        apply_filter_policy,
    )
    from haystack.errors import FilterError
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'",
        package="haystack-ai>=3",
        extra="haystack",
    ) from error

__all__ = ["KcsearchDocumentStore", "KcsearchRetriever"]

Filters = dict[str, Any]


class KcsearchDocumentStore:
    """A collection as a Haystack document store. `id` is the key, `meta` the metadata."""

    def __init__(self, path: str = ".kcsearch", model: str | None = None) -> None:
        """path: the collection's folder, made if it is not there; model: as for `Collection`."""
        self.path, self.model = str(path), model
        self.collection = Collection(Path(path), model)

    def to_dict(self) -> dict[str, Any]:
        return dict(default_to_dict(self, path=self.path, model=self.model))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> KcsearchDocumentStore:
        return cls(**data["init_parameters"])

    def count_documents(self) -> int:
        return len(self.collection.keys())

    def count_documents_by_filter(self, filters: Filters) -> int:
        return len(self.collection.keys(**_conditions(filters)))

    def filter_documents(self, filters: Filters | None = None) -> list[Document]:
        """The documents that fulfil `filters`, in the order in which they were written."""
        found = self.collection.find(self.collection.keys(**_conditions(filters)))
        return [_haystack(document) for document in found.values()]

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Write documents; how many. NONE means FAIL, which writes none of them."""
        if isinstance(documents, str) or any(not isinstance(d, Document) for d in documents):
            raise ValueError("a list of haystack's Document is asked for")
        here = set(self.collection.find([document.id for document in documents]))
        chosen: dict[str, Document] = {}
        for document in documents:
            is_known = document.id in here or document.id in chosen
            if is_known and policy in (DuplicatePolicy.NONE, DuplicatePolicy.FAIL):
                raise DuplicateDocumentError(f"a document has the id {document.id!r} already")
            if not is_known or policy == DuplicatePolicy.OVERWRITE:
                chosen[document.id] = document
        self.collection.add([_kcsearch(document) for document in chosen.values()])
        return len(documents) if policy == DuplicatePolicy.OVERWRITE else len(chosen)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Delete these documents, those that are not here without a word."""
        self.collection.delete(list(self.collection.find(document_ids)))

    def delete_all_documents(self) -> None:
        self.collection.delete_matching()

    def delete_by_filter(self, filters: Filters) -> int:
        return self.collection.delete_matching(**_conditions(filters))

    def update_by_filter(self, filters: Filters, meta: dict[str, Any]) -> int:
        """Put `meta` into the metadata of the documents that fulfil `filters`; how many."""
        found = self.collection.find(self.collection.keys(**_conditions(filters)))
        self.collection.add(
            types.Document(d.text, d.key, d.source, d.line, {**d.metadata, **meta})
            for d in found.values()
        )
        return len(found)

    async def count_documents_async(self) -> int:
        return await asyncio.to_thread(self.count_documents)

    async def filter_documents_async(self, filters: Filters | None = None) -> list[Document]:
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        await asyncio.to_thread(self.delete_documents, document_ids)


@component
class KcsearchRetriever:
    """Finds documents by the query's text; no embedder is needed before it."""

    def __init__(
        self,
        document_store: KcsearchDocumentStore,
        top_k: int = 10,
        mode: Mode = "hybrid",
        filters: Filters | None = None,
        filter_policy: FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        """mode: hybrid, dense or lexical. `score` is what orders: the cosine in dense mode."""
        self.document_store = document_store
        self.top_k, self.mode = top_k, mode
        self.filters, self.filter_policy = filters, filter_policy

    def to_dict(self) -> dict[str, Any]:
        return dict(
            default_to_dict(
                self,
                document_store=self.document_store.to_dict(),
                top_k=self.top_k,
                mode=self.mode,
                filters=self.filters,
                filter_policy=self.filter_policy.value,
            )
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> KcsearchRetriever:
        given = dict(data["init_parameters"])
        given["document_store"] = KcsearchDocumentStore.from_dict(given["document_store"])
        given["filter_policy"] = FilterPolicy.from_str(given["filter_policy"])
        return cls(**given)

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: Filters | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        chosen = apply_filter_policy(self.filter_policy, self.filters, filters)
        hits = self.document_store.collection.search(
            query,
            self.top_k if top_k is None else top_k,
            mode=self.mode,
            **_conditions(chosen),
        )
        return {"documents": [_haystack(hit.document, hit.score) for hit in hits]}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: Filters | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return dict(await asyncio.to_thread(self.run, query, filters, top_k))


def _conditions(filters: Filters | None) -> dict[str, Any]:
    """The arguments `where` and `params` of a search. Raises FilterError."""
    if not filters:
        return {}
    conditions = Conditions()
    try:
        return {"where": _condition(conditions, filters), "params": conditions.params}
    except InputError as error:
        raise FilterError(str(error)) from error


def _condition(conditions: Conditions, filter: Mapping[str, Any]) -> str:
    if "field" in filter:
        return _comparison(conditions, filter)
    operator = _part(filter, "operator")
    parts = [_condition(conditions, part) for part in _part(filter, "conditions")]
    if operator == "AND":
        return conditions.all_of(parts)
    if operator == "OR":
        return conditions.any_of(parts)
    if operator == "NOT":  # to Haystack: not all of them
        return conditions.none_of([conditions.all_of(parts)])
    raise FilterError(f"no operator {operator!r}: there is AND, OR and NOT")


def _comparison(conditions: Conditions, filter: Mapping[str, Any]) -> str:
    operator, value = _part(filter, "operator"), _part(filter, "value")
    expression = _expression(conditions, filter["field"])
    if operator == "==":
        return conditions.equal(expression, value)
    if operator == "!=":
        return conditions.different(expression, value)
    if operator in get_args(Order):
        if isinstance(value, str):
            _check_date(value)
        return conditions.ordered(expression, operator, value, as_dates=isinstance(value, str))
    if operator in ("in", "not in"):
        if not isinstance(value, list):
            raise FilterError(f"the operator {operator!r} asks for a list, not {value!r}")
        found = conditions.one_of(expression, value)
        return found if operator == "in" else conditions.none_of([found])
    raise FilterError(f"no operator {operator!r}: there is ==, !=, >, >=, <, <=, in, not in")


def _part(filter: Mapping[str, Any], name: str) -> Any:
    if name not in filter:
        raise FilterError(f"{name!r} is missing in {dict(filter)!r}")
    return filter[name]


def _expression(conditions: Conditions, field: str) -> str:
    if field == "id":
        return "documents.key"
    if field == "content":
        return "documents.text"
    return conditions.metadata(*field.removeprefix("meta.").split("."))


def _check_date(value: str) -> None:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise FilterError(f"{value!r} is no date in ISO 8601: texts have no order here") from None


def _kcsearch(document: Document) -> types.Document:
    if document.content is None:
        raise InputError("the document {key!r} has no text", key=document.id)
    return types.Document(document.content, document.id, metadata=document.meta)


def _haystack(document: types.Document, score: float | None = None) -> Document:
    """With the file and the line that it was read from, if it was."""
    meta = dict(document.metadata)
    if document.source is not None:
        meta |= {"source": document.source, "line": document.line}
    return Document(id=document.key or "", content=document.text, meta=meta, score=score)
