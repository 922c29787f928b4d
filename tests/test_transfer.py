from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from doubles import HashEncoder
from stored import LONG, documents, made, opened

from kcsearch.collection import Collection
from kcsearch.errors import InputError, ModelMismatchError
from kcsearch.types import Document

N_WINDOWS = len(HashEncoder().split(LONG))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "c")


def exported(path: Path, file: Path, **options: bool) -> Path:
    if file.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    with opened(path) as collection:
        collection.export(file, **options)
    return file


def rows(path: Path) -> list[tuple[Document, bytes]]:
    """Every row with its vector; a bit that differs shows."""
    with opened(path) as collection:
        ids = collection._store.row_ids().tolist()
        vectors = collection._store.vectors(ids)
        return list(zip(collection.list(), [v.tobytes() for v in vectors], strict=True))


def test_documents_come_whole_as_list_prints_them(path: Path, tmp_path: Path) -> None:
    lines = exported(path, tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "key": "k0",
        "text": documents()[0].text,
        "source": "a.txt",
        "line": 1,
        "metadata": {"n": 0},
    }
    assert [json.loads(line)["key"] for line in lines] == [f"k{i}" for i in range(40)] + ["long"]
    assert json.loads(lines[-1])["text"] == LONG
    assert "환불" in lines[0]


def test_conditions_choose_what_is_written(path: Path) -> None:
    out = io.StringIO()
    with opened(path) as collection:
        assert collection.export(out, filters={"n": "7"}) == 1
        assert collection.export(out, where="line > :n", params={"n": 38}) == 2
    assert [json.loads(line)["key"] for line in out.getvalue().splitlines()] == ["k7", "k38", "k39"]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.npy", "rows.parquet"])
def test_rows_with_vectors_come_back_bit_for_bit(name: str, path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / name, vectors=True)
    encoder = HashEncoder()
    with Collection(tmp_path / "new", encoder=encoder) as new:
        report = new.import_(file)
        assert (report.n_read, report.n_added, report.n_windows) == (41, 41, N_WINDOWS)
        assert new.get("long").text == LONG
        assert not any(check.n_wrong for check in new.verify())
    assert encoder.n_encoded == 0
    assert rows(tmp_path / "new") == rows(path)


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_documents_alone_are_embedded_again(name: str, path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / name)
    encoder = HashEncoder()
    with Collection(tmp_path / "new", encoder=encoder) as new:
        assert new.import_(file).n_added == 41
        assert new.import_(file).n_unchanged == 41
    assert encoder.n_encoded == 40 + N_WINDOWS
    assert rows(tmp_path / "new") == rows(path)


def test_importing_again_replaces(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "rows.jsonl", vectors=True)
    with opened(path) as collection:
        collection.add([Document("그 사이에 바뀐 글", "k3"), Document("짧아진 글", "long")])
        report = collection.import_(file)
        assert (report.n_changed, report.n_added) == (41, 0)
        assert sorted(d.key for d in collection.list(where="window_of IS NULL")) == sorted(
            f"k{i}" for i in range(40)
        )
        assert collection.get("k3") == documents()[3]
        assert not any(check.n_wrong for check in collection.verify())


def test_the_matrix_is_numpys(path: Path, tmp_path: Path) -> None:
    matrix = np.load(exported(path, tmp_path / "v.npy"), allow_pickle=False)
    with opened(path) as collection:
        stored = collection._store.vectors(collection._store.row_ids().tolist())
    np.testing.assert_array_equal(matrix, stored)
    lines = (tmp_path / "v.npy.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(matrix)


def test_other_programs_read_the_parquet(path: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(exported(path, tmp_path / "rows.parquet", vectors=True))
    assert table.column_names == [
        *("key", "text", "source", "line", "metadata", "window_of", "vector")
    ]
    assert table["key"][3].as_py() == "k3"
    assert json.loads(table["metadata"][3].as_py()) == {"n": 3}
    with opened(path) as collection:
        stored = collection._store.vectors(collection._store.row_ids().tolist())
    np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), stored)
    documents_alone = parquet.read_table(exported(path, tmp_path / "all.parquet"))
    assert documents_alone.column_names == ["key", "text", "source", "line", "metadata"]
    assert documents_alone.num_rows == 41


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("key", None, ":1: the document has no key"),
        ("key", 7, ":1: the field 'key' is not what"),
        ("text", None, ":1: not a document as `kcsearch export` writes it"),
        ("metadata", "{", ":1: the field 'metadata' is not what"),
        ("metadata", "[1]", ":1: the field 'metadata' is not what"),
        ("metadata", '{"a": NaN}', ":1: the document cannot be used: metadata must be JSON"),
        (
            "metadata",
            '{"a": ' + "[" * 65 + "]" * 65 + "}",
            ":1: the document cannot be used: metadata is nested deeper than 64 levels",
        ),
        ("vector", [1.0], ":1: the document cannot be used: its vector does not have 64"),
        ("vector", "x", ":1: the field 'vector' is not what"),
    ],
)
def test_a_parquet_that_no_export_writes_is_told(
    column: str, value: object, message: str, path: Path, tmp_path: Path
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = exported(path, tmp_path / "rows.parquet", vectors=True)
    table = parquet.read_table(file).slice(0, 1)
    others = table.drop_columns([column]).append_column(column, pyarrow.array([value]))
    parquet.write_table(others, file)
    with opened(path) as collection, pytest.raises(InputError, match=message):
        collection.import_(file)


def test_a_parquet_that_is_none_or_was_cut_is_told(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = exported(path, tmp_path / "rows.parquet", vectors=True)
    for content in (b"", b"text", file.read_bytes()[:-20]):
        file.write_bytes(content)
        with opened(path) as collection, pytest.raises(InputError, match="no Parquet file"):
            collection.import_(file)


@pytest.mark.parametrize("name", ["a.jsonl", "v.npy", "p.parquet"])
def test_an_empty_collection_goes_out_and_comes_back(name: str, tmp_path: Path) -> None:
    path = made(tmp_path / "c", 0, with_long=False)
    file = exported(path, tmp_path / name)
    with Collection(tmp_path / "new", encoder=HashEncoder()) as new:
        assert new.import_(file).n_read == 0


def test_vectors_of_another_model_are_refused(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "rows.jsonl", vectors=True)
    with (
        Collection(tmp_path / "new", encoder=HashEncoder(limit=50)) as new,
        pytest.raises(ModelMismatchError, match="they differ in limit"),
    ):
        new.import_(file)


def changed(file: Path, **fields: object) -> Path:
    """The second line, which holds the first row, with other fields."""
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **fields})
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vector": None}, ":2: the field 'vector' is not what"),
        ({"vector": "1 2 3"}, ":2: the field 'vector' is not what"),
        ({"vector": [{}]}, ":2: the field 'vector' is not what"),
        ({"vector": [1.0, 2.0]}, ":2: the document cannot be used: its vector does not have 64"),
        ({"vector": [0.0] * 64}, ":2: the document cannot be used: its vector has the length 0"),
        ({"vector": [1e300] * 64}, ":2: the document cannot be used: its vector holds"),
        ({"key": None}, ":2: the document has no key"),
        ({"key": 7}, ":2: the field 'key' is not what"),
        ({"line": True}, ":2: the field 'line' is not what"),
        ({"metadata": []}, ":2: the field 'metadata' is not what"),
        ({"text": None}, ":2: not a document as `kcsearch export` writes it"),
        ({"text": " "}, ":2: the document cannot be used: it has no text"),
        ({"text": "", "window_of": "y"}, ":2: the document cannot be used: it has no text"),
        ({"window_of": ""}, ":2: the document cannot be used: the text of which it is a part"),
        ({"line": 10**30}, ":2: the document cannot be used: its line number is too large"),
        ({"line": -(2**63) - 1}, ":2: the document cannot be used: its line number is too large"),
        ({"vector": [10**400] * 64}, ":2: the document cannot be used: its vector holds"),
        ({"vector": [10**400]}, ":2: the document cannot be used: its vector does not have 64"),
    ],
)
def test_what_no_export_writes_is_told_with_its_line(
    fields: dict[str, object], message: str, path: Path, tmp_path: Path
) -> None:
    file = changed(exported(path, tmp_path / "rows.jsonl", vectors=True), **fields)
    with (
        Collection(tmp_path / "new", encoder=HashEncoder()) as new,
        pytest.raises(InputError, match=message),
    ):
        new.import_(file)


def test_a_pickle_in_a_matrix_is_not_opened(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "v.npy")
    np.save(file, np.array([{"a": 1}], object), allow_pickle=True)
    with opened(path) as collection, pytest.raises(InputError, match="not a matrix of float32"):
        collection.import_(file)
    np.save(file, np.eye(3))
    with opened(path) as collection, pytest.raises(InputError, match="not a matrix of float32"):
        collection.import_(file)


def header(shape: str) -> bytes:
    """What a .npy begins with; `shape` stands where numpy writes a tuple."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 and then no zip",
        b"\x93NUMPY\x03\x00",
        b"\x93NUMPY\x01\x00\x40\x00" + b"(" * 64,
        header("(10**22, 64)"),
        header(f"({10**22}, 64)"),
        header(f"({10**22}, 0)"),
        header("(-3, 64)") + b"0" * 3 * 256,
        header("(-3, -64)") + b"0" * 3 * 256,
        header("(True, 64)") + b"0" * 256,
        header("(3, 64)") + b"0" * 700,
        header("(" * 300),
    ],
    ids=range(12),
)
def test_a_matrix_that_is_none_is_told(content: bytes, path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "v.npy")
    file.write_bytes(content)
    with (
        opened(path) as collection,
        pytest.raises(InputError, match=r"cannot be read|not a matrix of|not of one export"),
    ):
        collection.import_(file)


def test_several_matrices_in_one_file_are_refused(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "v.npy")
    with file.open("wb") as out:
        np.savez(out, np.eye(3))
    with opened(path) as collection, pytest.raises(InputError, match="cannot be read"):
        collection.import_(file)


def test_a_matrix_by_columns_is_read(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "v.npy")
    np.save(file, np.asfortranarray(np.load(file)))
    with Collection(tmp_path / "new", encoder=HashEncoder()) as new:
        new.import_(file)
    assert rows(tmp_path / "new") == rows(path)


def window(records: list[dict[str, object]], n: int, key: str, whole: str | None) -> None:
    records[n] |= {"key": key, "window_of": whole}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((0, "y", None), (1, "y", None), ":3: the key 'y' was already used at .*:2"),
        ((0, "y", None), (1100, "y", None), ":1102: the key 'y' was already used at .*:2"),
        ((0, "y#1", "y"), (1, "y", None), ":3: the key 'y' was already used at .*:2"),
        ((0, "y", None), (1, "y#1", "y"), ":3: the key 'y' was already used at .*:2"),
        ((0, "y#1", "y"), (1100, "y#2", "y"), ":1102: the key 'y' was already used at .*:2"),
        ((0, "y#1", "y"), (1, "y#1", "y"), "the key 'y#1' is taken"),
        ((0, "y#1", "y"), (1100, "y#1", None), "the key 'y#1' is taken"),
    ],
)
def test_a_key_that_comes_again_replaces_nothing(
    first: tuple[int, str, str | None],
    second: tuple[int, str, str | None],
    message: str,
    tmp_path: Path,
) -> None:
    path = made(tmp_path / "c", 1101, with_long=False)
    file = exported(path, tmp_path / "rows.jsonl", vectors=True)
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    window(records, *first)
    window(records, *second)
    file.write_text("\n".join([head, *map(json.dumps, records)]), encoding="utf-8")
    with Collection(tmp_path / "new", encoder=HashEncoder()) as new:
        with pytest.raises(InputError, match=message):
            new.import_(file)
        assert not any(check.n_wrong for check in new.verify())
        kept = [document for document in new.list() if (document.key or "").startswith("y")]
        assert [document.text for document in kept] in ([], [records[0]["text"]])


def test_documents_alone_are_checked_as_rows_are(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "all.jsonl")
    with pytest.raises(InputError, match=":2: the document cannot be used: its line number"):
        opened(path).import_(changed(file, line=10**30))
    with opened(path) as collection, pytest.raises(InputError, match="line number of the document"):
        collection.add([Document("글", "k", "a.txt", 10**5000)])


@pytest.mark.parametrize("n", [3, 99])
def test_a_matrix_and_lines_of_two_exports_are_refused(n: int, path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "v.npy")
    np.save(file, np.resize(np.load(file), (n, 64)))
    with opened(path) as collection, pytest.raises(InputError, match="not of one export"):
        collection.import_(file)


def test_a_failed_export_leaves_the_old_file(path: Path, tmp_path: Path) -> None:
    file = exported(path, tmp_path / "all.jsonl")
    before = file.read_bytes()
    with opened(path) as collection, pytest.raises(InputError, match="--where"):
        collection.export(file, where="nonsense")
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.jsonl", "c"]


@pytest.mark.parametrize("name", ["store.db", "vectors.faiss"])
def test_nothing_is_exported_over_a_collection(name: str, path: Path) -> None:
    before = rows(path)
    with pytest.raises(InputError, match="this file belongs to a collection"):
        exported(path, path / name)
    assert rows(path) == before


def test_a_missing_file_is_told(path: Path, tmp_path: Path) -> None:
    for name in ("no.jsonl", "no.npy", "no.parquet"):
        with opened(path) as collection, pytest.raises(InputError, match="no such file"):
            collection.import_(tmp_path / name)
