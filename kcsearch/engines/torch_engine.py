"""BERT's forward pass for many texts, in torch: no padding, results in input order.

The token rows of a batch lie one after the other in one matrix, linear layers run on it whole,
attention runs per group of sequences of equal length, the last layer for the [CLS] rows only,
without the keys and values of the others. Equal to transformers within 1e-5 in fp32. Anything but
BERT is transformers_engine.py's work.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from kcsearch.engines.bert_layout import flatten, pick, read_shape
from kcsearch.engines.torch_linear import Linear, choose_precision, linear_maker
from kcsearch.engines.torch_pruning import Weights, live_attention
from kcsearch.engines.torch_threads import use_threads
from kcsearch.errors import InputError, ModelError
from kcsearch.models import ModelFolder

# Rows of a batch. On CPU measured best from 1,500 to 4,000; a deterministic batch has room for as
# many, full or not, so that a small one wastes less.
BATCH_ROWS = {"cpu": 2_048, "cuda": 16_384, "mps": 4_096}
DETERMINISTIC_ROWS = 512

# oneDNN builds a kernel for every new number of rows: these leave it about a dozen in all.
ROW_STEP, CLS_STEP = 256, 64

_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,  # also for a pickle that holds more than tensors
    safetensors.SafetensorError,
)


@dataclass(frozen=True, slots=True)
class _Layer:
    query: Linear
    key_value: Linear  # side by side
    output: Linear
    n_heads: int
    head: int
    scale: float  # of a query's product with a key
    output_norm: tuple[Tensor, Tensor]
    intermediate: Linear | None  # None: the feed-forward part adds its last bias alone
    final: Linear
    final_bias: Tensor
    final_norm: tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: np.ndarray  # int64 (n,): places in the caller's list
    n_tokens: int  # room for so many, and for
    n_sequences: int


class TorchEngine:
    """A BERT folder behind the Engine protocol.

    precision: auto, fp32, bf16, int8 (CPU only; moves some neighbours). auto is bf16 on CUDA and on
    processors with AMX, else fp32. device: auto (cuda, mps, cpu in this order) or what
    `torch.device` takes. threads: of torch in this whole process; None leaves them alone.
    deterministic: a sequence gets the same bytes whatever its company and their order, on the same
    machine with the same number of threads; slower, and not for int8, which scales by batch.
    """

    def __init__(
        self,
        folder: ModelFolder,
        precision: str = "auto",
        device: str = "auto",
        threads: int | None = None,
        deterministic: bool = False,
    ) -> None:
        use_threads(threads)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        if deterministic and self.precision == "int8":
            raise InputError("int8 scales by batch, so that it cannot be deterministic")
        self._is_deterministic = deterministic
        self._pooling, self._shape = folder.pooling, read_shape(folder)
        self._dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        with torch.inference_mode():
            self._load(pick(_read(folder), self._shape, folder))

    def _load(self, tensors: dict[str, Tensor]) -> None:
        """Embeddings and pooler stay in fp32, whatever the precision: they cost next to nothing."""
        get = {name: tensor.float().to(self.device) for name, tensor in tensors.items()}
        make = linear_maker(self.precision, self.device)

        def linear(*weights: Weights, activation: str = "none") -> Linear:
            weight, bias = (torch.cat(parts) for parts in zip(*weights, strict=True))
            return make(weight.to(self._dtype), bias.to(self._dtype), activation)

        def named(name: str) -> Weights:
            return get[f"{name}.weight"], get[f"{name}.bias"]

        def norm(name: str) -> tuple[Tensor, Tensor]:
            return get[f"{name}.weight"].to(self._dtype), get[f"{name}.bias"].to(self._dtype)

        self._words = get["embeddings.word_embeddings.weight"]
        self._positions = get["embeddings.position_embeddings.weight"]
        self._positions = self._positions + get["embeddings.token_type_embeddings.weight"][0]
        self._norm = get["embeddings.LayerNorm.weight"], get["embeddings.LayerNorm.bias"]
        self._layers = []
        for i in range(self._shape.n_layers):
            at = f"encoder.layer.{i}"
            attention = live_attention(get, f"{at}.attention", self._shape.n_heads)
            deep, final = named(f"{at}.intermediate.dense"), named(f"{at}.output.dense")
            self._layers.append(
                _Layer(
                    query=linear(attention.query),
                    key_value=linear(attention.key, attention.value),
                    output=linear(attention.output),
                    n_heads=attention.n_heads,
                    head=attention.head,
                    scale=attention.scale,
                    output_norm=norm(f"{at}.attention.output.LayerNorm"),
                    intermediate=linear(deep, activation=self._shape.activation)
                    if final[0].any()
                    else None,
                    final=linear(final),
                    final_bias=final[1].to(self._dtype),
                    final_norm=norm(f"{at}.output.LayerNorm"),
                )
            )
        # Of the last layer:
        by_head = (attention.n_heads, attention.head, self._shape.hidden)
        self._last_key = attention.key[0].to(self._dtype).view(by_head)
        value, self._last_value_bias = (part.to(self._dtype) for part in attention.value)
        self._last_value = value.view(by_head).transpose(1, 2).contiguous()
        if self._pooling == "pooler":
            self._pooler = get["pooler.dense.weight"], get["pooler.dense.bias"]

    def pool(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """float32 (n, dim) before normalisation: pooler's tanh, last [CLS], or mean of all."""
        vectors = np.zeros((len(ids), self._shape.hidden), np.float32)
        for batch in self._batches(ids):
            with torch.inference_mode():
                hidden = self._last_hidden(ids, batch, cls_only=self._pooling != "mean").float()
                if self._pooling == "pooler":
                    hidden = torch.tanh(F.linear(hidden, *self._pooler))
                elif self._pooling == "mean":
                    sizes = [len(ids[row]) for row in batch.rows]
                    pieces = torch.split(hidden[: sum(sizes)], sizes)
                    hidden = torch.stack([piece.mean(0) for piece in pieces])
                vectors[batch.rows] = hidden[: len(batch.rows)].cpu().numpy()
        return vectors

    def words(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Per sequence the last hidden state, float32 (length, hidden)."""
        states: dict[int, np.ndarray] = {}
        for batch in self._batches(ids):
            with torch.inference_mode():
                hidden = self._last_hidden(ids, batch, cls_only=False).float().cpu().numpy()
            ends = np.cumsum([len(ids[row]) for row in batch.rows])
            own = zip(batch.rows.tolist(), np.split(hidden, ends)[:-1], strict=True)
            states |= {row: state.copy() for row, state in own}
        return [states[row] for row in range(len(ids))]

    def _batches(self, ids: Sequence[Sequence[int]]) -> Iterator[_Batch]:
        """By rising length. Deterministic ones hold one length, with room for a fixed number."""
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        order = np.argsort(lengths, kind="stable")
        lengths = lengths[order]
        ends = np.cumsum(lengths)
        start = 0
        while start < len(order):
            if self._is_deterministic:
                length = int(lengths[start])
                n = max(1, DETERMINISTIC_ROWS // length)
                stop = min(start + n, int(np.searchsorted(lengths, length, side="right")))
                yield _Batch(order[start:stop], n * length, n)
            else:
                before = ends[start - 1] if start else 0
                limit = before + BATCH_ROWS[self.device.type]
                stop = max(start + 1, int(np.searchsorted(ends, limit, side="right")))
                yield _Batch(order[start:stop], int(ends[stop - 1] - before), stop - start)
            start = stop

    def _last_hidden(self, ids: Sequence[Sequence[int]], batch: _Batch, cls_only: bool) -> Tensor:
        """(rows, hidden): the tokens, or with `cls_only` each sequence's [CLS]; then filling."""
        flat, lengths = flatten([ids[row] for row in batch.rows], self._shape)
        starts = np.cumsum(lengths) - lengths
        place = np.arange(len(flat)) - np.repeat(starts, lengths)
        n_rows = _padded(batch.n_tokens, ROW_STEP)
        pieces, positions = self._filled(flat, n_rows), self._filled(place, n_rows)
        values, counts = np.unique(lengths, return_counts=True)
        groups = list(zip(values.tolist(), counts.tolist(), strict=True))
        # Sums go into a matrix that is there: a fresh one costs more than the sum (1 % in all).
        x = F.embedding(pieces, self._words).add_(F.embedding(positions, self._positions))
        x = F.layer_norm(x, x.shape[-1:], *self._norm, self._shape.eps).to(self._dtype)
        for layer in self._layers[:-1]:
            x = self._layer(layer, x, x, groups)
        if not cls_only:
            return self._layer(self._layers[-1], x, x, groups)
        first = x[self._filled(starts, _padded(batch.n_sequences, CLS_STEP))]
        if self._is_deterministic:
            return self._layer(self._layers[-1], x, first, groups)
        return self._last_layer(x, first, groups)

    def _filled(self, numbers: np.ndarray, n: int) -> Tensor:
        """int64 (n,) on the device: the numbers, then zeros."""
        return F.pad(torch.from_numpy(numbers), (0, n - len(numbers))).to(self.device)

    def _layer(
        self, layer: _Layer, x: Tensor, asking: Tensor, groups: list[tuple[int, int]]
    ) -> Tensor:
        """x: (rows, hidden). asking: the rows that go on, x itself or one a sequence.

        groups: (length, how many sequences of it), in the order of the rows.
        """
        heads, head = layer.n_heads, layer.head
        query, (key, value) = layer.query(asking), layer.key_value(x).chunk(2, dim=-1)
        context = torch.empty_like(query)
        row = at = 0  # in x, in asking
        for length, n in groups:
            n_asking = length if asking is x else 1
            own, ask = slice(row, row + n * length), slice(at, at + n * n_asking)
            mixed = self._attend(
                query[ask].view(n, n_asking, heads, head),
                key[own].view(n, length, heads, head),
                value[own].view(n, length, heads, head),
                layer.scale,
            )
            context[ask] = mixed.reshape(n * n_asking, heads * head)
            row, at = own.stop, ask.stop
        context[at:] = 0
        return self._after_attention(layer, context, asking)

    def _last_layer(self, x: Tensor, asking: Tensor, groups: list[tuple[int, int]]) -> Tensor:
        """What `_layer` gives for one row a sequence, without the keys and values of the others.

        q · (W x) is (W^T q) · x, and a weighted sum of W x is W times the weighted sum of x: a few
        products a sequence instead of two a token. A key's bias moves all logits of a query alike.
        """
        layer = self._layers[-1]
        heads, head = layer.n_heads, layer.head
        query = layer.query(asking).view(-1, heads, head) * layer.scale
        sought = torch.bmm(query.transpose(0, 1), self._last_key).transpose(0, 1)
        mixed = torch.empty_like(sought)  # (asking, heads, hidden)
        row = at = 0
        for length, n in groups:
            # One attention head as wide as the whole row, which stands for its key and its value.
            own = x[row : row + n * length].view(n, 1, length, -1)
            asked = sought[at : at + n, None]
            mixed[at : at + n] = F.scaled_dot_product_attention(asked, own, own, scale=1.0)[:, 0]
            row, at = row + n * length, at + n
        mixed[at:] = 0
        values = torch.bmm(mixed.transpose(0, 1), self._last_value).transpose(0, 1)
        context = values.reshape(-1, heads * head) + self._last_value_bias
        return self._after_attention(layer, context, asking)

    def _after_attention(self, layer: _Layer, context: Tensor, asking: Tensor) -> Tensor:
        attended = layer.output(context).add_(asking)
        x = F.layer_norm(attended, attended.shape[-1:], *layer.output_norm, self._shape.eps)
        if layer.intermediate is None:
            deep = x + layer.final_bias
        else:
            deep = layer.final(layer.intermediate(x)).add_(x)
        return F.layer_norm(deep, x.shape[-1:], *layer.final_norm, self._shape.eps)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """(n, asking, heads, head) of a query like it; key and value: (n, length, heads, head).

        Torch's kernel is not quite blind to a sequence's place in memory: when deterministic, each
        sequence goes through alone, from memory that begins alike.
        """
        if not self._is_deterministic:
            return _attention(query, key, value, scale=scale)
        each = zip(*(torch.split(part, 1) for part in (query, key, value)), strict=True)
        alike = torch.contiguous_format
        return torch.cat(
            [
                _attention(*(part.clone(memory_format=alike) for part in one), scale=scale)
                for one in each
            ]
        )


def _attention(query: Tensor, key: Tensor, value: Tensor, *, scale: float) -> Tensor:
    if query.shape[1] > 1:
        q, k, v = (part.transpose(1, 2) for part in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v, scale=scale).transpose(1, 2)
    # As quick for a single query, and the same whatever stands beside it; torch's own is not.
    weights = (query * key).sum(-1, keepdim=True, dtype=torch.float32) * scale
    mixed: Tensor = (weights.softmax(1).to(value.dtype) * value).sum(1, keepdim=True)
    return mixed


def choose_device(name: str) -> torch.device:
    """auto: cuda, else mps, else cpu. InputError for a device that torch does not have here."""
    if name == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise InputError("no device {name!r} here: {why}", name=name, why=reason) from error
    if device.type not in BATCH_ROWS:
        raise InputError("no device {name!r} here: use cpu, cuda or mps", name=name)
    return device


def _read(folder: ModelFolder) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in folder.weight_files:
        try:
            if file.suffix == ".safetensors":
                tensors |= safetensors.torch.load_file(file)
            else:
                is_zip = zipfile.is_zipfile(file)  # files of before torch 1.6 are not
                tensors |= torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip)
        except _UNREADABLE as error:
            reason = str(error).split("\n")[0]
            raise ModelError("{file}: {reason}", file=file, reason=reason) from error
    return tensors


def _padded(n: int, step: int) -> int:
    """Round up to a multiple of `step`, below it to a power of two; never to 1,024.

    With AMX exactly 1,024 rows were slow, likely for the cache lines that they share.
    """
    if n < step:
        return max(16, 1 << (n - 1).bit_length())
    up = -(-n // step) * step
    return up + step if up == 1_024 else up
