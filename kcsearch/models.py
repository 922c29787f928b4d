"""A name or a path to a checked model folder: the bundled one, a local one, or one of the hub.

No model library is imported: a cold query passes through this file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kcsearch.errors import ModelError
from kcsearch.hub_cache import (
    cached_snapshot,
    download,
    hub_cache,
    is_complete,
    looks_like_hub_name,
)
from kcsearch.model_folder import ModelFolder, check_clean, read_folder

__all__ = ["ALIASES", "BUNDLED", "KnownModel", "ModelFolder", "known", "read_folder", "resolve"]

BUNDLED = Path(__file__).parent / "model"


ALIASES = {"kcbert": "beomi/kcbert-base"}


@dataclass(frozen=True)
class KnownModel:
    """A line of `kcsearch models`. size: bytes on this disk. path: None where it is not here."""

    name: str
    alias: str | None
    state: Literal["bundled", "cached", "not cached"]
    architecture: str | None
    size: int
    path: Path | None


def resolve(name: str | Path | None = None, clean: str | None = None) -> ModelFolder:
    """Find a model: the bundled one, a local folder, or a Hugging Face name.

    clean: how texts are cleaned (none, kcbert), in place of what the folder's kcsearch.json says.

    name: None or "bundled"; a folder; `owner/model`, `owner/model@revision` or an alias. A hub
    model is taken from the cache where it is complete there, else downloaded unless HF_HUB_OFFLINE
    is set. Raises ModelError where there is no such model or kcsearch cannot use it.
    """
    folder = _find(name)
    return folder if clean is None else replace(folder, clean=check_clean(clean))


def _find(name: str | Path | None) -> ModelFolder:
    if name is None or name == "bundled":
        return read_folder(BUNDLED, "bundled")
    folder = Path(os.path.expanduser(name))
    if os.path.isdir(folder):  # unlike Path.is_dir, no error for a name that no file can have
        return read_folder(folder.resolve(), str(folder.resolve()))
    repo, _, revision = str(name).partition("@")
    repo = ALIASES.get(repo, repo)
    if isinstance(name, Path) or not looks_like_hub_name(repo, revision or "main"):
        raise _unknown_name(str(name))
    snapshot = cached_snapshot(repo, revision or "main")
    if snapshot is None:
        snapshot = download(repo, revision or "main")
    return read_folder(snapshot, f"{repo}@{snapshot.name}", name=repo, revision=snapshot.name)


def known() -> list[KnownModel]:
    """The models that can be named: bundled, the aliases, then whatever usable the cache holds."""
    aliases = {repo: alias for alias, repo in ALIASES.items()}
    folders = sorted(hub_cache().glob("models--*"))
    cached = [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders]
    repos = [*aliases, *(repo for repo in cached if repo not in aliases)]
    models = [_known(repo, aliases.get(repo), cached_snapshot(repo)) for repo in repos]
    bundled = _known("bundled", None, BUNDLED if is_complete(BUNDLED) else None)
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
