from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubles import HashEncoder

from kcsearch import indexing
from kcsearch.collection import Collection
from kcsearch.errors import DocumentNotFoundError, InputError
from kcsearch.indexing import Indexer
from kcsearch.store.text_store import TextStore
from kcsearch.types import Document, IndexReport, Role

LONG = "아주 긴 글은 여러 창으로 나뉘어 저장됩니다. " * 4  # 104 characters: three windows of 40


class Brittle(HashEncoder):
    """Raises `error` in the encoding after the next `n` ones."""

    error: BaseException | None = None
    n = 0

    def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        if self.error is not None:
            if self.n == 0:
                raise self.error
            self.n -= 1
        return super().encode(texts, role)


@pytest.fixture
def encoder() -> Brittle:
    return Brittle()


@pytest.fixture
def collection(tmp_path: Path, encoder: Brittle) -> Iterator[Collection]:
    with Collection(tmp_path / ".kcsearch", encoder=encoder) as collection:
        yield collection


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit takes four documents."""
    monkeypatch.setattr(indexing, "DOCUMENTS_PER_COMMIT", (4, 4, 4))


def agree(collection: Collection) -> int:
    """How many rows there are, after asking every table and FAISS."""
    with sqlite3.connect(collection.path / "store.db") as db:
        counts = {
            db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("documents", "vectors", "documents_fts_docsize")
        }
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = [row[0] for row in db.execute("SELECT row_id FROM documents ORDER BY row_id")]
        assert ids == [row[0] for row in db.execute("SELECT row_id FROM vectors ORDER BY row_id")]
    status = collection.status()
    counts |= {status["n_documents"], status["n_vectors"], len(collection)}
    assert len(counts) == 1, counts
    return counts.pop()


def texts(collection: Collection) -> list[str]:
    return [document.text for document in collection.list()]


def report(**counts: int) -> IndexReport:
    return IndexReport(**counts)


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# -- what changed and what did not -----------------------------------------------------------------


def test_the_same_file_again_embeds_nothing(collection: Collection, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a.txt", ["하나", "둘", "셋"])
    assert collection.index([file]) == report(n_read=3, n_added=3, n_embedded=3)
    before = (collection.path / "vectors.faiss").stat().st_mtime_ns
    assert collection.index([file]) == report(n_read=3, n_unchanged=3)
    assert (collection.path / "vectors.faiss").stat().st_mtime_ns == before
    assert agree(collection) == 3


def test_a_changed_line_is_embedded_and_the_old_one_is_gone(
    collection: Collection, tmp_path: Path, encoder: Brittle
) -> None:
    write_lines(tmp_path / "a.txt", ["하나", "둘", "셋"])
    collection.index([tmp_path / "a.txt"])
    write_lines(tmp_path / "a.txt", ["하나", "두울", "셋"])
    expected = report(n_read=3, n_unchanged=2, n_changed=1, n_embedded=1)
    assert collection.index([tmp_path / "a.txt"]) == expected
    assert (encoder.texts, texts(collection)) == (["두울"], ["하나", "셋", "두울"])
    assert collection.get("a.txt:2") == Document("두울", "a.txt:2", "a.txt", 2)
    assert agree(collection) == 3


def test_changed_metadata_alone_embeds_nothing(collection: Collection, encoder: Brittle) -> None:
    document = Document("글", "k", metadata={"stars": 1})
    collection.add([document])
    for metadata in ({"stars": True}, {"stars": 1.0}, {}, {"a": 1, "b": 2}, {"b": 2, "a": 1}):
        changed = replace(document, metadata=metadata)
        assert collection.add([changed]) == report(n_read=1, n_changed=1)
        assert repr(collection.get("k").metadata) == repr(metadata)
    assert (encoder.n_encoded, agree(collection)) == (1, 1)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("n_new", [1, 3, 50])
def test_lines_that_only_moved_keep_their_vectors(
    n_new: int, collection: Collection, tmp_path: Path, encoder: Brittle
) -> None:
    old = [f"{i}번째 줄입니다" for i in range(40)]
    new = [f"새 줄 {i}" for i in range(n_new)]
    file = write_lines(tmp_path / "a.txt", old)
    collection.index([file])
    write_lines(file, new + old)
    found = collection.index([file])
    assert (found.n_embedded, encoder.n_encoded) == (n_new, 40 + n_new)
    write_lines(file, old)
    assert collection.index([file]).n_embedded == 0
    write_lines(file, old[::-1])
    assert collection.index([file]).n_embedded == 0
    assert [d.text for d in collection.list(where="1")] == texts(collection)
    assert sorted(texts(collection)) == sorted(old)
    assert collection.search(old[7], 1)[0].key == "a.txt:33"
    assert agree(collection) == 40


def test_equal_texts_are_embedded_once_and_all_stored(
    collection: Collection, encoder: Brittle
) -> None:
    documents = [Document("네", str(i)) for i in range(5)]
    assert collection.add(documents) == report(n_read=5, n_added=5, n_embedded=1)
    assert collection.add([Document("네", "x")]).n_embedded == 0
    assert (encoder.texts, agree(collection)) == (["네"], 6)


def test_a_file_that_shrank_is_pruned_unless_told_not_to(
    collection: Collection, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "a.txt", ["하나", "둘", "셋"])
    collection.index([file])
    collection.add([Document("메모", "a note", "memo")])
    write_lines(file, ["하나"])
    assert collection.index([file], prune=False) == report(n_read=1, n_unchanged=1)
    assert agree(collection) == 4
    assert collection.index([file]) == report(n_read=1, n_unchanged=1, n_removed=2)
    file.write_text("", encoding="utf-8")
    assert collection.index([file]) == report(n_removed=1)
    assert (texts(collection), agree(collection)) == (["메모"], 1)


def test_files_that_vanished_from_a_folder_are_pruned_and_nothing_else(
    collection: Collection, tmp_path: Path
) -> None:
    docs, outside = tmp_path / "docs", tmp_path.parent / f"{tmp_path.name}-outside"
    for name in ("docs/a.txt", "docs/b.txt", "docs/sub/c.txt", "docs2/d.txt", "e.txt"):
        write_lines(tmp_path / name, [f"{name} 하나", f"{name} 둘"])
    write_lines(outside / "f.txt", ["바깥"])
    collection.index([tmp_path, outside])
    collection.add([Document("손으로", "memo", "memo"), Document("입력", "-:1", "-", 1)])
    for gone in (docs / "b.txt", docs / "sub/c.txt", tmp_path / "docs2/d.txt", outside / "f.txt"):
        gone.unlink()
    assert collection.index([docs], prune=False).n_removed == 0
    assert collection.index([docs]) == report(n_read=2, n_unchanged=2, n_removed=4)
    left = {"a.txt", "d.txt", "e.txt", "f.txt", "memo", "-"}
    assert {source.split("/")[-1] for source in collection.status()["sources"]} == left
    assert collection.index([tmp_path]) == report(n_read=4, n_unchanged=4, n_removed=2)
    left = {"docs/a.txt", "e.txt", f"{outside}/f.txt", "memo", "-"}
    assert set(collection.status()["sources"]) == left
    assert agree(collection) == 7


def test_one_path_is_a_list_of_one(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "a.txt", ["하나"])
    write_lines(tmp_path / "b.txt", ["둘"])
    collection.index(["a.txt", "b.txt"])
    (tmp_path / "b.txt").unlink()
    assert collection.index("a.txt") == report(n_read=1, n_unchanged=1)  # "." is no folder here
    assert collection.index(tmp_path / "a.txt") == report(n_read=1, n_unchanged=1)
    assert collection.index(".").n_removed == 1


def test_a_renamed_file_is_not_embedded_again(collection: Collection, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "docs/a.txt", ["하나", "둘"])
    collection.index([tmp_path / "docs"])
    file.rename(tmp_path / "docs/b.txt")
    assert collection.index([tmp_path / "docs"]) == report(n_read=2, n_added=2, n_removed=2)
    keys = [document.key for document in collection.list()]
    assert keys == ["docs/b.txt:1", "docs/b.txt:2"]


def test_a_file_does_not_take_the_keys_of_another_file_that_is_there(
    collection: Collection, tmp_path: Path
) -> None:
    first = write_lines(tmp_path / "a.csv", ["id,text", "1,환불 안내", "2,배송 안내"])
    second = write_lines(tmp_path / "b.csv", ["id,text", "3,날씨", "2,교환 안내"])
    collection.index([first])
    with pytest.raises(InputError, match=r"b.csv:3: the key '2' is that of a.csv:3, which is in"):
        collection.index([second])
    assert collection.get("2").text == "배송 안내"
    write_lines(first, ["id,text", "1,환불 안내"])  # what one file loses, another may have
    assert collection.index([first, second]) == report(
        n_read=3, n_added=1, n_changed=1, n_unchanged=1, n_embedded=2
    )
    second.rename(tmp_path / "c.csv")
    assert collection.index([tmp_path / "c.csv"]).n_changed == 2
    assert collection.get("2").source == "c.csv"


def test_the_name_of_a_source_does_not_depend_on_how_the_collection_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "a.txt", ["하나"])
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    for name in (tmp_path / ".kcsearch", "../.kcsearch", "../sub/../.kcsearch/"):
        with Collection(name, encoder=HashEncoder()) as collection:
            collection.index(["../a.txt"])
            assert collection.status()["sources"] == {"a.txt": 1}


@pytest.mark.usefixtures("small_batches")
def test_a_dry_run_tells_what_the_run_would_do_and_touches_nothing(
    collection: Collection, tmp_path: Path, encoder: Brittle
) -> None:
    old = [f"{i}번째 줄입니다" for i in range(10)]
    file = write_lines(tmp_path / "a.txt", [*old, LONG.strip()])
    collection.index([file])
    write_lines(file, ["새 줄", *old[:5], "바뀐 줄"])
    n_encoded = encoder.n_encoded

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in collection.path.iterdir()}

    before = files()
    told = collection.index([file], dry_run=True)
    after = files()
    before.pop("store.db-shm")  # readers mark their place in it
    after.pop("store.db-shm")
    assert (after, encoder.n_encoded) == (before, n_encoded)
    assert told == report(n_read=7, n_changed=7, n_embedded=2, n_removed=4)
    assert collection.index([file]) == told
    assert agree(collection) == 7


# -- keys and texts that cannot be used ------------------------------------------------------------


def test_a_document_without_a_key_gets_a_random_one(collection: Collection) -> None:
    collection.add(["하나", Document("둘")])
    keys = [document.key for document in collection.list()]
    assert len(set(keys)) == 2
    assert all(isinstance(key, str) and len(key) == 32 for key in keys)


def nested(levels: int) -> dict[str, Any]:
    """Metadata with as many levels of values within it."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "has no text: ''"),
        (" \n\t", "has no text"),
        (Document(None, "k"), "the document 'k' has no text: None"),  # type: ignore[arg-type]
        (Document(b"bytes", "k"), "the document 'k' has no text: b'bytes'"),  # type: ignore[arg-type]
        (Document("글", ""), "a key is a string and not empty, not ''"),
        (Document("글", 7), "a key is a string and not empty, not 7"),  # type: ignore[arg-type]
        (Document("글 \ud800", "k"), "the text of the document 'k' holds half of a surrogate"),
        (Document("글", "k\ud800"), "half of a surrogate"),
        (Document("글", "k", metadata={"x": object()}), "metadata must be JSON values"),
        (Document("글", "k", metadata={"x": float("nan")}), "metadata must be JSON values"),
        (Document("글", "k", metadata={"x\ud800": 1}), "metadata holds half of a surrogate pair"),
        (Document("글", "k", metadata=nested(65)), "metadata is nested deeper than 64 levels"),
        (Document("글", "k", metadata=nested(985)), "metadata is nested deeper than 64 levels"),
        (Document("글", "k", Path("a.txt")), "a source that is no string"),  # type: ignore[arg-type]
        (Document("글", "k", "a", "3"), "a line that is no number: 'a', '3'"),  # type: ignore[arg-type]
        ({"text": "글"}, "a document is a string or a kcsearch.Document"),
        (None, "a document is a string or a kcsearch.Document"),
        (7, "a document is a string or a kcsearch.Document"),
    ],
)
def test_what_is_no_document_is_refused_and_nothing_is_stored(
    document: object, message: str, collection: Collection
) -> None:
    with pytest.raises(InputError, match=message):
        collection.add(["앞", document])  # type: ignore[list-item]
    assert agree(collection) == 0
    assert collection.add(["앞"]).n_added == 1


def test_a_single_string_is_no_list_of_documents(collection: Collection) -> None:
    with pytest.raises(InputError, match="a list of strings is asked for, not the string '환불'"):
        collection.add("환불")


@pytest.mark.usefixtures("small_batches")
def test_a_key_that_comes_twice_is_refused_and_the_batches_before_it_stay(
    collection: Collection, tmp_path: Path
) -> None:
    lines = [f'{{"key": "k{i % 6}", "text": "{i}"}}' for i in range(9)]
    file = write_lines(tmp_path / "a.jsonl", lines)
    message = "a.jsonl:7: the key 'k0' was already used at a.jsonl:1"
    with pytest.raises(InputError, match=message):
        collection.index([file])
    assert (texts(collection), agree(collection)) == (["0", "1", "2", "3"], 4)


def test_nfd_comes_in_as_nfc(collection: Collection) -> None:
    nfd = {"text": "\u1112\u1161\u11ab\u1100\u1173\u11af", "key": "\u1100\u1161"}
    metadata = {"\u1100\u1161": "\u1102\u1161"}
    collection.add([Document(**nfd, source="\u1103\u1161.txt", metadata=metadata)])
    stored = Document("한글", "가", "다.txt", metadata={"가": "나"})
    assert list(collection.list()) == [stored]
    assert collection.get("\u1100\u1161") == stored
    assert collection.add([stored]).n_unchanged == 1
    found = collection.search(nfd["text"], filters={**metadata, "source": "\u1103\u1161.txt"})
    assert [hit.document for hit in found] == [stored]
    assert collection.delete(["\u1100\u1161"]) == 1


# -- long texts ------------------------------------------------------------------------------------


def test_a_long_text_is_stored_in_windows_and_given_back_whole(
    collection: Collection, encoder: Brittle
) -> None:
    whole = Document(LONG, "책", "b.txt", 5, {"장": 1})
    assert collection.add([whole]) == report(n_read=1, n_added=1, n_embedded=3, n_windows=3)
    windows = encoder.split(LONG)
    stored = [replace(whole, text=w, key=f"책#{i}") for i, w in enumerate(windows, 1)]
    assert list(collection.list()) == stored
    assert collection.get("책") == whole
    assert collection.get("책#2") == stored[1]
    assert collection.search(windows[2], 1)[0].document == stored[2]
    assert collection.add([whole]) == report(n_read=1, n_unchanged=1)
    assert collection.delete(["책"]) == 1
    assert agree(collection) == 0
    with pytest.raises(DocumentNotFoundError):
        collection.get("책")


def test_windows_are_cited_by_the_line_in_which_they_begin(collection: Collection) -> None:
    text = "첫 줄은 짧습니다\n" + "둘째 줄은 길어서 한 창에 다 들어가지 않습니다. " * 2 + "\n끝\n"
    collection.add([Document(text, "책", "b.txt", 5)])
    found = [(d.line, d.text.count("\n")) for d in collection.list()]
    expected_lines, line = [], 5
    for _, n_breaks in found:
        expected_lines.append(line)
        line += n_breaks
    assert [n for n, _ in found] == expected_lines
    assert line == 8


def test_a_long_text_can_change_and_become_short_and_long_again(collection: Collection) -> None:
    for text in (LONG, LONG + "끝.", "짧은 글", LONG, LONG[:50], "짧은 글"):
        collection.add([Document(text, "책")])
        assert collection.get("책") == Document(text, "책")
        assert collection.count() == len(HashEncoder().split(text))
    assert agree(collection) == 1


def test_only_the_windows_that_changed_are_embedded(collection: Collection) -> None:
    collection.add([Document(LONG, "책")])
    found = collection.add([Document(LONG + "끝.", "책")])
    assert found == report(n_read=1, n_changed=1, n_embedded=1, n_windows=3)


def test_a_callers_key_that_a_window_has_is_refused_either_way(collection: Collection) -> None:
    collection.add([Document(LONG, "책")])
    message = "the key '책#2' is taken: the parts of the long text '책'"
    with pytest.raises(InputError, match=message):
        collection.add([Document("글", "책#2")])
    collection.add([Document("글", "시#1")])
    with pytest.raises(InputError, match="the key '시#1' is taken: the parts of"):
        collection.add([Document(LONG, "시")])
    with pytest.raises(InputError, match="the key '노래#3' is taken"):
        collection.add([Document(LONG, "노래"), Document("글", "노래#3")])
    assert collection.get("책").text == LONG
    assert collection.add([Document("짧다", "책"), Document("글", "책#2")]).n_added == 1
    assert agree(collection) == 3


def test_a_long_text_that_lost_a_part_is_made_whole_again(collection: Collection) -> None:
    collection.add([Document(LONG, "책")])
    assert collection.delete_matching({"key": "책#2"}) == 1
    assert collection.add([Document(LONG, "책")]).n_changed == 1
    assert collection.get("책").text == LONG
    assert agree(collection) == 3


# -- interruptions ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken"), SystemExit(1)])
@pytest.mark.parametrize("where", ["documents", "encoder"])
def test_an_interruption_keeps_what_was_committed_and_nothing_half(
    where: str, error: BaseException, collection: Collection, encoder: Brittle
) -> None:
    documents = [Document(f"{i}번째 글", str(i)) for i in range(20)]

    def interrupted() -> Iterator[Document]:
        for i, document in enumerate(documents):
            if i == 10 and where == "documents":
                raise error
            yield document

    if where == "encoder":
        encoder.error, encoder.n = error, 2
    with pytest.raises(type(error)):
        collection.add(interrupted())
    encoder.error = None
    assert texts(collection) == [document.text for document in documents[:8]]
    assert agree(collection) == 8
    found = collection.add(documents)
    assert found == report(n_read=20, n_unchanged=8, n_added=12, n_embedded=12)
    assert agree(collection) == 20


def test_batches_grow_and_shrink_with_the_time_they_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Slow(HashEncoder):
        def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
            sizes.append(len(texts))
            clock[0] += 10 if len(texts) > 1000 else 1
            return super().encode(texts, role)

    clock = [0.0]
    monkeypatch.setattr(indexing.time, "monotonic", lambda: clock[0])
    store = TextStore.create(tmp_path / "store.db", {"dim": 64})
    Indexer(store, Slow()).run(f"글 {i}" for i in range(4000))
    assert sizes == [256, 512, 1024, 512, 1024, 512, 160]


CHILD = """if True:
    import sys, time
    from doubles import HashEncoder
    from kcsearch import indexing
    from kcsearch.collection import Collection
    from kcsearch.types import Document
    indexing.DOCUMENTS_PER_COMMIT = (8, 8, 8)
    def documents():
        for i in range(3000):
            if i == 40:
                print("going", flush=True)
            yield Document(f"{i}번째 글입니다", f"k{i}")
    with Collection(sys.argv[1], encoder=HashEncoder()) as collection:
        collection.add(documents())
"""


def test_kill_9_at_any_moment_leaves_a_collection_that_goes_on(tmp_path: Path) -> None:
    path, seen = tmp_path / "c", 0
    rng = random.Random(5)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, env=environment
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.random() * 0.4)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with Collection(path, encoder=HashEncoder()) as collection:
            n = agree(collection)
            assert n >= max(40, seen)
            assert n % 8 == 0
            assert texts(collection) == [f"{i}번째 글입니다" for i in range(n)]
            assert collection.search("17번째 글입니다", 1)[0].key == "k17"
            seen = n
    encoder = HashEncoder()
    with Collection(path, encoder=encoder) as collection:
        found = collection.add(Document(f"{i}번째 글입니다", f"k{i}") for i in range(3000))
        assert found.n_unchanged == seen
        assert found.n_embedded == encoder.n_encoded == 3000 - seen
        assert agree(collection) == 3000
