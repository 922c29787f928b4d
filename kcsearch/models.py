"""A name or a path to a checked model folder: what it is, how it pools, and its fingerprint.

Nothing is loaded here and no model library is imported: a cold query passes through this file.
A model folder is data. Program code in it is never run and a pickle is never unpickled here.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickletools
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any, Literal, cast

from kcsearch.errors import ModelError
from kcsearch.types import Pooling

BUNDLED = Path(__file__).parent / "model"
ALIASES = {"kcbert": "beomi/kcbert-base"}

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there, whole or sharded
SMALL_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "kcsearch.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "*_Pooling/config.json",
)

# These count positions from pad_token_id + 1 (RobertaEmbeddings in transformers), so that a table
# of 514 rows holds 512 pieces.
_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "xmod"}

# sentence-transformers wrote one boolean a mode; its later versions write one name.
_POOLING_MODES: dict[str, Pooling] = {
    "cls": "cls",
    "mean": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
}


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds all of an encoder, checked as far as one can without loading it.

    name: what the model calls itself. reference: what `resolve` takes to find this very model
    again, with its commit where it has one. revision: hub commit, or the version in kcsearch.json.
    max_length: pieces with the special ones. weights: one file, or the index of several.
    tokenizer: tokenizer.json or vocab.txt. tokenizer_config: empty where the folder has none.
    """

    path: Path
    name: str
    reference: str
    revision: str
    config: dict[str, Any] = field(repr=False)
    tokenizer_config: dict[str, Any] = field(repr=False)
    architecture: str
    dim: int
    pooling: Pooling
    normalize: bool
    max_length: int
    query_prompt: str
    passage_prompt: str
    weights: Path
    tokenizer: Path

    @property
    def weight_files(self) -> list[Path]:
        """The files that hold tensors, in the order of their names."""
        return _weight_files(self.weights)

    def fingerprint(self) -> dict[str, Any]:
        """Say what decides a vector, as JSON values. Reads every byte of the weights."""
        return {
            "name": self.name,
            "revision": self.revision,
            "weights_sha256": _sha256(self.weight_files),
            "tokenizer_sha256": _sha256(self._tokenizer_files()),
            **self._declared(),
        }

    def quick_stamp(self) -> dict[str, Any]:
        """Say cheaply whether an earlier fingerprint still holds: as long as this stays equal.

        In place of the hashes, [size, modification time in ns] by file name.
        """
        files = [*self.weight_files, *self._tokenizer_files()]
        stats = {file.name: file.stat() for file in files}
        stamps = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
        return {**stamps, **self._declared()}

    def _declared(self) -> dict[str, Any]:
        return {
            "pooling": self.pooling,
            "normalize": self.normalize,
            "max_length": self.max_length,
            "query_prompt": self.query_prompt,
            "passage_prompt": self.passage_prompt,
        }

    def _tokenizer_files(self) -> list[Path]:
        """tokenizer.json says all; vocab.txt is read by the rules of tokenizer_config.json."""
        config = self.path / "tokenizer_config.json"
        is_vocabulary = self.tokenizer.suffix == ".txt"
        return [self.tokenizer, config] if is_vocabulary and config.is_file() else [self.tokenizer]


@dataclass(frozen=True)
class KnownModel:
    """A line of `kcsearch models`. size: bytes on this disk. path: None where it is not here."""

    name: str
    alias: str | None
    state: Literal["bundled", "cached", "not cached"]
    architecture: str | None
    size: int
    path: Path | None


def resolve(name: str | Path | None = None) -> ModelFolder:
    """Find a model: the bundled one, a local folder, or a Hugging Face name.

    name: None or "bundled"; a folder; `owner/model`, `owner/model@revision` or an alias. A hub
    model is taken from the cache where it is complete there, else downloaded unless HF_HUB_OFFLINE
    is set. Raises ModelError where there is no such model or kcsearch cannot use it.
    """
    if name is None or name == "bundled":
        return read_folder(BUNDLED, "bundled")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return read_folder(folder.resolve(), str(folder.resolve()))
    repo, _, revision = str(name).partition("@")
    repo = ALIASES.get(repo, repo)
    if isinstance(name, Path) or not _looks_like_hub_name(repo, revision or "main"):
        raise _unknown_name(str(name))
    snapshot = cached_snapshot(repo, revision or "main")
    if snapshot is None:
        snapshot = _download(repo, revision or "main")
    return read_folder(snapshot, f"{repo}@{snapshot.name}", name=repo, revision=snapshot.name)


def read_folder(path: Path, reference: str, *, name: str = "", revision: str = "") -> ModelFolder:
    """Read and check one model folder. Raises ModelError that names the file and the way out."""
    try:
        return _read_folder(path, reference, name, revision)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError("{path} cannot be read: {reason}", path=path, reason=reason) from error


def _read_folder(path: Path, reference: str, name: str, revision: str) -> ModelFolder:
    config = _read_object(path / "config.json")
    _refuse_foreign_code(path, config)
    tokenizer_config = _read_object(path / "tokenizer_config.json", optional=True)
    declared = _read_object(path / "kcsearch.json", optional=True)
    weights, tokenizer = find_weights(path), _find_tokenizer(path)
    pooling = declared.get("pooling") or _sentence_transformers_pooling(path) or "pooler"
    if pooling not in ("pooler", "cls", "mean"):
        raise ModelError(
            "{path}: pooling is {pooling!r}; kcsearch knows pooler, cls and mean",
            path=path / "kcsearch.json",
            pooling=pooling,
        )
    _check_tensors(path, weights, config, pools=pooling == "pooler")
    query_prompt, passage_prompt = _prompts(path, declared)
    return ModelFolder(
        path=path,
        name=str(declared.get("name") or name or reference),
        reference=reference,
        revision=str(declared.get("version") or revision),
        config=config,
        tokenizer_config=tokenizer_config,
        architecture=str(config.get("model_type") or "bert"),  # kcbert is older than model_type
        dim=_width(path, config),
        pooling=cast(Pooling, pooling),
        normalize=bool(declared.get("normalize", True)),
        max_length=_max_length(
            path,
            config,
            tokenizer_config.get("model_max_length"),
            _read_object(path / "sentence_bert_config.json", optional=True).get("max_seq_length"),
            declared.get("max_length"),
        ),
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
        weights=weights,
        tokenizer=tokenizer,
    )


# --- reading a folder --------------------------------------------------------------------------


def find_weights(path: Path) -> Path:
    """The weights of a model folder: one file, or the index.json of several; safetensors first."""
    for name in WEIGHTS:
        for candidate in (path / name, path / f"{name}.index.json"):
            if candidate.is_file():
                return candidate
    raise ModelError(
        "{path}: no weights here; {names} are looked for", path=path, names=" and ".join(WEIGHTS)
    )


def _weight_files(weights: Path) -> list[Path]:
    if weights.suffix != ".json":
        return [weights]
    shards = set(_weight_map(weights).values())
    return [weights.parent / name for name in sorted(shards)]


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = _read_object(index).get("weight_map")
    names = weight_map.values() if isinstance(weight_map, dict) else [None]
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelError("{path}: weight_map has to name a file here for each tensor", path=index)
    return cast("dict[str, str]", weight_map)


def _find_tokenizer(path: Path) -> Path:
    for name in ("tokenizer.json", "vocab.txt"):
        if (path / name).is_file():
            return path / name
    raise ModelError("{path}: no tokenizer here; tokenizer.json or vocab.txt is needed", path=path)


def _check_tensors(path: Path, weights: Path, config: dict[str, Any], *, pools: bool) -> None:
    """Refuse weights that are cut short, of another vocabulary, or without the pooler they need."""
    shapes: dict[str, list[int]] = {}
    for file in _weight_files(weights):
        if not file.is_file():
            raise ModelError("{path} is missing; {index} names it", path=file, index=weights.name)
        is_safe = file.suffix == ".safetensors"
        shapes |= _safetensors_shapes(file) if is_safe else {name: [] for name in _bin_names(file)}
    if pools and not _ending(shapes, "pooler.dense.weight"):
        raise ModelError(
            "{path} has no pooler.dense.weight, so that its pooled [CLS] vector would come from "
            "random numbers. If the model was trained for another pooling, put a file "
            'kcsearch.json with {{"pooling": "mean"}} or {{"pooling": "cls"}} beside it',
            path=weights,
        )
    for name in _ending(shapes, "embeddings.word_embeddings.weight"):
        if shapes[name] and shapes[name][0] != config.get("vocab_size"):
            raise ModelError(
                "{path}: {rows} rows of word embeddings, but config.json says vocab_size "
                "{vocab_size}: these files are of different models",
                path=path,
                rows=shapes[name][0],
                vocab_size=config.get("vocab_size"),
            )


def _ending(names: Iterable[str], tail: str) -> list[str]:
    return [name for name in names if f".{name}".endswith(f".{tail}")]  # with or without `bert.`


def _safetensors_shapes(path: Path) -> dict[str, list[int]]:
    """Tensor shapes by name. The format: u64 length, a JSON header of that length, the numbers."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= size - 8 else b""
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        shapes = {name: tensor["shape"] for name, tensor in tensors.items()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise _broken_weights(path) from error
    if 8 + length + end > size:
        raise ModelError(
            "{path} is cut short: it has {size} bytes, its header says {expected}. "
            "Copy or download it again",
            path=path,
            size=size,
            expected=8 + length + end,
        )
    return shapes


def _bin_names(path: Path) -> set[str]:
    """Every string in the pickles of a torch file, tensor names among them; nothing is unpickled.

    Since torch 1.6 a zip with one `data.pkl`; before, four pickles one after the other.
    """
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as stream:
                return {text for _ in range(4) for text in _pickled_strings(stream)}
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(entry) as stream:
                return set(_pickled_strings(stream))
    except (ValueError, StopIteration, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise _broken_weights(path) from error


def _pickled_strings(stream: IO[bytes]) -> Iterator[str]:
    return (str(arg) for op, arg, _ in pickletools.genops(stream) if "UNICODE" in op.name)


def _broken_weights(path: Path) -> ModelError:
    with path.open("rb") as file:
        is_pointer = file.read(24) == b"version https://git-lfs."
    if is_pointer:
        return ModelError("{path} is a Git LFS pointer: `git lfs pull` fetches the file", path=path)
    return ModelError("{path} is damaged: copy or download it again", path=path)


def _refuse_foreign_code(path: Path, config: dict[str, Any]) -> None:
    auto_map = config.get("auto_map")
    if isinstance(auto_map, dict) and any(name.startswith("AutoModel") for name in auto_map):
        raise ModelError(
            "{path}: this model brings its own program code (auto_map), which kcsearch never runs; "
            "choose a model of an architecture that transformers has",
            path=path,
        )


def _sentence_transformers_pooling(path: Path) -> str | None:
    """The pooling that modules.json and its 1_Pooling/config.json declare; None without them."""
    if not (path / "modules.json").is_file():
        return None
    pooling = None
    for module in _read_json(path / "modules.json", list):
        kind = str(module.get("type", "")).rpartition(".")[2] if isinstance(module, dict) else ""
        if kind == "Pooling":
            pooling = _pooling_mode(path / str(module.get("path", "")) / "config.json")
        elif kind not in ("Transformer", "Normalize"):
            raise ModelError(
                "{path}: kcsearch cannot run the module {kind!r} after the encoder; it reads "
                "Transformer, Pooling and Normalize",
                path=path / "modules.json",
                kind=kind,
            )
    return pooling


def _pooling_mode(path: Path) -> str:
    """`pooling_mode` by name, or the one true `pooling_mode_*` of earlier versions."""
    config = _read_object(path)
    flags = [name for name in config if name.startswith("pooling_mode_") and config[name]]
    modes = [config["pooling_mode"]] if "pooling_mode" in config else flags
    poolings = [_POOLING_MODES[str(mode)] for mode in modes if str(mode) in _POOLING_MODES]
    if len(modes) != 1 or not poolings:
        raise ModelError(
            "{path}: pooling {modes}; kcsearch can do exactly one of mean and cls",
            path=path,
            modes=modes,
        )
    return poolings[0]


def _prompts(path: Path, declared: dict[str, Any]) -> tuple[str, str]:
    """What goes before a query and before a passage: kcsearch.json, else sentence-transformers'."""
    config = _read_object(path / "config_sentence_transformers.json", optional=True)
    prompts = config.get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    default = prompts.get(str(config.get("default_prompt_name"))) or ""
    query = prompts.get("query") or default
    passage = prompts.get("passage") or prompts.get("document") or default
    return str(declared.get("query_prompt", query)), str(declared.get("passage_prompt", passage))


def _max_length(path: Path, config: dict[str, Any], *limits: object) -> int:
    """Pieces that the position table holds, or fewer where a file says so."""
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in _OFFSET_POSITIONS:
        pad = config.get("pad_token_id")
        positions -= (1 if pad is None else int(pad)) + 1
    numbers = [limit for limit in (positions, *limits) if limit is not None]
    if not all(isinstance(number, int | float) and number > 2 for number in numbers):
        raise ModelError("{path}: no usable length limit in {limits}", path=path, limits=numbers)
    return int(min(cast("list[float]", numbers), default=512))


def _width(path: Path, config: dict[str, Any]) -> int:
    width = config.get("hidden_size", config.get("dim"))  # DistilBERT says dim
    if not isinstance(width, int) or width < 1:
        raise ModelError("{path}: config.json has no hidden_size", path=path)
    return width


def _read_object(path: Path, *, optional: bool = False) -> dict[str, Any]:
    if optional and not path.is_file():
        return {}
    return cast("dict[str, Any]", _read_json(path, dict))


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError("{path} is missing: not a model folder", path=path) from error
    except (ValueError, RecursionError) as error:
        raise ModelError("{path} is not JSON: {reason}", path=path, reason=error) from error
    if not isinstance(value, kind):
        raise ModelError("{path} has to hold a JSON {kind}", path=path, kind=kind.__name__)
    return value


def _sha256(files: list[Path]) -> str:
    """Of one file its sha256; of several that of their digests."""
    digests = []
    for file in files:
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        digests.append(digest.hexdigest())
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


# --- the Hugging Face cache, read without huggingface_hub (0.4 s to import) ---------------------
# Its layout is documented: huggingface.co/docs/huggingface_hub/guides/manage-cache


def hub_cache() -> Path:
    """The folder of the Hugging Face cache: HF_HUB_CACHE, else HF_HOME/hub, else its default."""
    if explicit := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(explicit).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface/hub"


def cached_snapshot(repo: str, revision: str = "main") -> Path | None:
    """The cached snapshot folder of a hub model, or None where it is absent or incomplete."""
    root = hub_cache() / f"models--{repo.replace('/', '--')}"
    reference = root / "refs" / revision
    commit = reference.read_text(encoding="ascii").strip() if reference.is_file() else revision
    snapshot = root / "snapshots" / commit
    return snapshot if _is_complete(snapshot) else None


def known() -> list[KnownModel]:
    """The models that can be named: bundled, the aliases, then whatever usable the cache holds."""
    aliases = {repo: alias for alias, repo in ALIASES.items()}
    folders = sorted(hub_cache().glob("models--*"))
    cached = [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders]
    repos = [*aliases, *(repo for repo in cached if repo not in aliases)]
    models = [_known(repo, aliases.get(repo), cached_snapshot(repo)) for repo in repos]
    bundled = _known("bundled", None, BUNDLED if _is_complete(BUNDLED) else None)
    return [bundled, *(model for model in models if model.alias or model.architecture)]


def _known(name: str, alias: str | None, path: Path | None) -> KnownModel:
    if path is None:
        return KnownModel(name, alias, "not cached", None, 0, None)
    try:
        architecture = read_folder(path, name).architecture
    except ModelError:  # a list shows what can be used; `resolve` says what is wrong with the rest
        architecture = None
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    state: Literal["bundled", "cached"] = "bundled" if name == "bundled" else "cached"
    return KnownModel(name, alias, state, architecture, size, path)


def _is_complete(folder: Path) -> bool:
    try:
        weights = find_weights(folder)
        _find_tokenizer(folder)
        return (folder / "config.json").is_file() and all(
            file.is_file() for file in _weight_files(weights)
        )
    except (ModelError, OSError):
        return False


def _download(repo: str, revision: str) -> Path:
    """Fetch what an encoder needs, the small files first: where weights are, all the rest is."""
    if _is_offline():
        raise _not_here(repo, "HF_HUB_OFFLINE is set")
    from huggingface_hub import HfApi, hf_hub_download

    try:
        siblings = HfApi().model_info(repo, revision=revision).siblings or []
        for name in _needed([file.rfilename for file in siblings]):
            file = hf_hub_download(repo, name, revision=revision)
    except Exception as error:  # of requests or httpx, by the version of huggingface_hub
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise _not_here(repo, reason) from error
    return Path(file).parent


def _needed(files: list[str]) -> list[str]:
    """Choose the files of a repository that an encoder needs; its weights come last."""
    small = [name for name in files if any(fnmatch(name, pattern) for pattern in SMALL_FILES)]
    for weights in WEIGHTS:
        patterns = [weights, f"{weights}.index.json", weights.replace(".", "-*.")]
        found = [name for pattern in patterns for name in files if fnmatch(name, pattern)]
        if found:
            return small + ([weights] if weights in found else found)
    raise ModelError("no weights there; {names} are looked for", names=" and ".join(WEIGHTS))


def _not_here(repo: str, reason: str) -> ModelError:
    return ModelError(
        "model {name!r} is neither a folder nor in the Hugging Face cache {cache}, and cannot be "
        "downloaded ({reason}). Use the bundled model (without --model), give the path of a folder "
        "that holds the model, or set HF_HOME to a cache that has it",
        name=repo,
        cache=hub_cache(),
        reason=reason,
    )


def _is_offline() -> bool:
    values = [os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")]
    return any(value.upper() in ("1", "ON", "YES", "TRUE") for value in values)


def _looks_like_hub_name(repo: str, revision: str) -> bool:
    return ".." not in f"{repo}{revision}" and bool(
        re.fullmatch(r"\w[\w.-]*/\w[\w.-]*@\w[\w./-]*", f"{repo}@{revision}", re.ASCII)
    )


def _unknown_name(name: str) -> ModelError:
    import difflib

    names = ["bundled", *ALIASES, *(model.name for model in known())]
    close = difflib.get_close_matches(name, dict.fromkeys(names), n=3, cutoff=0.5)
    message = (
        "there is no model {name!r}: not a folder here, not a name such as beomi/kcbert-base. "
    )
    if close:
        return ModelError(message + "Did you mean {close}?", name=name, close=", ".join(close))
    return ModelError(message + "`kcsearch models` lists some", name=name)
