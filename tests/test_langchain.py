"""The LangChain edge: LangChain's own conformance tests, and what they do not ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import HashEncoder

from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.integrations.diversity import diverse
from kcsearch.types import Document

pytest.importorskip("langchain_core", reason="needs kcsearch[langchain]")
pytest.importorskip("langchain_tests", reason="needs langchain-tests")

from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests

from kcsearch.integrations.langchain import (
    KcsearchEmbeddings,
    KcsearchRetriever,
    KcsearchVectorStore,
)

pytestmark = pytest.mark.anyio  # for the tests that are coroutines
LINES = ["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다.", "오늘은 눈이 옵니다."]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "notes", encoder=HashEncoder()) as notes:
        topics = ["돈", "날씨", "날씨"]
        rows = zip(LINES, "abc", topics, strict=True)
        notes.add(
            Document(text, key, "말.txt", line, {"topic": topic, "n": line})
            for line, (text, key, topic) in enumerate(rows, 1)
        )
        yield notes


class TestRetrieverConformance(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _collection(self, notes: Collection) -> None:
        self.notes = notes

    @property
    def retriever_constructor(self) -> type[KcsearchRetriever]:
        return KcsearchRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"collection": self.notes}

    @property
    def retriever_query_example(self) -> str:
        return "내일 비가 오나요"


class TestVectorStoreConformance(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> KcsearchVectorStore:
        return KcsearchVectorStore.from_texts([], self.get_embeddings())


class TestEmbeddingsConformance(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KcsearchEmbeddings


class TestEmbeddingsUnitConformance(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return KcsearchEmbeddings


def test_the_retriever_gives_what_the_collection_finds_with_its_scores(notes: Collection) -> None:
    found = KcsearchRetriever(collection=notes, k=2).invoke("내일 비가 오나요")
    hits = notes.search("내일 비가 오나요", 2)
    assert [(d.id, d.page_content, d.metadata) for d in found] == [
        (
            hit.key,
            hit.text,
            {**hit.metadata, "source": "말.txt", "line": hit.line}
            | {"score": hit.score, "cosine": hit.cosine},
        )
        for hit in hits
    ]


async def test_the_retriever_filters_before_it_searches(notes: Collection) -> None:
    retriever = KcsearchRetriever(collection=notes, k=1, filter={"topic": "날씨"}, mode="dense")
    for found in (
        retriever.invoke("환불은 사흘 안에"),
        await retriever.ainvoke("환불은 사흘 안에"),
        retriever.invoke("환불은 사흘 안에", filter={"n": 2}),
    ):
        assert [document.metadata["topic"] for document in found] == ["날씨"]
    assert [d.id for d in retriever.invoke("환불은 사흘 안에", filter={"n": 3}, k=3)] == ["c"]
    with pytest.raises(InputError, match="filter 'n': a string"):
        retriever.invoke("환불", filter={"n": [1, 2]})


def test_the_retriever_opens_a_folder_by_its_name(tmp_path: Path) -> None:
    with Collection(tmp_path / "notes") as notes:
        notes.add(LINES)
    retriever = KcsearchRetriever(collection=str(tmp_path / "notes"), k=1)
    assert [d.page_content for d in retriever.invoke("내일 비가 와요?")] == [LINES[1]]


def test_scores_are_cosines_and_relevance_lies_between_0_and_1(notes: Collection) -> None:
    store = KcsearchVectorStore(notes)
    scored = store.similarity_search_with_score(LINES[1], k=3)
    assert [(d.id, score) for d, score in scored] == [
        (hit.key, hit.cosine) for hit in notes.search(LINES[1], 3, mode="dense")
    ]
    assert scored[0][1] == pytest.approx(1.0, abs=1e-6)
    relevance = [score for _, score in store.similarity_search_with_relevance_scores(LINES[1], 3)]
    assert relevance == [min(1.0, (1 + score) / 2) for _, score in scored]


def test_searching_by_vector_is_searching_by_its_text(notes: Collection) -> None:
    store = KcsearchVectorStore(notes)
    vector = store.embeddings.embed_query(LINES[0])
    assert store.similarity_search_by_vector(vector, 3) == store.similarity_search(LINES[0], 3)
    with pytest.raises(InputError, match="a vector of 64 numbers"):
        store.similarity_search_by_vector([1.0, 2.0])


def test_marginal_relevance_prefers_what_was_not_said_yet(tmp_path: Path) -> None:
    texts = ["내일은 비가 옵니다.", "내일은 비가 옵니다!", "비가 그치면 개가 짖습니다."]
    store = KcsearchVectorStore(Collection(tmp_path / "notes", encoder=HashEncoder()))
    store.add_texts(texts, ids=["a", "b", "c"])
    query = "내일은 비가 옵니다."
    assert [d.id for d in store.similarity_search(query, 2)] == ["a", "b"]
    assert [d.id for d in store.max_marginal_relevance_search(query, 2, 3, 0.3)] == ["a", "c"]
    assert [d.id for d in store.max_marginal_relevance_search(query, 2, 3, 1.0)] == ["a", "b"]
    assert store.max_marginal_relevance_search(query, 2, filter={"topic": "없음"}) == []


def test_marginal_relevance_against_the_definition() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(30, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query, *vectors = rows
    chosen: list[int] = []
    while len(chosen) < 5:  # the formula, one candidate at a time
        left = [i for i in range(29) if i not in chosen]
        chosen.append(
            max(
                left,
                key=lambda i: (
                    0.6 * float(vectors[i] @ query)
                    - 0.4 * max((float(vectors[i] @ vectors[j]) for j in chosen), default=0)
                ),
            )
        )
    assert diverse(query, np.array(vectors), 5, 0.6) == chosen


def test_a_store_on_disk_remembers_foreign_embeddings(tmp_path: Path) -> None:
    embeddings = DeterministicFakeEmbedding(size=8)
    store = KcsearchVectorStore.from_texts(
        LINES, embeddings, path=tmp_path / "notes", ids=["1", "2", "3"]
    )
    store.collection.close()
    again = KcsearchVectorStore.from_texts([], embeddings, path=tmp_path / "notes")
    assert [d.id for d in again.similarity_search(LINES[2], 1)] == ["3"]
    assert again.embeddings is embeddings
    assert again.delete() is True
    assert again.similarity_search(LINES[2]) == []


def test_ids_and_metadata_must_be_as_many_as_texts(notes: Collection) -> None:
    store = KcsearchVectorStore(notes)
    with pytest.raises(InputError, match="2 texts, but 1 ids"):
        store.add_texts(["가", "나"], ids=["1"])
    with pytest.raises(InputError, match="1 texts, but 2 metadatas"):
        store.add_texts(["가"], [{}, {}])
    documents = [LangChainDocument(page_content="다", id="c"), LangChainDocument(page_content="라")]
    ids = store.add_documents(documents)
    assert ids[0] == "c"
    assert [d.page_content for d in store.get_by_ids(["c", "없음", ids[1]])] == ["다", "라"]


def test_a_long_text_is_embedded_by_the_mean_of_its_windows() -> None:
    encoder = HashEncoder(limit=10)
    text = "내일은 비가 오고 모레는 눈이 옵니다."
    mean = encoder.encode(encoder.split(text)).mean(axis=0)
    (vector,) = KcsearchEmbeddings(encoder=encoder).embed_documents([text])
    assert vector == pytest.approx((mean / np.linalg.norm(mean)).tolist())
