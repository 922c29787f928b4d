"""Write a trained encoder as a folder that `--model` takes, all of it or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from kcsearch.json_file import read_object
from kcsearch.models import ModelFolder, read_folder
from kcsearch.new_folder import new_folder

# What says how text becomes pieces; weights and what else lies in the old folder is left behind.
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json",
                   "special_tokens_map.json", "added_tokens.json")  # fmt: skip


def write_trained(
    folder: ModelFolder, tensors: dict[str, torch.Tensor], out: Path, name: str
) -> ModelFolder:
    """Write the tensors with the tokenizer and settings of `folder`; returns the folder, read back.

    The numbers keep the precision that they have in config.json (fp16 in the bundled model).
    """
    with new_folder(out) as draft:
        for file in TOKENIZER_FILES:
            if (folder.path / file).is_file():
                shutil.copyfile(folder.path / file, draft / file)
        config = read_object(folder.path / "config.json")
        dtype = _dtype(config)
        weights = {key: value.to("cpu", dtype).contiguous() for key, value in tensors.items()}
        safetensors.torch.save_file(weights, draft / "model.safetensors", {"format": "pt"})
        _write_json(draft / "config.json", config)
        _write_json(draft / "kcsearch.json", {"name": name, "version": "1", **folder.declared()})
    return read_folder(out, str(out))


def _dtype(config: dict[str, Any]) -> torch.dtype:
    name = config.get("dtype") or config.get("torch_dtype")
    return torch.float16 if name == "float16" else torch.float32


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
