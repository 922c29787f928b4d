"""Models of the Hugging Face hub: found in its cache, or downloaded into it.

The cache is read without huggingface_hub, which takes 0.4 s to import; its layout is documented at
huggingface.co/docs/huggingface_hub/guides/manage-cache.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch
from pathlib import Path

from kcsearch.errors import ModelError
from kcsearch.model_folder import find_tokenizer
from kcsearch.weight_files import WEIGHTS, find_weights, weight_files

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
_LONGEST_NAME = 96  # letters; of a repository, says the hub, and file names have bounds, too


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
    return snapshot if is_complete(snapshot) else None


def is_complete(folder: Path) -> bool:
    try:
        weights = find_weights(folder)
        find_tokenizer(folder)
        return (folder / "config.json").is_file() and all(
            file.is_file() for file in weight_files(weights)
        )
    except (ModelError, OSError):
        return False


def download(repo: str, revision: str) -> Path:
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


def looks_like_hub_name(repo: str, revision: str) -> bool:
    is_short = len(repo) <= _LONGEST_NAME and len(revision) <= _LONGEST_NAME
    return (
        is_short
        and ".." not in f"{repo}{revision}"
        and bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*@\w[\w./-]*", f"{repo}@{revision}", re.ASCII))
    )
