"""The forward pass of any encoder that transformers knows: the reference, and the fallback.

Plain `AutoModel` in padded batches. The fast engines for BERT have to equal it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

from kcsearch.engines.torch_threads import use_threads
from kcsearch.errors import InputError, ModelError
from kcsearch.models import ModelFolder

MAX_TOKENS = 4_096  # a batch, padding included; 1,500 to 4,000 measured best on CPU
_DTYPES = {"auto": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16}


class TransformersEngine:
    """`transformers.AutoModel` behind the Engine protocol.

    precision: auto (fp32), fp32, bf16. device: auto, or what `torch.device` takes.
    threads: of torch in this whole process; None leaves them alone.
    """

    def __init__(
        self,
        folder: ModelFolder,
        precision: str = "auto",
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        if precision not in _DTYPES:
            known = ", ".join(_DTYPES)
            raise InputError("precision {name!r} is none of {known}", name=precision, known=known)
        use_threads(threads)
        self._device = _device(device)
        self._dim, self._pooling = folder.dim, folder.pooling
        model = load_model(folder)
        self._pad = model.config.pad_token_id or 0  # XLM-R counts positions by it: it must be right
        self._model = model.to(self._device, _DTYPES[precision]).eval()

    def pool(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """float32 (n, dim) before normalisation: `pooler_output`, last [CLS], or masked mean."""
        vectors = np.zeros((len(ids), self._dim), dtype=np.float32)
        for rows in _batches(ids):
            hidden, pooled, mask = self.forward([ids[row] for row in rows])
            if self._pooling == "cls":
                pooled = hidden[:, 0]
            elif self._pooling == "mean":
                weights = mask[:, :, None].to(hidden.dtype)
                pooled = (hidden * weights).sum(1) / weights.sum(1)
            assert pooled is not None  # models.resolve refuses `pooler` without its weights
            vectors[rows] = pooled.float().cpu().numpy()
        return vectors

    def words(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Per sequence the last hidden state, float32 (length, hidden)."""
        states: dict[int, np.ndarray] = {}
        for rows in _batches(ids):
            hidden = self.forward([ids[row] for row in rows])[0].float().cpu().numpy()
            states |= {row: hidden[i, : len(ids[row])].copy() for i, row in enumerate(rows)}
        return [states[row] for row in range(len(ids))]

    def forward(
        self, ids: Sequence[Sequence[int]], length: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Run one batch, padded to `length` or to its longest sequence.

        Returns the last hidden state (n, length, hidden), `pooler_output` (n, hidden) or None where
        the architecture has none, and the attention mask (n, length); on the engine's device.
        """
        length = length or max(map(len, ids))
        input_ids = torch.full((len(ids), length), self._pad, dtype=torch.long)
        mask = torch.zeros_like(input_ids)
        for row, sequence in enumerate(ids):
            input_ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
            mask[row, : len(sequence)] = 1
        mask = mask.to(self._device)
        with torch.inference_mode():
            outputs = self._model(input_ids=input_ids.to(self._device), attention_mask=mask)
        return outputs.last_hidden_state, getattr(outputs, "pooler_output", None), mask


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers, longest first, at most MAX_TOKENS padded tokens (or one row) a batch."""
    rows = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    while rows:
        n_rows = max(1, MAX_TOKENS // len(ids[rows[0]]))
        yield rows[:n_rows]
        rows = rows[n_rows:]


def load_model(folder: ModelFolder) -> Any:
    """Load the encoder without its training heads; refuse weights that would be random."""
    try:
        with quiet():
            model, info = AutoModel.from_pretrained(
                folder.weights.parent,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=".safetensors" in folder.weights.suffixes,
                output_loading_info=True,
            )
    except pickle.UnpicklingError as error:
        raise ModelError(
            "{path} holds more than tensors; such a file can run program code, so it is not loaded",
            path=folder.weights,
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            "transformers cannot load {path}: {reason}",
            path=folder.path,
            reason=str(error).strip().split("\n")[0],
        ) from error
    random = [name for name in info["missing_keys"] if not name.endswith("position_ids")]
    if folder.pooling != "pooler":
        random = [name for name in random if ".pooler." not in f".{name}"]
    if random:
        raise ModelError(
            "{path} has no {name} (of {n} missing tensors): its vectors would come from random "
            "numbers",
            path=folder.weights,
            name=min(random),
            n=len(random),
        )
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and load report off the caller's stderr meanwhile."""
    logging: Any = transformers_logging  # typed in some versions of transformers only
    level, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shows_bars:
            logging.enable_progress_bar()


def _device(name: str) -> torch.device:
    if name == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError("torch has no device {name!r}", name=name) from error
