"""What a layer adds exactly nothing with, left out: heads and numbers of heads that are zero.

A layer of which a part was pruned away (Michel et al. 2019, arXiv:1905.10650) is stored in full,
since BertModel knows no other shape; the bundled model has such layers. Only exact zeros are left
out, so that the result is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_STEP = 16  # what a head's size is rounded up to: kernels like it

Weights = tuple[Tensor, Tensor]  # (out, in) and (out,)


@dataclass(frozen=True, slots=True)
class Attention:
    """The four linear parts of a layer's attention, with as many heads of a size as they need."""

    query: Weights
    key: Weights
    value: Weights
    output: Weights
    n_heads: int
    head: int
    scale: float  # of a query's product with a key


def live_attention(tensors: Mapping[str, Tensor], attention: str, n_heads: int) -> Attention:
    """The attention of a layer without its dead heads, or whole if little of it is dead.

    A number of a head counts where the output reads its value, or where both its query and its key
    can be anything but zero.
    """

    def linear(name: str) -> Weights:
        return tensors[f"{attention}.{name}.weight"], tensors[f"{attention}.{name}.bias"]

    query, key, value = (linear(f"self.{name}") for name in ("query", "key", "value"))
    output = linear("output.dense")
    hidden = len(query[0])
    head = hidden // n_heads
    whole = Attention(query, key, value, output, n_heads, head, head**-0.5)

    def is_live(weights: Weights) -> Tensor:
        weight, bias = weights
        return (weight.ne(0).any(1) | bias.ne(0)).view(n_heads, head)

    carries = is_live(value) & output[0].ne(0).any(0).view(n_heads, head)
    compares = is_live(query) & is_live(key)
    live = carries.any(1).nonzero()[:, 0].tolist()
    n_live = max(len(live), 1)  # without any a head of zeros stays
    widest = max((int(part[i].sum()) for part in (carries, compares) for i in live), default=1)
    size = -(-widest // _STEP) * _STEP
    if n_live * size > hidden // 2:
        return whole

    def places(chosen: Tensor) -> tuple[Tensor, Tensor]:
        """From where in the whole to where in the small."""
        pairs = [
            (i * head + int(number), place * size + at)
            for place, i in enumerate(live)
            for at, number in enumerate(chosen[i].nonzero()[:, 0])
        ]
        both = torch.tensor(pairs, dtype=torch.long).view(-1, 2)
        return both[:, 0], both[:, 1]

    def rows(weights: Weights, chosen: Tensor) -> Weights:
        old, new = places(chosen)
        weight, bias = weights
        fewer = weight.new_zeros(n_live * size, hidden), bias.new_zeros(n_live * size)
        fewer[0][new], fewer[1][new] = weight[old], bias[old]
        return fewer

    old, new = places(carries)
    columns = output[0].new_zeros(hidden, n_live * size)
    columns[:, new] = output[0][:, old]
    return Attention(
        rows(query, compares),
        rows(key, compares),
        rows(value, carries),
        (columns, output[1]),
        n_live,
        size,
        whole.scale,
    )
