"""Join dense and lexical candidates into one ranked list: pure functions, no store and no encoder.

Both sides are put on one scale, the surprise in nats (-ln p) that a document which has nothing to
do with the query would be this near to it, and added:

    score = z^2 / 2 + 0.8 I s^2

    z  max(0, (cosine - expected) / spread): how far the cosine stands above chance. expected is the
       query's mean cosine with the collection, spread the standard deviation of the cosines of
       random pairs, so it makes no difference where and how densely a model's cosines lie.
       z^2 / 2 is the tail of the normal distribution.
    I  the sum of the weights of the query's tokens, weight = ln(1 + (N - n + 0.5) / (n + 0.5))
       (the idf of BM25, n of N rows hold the token) / sqrt(k), because the k bigrams of one word
       mostly come together; k counts at most to 5, because a query without spaces is several words.
    s  the share of I whose tokens the document holds. Squared, a chance overlap of a few tokens
       weighs little, and a text that holds the whole query much.

BM25 only chooses the lexical candidates: how often a token occurs says little in short texts, and
every candidate gets both parts of the score, whichever side found it.

0.8, sqrt, 5 and the square were chosen with the first bundled model on KorQuAD, statutes, Wikipedia
sections, question pairs and data/everyday, and looked at again with the third and the sixth: 0.5
to 1.3 are within a point of 0.8. benchmarks/quality.md has the figures, and the check of one half
of the sets by the other; benchmarks/README.md tells what else was tried.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kcsearch.hangul import bigrams, fold

N_CANDIDATES = 100  # from each side
LEXICAL_WEIGHT = 0.8
_LONGEST_WORD = 5  # in bigrams
_N_PAIRS = 20_000
_LEAST_PAIRS = 1_000  # 46 texts; fewer say nothing of a tenth of a per cent
_PRIOR_SPREAD, _PRIOR_PAIRS = 0.1, 10  # what is assumed of a collection of a few texts
_SYLLABLES = re.compile("[가-힣]+")


@dataclass(frozen=True, slots=True)
class Background:
    """Cosines that mean nothing: those of random pairs of rows.

    mean: float32 (dim,), of the vectors; its product with a query is the query's expected cosine.
    quantiles: float32 (1001,), ascending: the least of the cosines, then 0.1 %, 0.2 % … of them.
    n_pairs: how many they were.
    """

    mean: np.ndarray
    spread: float
    quantiles: np.ndarray
    n_pairs: int

    @property
    def center(self) -> float:
        """The median cosine: near 0 for a model trained for similarity, near 1 where all bunch."""
        return float(self.quantiles[len(self.quantiles) // 2])

    def percentile_of(self, cosine: float) -> float | None:
        """How many of 100 random pairs are less near than `cosine`; None if pairs are too few."""
        if self.n_pairs < _LEAST_PAIRS:
            return None
        return float(np.searchsorted(self.quantiles, cosine)) / len(self.quantiles) * 100

    def cosine_at(self, percentile: float) -> float | None:
        """The cosine that so many of 100 random pairs do not reach; None if pairs are too few."""
        if self.n_pairs < _LEAST_PAIRS:
            return None
        levels = np.linspace(0, 100, len(self.quantiles))
        return float(np.interp(percentile, levels, self.quantiles))


@dataclass(frozen=True, slots=True)
class Joined:
    """A candidate with its score and what it was made of.

    score = dense + lexical, in nats. A rank (from 1) and bm25 are None where a side had not found
    it. matched: the tokens of the query that its text holds.
    """

    row_id: int
    score: float
    cosine: float
    dense: float
    lexical: float
    dense_rank: int | None
    lexical_rank: int | None
    bm25: float | None
    matched: tuple[str, ...]


def background(vectors: np.ndarray, rng: np.random.Generator) -> Background:
    """Measure it on a sample of the stored vectors, float32 (n, dim), unit rows, n >= 1."""
    n = len(vectors)
    if n * (n - 1) // 2 <= _N_PAIRS:
        a, b = np.triu_indices(n, 1)
    else:
        a = rng.integers(0, n, _N_PAIRS)
        b = (a + rng.integers(1, n, _N_PAIRS)) % n  # never the row itself
    cosines = np.einsum("ij,ij->i", vectors[a], vectors[b])
    squares = float(((cosines - cosines.mean()) ** 2).sum()) if len(cosines) else 0.0
    variance = (squares + _PRIOR_PAIRS * _PRIOR_SPREAD**2) / (len(cosines) + _PRIOR_PAIRS)
    levels = np.linspace(0, 1, 1001)
    quantiles = np.quantile(cosines if len(cosines) else np.zeros(1), levels)
    return Background(
        vectors.mean(axis=0),
        math.sqrt(variance),
        quantiles.astype(np.float32, copy=False),
        len(cosines),
    )


def token_weights(
    words: Sequence[Sequence[str]], frequencies: Mapping[str, int], n_rows: int
) -> dict[str, float]:
    """Weight by token, in nats.

    words: the tokens of the query, word by word. frequencies: how many of the `n_rows` rows hold a
    token; a token that is not there, none.
    """
    weights: dict[str, float] = {}
    for tokens in words:
        n_together = min(len(tokens), _LONGEST_WORD)
        for token in tokens:
            n = min(frequencies.get(token, 0), n_rows)
            idf = math.log(1 + (n_rows - n + 0.5) / (n + 0.5))
            weights.setdefault(token, idf / math.sqrt(n_together))
    return weights


def matching_tokens(tokens: Iterable[str], text: str) -> tuple[str, ...]:
    """Those of a query's bigrams that a text holds; a single syllable anywhere in a word.

    Neighbouring syllables are a bigram of the text, so a look for the letters is enough for them,
    and thirty times quicker than taking the text apart.
    """
    folded = fold(text)
    others: set[str] | None = None
    found = []
    for token in tokens:
        if "가" <= token[0] <= "힣":
            is_there = token.rstrip("*") in folded
        else:
            others = set(bigrams(_SYLLABLES.sub(" ", folded))) if others is None else others
            is_there = token in others
        if is_there:
            found.append(token)
    return tuple(found)


def fuse(
    dense: Sequence[int],
    lexical: Sequence[tuple[int, float]],
    cosines: Mapping[int, float],
    matches: Mapping[int, tuple[str, ...]],
    weights: Mapping[str, float],
    expected: float,
    spread: float,
) -> list[Joined]:
    """All candidates, best first; ties by cosine, then row id.

    dense: row ids, best first. lexical: row ids with their BM25, best first. cosines, matches: of
    every row in either, the latter the query's tokens that it holds. weights: `token_weights`.
    expected: of the query's cosine; spread: > 0.
    """
    information = sum(weights.values())
    dense_ranks = {row_id: rank for rank, row_id in enumerate(dense, 1)}
    lexical_ranks = {row_id: rank for rank, (row_id, _) in enumerate(lexical, 1)}
    scores = dict(lexical)
    joined = []
    for row_id in dense_ranks | lexical_ranks:
        z = max(0.0, (cosines[row_id] - expected) / spread)
        matched = matches[row_id]
        share = sum(weights[token] for token in matched) / information if matched else 0.0
        dense_part, lexical_part = z * z / 2, LEXICAL_WEIGHT * information * share**2
        joined.append(
            Joined(
                row_id,
                dense_part + lexical_part,
                cosines[row_id],
                dense_part,
                lexical_part,
                dense_ranks.get(row_id),
                lexical_ranks.get(row_id),
                scores.get(row_id),
                matched,
            )
        )
    return sorted(joined, key=lambda hit: (-hit.score, -hit.cosine, hit.row_id))
