"""The Haystack edge: Haystack's own tests of a document store, and the retriever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("haystack", reason="needs kcsearch[haystack]")

from haystack import Document, Pipeline
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError
from haystack.testing.document_store import (
    CountDocumentsByFilterTest,
    DocumentStoreBaseExtendedTests,
)

from kcsearch.errors import InputError
from kcsearch.integrations.haystack import KcsearchDocumentStore, KcsearchRetriever

pytestmark = pytest.mark.anyio  # for the tests that are coroutines


@pytest.fixture
def document_store(tmp_path: Path) -> KcsearchDocumentStore:
    return KcsearchDocumentStore(str(tmp_path / "notes"))


class TestConformance(DocumentStoreBaseExtendedTests, CountDocumentsByFilterTest):
    @pytest.fixture
    def document_store(self, tmp_path: Path) -> KcsearchDocumentStore:
        return KcsearchDocumentStore(str(tmp_path / "notes"))

    def assert_documents_are_equal(
        self, received: list[Document], expected: list[Document]
    ) -> None:
        """The collection embeds by itself, and gives no vectors back."""
        assert received == [replace(document, embedding=None) for document in expected]

    def test_write_documents(self, document_store: KcsearchDocumentStore) -> None:
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


DOCUMENTS = [
    Document(
        id="a", content="환불은 사흘 안에 처리됩니다.", meta={"topic": "돈", "at": "2026-01-31"}
    ),
    Document(
        id="b",
        content="내일은 비가 옵니다.",
        meta={"topic": "날씨", "at": "2026-02-01T09:00:00+09:00"},
    ),
    Document(id="c", content="오늘은 눈이 옵니다.", meta={"topic": "날씨", "deep": {"n": 1.5}}),
]


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


def test_the_retriever_finds_by_text_and_filters_before(
    document_store: KcsearchDocumentStore,
) -> None:
    document_store.write_documents(DOCUMENTS)
    retriever = KcsearchRetriever(document_store, top_k=1)
    found = retriever.run("비가 오나요")["documents"]
    (hit,) = document_store.collection.search("비가 오나요", 1)
    assert found == [replace(DOCUMENTS[1], score=hit.score)]
    only = {"field": "meta.topic", "operator": "==", "value": "돈"}
    assert ids(retriever.run("비가 오나요", filters=only)["documents"]) == ["a"]
    assert len(retriever.run("비가 오나요", top_k=3)["documents"]) == 3


def test_a_pipeline_with_the_retriever_is_saved_and_loaded(
    document_store: KcsearchDocumentStore,
) -> None:
    document_store.write_documents(DOCUMENTS)
    pipeline = Pipeline()
    pipeline.add_component("find", KcsearchRetriever(document_store, 2, "dense"))
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["kcsearch.integrations.haystack"])
    asked = {"find": {"query": "눈이 오나요"}}
    assert again.run(asked) == pipeline.run(asked)
    assert ids(again.run(asked)["find"]["documents"])[0] == "c"


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"field": "id", "operator": "in", "value": ["c", "a"]}, "ac"),
        ({"field": "content", "operator": "==", "value": "오늘은 눈이 옵니다."}, "c"),
        ({"field": "topic", "operator": "!=", "value": "날씨"}, "a"),
        ({"field": "meta.deep.n", "operator": ">=", "value": 1.5}, "c"),
        ({"field": "meta.deep.n", "operator": "<", "value": 1.5}, ""),
        ({"field": "meta.at", "operator": ">", "value": "2026-01-31T12:00:00"}, "b"),
        ({"field": "meta.at", "operator": "<=", "value": "2026-02-01T00:00:00"}, "ab"),
        (
            {
                "operator": "NOT",
                "conditions": [{"field": "meta.deep.n", "operator": ">", "value": 9}],
            },
            "abc",
        ),
    ],
)
def test_filters(
    filter: dict[str, Any], expected: str, document_store: KcsearchDocumentStore
) -> None:
    document_store.write_documents(DOCUMENTS)
    assert ids(document_store.filter_documents(filter)) == list(expected)


@pytest.mark.parametrize(
    "filter",
    [
        {"field": "meta.n", "operator": "like", "value": "x"},
        {"operator": "XOR", "conditions": []},
        {"field": 'meta.a"b', "operator": "==", "value": 1},
        {"field": "meta.n", "operator": "==", "value": {"a": 1}},
    ],
)
def test_a_filter_that_is_none_is_refused(
    filter: dict[str, Any], document_store: KcsearchDocumentStore
) -> None:
    with pytest.raises(FilterError):
        document_store.filter_documents(filter)


def test_every_policy_says_how_many_it_wrote(document_store: KcsearchDocumentStore) -> None:
    write = document_store.write_documents
    new = replace(DOCUMENTS[0], content="환불은 오늘 됩니다.")
    assert write(DOCUMENTS[:2], DuplicatePolicy.SKIP) == 2
    assert write([new, DOCUMENTS[2]], DuplicatePolicy.SKIP) == 1
    assert document_store.collection.get("a").text == DOCUMENTS[0].content
    assert write([new, DOCUMENTS[2]], DuplicatePolicy.OVERWRITE) == 2
    assert document_store.collection.get("a").text == new.content
    with pytest.raises(DuplicateDocumentError):
        write([Document(id="d", content="새 글"), new], DuplicatePolicy.FAIL)
    assert document_store.count_documents() == 3
    with pytest.raises(InputError, match="the document 'e' has no text"):
        write([Document(id="e")])


def test_a_long_text_is_one_document(document_store: KcsearchDocumentStore) -> None:
    long = Document(id="길다", content="비가 온다. " * 400)
    document_store.write_documents([long])
    assert document_store.collection.count() > 1
    assert document_store.count_documents() == 1
    assert document_store.filter_documents() == [long]


async def test_the_same_without_waiting(document_store: KcsearchDocumentStore) -> None:
    assert await document_store.write_documents_async(DOCUMENTS) == 3
    assert await document_store.count_documents_async() == 3
    assert ids(await document_store.filter_documents_async()) == ["a", "b", "c"]
    found = await KcsearchRetriever(document_store, 1).run_async("눈이 오나요")
    assert ids(found["documents"]) == ["c"]
    await document_store.delete_documents_async(["c", "없음"])
    assert await document_store.count_documents_async() == 2
