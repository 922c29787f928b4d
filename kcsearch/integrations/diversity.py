"""Maximal marginal relevance: near to the query, and not all saying the same."""

from __future__ import annotations

import numpy as np


def diverse(query: np.ndarray, vectors: np.ndarray, top_k: int, relevance: float) -> list[int]:
    """Positions in `vectors` (n, dim), in the order in which they are chosen; unit rows all.

    Each choice maximises relevance x cosine with the query - (1 - relevance) x the greatest cosine
    with those chosen before (Carbonell and Goldstein, SIGIR 1998). Ties: the first of them.

    >>> rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    >>> diverse(np.array([1.0, 0.0]), rows, 2, 0.5)
    [0, 2]
    """
    nearness = vectors @ query
    chosen: list[int] = []
    redundancy = np.zeros(len(vectors))
    while len(chosen) < min(top_k, len(vectors)):
        gain = relevance * nearness - (1 - relevance) * redundancy
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        cosines = vectors @ vectors[best]
        redundancy = np.maximum(redundancy, cosines) if chosen else cosines
        chosen.append(best)
    return chosen
