"""Write a BERT and its tokenizer as a plain Hugging Face folder, weights in fp16."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertModel

from training.vocabulary import SPECIAL_PIECES, write_vocabulary

NAME, VERSION = "kcsearch-ko-small", "1"


def write_json(path: Path, value: object) -> None:
    """Write JSON with Hangul as it is, replacing the file in one step."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.rename(path)


def tokenizer_settings(max_length: int) -> dict[str, object]:
    """What transformers' BertTokenizer needs to keep case and accents."""
    unk, cls, sep = "[UNK]", "[CLS]", "[SEP]"
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": False,
        "strip_accents": False,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
        "pad_token": "[PAD]",
        "unk_token": unk,
        "cls_token": cls,
        "sep_token": sep,
        "mask_token": "[MASK]",
    }


def file_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file of the folder except its README."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def write_model_folder(
    model: BertModel, tokenizer: Tokenizer, folder: Path, name: str = NAME, version: str = VERSION
) -> dict[str, str]:
    """Write config, tokenizer, fp16 weights and kcsearch.json; returns the sha256 of each file."""
    if any(tokenizer.token_to_id(piece) != i for i, piece in enumerate(SPECIAL_PIECES)):
        raise ValueError(f"special pieces must have the ids 0 to 4: {SPECIAL_PIECES}")
    folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(tokenizer, folder)
    config = model.config
    config.architectures, config.dtype = ["BertModel"], "float16"
    write_json(folder / "config.json", config.to_diff_dict() | {"model_type": "bert"})
    max_length = config.max_position_embeddings
    write_json(folder / "tokenizer_config.json", tokenizer_settings(max_length))
    write_json(
        folder / "kcsearch.json",
        {"name": name, "version": version, "pooling": "pooler", "normalize": True,
         "max_length": max_length},
    )  # fmt: skip
    weights = {
        key: value.detach().to(torch.float16).contiguous()
        for key, value in model.state_dict().items()
    }
    beside = folder / "model.safetensors.part"
    save_file(weights, beside, metadata={"format": "pt"})
    beside.chmod(0o644)  # safetensors makes it readable by its owner only
    beside.rename(folder / "model.safetensors")
    return file_hashes(folder)
