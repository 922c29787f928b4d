"""BERT's forward pass for a handful of texts in a cold process: numpy on memory-mapped weights.

Imports neither torch nor transformers; many texts are torch_engine.py's work. Equal to transformers
within 1e-5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kcsearch.engines.bert_layout import flatten, pick, read_shape
from kcsearch.engines.safetensors_file import map_tensors, widen
from kcsearch.errors import ModelError
from kcsearch.models import ModelFolder

MAX_TOKENS = 1_024  # of one pass, so that memory does not grow with the number of texts


class NumpyEngine:
    """A BERT folder behind the Engine protocol. Reads .safetensors only, and of it what is used.

    Weights stored as fp16 or bf16 are widened when a layer is first used, and kept.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self._shape = read_shape(folder)
        self._pooling = folder.pooling
        stored: dict[str, np.ndarray] = {}
        for file in folder.weight_files:
            if file.suffix != ".safetensors":
                raise ModelError("{file}: the numpy engine reads .safetensors only", file=file)
            stored |= map_tensors(file)
        self._stored = pick(stored, self._shape, folder)
        self._widened: dict[str, np.ndarray] = {}

    def pool(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """float32 (n, dim) before normalisation: pooler's tanh, [CLS], or mean of all."""
        parts: list[np.ndarray] = [np.zeros((0, self._shape.hidden), np.float32)]
        for flat, lengths in self._passes(ids):
            starts = np.cumsum(lengths) - lengths
            if self._pooling == "mean":
                hidden = self._last_hidden(flat, lengths, cls_only=False)
                parts.append(np.add.reduceat(hidden, starts) / lengths[:, None].astype(np.float32))
                continue
            first = self._last_hidden(flat, lengths, cls_only=True)
            is_pooled = self._pooling == "pooler"
            parts.append(np.tanh(self._linear("pooler.dense", first)) if is_pooled else first)
        return np.concatenate(parts)

    def words(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Per sequence the last hidden state, float32 (length, hidden)."""
        return [
            states
            for flat, lengths in self._passes(ids)
            for states in np.split(
                self._last_hidden(flat, lengths, cls_only=False), np.cumsum(lengths)[:-1]
            )
        ]

    def _passes(self, ids: Sequence[Sequence[int]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Piece ids (tokens,) and lengths (n,), in input order, about MAX_TOKENS at a time."""
        start = n_tokens = 0
        for stop in range(1, len(ids) + 1):
            n_tokens += len(ids[stop - 1])
            if n_tokens >= MAX_TOKENS or stop == len(ids):
                yield flatten(ids[start:stop], self._shape)
                start, n_tokens = stop, 0

    def _last_hidden(self, flat: np.ndarray, lengths: np.ndarray, cls_only: bool) -> np.ndarray:
        """float32 (tokens, hidden), no padding; with `cls_only` (n, hidden), of the [CLS] rows."""
        ends = np.cumsum(lengths)
        positions = np.concatenate([np.arange(length) for length in lengths])
        x = widen(self._stored["embeddings.word_embeddings.weight"][flat])
        x = x + widen(self._stored["embeddings.token_type_embeddings.weight"][0])
        x += self._get("embeddings.position_embeddings.weight")[positions]
        x = self._norm("embeddings.LayerNorm", x)
        for i in range(self._shape.n_layers):
            is_last = i == self._shape.n_layers - 1
            queries = ends - lengths if cls_only and is_last else slice(None)
            x = self._layer(f"encoder.layer.{i}", x, x[queries], ends)
        return x

    def _layer(self, name: str, x: np.ndarray, asking: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """x: (tokens, hidden). asking: the rows that go on, all of them or one a sequence."""
        heads, head = self._shape.n_heads, self._shape.head
        query = self._linear(f"{name}.attention.self.query", asking) / np.float32(head**0.5)
        key = self._linear(f"{name}.attention.self.key", x)
        value = self._linear(f"{name}.attention.self.value", x)
        query, key, value = (m.reshape(-1, heads, head).swapaxes(0, 1) for m in (query, key, value))
        context = np.empty_like(query)  # (heads, rows, head)
        start = 0
        for i, end in enumerate(ends):
            own = slice(start, end) if len(asking) == len(x) else slice(i, i + 1)
            weights = query[:, own] @ key[:, start:end].swapaxes(1, 2)
            weights -= weights.max(-1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(-1, keepdims=True)
            context[:, own] = weights @ value[:, start:end]
            start = end
        mixed = context.swapaxes(0, 1).reshape(len(asking), -1)
        mixed = self._linear(f"{name}.attention.output.dense", mixed)
        x = self._norm(f"{name}.attention.output.LayerNorm", mixed + asking)
        deep = _activate(self._shape.activation, self._linear(f"{name}.intermediate.dense", x))
        return self._norm(
            f"{name}.output.LayerNorm", self._linear(f"{name}.output.dense", deep) + x
        )

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        out: np.ndarray = x @ self._get(f"{name}.weight").T
        out += self._get(f"{name}.bias")
        return out

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self._shape.eps))
        x *= self._get(f"{name}.weight")
        x += self._get(f"{name}.bias")
        return x

    def _get(self, name: str) -> np.ndarray:
        if name not in self._widened:
            self._widened[name] = widen(self._stored[name])
        return self._widened[name]


def _activate(name: str, x: np.ndarray) -> np.ndarray:
    if name == "relu":
        return np.where(x > 0, x, np.float32(0))
    if name == "tanh":  # Hendrycks and Gimpel 2016, arXiv:1606.08415: the approximation
        share = np.tanh(0.7978845608 * (x + 0.044715 * x * x * x))  # sqrt(2 / pi)
    else:
        share = _erf(x * 0.7071067812)  # 1 / sqrt 2
    out: np.ndarray = x * (0.5 + 0.5 * share)
    return out


def _erf(x: np.ndarray) -> np.ndarray:
    """Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: error below 1.5e-7.

    In float32 with rounding 5.4e-7; scipy's exact one brought nothing after 12 layers.
    """
    size = np.abs(x)
    t = 1 / (1 + 0.3275911 * size)
    tail = t * 1.061405429
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = t * (coefficient + tail)
    erf: np.ndarray = np.copysign(1 - tail * np.exp(-size * size), x)
    return erf
