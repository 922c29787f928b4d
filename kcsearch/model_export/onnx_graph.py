"""A model as one ONNX graph, from piece ids to unit vectors, with its tokenizer beside it.

Inputs: input_ids and attention_mask, int64 (batch, length). Output: sentence_embedding, float32
(batch, dim), pooled and scaled to length one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kcsearch.engines.transformers_engine import load_model
from kcsearch.errors import MissingExtraError
from kcsearch.model_export.common_files import write_common_files
from kcsearch.models import ModelFolder
from kcsearch.new_folder import new_folder
from kcsearch.types import Pooling

try:
    import onnxscript  # noqa: F401  (torch writes the graph with it)
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'", package="onnxscript", extra="onnx"
    ) from error

OPSET = 18
MAX_BYTES = 1_900_000_000  # a protobuf file holds 2 GB; beyond that the numbers lie beside it


class _UnitVectors(nn.Module):
    def __init__(self, model: Any, pooling: Pooling) -> None:
        super().__init__()
        self.model, self.pooling = model, pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        if self.pooling == "pooler":
            return F.normalize(output.pooler_output, dim=-1)
        hidden: Tensor = output.last_hidden_state
        if self.pooling == "cls":
            return F.normalize(hidden[:, 0], dim=-1)
        return F.normalize((hidden * attention_mask[:, :, None]).sum(1), dim=-1)


def export(folder: ModelFolder, out: Path) -> None:
    """Write the new folder `out` with model.onnx. Raises InputError, ModelError."""
    with new_folder(out) as draft:
        module = _UnitVectors(load_model(folder).float().eval(), folder.pooling)
        n_bytes = sum(4 * weight.numel() for weight in module.parameters())
        ids = torch.ones(2, 8, dtype=torch.long)
        batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
        shape = {0: batch, 1: length}
        with _quiet(), torch.inference_mode():
            torch.onnx.export(
                module,
                (ids, torch.ones_like(ids)),
                str(draft / "model.onnx"),
                input_names=["input_ids", "attention_mask"],
                output_names=["sentence_embedding"],
                dynamic_shapes={"input_ids": shape, "attention_mask": shape},
                opset_version=OPSET,
                external_data=n_bytes > MAX_BYTES,
                dynamo=True,
            )
        write_common_files(folder, draft)


@contextmanager
def _quiet() -> Iterator[None]:
    """torch tells every step of an export on standard output, which is for data."""
    import io

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
