"""What may import what, as the README draws it, and what a cold start must not load."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import HashEncoder

import kcsearch
from kcsearch.collection import Collection

PACKAGE = Path(kcsearch.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# From the leaves up. A module may import what stands above it here, and of its own room what stands
# before it in the README; a name stands for a module or for all of a sub-package.
LEAVES = {"errors", "types", "hangul", "analyzer", "kiwi", "display", "atomic_file", "json_file"}
EDGES = {"cli", "__main__", "server", "mcp", "integrations", "sql"}
TOP = {"collection"} | EDGES
VECTORS = {"faiss_index", "milvus_index", "whitening"}
# These parts do not know one another; the rest (how text becomes vectors) is one part.
PARTS = [{"store"}, VECTORS, {"readers"}, {"fusion"}, {"evaluation"}, {"write_lock"}, {"keyboard"}]
PARTS += [{"turns"}]
JOINERS = {
    "indexing",
    "index_cache",
    "interpretation",
    "search_space",
    "searching",
    "upkeep",
    "vector_map",
}
ROOMS_OF_JOINERS = {"fusion", "index_cache", "interpretation", "keyboard", "readers"}
ROOMS_OF_JOINERS |= {"search_space"}
# Mending opens what `collection` cannot open: it takes the lock and the encoder itself.
ROOMS_OF_UPKEEP = {"encoder", "models", "write_lock"}
HEAVY = {
    "faiss": {"faiss_index", "whitening"},
    "sqlite_utils": {"store"},
    "torch": {"engines", "finetuning", "model_export"},
    "onnxscript": {"model_export"},
    "transformers": {"engines"},
    "filelock": {"write_lock"},
    "kiwipiepy": {"kiwi"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "sentence_transformers": set(),
    "langchain_core": {"integrations"},
    "llama_index": {"integrations"},
    "haystack": {"integrations"},
    "mcp": {"mcp"},
    "pydantic": {"integrations", "mcp", "server"},
    "fastapi": {"server"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "pypdf": {"readers"},
    "pyarrow": {"readers", "upkeep"},
    "sqlite3": {"store", "readers"},
}
PICKLERS = ("joblib", "dill", "cloudpickle", "shelve", "marshal")
UNSAFE = (("allow_pickle", True), ("weights_only", False), ("trust_remote_code", True))


def module_of(path: Path) -> str:
    """`kcsearch.readers.paths` for its file."""
    parts = ["kcsearch", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The name after `kcsearch.`; the package itself is "kcsearch"."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "kcsearch"


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs."""
    for child in ast.iter_child_nodes(node):
        if not is_for_types_only(child):
            yield child
            yield from walk(child)


def imports(path: Path, *, at_head: bool = False) -> list[str]:
    """The modules that a file imports, at its head or anywhere; not for types alone."""
    found: list[str] = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_head else walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            files = {module_of(file) for file in FILES}
            found += [name if name in files else module for name in names]
    return found


def room_imports() -> set[tuple[str, str]]:
    """(importing room, imported room) for every import within kcsearch across rooms."""
    return {
        (room_of(module_of(path)), room_of(name))
        for path in FILES
        for name in imports(path)
        if name.split(".")[0] == "kcsearch" and room_of(name) != room_of(module_of(path))
    }


def part_of(room: str) -> int:
    return next((i for i, part in enumerate(PARTS) if room in part), len(PARTS))


def is_allowed(importer: str, imported: str) -> bool:
    if importer == "kcsearch":
        return imported in LEAVES
    if imported == "kcsearch":
        return importer in TOP  # for __version__
    if importer in EDGES:
        return True
    if imported in TOP or importer in LEAVES:
        return imported in LEAVES
    if importer in TOP:
        return True
    if imported in LEAVES:
        return True
    if importer == "upkeep" and imported in ROOMS_OF_UPKEEP:
        return True
    if importer in JOINERS:
        return imported in {"store"} | VECTORS | ROOMS_OF_JOINERS
    return imported not in JOINERS and part_of(importer) == part_of(imported)


def test_imports_point_down() -> None:
    wrong = sorted(pair for pair in room_imports() if not is_allowed(*pair))
    assert [f"kcsearch/{importer} imports {imported}" for importer, imported in wrong] == []


def test_the_rule_sees_an_arrow_that_points_up() -> None:
    up = [
        ("store", "collection"),
        ("collection", "cli"),
        ("faiss_index", "store"),
        ("encoder", "faiss_index"),
        ("readers", "indexing"),
        ("types", "encoder"),
        ("errors", "kcsearch"),
        ("fusion", "store"),
    ]
    assert [pair for pair in up if is_allowed(*pair)] == []
    assert room_imports() >= {("collection", "indexing"), ("indexing", "store")}


def test_no_module_is_imported_in_a_circle() -> None:
    """At their heads; text_store imports its schema within the function that creates a store."""
    graph = {module_of(path): set(imports(path, at_head=True)) for path in FILES}
    graph["kcsearch"] = set()  # its names are lazy
    while graph:
        free = [module for module, needs in graph.items() if not needs & graph.keys()]
        assert free, f"a circle among {sorted(graph)}"
        for module in free:
            del graph[module]


def test_the_package_imports_neither_training_nor_benchmarks_nor_tests() -> None:
    outside = {"training", "torture", "benchmarks", "tests", "tools", "doubles", "conftest"}
    found = {(module_of(p), name) for p in FILES for name in imports(p)}
    assert [pair for pair in sorted(found) if pair[1].split(".")[0] in outside] == []


def test_heavy_modules_stay_in_the_rooms_that_own_them() -> None:
    found = {
        (room_of(module_of(path)), name.split(".")[0])
        for path in FILES
        for name in imports(path)
        if name.split(".")[0] in HEAVY
    }
    assert sorted(pair for pair in found if pair[0] not in HEAVY[pair[1]]) == []


def unpickles(node: ast.AST) -> bool:
    """Naming `pickle.UnpicklingError`, which torch raises, is all that is allowed of pickle."""
    match node:
        case ast.Import(names=names):
            return any(alias.name in PICKLERS for alias in names)
        case ast.ImportFrom(module=module):
            return module in (*PICKLERS, "pickle")
        case ast.Attribute(value=ast.Name(id="pickle"), attr=name):
            return name != "UnpicklingError"
        case ast.keyword(arg=name, value=ast.Constant(value=value)):
            return (name, value) in UNSAFE
        case ast.Call(func=function, keywords=keywords) if ast.unparse(function) == "torch.load":
            return "weights_only" not in {keyword.arg for keyword in keywords}
    return False


def test_nothing_is_unpickled_and_no_foreign_code_is_run() -> None:
    wrong = [
        f"{path.name}:{getattr(node, 'lineno', '?')}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if unpickles(node)
    ]
    assert wrong == []
    for bad in ("from pickle import loads", "pickle.loads(x)", "np.load(f, allow_pickle=True)"):
        assert any(unpickles(node) for node in ast.walk(ast.parse(bad)))


def test_the_public_names_are_sorted_and_there() -> None:
    assert sorted(kcsearch.__all__) == kcsearch.__all__
    for name in kcsearch.__all__:
        assert getattr(kcsearch, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        kcsearch.nothing_of_the_kind  # noqa: B018


def loaded_by(script: str) -> set[str]:
    """The modules that a new Python has loaded after `script`."""
    script += "\nimport sys; print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split("\n")[-2].split())


def test_importing_kcsearch_loads_nothing_heavy() -> None:
    loaded = loaded_by("import kcsearch; kcsearch.Document('글')")
    assert "kcsearch.types" in loaded
    assert loaded & {"numpy", "faiss", "torch", "transformers", "tokenizers", "sqlite3"} == set()


def test_searching_a_small_collection_loads_neither_torch_nor_what_writes(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with Collection(path) as notes:
        notes.add(["환불은 사흘 안에 처리됩니다.", "내일은 비가 옵니다."])
    loaded = loaded_by(f"""if True:
        from kcsearch import Collection
        with Collection({str(path)!r}) as notes:
            assert len(notes.search("환불은 언제 처리되나요")) == 2
    """)
    assert {"numpy", "faiss", "tokenizers"} <= loaded
    slow = {"torch", "transformers", "sqlite_utils", "huggingface_hub", "filelock", "typer"}
    slow |= {"kcsearch.readers", "kcsearch.indexing"}
    assert loaded & slow == set()


def test_the_double_is_an_encoder() -> None:
    encoder: kcsearch.Encoder = HashEncoder()
    vectors = encoder.encode(["서울 날씨", "서울의 날씨", "환불 문의"])
    assert (vectors.shape, vectors.dtype.name) == ((3, 64), "float32")
    assert vectors[0] @ vectors[1] > 0.5 > abs(vectors[0] @ vectors[2])
    assert ["".join(encoder.split(text)) for text in ("가 " * 50, "가" * 99)] == [
        "가 " * 50,
        "가" * 99,
    ]
