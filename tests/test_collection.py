from __future__ import annotations

import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doubles import HashEncoder

from kcsearch import faiss_index, index_cache
from kcsearch.collection import Collection, find_collection
from kcsearch.errors import (
    CollectionDamagedError,
    CollectionNotFoundError,
    CollectionUnavailableError,
    DocumentNotFoundError,
    InputError,
    ModelMismatchError,
)
from kcsearch.faiss_index import read_stamp
from kcsearch.types import Document, Hit, Mode

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
NOUNS = [
    "서울",
    "부산",
    "대구",
    "날씨",
    "환불",
    "배송",
    "여행",
    "학교",
    "병원",
    "영화",
    "김치",
    "기차",
]
VERBS = ["갔습니다", "왔어요", "좋아합니다", "물어봤다", "기다렸어요", "예약했습니다", "싫어한다"]


def sentences(n: int, seed: int = 0) -> list[str]:
    """Distinct sentences of common words."""
    rng = random.Random(seed)
    return [
        f"{rng.choice(NOUNS)}에서 {i}번째로 {rng.choice(NOUNS)} 이야기를 {rng.choice(VERBS)}"
        for i in range(n)
    ]


def documents(n: int = 60) -> list[Document]:
    return [
        Document(text, f"k{i}", f"{i % 3}.txt", i // 3 + 1, {"stars": i % 5, "even": i % 2 == 0})
        for i, text in enumerate(sentences(n))
    ]


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def collection(tmp_path: Path, encoder: HashEncoder) -> Iterator[Collection]:
    """Sixty documents."""
    with Collection(tmp_path / "c", encoder=encoder) as collection:
        collection.add(documents())
        yield collection


def again(collection: Collection) -> Collection:
    return Collection(collection.path, create=False, encoder=HashEncoder())


def agree(collection: Collection) -> int:
    """How many rows SQLite holds, which must be how many FAISS shows and how many vectors."""
    status = collection.status()
    with sqlite3.connect(collection.path / "store.db") as db:
        (n_vectors,) = db.execute("SELECT count(*) FROM vectors").fetchone()
    counts = {status["n_documents"], status["n_vectors"], n_vectors, len(collection)}
    assert len(counts) == 1, counts
    return counts.pop()


def expected_hits(
    query: str, top_k: int, stored: list[Document], encoder: HashEncoder
) -> list[Document]:
    """The oracle: every cosine, best first, ties in the order of `stored`."""
    vectors = encoder.encode([document.text for document in stored], "query")
    cosines = vectors @ encoder.encode([query], "query")[0]
    return [stored[i] for i in np.argsort(-cosines.round(6), kind="stable")[:top_k]]


# -- searching -------------------------------------------------------------------------------------


def test_hits_are_the_nearest_documents_best_first(
    collection: Collection, encoder: HashEncoder
) -> None:
    for query in ("서울 날씨", "환불을 기다렸어요", "k7", "hello"):
        hits = collection.search(query, 8, mode="dense")
        assert [hit.document for hit in hits] == expected_hits(query, 8, documents(), encoder)
        assert [hit.rank for hit in hits] == list(range(1, 9))
        assert [hit.score for hit in hits] == [hit.cosine for hit in hits]
        assert sorted((hit.score for hit in hits), reverse=True) == [hit.score for hit in hits]
    (hit,) = collection.search(documents()[7].text, 1, mode="dense")
    assert hit == Hit(documents()[7], 1, hit.score, hit.score, hit.percentile)
    assert abs(hit.cosine - 1) < 1e-6


@pytest.mark.parametrize("text", ["네", "네 알겠습니다", "감사합니다", "ㅋㅋㅋ", "오늘 날씨"])
def test_equal_texts_tie_by_row_id_wherever_their_vectors_are(
    text: str, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the base are compared in fp16, those beside it in float32."""
    monkeypatch.setattr(index_cache, "_QUICK_TO_BUILD", 0)
    keys = [f"a{i}" for i in range(100)] + [f"b{i}" for i in range(100)]
    with again(collection) as other:
        other.add([Document(text, key) for key in keys[:100]])
        other.rebuild()
        other.add([Document(text, key) for key in keys[100:]])
    with again(collection) as other:  # its base is the file's
        for top_k in (3, 13, 105, 200):
            hits = other.search(text, top_k)
            assert [hit.key for hit in hits] == keys[:top_k]
            assert len({hit.cosine for hit in hits}) == 1


def test_full_width_letters_of_a_query_have_the_vector_of_narrow_ones(
    collection: Collection,
) -> None:
    assert (
        collection.embed_queries(["ＫＴＸ　１２"]) == collection.embed_queries(["KTX 12"])
    ).all()


def test_several_queries_give_what_each_gives_alone(collection: Collection) -> None:
    queries = ["서울 날씨", "환불", "서울 날씨"]
    assert collection.search_many(queries, 5) == [collection.search(q, 5) for q in queries]
    assert collection.search_many([]) == []
    with pytest.raises(InputError, match="not the string '서울'"):
        collection.search_many("서울")


def test_as_many_hits_come_back_as_there_are_documents(collection: Collection) -> None:
    hits = collection.search("서울", 1_000_000_000)
    assert {hit.key for hit in hits} == {f"k{i}" for i in range(60)}
    with Collection(collection.path.with_name("empty"), encoder=HashEncoder()) as empty:
        assert empty.search("서울") == []


def test_min_score_leaves_out_what_is_further(collection: Collection) -> None:
    hits = collection.search("서울 날씨", 60, mode="dense")
    least = hits[4].cosine
    assert collection.search("서울 날씨", 60, mode="dense", min_score=least) == hits[:5]
    found = collection.search("서울 날씨", 60, min_score=least)
    assert {hit.key for hit in found} == {hit.key for hit in hits[:5]}
    percentile = hits[4].percentile
    assert percentile is not None
    assert (
        len(collection.search("서울 날씨", 60, mode="dense", min_score=f"p{percentile:.2f}")) <= 6
    )
    for wrong in (1.1, math.nan, "p-1", "pp", "x"):
        with pytest.raises(InputError, match="min_score is a cosine from -1 to 1, or a percentile"):
            collection.search("서울 날씨", min_score=wrong)


def test_filters_choose_before_the_search(collection: Collection, encoder: HashEncoder) -> None:
    stored = documents()
    cases: list[tuple[dict[str, str], list[Document]]] = [
        ({"stars": "3"}, [d for d in stored if d.metadata["stars"] == 3]),
        ({"even": "true", "stars": "4"}, stored[4::10]),
        ({"source": "1.txt"}, stored[1::3]),
        ({"source": "1.txt", "line": "5"}, [stored[13]]),
        ({"key": "k59"}, [stored[59]]),
        ({"no such field": "x"}, []),
    ]
    for filters, chosen in cases:
        hits = collection.search("서울 날씨", 12, mode="dense", filters=filters)
        found = collection.search("서울 날씨", 12, filters=filters)
        assert len(found) == len(hits)
        assert {hit.key for hit in found} <= {document.key for document in chosen}
        assert [h.document for h in hits] == expected_hits("서울 날씨", 12, chosen, encoder)
        assert list(collection.list(filters)) == chosen


def test_where_chooses_before_the_search_and_only_reads(collection: Collection) -> None:
    hits = collection.search("서울", 5, where="line >= :from", params={"from": 18})
    assert len(hits) == 5
    assert all(hit.line is not None and hit.line >= 18 for hit in hits)
    before = collection.count()
    for where in ("1); DELETE FROM documents; --", "load_extension('x')", "nonsense"):
        with pytest.raises(InputError, match="--where"):
            collection.search("서울", where=where)
        with pytest.raises(InputError, match="--where"):
            collection.delete_matching(where=where)
    assert (collection.count(), agree(collection)) == (before, 60)


def test_similar_is_a_search_with_a_stored_vector_without_its_document(
    collection: Collection, encoder: HashEncoder
) -> None:
    n_encoded, stored = encoder.n_encoded, documents()
    others = [document for document in stored if document.key != "k7"]
    hits = collection.similar("k7", 5)
    assert [hit.document for hit in hits] == expected_hits(stored[7].text, 5, others, encoder)
    assert len(collection.similar("k7", 100)) == 59
    assert [h.key for h in collection.similar("k7", 5, filters={"key": "k3"})] == ["k3"]
    assert encoder.n_encoded == n_encoded
    with pytest.raises(DocumentNotFoundError, match="no document has the key 'k99'"):
        collection.similar("k99")


def test_similar_to_a_long_text_leaves_out_its_windows(collection: Collection) -> None:
    collection.add([Document("서울에서 부산까지 가는 길 " * 9, "길"), Document("서울 길", "짧다")])
    hits = collection.similar("길", 100)
    assert len(hits) == collection.count() - 4
    assert {hit.key for hit in hits} == {f"k{i}" for i in range(60)} | {"짧다"}
    assert "길#2" in {hit.key for hit in collection.similar("길#1", 3)}


def test_nearest_is_a_search_with_a_vector_of_any_length(
    collection: Collection, encoder: HashEncoder
) -> None:
    lines = sentences(3)
    collection.add(lines)
    vector = 3 * encoder.encode([lines[1]], "query")[0]
    found, expected = (
        [(hit.rank, hit.document) for hit in hits]
        for hits in (
            collection.nearest(vector.tolist(), 2),
            collection.search(lines[1], 2, mode="dense"),
        )
    )
    assert found == expected
    assert collection.nearest(vector)[0].cosine == pytest.approx(1.0, abs=1e-6)
    for bad in (vector[:-1], np.zeros(64), np.full(64, np.nan), [vector]):
        with pytest.raises(InputError, match="a vector of 64 numbers"):
            collection.nearest(bad)


def test_stored_vectors_come_by_key_and_a_long_text_as_the_mean_of_its_windows(
    collection: Collection, encoder: HashEncoder
) -> None:
    line, long = "환불은 사흘 안에", "비가 온다. " * 20
    collection.add([Document(line, "a"), Document(long, "long")])
    mean = encoder.encode(encoder.split(long)).mean(axis=0)
    expected = [mean / np.linalg.norm(mean), encoder.encode([line])[0]]
    assert collection.vectors(["long", "a"]) == pytest.approx(np.array(expected), abs=1e-6)
    with pytest.raises(DocumentNotFoundError, match="no document has the key 'b'"):
        collection.vectors(["a", "b"])


def test_find_gives_those_that_are_here(collection: Collection) -> None:
    collection.add([Document("가나다", "a"), Document("라마바", "b")])
    assert collection.find(["b", "x", "a"]) == {"b": collection.get("b"), "a": collection.get("a")}


def test_keys_name_a_long_text_once(collection: Collection) -> None:
    collection.delete_matching()
    collection.add([Document("비가 온다. " * 20, "길다", metadata={"n": 1}), Document("눈", "a")])
    assert collection.count() > 2
    assert collection.keys() == ["길다", "a"]
    assert collection.keys(filters={"n": "1"}) == ["길다"]
    assert collection.keys(where="0") == []


def test_a_long_query_is_the_mean_of_its_windows(collection: Collection) -> None:
    text = documents()[7].text
    assert collection.search(f"{text} " * 10, 1)[0].key == "k7"


def test_around_gives_the_lines_beside_a_document(collection: Collection) -> None:
    document = collection.get("k30")
    found = [neighbour.key for neighbour in collection.around(document, 2)]
    assert found == ["k24", "k27", "k30", "k33", "k36"]
    assert [d.key for d in collection.around(collection.get("k0"), 1)] == ["k0", "k3"]
    assert list(collection.around(document, 0)) == [document]
    with pytest.raises(InputError, match="n_lines is at least 0, not -1"):
        collection.around(document, -1)
    with pytest.raises(DocumentNotFoundError):
        collection.around(Document("글"), 1)


def test_listing_goes_by_row_id_in_pages(collection: Collection) -> None:
    assert list(collection.list()) == documents()
    assert list(collection.list(limit=3, offset=58)) == documents()[58:]
    assert list(collection.list({"stars": "0"}, limit=2)) == [documents()[0], documents()[5]]
    assert list(collection.list(where="line = :n", params={"n": 2})) == documents()[3:6]


def test_a_listing_is_of_one_moment_whoever_writes_meanwhile(collection: Collection) -> None:
    listing = collection.list()
    assert next(listing) == documents()[0]
    with again(collection) as other:
        other.delete_matching(where="row_id > 5")
        other.add([Document("다른 글", "k0")])
    assert list(listing) == documents()[1:]
    assert [document.key for document in collection.list()] == ["k1", "k2", "k3", "k4", "k0"]


@pytest.mark.parametrize(
    ("query", "message"),
    [("", "the query is empty"), (" \n", "the query is empty"), (7, "a query is a string, not 7")],
)
def test_a_query_without_words_is_refused(query: str, message: str, collection: Collection) -> None:
    with pytest.raises(InputError, match=message):
        collection.search(query)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_top_k_of_any_size_asks_for_all(mode: Mode, collection: Collection) -> None:
    n = collection.count()
    most = collection.search("서울", n, mode=mode)
    assert most
    for top_k in (2**31, 2**63 - 1, 2**63, 10**30):
        assert collection.search("서울", top_k, mode=mode) == most
        assert len(collection.similar(most[0].key, top_k)) == n - 1


def test_a_top_k_below_one_is_refused(collection: Collection) -> None:
    for top_k in (0, -3):
        with pytest.raises(InputError, match=f"top_k is at least 1, not {top_k}"):
            collection.search("서울", top_k)


# -- deleting --------------------------------------------------------------------------------------


def test_delete_removes_all_of_the_keys_or_none(collection: Collection) -> None:
    with pytest.raises(DocumentNotFoundError, match="no document has the key 'nothing'"):
        collection.delete(["k1", "nothing"])
    with pytest.raises(InputError, match="not the string 'k1'"):
        collection.delete("k1")
    assert agree(collection) == 60
    assert collection.delete(["k1", "k2", "k1"]) == 2
    assert collection.delete([]) == 0
    assert agree(collection) == 58
    assert "k1" not in {hit.key for hit in collection.search(documents()[1].text, 58)}
    with pytest.raises(DocumentNotFoundError):
        collection.get("k1")


def test_a_long_text_and_its_window_are_deleted_once(collection: Collection) -> None:
    collection.add([Document("서울에서 부산까지 가는 길 " * 9, "길")])
    assert collection.delete(["길", "길#1", "길"]) == 1
    assert agree(collection) == 60


def test_delete_matching_tells_first_if_asked(collection: Collection) -> None:
    assert collection.delete_matching({"source": "1.txt"}, dry_run=True) == 20
    assert agree(collection) == 60
    assert collection.delete_matching({"source": "1.txt"}) == 20
    assert collection.delete_matching({"source": "1.txt"}) == 0
    assert collection.delete_matching(where="line > 10") == 20
    assert agree(collection) == 20


# -- opening ---------------------------------------------------------------------------------------


def test_a_collection_is_found_upwards_or_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KCSEARCH_COLLECTION", raising=False)
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(CollectionNotFoundError, match="Make one with `kcsearch index FILE`"):
        find_collection(tmp_path / "a/b")
    Collection(tmp_path / ".kcsearch", encoder=HashEncoder()).close()
    assert find_collection(tmp_path / "a/b") == tmp_path / ".kcsearch"
    monkeypatch.setenv("KCSEARCH_COLLECTION", str(tmp_path / "other"))
    assert find_collection(tmp_path / "a/b") == tmp_path / "other"


def test_nothing_is_made_where_nothing_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFoundError, match="is not a collection"):
        Collection(tmp_path / "c", create=False)
    assert list(tmp_path.iterdir()) == []


def test_what_is_stored_is_there_when_it_is_opened_again(collection: Collection) -> None:
    hits = collection.search("서울 날씨")
    with again(collection) as other:
        assert other.search("서울 날씨") == hits
        assert list(other.list()) == documents()


def test_another_model_is_refused(collection: Collection) -> None:
    with pytest.raises(ModelMismatchError, match=r"made with the model hashed bigrams 1, not with"):
        Collection(collection.path, encoder=HashEncoder(name="another"))
    with pytest.raises(ModelMismatchError, match="they differ in limit"):
        Collection(collection.path, encoder=HashEncoder(limit=50))
    with pytest.raises(ModelMismatchError):
        Collection(collection.path, "bundled")


def test_a_folder_that_is_a_file_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "c"):
        with pytest.raises(CollectionUnavailableError):
            Collection(path, encoder=HashEncoder())


@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000, None]
)
def test_a_store_that_is_no_store_is_told_as_damage(
    content: bytes | None, collection: Collection
) -> None:
    collection.close()
    path = collection.path / "store.db"
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3 // 4096 * 4096] if content is None else content)
    with pytest.raises(CollectionDamagedError, match=r"store\.db"):
        again(collection).search("서울", 60)


def test_a_newer_store_is_refused_with_the_way_out(collection: Collection) -> None:
    collection.close()
    with sqlite3.connect(collection.path / "store.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(CollectionDamagedError, match="pip install --upgrade kcsearch"):
        again(collection)


def test_a_deleted_store_is_replaced_by_an_empty_one(collection: Collection) -> None:
    collection.close()
    (collection.path / "store.db").unlink()
    with Collection(collection.path, encoder=HashEncoder()) as new:
        assert (agree(new), new.search("서울")) == (0, [])
        new.add(documents()[:5])
        assert agree(new) == 5


def test_a_folder_that_is_gone_is_not_made_anew_by_a_writer(collection: Collection) -> None:
    shutil.rmtree(collection.path)
    with pytest.raises(CollectionUnavailableError):
        collection.add(["글"])
    assert not (collection.path / "store.db").exists()


@pytest.mark.parametrize("how", ["missing", "truncated", "garbage", "flipped"])
def test_a_damaged_index_file_is_mended_by_whoever_can(how: str, collection: Collection) -> None:
    hits, path = collection.search("서울 날씨"), collection.path / "vectors.faiss"
    content = path.read_bytes()
    spoilt = {
        "missing": b"",
        "truncated": content[:700],
        "garbage": os.urandom(len(content)),
        "flipped": bytes([content[0] ^ 1]) + content[1:],
    }[how]
    path.unlink()
    path.write_bytes(spoilt)
    if how == "missing":
        path.unlink()
    with again(collection) as other:
        assert other.search("서울 날씨") == hits
        assert agree(other) == 60
        other.rebuild()
    assert path.read_bytes() == content
    with again(collection) as other:
        assert other.search("서울 날씨") == hits


def test_rebuild_mends_vectors_that_no_stamp_shows_damaged(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_index, "_HEAD", 64)
    with again(collection) as other:
        other.rebuild()
        path = other.path / "vectors.faiss"
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:5000] + b"\xff" + content[5001:])
        other.rebuild()
        assert path.read_bytes() == content


def test_a_copied_folder_is_a_collection(collection: Collection, tmp_path: Path) -> None:
    collection.close()
    shutil.copytree(collection.path, tmp_path / "copy")
    with Collection(tmp_path / "copy", create=False, encoder=HashEncoder()) as copy:
        copy.delete(["k0"])
        assert agree(copy) == 59
    shutil.copy(tmp_path / "copy/vectors.faiss", collection.path / "vectors.faiss")
    with again(collection) as other:  # the file is of a state that this store never had
        assert agree(other) == 60
        assert other.search(documents()[0].text, 1)[0].key == "k0"


def test_a_store_put_back_from_an_older_copy_gets_its_index_back(collection: Collection) -> None:
    collection.close()
    store = collection.path / "store.db"
    shutil.copy(store, store.with_name("old"))
    with again(collection) as other:
        other.delete(["k0", "k1"])
        other.add(["새 글"])
    assert store.with_name("store.db-wal").stat().st_size == 0  # all is in store.db itself
    store.with_name("old").replace(store)
    with again(collection) as other:
        assert agree(other) == 60
        other.add(["다른 글"])  # with the row id that 새 글 had
        assert other.search("다른 글", 1)[0].text == "다른 글"
        assert agree(other) == 61


# -- several at a time -----------------------------------------------------------------------------

WRITER = """if True:
    import sys
    from doubles import HashEncoder
    from kcsearch import indexing
    from kcsearch.collection import Collection
    from kcsearch.types import Document
    indexing.DOCUMENTS_PER_COMMIT = (10, 10, 10)
    def documents():
        for i in range(int(sys.argv[2])):
            yield Document(f"{i}번째 글입니다", f"w{i}")
            if i == 30:
                print("going", flush=True)
    with Collection(sys.argv[1], encoder=HashEncoder()) as collection:
        collection.add(documents())
        collection.delete([f"w{i}" for i in range(10)])
"""


def start_writer(path: Path, n: int) -> subprocess.Popen[bytes]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(n)],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"going\n"
    return writer


def test_a_reader_sees_whole_states_while_another_process_writes(collection: Collection) -> None:
    writer = start_writer(collection.path, 600)
    seen = set()
    while writer.poll() is None:
        n = agree_at_once(collection)
        seen.add(n)
        hits = collection.search("17번째 글입니다", 5)
        assert [hit.key for hit in hits][:1] == (["w17"] if n >= 90 else [hits[0].key])
        assert len(hits) == 5
    assert writer.stdout is not None
    writer.stdout.close()
    assert (writer.returncode, agree(collection)) == (0, 60 + 590)
    assert len(seen) > 2
    assert all(n % 10 == 0 for n in seen)
    assert collection.search("5번째 글입니다", 1)[0].key != "w5"


def agree_at_once(collection: Collection) -> int:
    status = collection.status()
    assert status["n_documents"] == status["n_vectors"]
    return int(status["n_documents"])


def test_a_second_writer_fails_clearly_or_waits(collection: Collection) -> None:
    writer = start_writer(collection.path, 100_000)
    waits: list[str] = []
    with Collection(
        collection.path, encoder=HashEncoder(), wait=0.2, on_wait=lambda: waits.append("wait")
    ) as second:
        with pytest.raises(CollectionUnavailableError, match="another process is writing"):
            second.add(["글"])
        assert waits == ["wait"]
        assert second.search("17번째 글입니다", 1)[0].key == "w17"
        threading.Timer(0.3, writer.kill).start()
        with Collection(collection.path, encoder=HashEncoder(), wait=30) as third:
            third.add([Document("기다린 글", "waited")])  # a killed writer leaves no lock
    writer.wait()
    assert writer.stdout is not None
    writer.stdout.close()
    assert collection.get("waited").text == "기다린 글"
    assert agree(collection) % 10 == 1


def test_threads_may_search_one_collection(collection: Collection) -> None:
    queries = [f"{noun} {verb}" for noun in NOUNS for verb in VERBS[:2]]
    expected = {query: collection.search(query, 5) for query in queries}
    found: dict[str, object] = {}
    errors: list[BaseException] = []

    def search(some: list[str]) -> None:
        try:
            for query in some:
                found[query] = collection.search(query, 5)
                collection.get("k3")
                collection.add([Document("또 하나", "k3")])
                collection.add([documents()[3]])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search, args=(queries[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert found.keys() == expected.keys()
    assert list(collection.list(where="key != 'k3'")) == [d for d in documents() if d.key != "k3"]
    assert agree(collection) == 60


def test_a_search_may_be_made_while_documents_come_in(collection: Collection) -> None:
    """The progress of a long run asks the same object from the same thread."""
    seen: list[tuple[int, str]] = []
    collection.add(
        [Document("새로운 소식", "new")],
        progress=lambda report: seen.append(
            (collection.count(), collection.search("새로운 소식", 1)[0].key)
        ),
    )
    assert seen[-1] == (61, "new")


FULL_DISK = """if True:
    import resource, signal, sys
    from doubles import HashEncoder
    from kcsearch import indexing
    from kcsearch.collection import Collection
    from kcsearch.errors import CollectionUnavailableError
    indexing.DOCUMENTS_PER_COMMIT = (100, 100, 100)
    with Collection(sys.argv[1], encoder=HashEncoder()) as collection:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
        try:
            collection.add(f"{i}번째 글입니다" for i in range(3000))
        except CollectionUnavailableError as error:
            print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@pytest.mark.parametrize("n_bytes", [20_000, 300_000, 700_000])
def test_a_full_disk_is_told_in_words_and_what_was_committed_stays(
    n_bytes: int, collection: Collection
) -> None:
    """A limit on the size of files stands in for it; store, WAL and vectors.faiss meet it."""
    command = [sys.executable, "-c", FULL_DISK, str(collection.path), str(n_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "disk is full or failing" in done.stdout or "File too large" in done.stdout
    n = agree(collection)
    assert n % 100 == 60
    assert list(collection.list(where="source IS NOT NULL")) == documents()
    with again(collection) as other:
        other.add(["갈 곳이 있다"])
        assert agree(other) == n + 1
        assert other.search("갈 곳이 있다", 1)[0].text == "갈 곳이 있다"


@pytest.fixture
def read_only_collection() -> Iterator[Collection]:
    """Closed, in a folder that may be read only, also by root, who becomes nobody for it."""
    folder = Path(tempfile.mkdtemp(prefix="kcsearch-"))
    with Collection(folder / "c", encoder=HashEncoder()) as collection:
        collection.add(documents())
    folder.chmod(0o755)
    for path in (folder / "c").iterdir():
        path.chmod(0o444)
    (folder / "c").chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield collection
    finally:
        if is_root:
            os.seteuid(0)
        (folder / "c").chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_folder_can_be_searched_and_not_written(
    read_only_collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cache, "_MAX_OUTSIDE", 0)  # a file that is due cannot be written
    with again(read_only_collection) as collection:
        assert len(collection.search("서울 날씨", 60)) == 60
        assert collection.get("k7") == documents()[7]
        with pytest.raises(CollectionUnavailableError):
            collection.add(["글"])
        with pytest.raises(CollectionUnavailableError):
            collection.delete(["k7"])
        assert agree_at_once(collection) == 60
    with pytest.raises(CollectionUnavailableError, match="Permission denied"):
        Collection(read_only_collection.path / "sub", encoder=HashEncoder())


def test_searching_a_large_collection_leaves_its_index_for_the_next_process(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cache, "_MAX_OUTSIDE", 30)
    path = collection.path / "vectors.faiss"
    path.unlink()
    with again(collection) as other:
        other.search("서울")
        assert read_stamp(path)["n"] == 60


def test_a_closed_collection_says_so(collection: Collection) -> None:
    collection.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        collection.count()


# -- the real model --------------------------------------------------------------------------------


def test_twenty_thousand_lines_stay_in_step(tmp_path: Path) -> None:
    lines, file = sentences(20_000), tmp_path / "lines.txt"
    with Collection(tmp_path / "c") as collection:
        seconds: list[float] = []

        def index() -> dict[str, int]:
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            started = time.monotonic()
            found = collection.index([file]).as_dict()
            seconds.append(round(time.monotonic() - started, 2))
            return {name: n for name, n in found.items() if n}

        assert index() == {"n_read": 20_000, "n_added": 20_000, "n_embedded": 20_000}
        assert agree(collection) == 20_000
        assert collection.search(lines[1234], 1)[0].text == lines[1234]
        for i in range(0, 20_000, 2000):
            lines[i] = f"고친 줄 {i}: {lines[i]}"
        changed = {"n_unchanged": 19_990, "n_changed": 10, "n_embedded": 10}
        assert index() == {"n_read": 20_000, **changed}
        assert agree(collection) == 20_000
        assert collection.search(lines[4000], 1)[0].key == f"{file.name}:4001"
        assert collection.delete([f"lines.txt:{i}" for i in range(1, 101)]) == 100
        assert agree(collection) == 19_900
        hits = collection.search_many([lines[50], lines[100]], 1)
        assert hits[0][0].text != lines[50]
        assert hits[1][0].text == lines[100]
        assert index() == {
            "n_read": 20_000,
            "n_unchanged": 19_900,
            "n_added": 100,
            "n_embedded": 100,
        }
        assert agree(collection) == 20_000
    print("seconds:", seconds)


def test_the_bundled_model_answers_from_the_folder_it_was_made_with(tmp_path: Path) -> None:
    with Collection(tmp_path / "c", "bundled") as collection:
        collection.add(["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다."])
        hits = collection.search("환불 처리")
        assert hits[0].text == "환불은 사흘 안에 처리됩니다."
    with Collection(tmp_path / "c", create=False) as collection:
        assert collection.search("환불 처리") == hits
        nfd = "\u1112\u116a\u11ab\u1107\u116e\u11af \u110e\u1165\u1105\u1175"
        assert collection.search(nfd) == hits
        long = "내일 비가 온다는 이야기를 아주 길게 합니다. " * 100
        assert collection.add([Document(long, "길다")]).n_windows > 1
        assert collection.get("길다").text == long
    with pytest.raises(ModelMismatchError):
        Collection(tmp_path / "c", encoder=HashEncoder())
