"""A model folder, checked: its shape, its pooling, its limits, and its fingerprint.

A model folder is data. Nothing is loaded here, and program code in it is never run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from kcsearch.errors import ModelError
from kcsearch.json_file import read_json, read_object
from kcsearch.types import Clean, Pooling
from kcsearch.weight_files import find_weights, tensor_shapes, weight_files

# These count positions from pad_token_id + 1 (RobertaEmbeddings in transformers), so that a table
# of 514 rows holds 512 pieces.
_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "xmod"}

_MOST_LAYERS = 1000  # before a list of their tensors is made

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
    clean: what is done to a text before it is tokenised; kcbert: `hangul.clean_kcbert`.
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
    clean: Clean

    @property
    def weight_files(self) -> list[Path]:
        """The files that hold tensors, in the order of their names."""
        return weight_files(self.weights)

    def fingerprint(self) -> dict[str, Any]:
        """Say what decides a vector, as JSON values. Reads every byte of the weights."""
        return {
            "name": self.name,
            "revision": self.revision,
            "weights_sha256": _sha256(self.weight_files),
            "tokenizer_sha256": _sha256(self._tokenizer_files()),
            **self.declared(),
        }

    def quick_stamp(self) -> dict[str, Any]:
        """Say cheaply whether an earlier fingerprint still holds: as long as this stays equal.

        In place of the hashes, [size, modification time in ns] by file name.
        """
        files = [*self.weight_files, *self._tokenizer_files()]
        stats = {file.name: file.stat() for file in files}
        stamps = {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}
        return {**stamps, **self.declared()}

    def declared(self) -> dict[str, Any]:
        """What kcsearch.json says of how a text becomes a vector."""
        return {
            "pooling": self.pooling,
            "normalize": self.normalize,
            "max_length": self.max_length,
            "query_prompt": self.query_prompt,
            "passage_prompt": self.passage_prompt,
            **({} if self.clean == "none" else {"clean": self.clean}),
        }

    def _tokenizer_files(self) -> list[Path]:
        """tokenizer.json says all; vocab.txt is read by the rules of tokenizer_config.json."""
        config = self.path / "tokenizer_config.json"
        is_vocabulary = self.tokenizer.suffix == ".txt"
        return [self.tokenizer, config] if is_vocabulary and config.is_file() else [self.tokenizer]


def read_folder(path: Path, reference: str, *, name: str = "", revision: str = "") -> ModelFolder:
    """Read and check one model folder. Raises ModelError that names the file and the way out."""
    try:
        return _read_folder(path, reference, name, revision)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError("{path} cannot be read: {reason}", path=path, reason=reason) from error


def _read_folder(path: Path, reference: str, name: str, revision: str) -> ModelFolder:
    config = read_object(path / "config.json")
    _refuse_foreign_code(path, config)
    _check_kinds(path / "config.json", config)
    tokenizer_config = read_object(path / "tokenizer_config.json", optional=True)
    declared = read_object(path / "kcsearch.json", optional=True)
    weights, tokenizer = find_weights(path), find_tokenizer(path)
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
            read_object(path / "sentence_bert_config.json", optional=True).get("max_seq_length"),
            declared.get("max_length"),
        ),
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
        weights=weights,
        tokenizer=tokenizer,
        clean=check_clean(declared.get("clean", "none")),
    )


def check_clean(name: object) -> Clean:
    """The name of a way to clean texts before they are encoded. Raises ModelError."""
    if name not in get_args(Clean):
        raise ModelError("clean is none or kcbert, not {name!r}", name=name)
    return cast(Clean, name)


def find_tokenizer(path: Path) -> Path:
    for name in ("tokenizer.json", "vocab.txt"):
        if (path / name).is_file():
            return path / name
    raise ModelError("{path}: no tokenizer here; tokenizer.json or vocab.txt is needed", path=path)


def _check_tensors(path: Path, weights: Path, config: dict[str, Any], *, pools: bool) -> None:
    """Refuse weights that are cut short, of another vocabulary, or without the pooler they need."""
    shapes = tensor_shapes(weights)
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


def _refuse_foreign_code(path: Path, config: dict[str, Any]) -> None:
    auto_map = config.get("auto_map")
    if isinstance(auto_map, dict) and any(name.startswith("AutoModel") for name in auto_map):
        raise ModelError(
            "{path}: this model brings its own program code (auto_map), which kcsearch never runs; "
            "choose a model of an architecture that transformers has",
            path=path,
        )


def _check_kinds(file: Path, config: dict[str, Any]) -> None:
    """Names are names, numbers are numbers, and there are no more layers than a model can have."""
    for key in ("model_type", "hidden_act", "position_embedding_type"):
        if not isinstance(config.get(key), str | None):
            raise ModelError("{file}: {key} must be a name", file=file, key=key)
    for key, kind in (("layer_norm_eps", int | float), ("pad_token_id", int | None)):
        if not isinstance(config.get(key, 0), kind):
            raise ModelError("{file}: {key} must be a number", file=file, key=key)
    n_layers = config.get("num_hidden_layers")
    if isinstance(n_layers, int) and n_layers > _MOST_LAYERS:
        raise ModelError(
            "{file}: {key} is {n:,}; no model has more than {most:,}",
            file=file,
            key="num_hidden_layers",
            n=n_layers,
            most=_MOST_LAYERS,
        )


def _sentence_transformers_pooling(path: Path) -> str | None:
    """The pooling that modules.json and its 1_Pooling/config.json declare; None without them."""
    if not (path / "modules.json").is_file():
        return None
    pooling = None
    for module in read_json(path / "modules.json", list):
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
    config = read_object(path)
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
    config = read_object(path / "config_sentence_transformers.json", optional=True)
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
