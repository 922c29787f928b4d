"""The commands that keep a collection whole, as a user runs them, with the bundled model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from running import DATA, Run, kcsearch
from stored import execute, flip


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maintenance")
    done = kcsearch(folder, "index", str(DATA / "reviews.csv"))
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path) -> Path:
    """A copy of a collection of the film reviews."""
    shutil.copytree(indexed / ".kcsearch", tmp_path / ".kcsearch")
    return tmp_path


def test_verify_prints_its_checks(folder: Path) -> None:
    done = kcsearch(folder, "verify")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["part", "looked", "at", "wrong", "what"]
    assert [line[:13].rstrip() for line in lines[1:]] == [
        "SQLite file",
        "counts",
        "documents",
        "vectors",
        "words",
        "model",
        "vectors.faiss",
        "searches",
    ]
    assert {line.split()[-1] for line in lines[1:]} == {"0"}


def test_verify_ends_with_3_and_the_next_step(folder: Path) -> None:
    execute(folder / ".kcsearch", "UPDATE documents SET text = 'x' WHERE row_id = 2")
    done = kcsearch(folder, "verify", "--format", "json")
    assert done.code == 3
    wrong = {check["part"]: check["n_wrong"] for check in json.loads(done.out) if check["n_wrong"]}
    assert wrong == {"documents": 1, "words": 1}
    assert done.err.count("\n") == 1
    assert "documents, words. `kcsearch repair` mends what can be mended" in done.err
    korean = kcsearch(folder, "verify", env={"LANGUAGE": "ko"})
    assert "`kcsearch repair`로 고칠 수 있는 것은 고칩니다" in korean.err


def test_repair_tells_what_it_kept_and_what_not(folder: Path) -> None:
    path = folder / ".kcsearch"
    execute(path, "UPDATE documents SET text = 'x' WHERE row_id = 2")
    execute(path, "DELETE FROM vectors WHERE row_id = 5")
    done = kcsearch(folder, "repair", "--json")
    assert done.code == 0
    assert done.err.splitlines() == [
        "Documents kept: 59, of them encoded again: 1",
        f"Set aside in {path}/set-aside-1.jsonl, because they are damaged: 1",
        f"The damaged store is kept as {path}/store.damaged-1.db",
    ]
    assert json.loads(done.out)["n_set_aside"] == 1
    assert kcsearch(folder, "verify").code == 0
    done = kcsearch(folder, "index", str(DATA / "reviews.csv"))
    assert "(1 new, 0 changed" in done.err


def test_a_flipped_bit_is_told_by_every_command_and_repaired(folder: Path) -> None:
    store = folder / ".kcsearch/store.db"
    flip(store, store.stat().st_size // 2, 1)
    for command in (["query", "영화"], ["status"], ["list"], ["verify"], ["delete", "r01"]):
        done = kcsearch(folder, *command)
        assert (done.code, done.out) == (3, ""), command
        assert "`kcsearch repair`" in done.err
    assert kcsearch(folder, "repair").code == 0
    assert kcsearch(folder, "verify").code == 0


def test_rebuild_mends_the_index(folder: Path) -> None:
    file = folder / ".kcsearch/vectors.faiss"
    whole = file.read_bytes()
    flip(file, 5000)
    assert kcsearch(folder, "verify").code == 3
    done = kcsearch(folder, "rebuild")
    assert (done.code, done.out) == (0, "")
    assert done.err == "Vectors in the index: 60\n"
    assert file.read_bytes() == whole


def test_optimize_gives_room_back(folder: Path) -> None:
    store = folder / ".kcsearch/store.db"
    before = store.stat().st_size
    kcsearch(folder, "delete", "--where", "row_id > 5")
    assert store.stat().st_size == before
    done = kcsearch(folder, "optimize")
    assert done.code == 0
    assert store.stat().st_size < before / 2
    assert (
        done.err == f"store.db: {store.stat().st_size / 1e6:.1f} MB, before {before / 1e6:.1f} MB\n"
    )
    assert kcsearch(folder, "verify").code == 0


def test_backup_and_what_it_refuses(folder: Path) -> None:
    done = kcsearch(folder, "backup", "copy")
    assert (done.code, done.err) == (0, "Documents copied to copy: 60\n")
    assert kcsearch(folder, "verify", "-c", "copy").code == 0
    done = kcsearch(folder, "backup", "copy")
    assert done.code == 2
    assert done.err.endswith("copy is there already: name a new folder\n")


def answers(folder: Path, collection: str) -> Run:
    return kcsearch(folder, "query", "새벽 기차", "-c", collection, "-f", "json")


@pytest.mark.parametrize(
    "options", [["a.jsonl"], ["a.jsonl", "--vectors"], ["a.npy"]], ids=["texts", "rows", "matrix"]
)
def test_what_is_exported_can_be_imported(options: list[str], folder: Path) -> None:
    done = kcsearch(folder, "export", *options)
    assert (done.code, done.out, done.err) == (0, "", "Documents written: 60\n")
    done = kcsearch(folder, "import", options[0], "-c", "new", "--json")
    assert done.code == 0
    assert done.err == "Documents read: 60 (60 new, 0 replaced)\n"
    assert json.loads(done.out)["n_embedded"] == (60 if options == ["a.jsonl"] else 0)
    assert kcsearch(folder, "verify", "-c", "new").code == 0
    keys = [hit["key"] for hit in json.loads(answers(folder, "new").out)[0]["hits"]]
    assert keys == [hit["key"] for hit in json.loads(answers(folder, ".kcsearch").out)[0]["hits"]]


def test_export_to_standard_output_is_json_that_no_terminal_obeys(folder: Path) -> None:
    lines = [{"id": "x", "text": "가\x9b31m나"}]
    (folder / "x.jsonl").write_text(json.dumps(lines[0]), encoding="utf-8")
    kcsearch(folder, "index", "x.jsonl")
    done = kcsearch(folder, "export", "-", "--filter", "key=x")
    assert (done.code, "\x9b" in done.out) == (0, False)
    assert json.loads(done.out)["text"] == "가\x9b31m나"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["export", "a.csv"], "a.csv: a name that ends in .jsonl, .parquet or .npy is needed"),
        (["import", "no.jsonl"], "no.jsonl: no such file"),
        (["verify", "-c", "nowhere"], "nowhere is not a collection"),
        (["repair", "-c", "nowhere"], "nowhere is not a collection"),
    ],
)
def test_errors_are_one_line(arguments: list[str], error: str, folder: Path) -> None:
    done = kcsearch(folder, *arguments)
    assert (done.code, done.out) == (2, "")
    assert error in done.err
    assert done.err.count("\n") == 1
    assert not (folder / "nowhere").exists()


def test_vectors_of_a_model_that_has_to_be_named(folder: Path) -> None:
    kcsearch(folder, "export", "a.jsonl", "--vectors")
    lines = (folder / "a.jsonl").read_text(encoding="utf-8").splitlines()
    header = json.loads(lines[0])
    header["kcsearch_vectors"]["model_reference"] = "somebody/model"
    (folder / "a.jsonl").write_text("\n".join([json.dumps(header), *lines[1:]]), encoding="utf-8")
    done = kcsearch(folder, "import", "a.jsonl", "-c", "new")
    assert done.code == 2
    assert "holds vectors of the model 'somebody/model': name it with --model" in done.err
    assert not (folder / "new").exists()


def test_a_matrix_has_a_row_for_each_line(folder: Path) -> None:
    kcsearch(folder, "export", "v.npy", "--filter", "stars=5")
    matrix = np.load(folder / "v.npy", allow_pickle=False)
    assert len(matrix) == len((folder / "v.npy.jsonl").read_text("utf-8").splitlines()) - 1 > 0
