"""Sentence vectors that gradients flow through.

A BERT whose [CLS] is wanted reads every piece up to its last layer, and there [CLS] alone: a third
to a half of the work. Other architectures and poolings run whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kcsearch.types import Pooling

MAX_TOKENS = 4_096  # of a padded part of a batch


def embed(model: Any, ids: Sequence[Sequence[int]], pooling: Pooling) -> Tensor:
    """Unit vectors of some texts, in their order. Shape: (n, width)."""
    device = next(model.parameters()).device
    rows: list[int] = []
    parts = []
    for part in _parts(ids):
        longest = max(len(ids[row]) for row in part)
        padded = torch.full((len(part), longest), model.config.pad_token_id or 0)
        mask = torch.zeros(len(part), longest, dtype=torch.bool)
        for place, row in enumerate(part):
            padded[place, : len(ids[row])] = torch.tensor(ids[row])
            mask[place, : len(ids[row])] = True
        parts.append(pool(model, padded.to(device), mask.to(device), pooling).float())
        rows += part
    order = torch.tensor(rows).argsort().to(device)
    return F.normalize(torch.cat(parts)[order], dim=-1)


def pool(model: Any, ids: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """The pooled vectors of one padded batch, not normalised. Shape: (n, length) -> (n, width)."""
    if model.config.model_type == "bert" and pooling != "mean":
        first = cls_states(model, ids, mask)
        return torch.tanh(model.pooler.dense(first)) if pooling == "pooler" else first
    output = model(input_ids=ids, attention_mask=mask.long())
    if pooling == "pooler":
        pooled: Tensor = output.pooler_output
        return pooled
    hidden: Tensor = output.last_hidden_state
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask[:, :, None].to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def cls_states(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """What BertModel gives as `last_hidden_state[:, 0]`. Shape: (n, length) -> (n, width)."""
    hidden = model.embeddings(input_ids=ids)
    layers = model.encoder.layer
    for number, layer in enumerate(layers):
        asking = hidden[:, :1] if number == len(layers) - 1 else hidden
        attention = layer.attention
        mixed = _attend(attention.self, asking, hidden, mask)
        attended = attention.output(mixed, asking)
        hidden = layer.output(layer.intermediate(attended), attended)
    first: Tensor = hidden[:, 0]
    return first


def _attend(part: Any, asking: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
    """Multi-head attention of some rows over all rows. Shape: (n, asked, width)."""

    def heads(rows: Tensor) -> Tensor:
        n_rows, length, _ = rows.shape
        return rows.view(n_rows, length, part.num_attention_heads, -1).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(
        heads(part.query(asking)),
        heads(part.key(hidden)),
        heads(part.value(hidden)),
        attn_mask=mask[:, None, None, :],
        dropout_p=part.dropout.p if part.training else 0.0,
    )
    return mixed.transpose(1, 2).flatten(-2)


def _parts(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers, longest first, at most MAX_TOKENS padded tokens (or one row) a part."""
    rows = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    while rows:
        n_rows = max(1, MAX_TOKENS // len(ids[rows[0]]))
        yield rows[:n_rows]
        rows = rows[n_rows:]
