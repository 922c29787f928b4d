"""The LlamaIndex edge: what its index asks of a store, with its own filters as the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doubles import HashEncoder

from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.types import Document

pytest.importorskip("llama_index.core", reason="needs kcsearch[llama-index]")

from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from kcsearch.integrations.llama_index import KcsearchRetriever, KcsearchVectorStore

pytestmark = pytest.mark.anyio  # for the tests that are coroutines
TEXTS = {
    "a": "환불은 사흘 안에 처리됩니다.",
    "b": "내일은 비가 옵니다.",
    "c": "오늘은 눈이 옵니다.",
}
METADATA: list[dict[str, Any]] = [
    {"topic": "돈", "n": 1, "tags": ["환불", "shop"]},
    {"topic": "날씨", "n": 2.5, "tags": []},
    {"topic": "날씨 Weather", "n": -3},
]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Collection]:
    with Collection(tmp_path / "notes", encoder=HashEncoder()) as notes:
        yield notes


@pytest.fixture
def store(notes: Collection) -> KcsearchVectorStore:
    store = KcsearchVectorStore(notes)
    nodes = [
        TextNode(id_=key, text=text, metadata=metadata)
        for (key, text), metadata in zip(TEXTS.items(), METADATA, strict=True)
    ]
    for node, parent in zip(nodes, ("one", "two", "two"), strict=True):
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=parent)
    assert store.add(nodes) == ["a", "b", "c"]
    return store


def test_a_node_comes_back_as_it_was_written(store: KcsearchVectorStore) -> None:
    for node, metadata in zip(store.get_nodes(), METADATA, strict=True):
        assert (node.text, node.metadata) == (TEXTS[node.node_id], metadata)
    assert [node.ref_doc_id for node in store.get_nodes(["c", "a"])] == ["one", "two"]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
async def test_the_retriever_gives_what_the_collection_finds(
    mode: Any, store: KcsearchVectorStore
) -> None:
    retriever = KcsearchRetriever(store.client, 3, mode)
    expected = [(hit.key, hit.cosine) for hit in store.client.search("내일 비", 3, mode=mode)]
    for found in (retriever.retrieve("내일 비"), await retriever.aretrieve("내일 비")):
        assert [(node.node_id, node.score) for node in found] == expected


def test_the_retriever_reads_what_the_command_line_indexed(notes: Collection) -> None:
    notes.add([Document("내일은 비가 옵니다.", "b", "말.txt", 7, {"topic": "날씨"})])
    (found,) = KcsearchRetriever(notes).retrieve("내일 비")
    assert (found.text, found.metadata) == (
        "내일은 비가 옵니다.",
        {"topic": "날씨", "source": "말.txt", "line": 7},
    )


def test_an_index_over_the_store_needs_no_embeddings(notes: Collection) -> None:
    store = KcsearchVectorStore(notes)
    storage = StorageContext.from_defaults(vector_store=store)
    nodes = [TextNode(id_=key, text=text) for key, text in TEXTS.items()]
    index = VectorStoreIndex(nodes, storage_context=storage, embed_model=MockEmbedding(1))
    found = index.as_retriever(similarity_top_k=2).retrieve("내일은 비가")
    assert found[0].node_id == "b"
    index.delete_nodes(["b"])
    again = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(1))
    assert {n.node_id for n in again.as_retriever(similarity_top_k=9).retrieve("비")} == {"a", "c"}


def test_queries_by_vector_by_diversity_and_among_ids(store: KcsearchVectorStore) -> None:
    (vector,) = store.client.embed_queries([TEXTS["b"]])
    by_vector = store.query(VectorStoreQuery(vector.tolist(), similarity_top_k=3))
    by_text = store.query(VectorStoreQuery(query_str=TEXTS["b"], similarity_top_k=3))
    assert by_vector.ids == by_text.ids
    assert by_vector.similarities == pytest.approx(by_text.similarities)
    store.add([TextNode(id_="d", text="내일은 비가 옵니다!")])
    asked = {"query_str": TEXTS["b"], "similarity_top_k": 2}
    assert store.query(VectorStoreQuery(**asked)).ids == ["b", "d"]
    mmr = VectorStoreQuery(**asked, mode=VectorStoreQueryMode.MMR, mmr_threshold=0.3)
    assert store.query(mmr).ids[0] == "b"
    assert store.query(mmr).ids[1] in ("a", "c")
    assert store.query(VectorStoreQuery(**asked, node_ids=["a", "c"])).ids[0] == "c"
    assert sorted(store.query(VectorStoreQuery(**asked, doc_ids=["two"])).ids) == ["b", "c"]
    with pytest.raises(InputError, match="no query mode 'svm' here"):
        store.query(VectorStoreQuery(**asked, mode=VectorStoreQueryMode.SVM))
    with pytest.raises(InputError, match="neither a text nor an embedding"):
        store.query(VectorStoreQuery())


def test_nodes_are_deleted_by_document_by_id_and_by_filter(store: KcsearchVectorStore) -> None:
    with pytest.raises(InputError, match="clear"):
        store.delete_nodes()
    store.delete_nodes([])
    assert (len(store.get_nodes()), store.get_nodes([])) == (3, [])
    store.delete_nodes(["a", "없음"])
    store.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="n", value=-3)]))
    assert [node.node_id for node in store.get_nodes()] == ["b"]
    store.delete("two")
    assert store.get_nodes() == []


ONE = [
    ("topic", "==", "돈"),
    ("topic", "!=", "돈"),
    ("n", ">", 1),
    ("n", ">=", 1),
    ("n", "<", 2.5),
    ("n", "<=", 2.5),
    ("topic", ">", "돈"),
    ("n", "in", [1, -3]),
    ("n", "nin", [1, -3]),
    ("missing", "nin", [1]),
    ("missing", "!=", "x"),
    ("missing", "==", "x"),
    ("missing", ">", 1),
    ("tags", "contains", "shop"),
    ("tags", "any", ["shop", "x"]),
    ("tags", "all", ["shop", "환불"]),
    ("tags", "all", ["shop", "x"]),
    ("tags", "is_empty", None),
    ("missing", "is_empty", None),
    ("topic", "text_match", "Weather"),
    ("topic", "text_match", "weather"),
    ("topic", "text_match_insensitive", "WEATHER"),
]


@pytest.mark.parametrize("condition", list(FilterCondition))
@pytest.mark.parametrize("one", ONE, ids=str)
def test_filters_choose_what_llama_indexs_own_choose(
    one: tuple[str, str, Any], condition: FilterCondition, store: KcsearchVectorStore
) -> None:
    key, operator, value = one
    other = MetadataFilter(key="n", value=2.5)
    filters = MetadataFilters(
        filters=[MetadataFilter(key=key, operator=FilterOperator(operator), value=value), other],
        condition=condition,
    )
    metadata = dict(zip(TEXTS, METADATA, strict=True))
    chosen = build_metadata_filter_fn(metadata.__getitem__, filters)
    assert [node.node_id for node in store.get_nodes(filters=filters)] == [
        key for key in TEXTS if chosen(key)
    ]


def test_filters_within_filters(store: KcsearchVectorStore) -> None:
    def equal(key: str, value: Any) -> MetadataFilter:
        return MetadataFilter(key=key, value=value)

    inner = MetadataFilters(filters=[equal("n", 1), equal("n", -3)], condition=FilterCondition.OR)
    outer = MetadataFilters(filters=[inner, equal("topic", "돈")])
    assert [node.node_id for node in store.get_nodes(filters=outer)] == ["a"]
