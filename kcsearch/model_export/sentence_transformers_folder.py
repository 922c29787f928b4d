"""A model as a folder of sentence-transformers: Transformer, Pooling, Dense, Normalize.

Dense is the pooler. The names and forms are those that older versions read, too.
sentence-transformers itself is not needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch

from kcsearch.engines.transformers_engine import load_model, quiet
from kcsearch.model_export.common_files import write_common_files, write_json
from kcsearch.models import ModelFolder
from kcsearch.new_folder import new_folder

_POOLING_MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")


def export(folder: ModelFolder, out: Path) -> None:
    """Write the new folder `out`, whose `encode` gives the vectors that kcsearch gives.

    Raises InputError where something is already, ModelError for a model that cannot be said so.
    """
    with new_folder(out) as draft:
        model = load_model(folder)
        with quiet():
            model.save_pretrained(draft)
        write_common_files(folder, draft)
        modules = ["Transformer", "Pooling"]
        modules += ["Dense"] if folder.pooling == "pooler" else []
        modules += ["Normalize"]
        paths = ["" if kind == "Transformer" else f"{i}_{kind}" for i, kind in enumerate(modules)]
        for path in paths:
            (draft / path).mkdir(exist_ok=True)
        write_json(draft / "modules.json", [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(zip(modules, paths, strict=True))
        ])  # fmt: skip
        write_json(draft / "1_Pooling/config.json", _pooling(folder))
        if folder.pooling == "pooler":
            _write_pooler(model, draft / "2_Dense")
        write_json(
            draft / "sentence_bert_config.json",
            {"max_seq_length": folder.max_length, "do_lower_case": False},
        )
        prompts = {"query": folder.query_prompt, "document": folder.passage_prompt}
        write_json(
            draft / "config_sentence_transformers.json",
            {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"},
        )


def _pooling(folder: ModelFolder) -> dict[str, Any]:
    mode = "mean_tokens" if folder.pooling == "mean" else "cls_token"
    return {
        "word_embedding_dimension": folder.dim,
        **{f"pooling_mode_{name}": name == mode for name in _POOLING_MODES},
    }


def _write_pooler(model: Any, folder: Path) -> None:
    """The pooler's weights as a Dense layer with tanh, which is what a pooler is."""
    tensors = model.state_dict()
    weights = {
        f"linear.{part}": tensors[f"pooler.dense.{part}"].float().contiguous()
        for part in ("weight", "bias")
    }
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    n_out, n_in = weights["linear.weight"].shape
    write_json(
        folder / "config.json",
        {
            "in_features": n_in,
            "out_features": n_out,
            "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        },
    )
