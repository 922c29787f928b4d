"""The files that every exported folder has: tokenizer, config.json, kcsearch.json, its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tokenizers.normalizers import NFC, Sequence

from kcsearch.errors import ModelError
from kcsearch.models import ModelFolder
from kcsearch.tokenizer import load_tokenizer

_SPECIAL_PIECES = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def write_common_files(folder: ModelFolder, draft: Path) -> None:
    """Write what turns a text into piece ids as kcsearch does, NFC included.

    Raises ModelError for a model whose texts are cleaned first, which no tokenizer file can say.
    """
    if folder.clean != "none":
        raise ModelError(
            "{name}: its texts are cleaned ({clean}) before they are encoded, which no other "
            "program would do: it cannot be exported",
            name=folder.name,
            clean=folder.clean,
        )
    tokenizer = load_tokenizer(folder)
    own = tokenizer.normalizer
    tokenizer.normalizer = NFC() if own is None else Sequence([NFC(), own])
    tokenizer.save(str(draft / "tokenizer.json"))
    known = {
        piece for piece in _SPECIAL_PIECES.values() if tokenizer.token_to_id(piece) is not None
    }
    special = {f"{n}_token": piece for n, piece in _SPECIAL_PIECES.items() if piece in known}
    pad = tokenizer.id_to_token(int(folder.config.get("pad_token_id") or 0))
    write_json(
        draft / "tokenizer_config.json",
        {
            **special,
            "pad_token": pad,
            **folder.tokenizer_config,
            "tokenizer_class": "PreTrainedTokenizerFast",  # tokenizer.json as it stands
            "model_max_length": folder.max_length,
        },
    )
    write_json(draft / "config.json", fp32_config(folder))
    _write_card(folder, draft / "README.md")
    write_json(
        draft / "kcsearch.json",
        {"name": folder.name, "version": folder.revision, **folder.declared()},
    )


def _write_card(folder: ModelFolder, path: Path) -> None:
    """The model's own, or its name: without one sentence-transformers 5 asks the hub for it."""
    own = folder.path / "README.md"
    if own.is_file():
        shutil.copyfile(own, path)
    else:
        path.write_text(
            f"# {folder.name}\n\nWritten by `kcsearch models export`.\n", encoding="utf-8"
        )


def fp32_config(folder: ModelFolder) -> dict[str, Any]:
    """config.json, whose dtype is what transformers computes in, however the weights are kept."""
    config = {name: value for name, value in folder.config.items() if name != "torch_dtype"}
    return {**config, "model_type": folder.architecture, "dtype": "float32"}


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
