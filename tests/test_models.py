import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kcsearch import models
from kcsearch.engines.safetensors_file import map_tensors
from kcsearch.errors import ModelError
from kcsearch.models import resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = "config_sentence_transformers.json"


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    """A copy of `tiny_bert` that a test may spoil."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "model"))


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path / "hf/hub"


def put(folder: Path, name: str, value: object) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name).write_text(text, encoding="utf-8")


def change(folder: Path, name: str, **values: object) -> None:
    put(folder, name, json.loads((folder / name).read_text(encoding="utf-8")) | values)


def cache(model: Path, hub_cache: Path, repo: str) -> Path:
    """Put a model into the cache as huggingface_hub does: refs, snapshots, links to blobs."""
    root = hub_cache / f"models--{repo.replace('/', '--')}"
    snapshot, blobs = root / "snapshots" / COMMIT, root / "blobs"
    for path in (snapshot, blobs, root / "refs"):
        path.mkdir(parents=True)
    (root / "refs/main").write_text(COMMIT)
    for file in model.iterdir():
        shutil.copy(file, blobs / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    return snapshot


def error_of(name: str | Path) -> str:
    with pytest.raises(ModelError) as caught:
        resolve(name)
    return str(caught.value)


# --- a local folder ---


def test_a_local_folder_is_read_whole(tiny_bert: Path) -> None:
    model = resolve(str(tiny_bert))
    assert (model.path, model.reference, model.architecture) == (tiny_bert, str(tiny_bert), "bert")
    assert (model.dim, model.pooling, model.normalize, model.max_length) == (32, "pooler", True, 64)
    assert (model.query_prompt, model.passage_prompt, model.revision) == ("", "", "")
    assert model.weights.name == "model.safetensors"
    assert model.tokenizer.name == "vocab.txt"
    assert resolve(tiny_bert) == model


def test_kcsearch_json_declares_name_version_pooling_and_limits(folder: Path) -> None:
    declared = {"name": "작은 모델", "version": "3", "pooling": "mean", "max_length": 20}
    put(folder, "kcsearch.json", declared | {"query_prompt": "질문: "})
    model = resolve(folder)
    assert (model.name, model.revision, model.pooling) == ("작은 모델", "3", "mean")
    assert (model.max_length, model.query_prompt, model.passage_prompt) == (20, "질문: ", "")


def test_the_fingerprint_is_of_the_bytes_and_is_json(folder: Path) -> None:
    before, stamp = resolve(folder).fingerprint(), resolve(folder).quick_stamp()
    assert json.loads(json.dumps(before)) == before
    assert json.loads(json.dumps(stamp)) == stamp
    assert resolve(folder).quick_stamp() == stamp
    tensors = load_file(folder / "model.safetensors")
    tensors["pooler.dense.bias"][0] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    after = resolve(folder).fingerprint()
    assert {name for name in before if before[name] != after[name]} == {"weights_sha256"}
    assert resolve(folder).quick_stamp() != stamp
    change(folder, "tokenizer_config.json", do_lower_case=True)
    changed = resolve(folder).fingerprint()
    assert {name for name in after if after[name] != changed[name]} == {"tokenizer_sha256"}


def test_a_new_pooling_changes_fingerprint_and_stamp(folder: Path) -> None:
    before = resolve(folder)
    put(folder, "kcsearch.json", {"pooling": "cls"})
    after = resolve(folder)
    assert before.fingerprint() != after.fingerprint()
    assert before.quick_stamp() != after.quick_stamp()


def test_the_bundled_model_is_the_default() -> None:
    model = resolve()
    assert model == resolve("bundled")
    assert (model.reference, model.architecture, model.pooling) == ("bundled", "bert", "pooler")
    assert model.weights.stat().st_size < 40_000_000
    assert models.known()[0].state == "bundled"


# --- sentence-transformers' files ---


def sentence_transformers(folder: Path, pooling: object, *more: str) -> None:
    kinds = ["Transformer", "Pooling", *more]
    types = [f"sentence_transformers.models.{kind}" for kind in kinds]
    paths = ["", *(f"{i}_{kind}" for i, kind in enumerate(kinds) if i)]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": kind}
        for i, (path, kind) in enumerate(zip(paths, types, strict=True))
    ]
    put(folder, "modules.json", modules)
    put(folder, "1_Pooling/config.json", pooling)


OLD_MEAN = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False}
OLD_MEAN |= {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        (OLD_MEAN, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_pooling_is_read_from_modules_json(folder: Path, config: object, pooling: str) -> None:
    sentence_transformers(folder, config, "Normalize")
    assert resolve(folder).pooling == pooling


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"pooling_mode_max_tokens": True}, "pooling_mode_max_tokens"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "exactly one"),
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
        ({}, "exactly one"),
    ],
)
def test_a_pooling_we_cannot_do_is_refused(folder: Path, config: object, said: str) -> None:
    sentence_transformers(folder, config)
    assert said in error_of(folder)


def test_a_module_after_the_pooling_is_refused(folder: Path) -> None:
    sentence_transformers(folder, OLD_MEAN, "Dense")
    assert "'Dense'" in error_of(folder)


@pytest.mark.parametrize(
    ("card", "prompts"),
    [
        ({"prompts": {"query": "query: ", "passage": "passage: "}}, ("query: ", "passage: ")),
        ({"prompts": {"query": "Q ", "document": "D "}}, ("Q ", "D ")),
        ({"prompts": {"all": "A "}, "default_prompt_name": "all"}, ("A ", "A ")),
        ({"prompts": {"query": "", "document": ""}, "default_prompt_name": None}, ("", "")),
        ({"prompts": None}, ("", "")),
    ],
)
def test_prompts_are_read_from_the_card(
    folder: Path, card: object, prompts: tuple[str, str]
) -> None:
    put(folder, CARD, card)
    model = resolve(folder)
    assert (model.query_prompt, model.passage_prompt) == prompts


def test_the_shortest_limit_counts(folder: Path) -> None:
    put(folder, "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    assert resolve(folder).max_length == 48
    change(folder, "tokenizer_config.json", model_max_length=int(1e30))
    put(folder, "sentence_bert_config.json", {"max_seq_length": None})
    assert resolve(folder).max_length == 64
    change(folder, "tokenizer_config.json", model_max_length="many")
    assert "many" in error_of(folder)


def test_roberta_loses_the_positions_up_to_its_padding(folder: Path) -> None:
    change(folder, "config.json", model_type="xlm-roberta", pad_token_id=1)
    assert resolve(folder).max_length == 62


# --- what is refused ---


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in error_of(folder)
    assert str(folder) in error_of(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "", "\udcff", "[" * 100_000])
def test_a_broken_config_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert str(folder / "config.json") in error_of(folder)


@pytest.mark.parametrize("n_bytes", [0, 7, 100, 700_000])
def test_weights_cut_short_are_noticed(folder: Path, n_bytes: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:n_bytes])
    assert str(weights) in error_of(folder)
    assert "again" in error_of(folder)


def test_a_git_lfs_pointer_is_no_model(folder: Path) -> None:
    put(folder, "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "git lfs pull" in error_of(folder)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_checkpoint_without_pooler_is_refused(
    make_bert: Callable[..., Path], tmp_path: Path, is_zip: bool
) -> None:
    folder = Path(shutil.copytree(make_bert(with_pooler=False), tmp_path / "masked"))
    assert "no pooler.dense.weight" in error_of(folder)
    assert '{"pooling": "mean"}' in error_of(folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    bin_file = folder / "pytorch_model.bin"
    torch.save(tensors, bin_file, _use_new_zipfile_serialization=is_zip)
    assert "no pooler.dense.weight" in error_of(folder)
    tensors["bert.pooler.dense.weight"] = torch.zeros(32, 32)
    torch.save(tensors, bin_file, _use_new_zipfile_serialization=is_zip)
    assert resolve(folder).weights == bin_file
    bin_file.write_bytes(bin_file.read_bytes()[:900])
    assert "damaged" in error_of(folder)


def test_a_pickle_is_never_run(folder: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (folder / "model.safetensors").unlink()
    torch.save({"pooler.dense.weight": Hostile()}, folder / "pytorch_model.bin")
    model = resolve(folder)
    from kcsearch.engines.transformers_engine import TransformersEngine

    with pytest.raises(ModelError, match=r"more than tensors|cannot load"):
        TransformersEngine(model)
    assert not (tmp_path / "ran").exists()


def test_program_code_of_a_model_is_refused(folder: Path) -> None:
    change(folder, "config.json", auto_map={"AutoModel": "modeling_new.NewModel"})
    assert "auto_map" in error_of(folder)


def test_weights_of_another_vocabulary_are_refused(folder: Path) -> None:
    change(folder, "config.json", vocab_size=30_000)
    assert "30000" in error_of(folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("hidden_act", [], "hidden_act must be a name"),
        ("model_type", [1], "model_type must be a name"),
        ("layer_norm_eps", "x", "layer_norm_eps must be a number"),
        ("layer_norm_eps", None, "layer_norm_eps must be a number"),
        ("pad_token_id", [0], "pad_token_id must be a number"),
        ("num_hidden_layers", 10**9, "num_hidden_layers is 1,000,000,000"),
    ],
)
def test_a_config_of_other_kinds_is_refused(
    key: str, value: object, said: str, folder: Path
) -> None:
    change(folder, "config.json", **{key: value})
    assert said in error_of(folder)


@pytest.mark.parametrize(
    "header",
    [
        "[" * 100_000,
        '{"a": {"data_offsets": [0], "shape": [1]}}',
        '{"a": {"data_offsets": [0, "x"], "shape": [1]}}',
        '{"a": {"data_offsets": [0, 1e999], "shape": [1]}}',
        '{"a": {"data_offsets": [0, 0], "shape": 5}}',
    ],
    ids=range(5),
)
def test_weights_with_a_header_of_other_kinds_are_refused(header: str, folder: Path) -> None:
    content = len(header).to_bytes(8, "little") + header.encode()
    (folder / "model.safetensors").write_bytes(content)
    assert "is damaged: copy or download it again" in error_of(folder)
    with pytest.raises(ModelError):
        map_tensors(folder / "model.safetensors")


def test_an_unknown_pooling_is_refused(folder: Path) -> None:
    put(folder, "kcsearch.json", {"pooling": "max"})
    assert "'max'" in error_of(folder)


def test_shards_are_found_by_their_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = folder / "model.safetensors.index.json"
    names = load_file(folder / "model-00001-of-00001.safetensors")
    put(
        folder, index.name, {"weight_map": dict.fromkeys(names, "model-00001-of-00001.safetensors")}
    )
    model = resolve(folder)
    assert model.weights == index
    assert [file.name for file in model.weight_files] == ["model-00001-of-00001.safetensors"]
    put(folder, index.name, {"weight_map": {"pooler.dense.weight": "../../etc/passwd"}})
    assert "weight_map" in error_of(folder)
    put(folder, index.name, {"weight_map": {"pooler.dense.weight": "absent.safetensors"}})
    assert "absent.safetensors is missing" in error_of(folder)


# --- names ---


def test_offline_and_not_cached_says_where_it_looked_and_the_ways_out(hub_cache: Path) -> None:
    message = error_of("kcbert")
    for part in ("'beomi/kcbert-base'", str(hub_cache), "HF_HUB_OFFLINE", "bundled", "HF_HOME"):
        assert part in message


def test_a_cached_model_is_used_as_it_is(tiny_bert: Path, hub_cache: Path) -> None:
    snapshot = cache(tiny_bert, hub_cache, "beomi/kcbert-base")
    model = resolve("kcbert")
    assert (model.path, model.name, model.revision) == (snapshot, "beomi/kcbert-base", COMMIT)
    assert model.reference == f"beomi/kcbert-base@{COMMIT}"
    assert resolve(model.reference) == resolve("beomi/kcbert-base") == model
    (snapshot / "model.safetensors").unlink()  # as an interrupted download leaves it
    assert "cannot be downloaded" in error_of("kcbert")


@pytest.mark.parametrize("name", ["kcbrt", "Kcbert", "bundle", "beomi/kcbert-base/x"])
def test_a_slip_of_the_pen_gets_close_matches(hub_cache: Path, name: str) -> None:
    assert "Did you mean" in error_of(name)


@pytest.mark.parametrize("name", ["", "/no/such/folder", "..", "a/../b", "없는모델", "a/b@../.."])
def test_what_is_no_name_is_refused(
    name: str, hub_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert error_of(name)


def test_known_lists_aliases_and_the_cache(tiny_bert: Path, hub_cache: Path) -> None:
    assert [(model.name, model.alias) for model in models.known()] == [
        ("bundled", None),
        ("beomi/kcbert-base", "kcbert"),
    ]
    snapshot = cache(tiny_bert, hub_cache, "some/bert")
    (hub_cache / "models--some--dataset-like").mkdir()
    found = models.known()[-1]
    assert (found.name, found.state, found.architecture) == ("some/bert", "cached", "bert")
    assert found.size == sum(file.stat().st_size for file in snapshot.iterdir())


def test_nothing_heavy_is_imported(tiny_bert: Path, hub_cache: Path) -> None:
    cache(tiny_bert, hub_cache, "beomi/kcbert-base")
    code = (
        "import sys; from kcsearch import models; models.resolve('kcbert'); models.known();"
        "print({'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


# --- downloading, by the real huggingface_hub from a hub on this machine ---


class Hub(BaseHTTPRequestHandler):
    """The two requests of the hub that a download makes: what is there, and a file."""

    model: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, *, with_body: bool) -> None:
        name = self.path.split("/")[-1]
        if self.path.startswith("/api/models/some/bert/revision/"):
            names = [{"rfilename": file.name} for file in self.model.iterdir()]
            body = json.dumps({"id": "some/bert", "sha": COMMIT, "siblings": names}).encode()
        elif self.path == f"/some/bert/resolve/main/{name}" and (self.model / name).exists():
            body = (self.model / name).read_bytes()
            if with_body:
                self.asked.append(name)
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{name}"')
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(folder: Path) -> Iterator[str]:
    Hub.model, Hub.asked = folder, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_download_takes_only_what_is_needed(folder: Path, hub: str, hub_cache: Path) -> None:
    for name in ("pytorch_model.bin", "tf_model.h5", "modeling_x.py", "README.md"):
        put(folder, name, "not asked for")
    put(folder, "kcsearch.json", {"pooling": "cls"})
    code = "from kcsearch import models; print(models.resolve('some/bert').pooling)"
    environment = os.environ | {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "no_proxy": "127.0.0.1"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert (run.returncode, run.stdout) == (0, "cls\n"), run.stderr
    assert Hub.asked[-1] == "model.safetensors"  # so that where weights are, all the rest is
    needed = ["config.json", "kcsearch.json", "model.safetensors", "tokenizer_config.json"]
    assert sorted(Hub.asked) == [*needed, "vocab.txt"]
    assert resolve("some/bert").revision == COMMIT  # from the cache, without the hub
