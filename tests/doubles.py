"""An encoder that needs no model: small, deterministic, and real enough to rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np

from kcsearch.hangul import bigrams
from kcsearch.types import Role


class HashEncoder:
    """The mean of the hashes of a text's syllable bigrams: texts that share words are near.

    dim: at most 64. limit: characters in a window. n_encoded: passages encoded so far.
    texts: the passages of the last call.
    """

    def __init__(self, dim: int = 64, limit: int = 40, name: str = "hashed bigrams") -> None:
        self.dim = dim
        self.n_encoded = 0
        self.texts: list[str] = []
        self._limit = limit
        self._name = name

    def fingerprint(self) -> Mapping[str, Any]:
        return {"name": self._name, "revision": "1", "hash": self._name, "limit": self._limit}

    def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        if role == "passage":
            self.n_encoded += len(texts)
            self.texts = list(texts)
        vectors = np.array([self._sum(text) for text in texts], np.float32).reshape(-1, self.dim)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def split(self, text: str) -> list[str]:
        """Windows of at most `limit` characters, cut after white space where there is any."""
        windows = []
        while len(text) > self._limit:
            cut = max((i + 1 for i in range(self._limit) if text[i].isspace()), default=self._limit)
            windows.append(text[:cut])
            text = text[cut:]
        return [*windows, text] if text else windows

    def _sum(self, text: str) -> np.ndarray:
        tokens = bigrams(text) or [text]
        return np.sum([_hashed(token)[: self.dim] for token in tokens], axis=0)


@cache
def _hashed(token: str) -> np.ndarray:
    """float64 (64,): odd numbers, so that no sum of a few is zero."""
    digest = blake2b(token.encode(), digest_size=64).digest()
    return np.frombuffer(digest, np.uint8) * 2.0 - 255.0
