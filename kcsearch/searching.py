"""The read path: candidates from the index, exact cosines from the store, hits in order.

One `Searcher` is one moment of the collection: use it inside a snapshot of the store.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from kcsearch.analyzer import tokens_of
from kcsearch.errors import InputError
from kcsearch.fusion import (
    N_CANDIDATES,
    Background,
    Joined,
    fuse,
    matching_tokens,
    token_weights,
)
from kcsearch.hangul import normalize
from kcsearch.interpretation import Found
from kcsearch.search_space import SearchSpace
from kcsearch.store.text_store import TextStore
from kcsearch.types import Explanation, Hit, Mode, VectorIndex

# Exact cosines decide among more candidates than are asked for: fp16 swaps neighbours at the edge.
_SPARE_CANDIDATES = 10
_FP16_ERROR = 3e-4  # between two cosines; of one was seen 1.4e-4 at 64 numbers, 7e-5 at 384
MinScore = float | str | None  # a cosine, a percentile such as "p99", or no limit
_MOST_CANDIDATES = 2_000  # beside top_k, where very many documents are as good as equal


class Searcher:
    """Searches the rows that a store and its index hold now.

    allowed: row ids int64 to choose from; all when None. unwanted: row ids to leave out.
    background: of the collection's vectors; None where it is empty.
    """

    def __init__(
        self,
        store: TextStore,
        index: VectorIndex,
        background: Background | None,
        allowed: np.ndarray | None = None,
        unwanted: Sequence[int] = (),
    ) -> None:
        self._store, self._index, self._allowed = store, index, allowed
        self._background = background
        self._space = SearchSpace(store)
        self._unwanted = [-1, *unwanted]  # -1: where the index had no more

    def search(
        self,
        mode: Mode,
        text: str,
        by_initials: Sequence[Found],
        vector: np.ndarray,
        top_k: int,
        min_score: MinScore,
    ) -> list[Hit]:
        """The best rows for a text, its vector, and the rows that its initials were found in.

        Raises InputError for a mode that there is not, or a `min_score` that means nothing.
        """
        least = least_cosine(min_score, self._background)
        top_k = self._no_more_than_rows(top_k)
        vector = self._space.project(vector[None])[0]
        if mode not in get_args(Mode):
            raise InputError("mode is dense, lexical or hybrid, not {mode!r}", mode=mode)
        if mode == "dense":
            return self._dense(vector, top_k, least)
        if by_initials:
            return self._by_initials(by_initials, vector, top_k, least)
        if mode == "lexical":
            return self._lexical(text, vector, top_k, least)
        return self._hybrid(text, vector, top_k, least)

    def nearest(self, vector: np.ndarray, top_k: int, min_score: MinScore) -> list[Hit]:
        """The nearest by cosine, ties by row id. vector: float32 (dim,), unit length."""
        vector = self._space.project(vector[None])[0]
        top_k = self._no_more_than_rows(top_k)
        return self._dense(vector, top_k, least_cosine(min_score, self._background))

    def _no_more_than_rows(self, top_k: int) -> int:
        """SQLite and FAISS take no number as large as Python's."""
        return min(top_k, max(1, len(self._index)))

    def _dense(self, vector: np.ndarray, top_k: int, least: float | None) -> list[Hit]:
        cosines = self._cosines(self._nearest(vector, top_k), vector)
        ordered = sorted(cosines, key=lambda row_id: (-cosines[row_id], row_id))
        return self._hits(
            [(row_id, cosines[row_id], None) for row_id in ordered], cosines, top_k, least
        )

    def _by_initials(
        self, found: Sequence[Found], vector: np.ndarray, top_k: int, least: float | None
    ) -> list[Hit]:
        """Those that hold words with these leading consonants; vector: of what they stand for."""
        if self._allowed is not None:
            allowed = set(self._allowed.tolist())
            found = [one for one in found if one[0] in allowed]
        found = found[: top_k if least is None else _MOST_CANDIDATES]
        cosines = self._cosines([row_id for row_id, _, _ in found], vector)
        scored = [(row_id, score, None) for row_id, score, _ in found]
        return self._hits(scored, cosines, top_k, least)

    def _lexical(
        self, query: str, vector: np.ndarray, top_k: int, least: float | None
    ) -> list[Hit]:
        """Those that hold tokens of the query, by BM25."""
        tokens = tokens_of(self._store.analyzer.of_query(query))
        found = self._by_tokens(tokens, top_k if least is None else _MOST_CANDIDATES)
        cosines = self._cosines([row_id for row_id, _ in found], vector)
        return self._hits([(row_id, bm25, None) for row_id, bm25 in found], cosines, top_k, least)

    def _hybrid(self, query: str, vector: np.ndarray, top_k: int, least: float | None) -> list[Hit]:
        """Candidates of both sides, each scored by both: see fusion.py."""
        if self._background is None:
            return []
        n_candidates = max(N_CANDIDATES, top_k)
        words = self._store.analyzer.of_query(query)
        tokens = tokens_of(words)
        found = self._by_tokens(tokens, n_candidates)
        nearest = self._nearest(vector, n_candidates)
        both = dict.fromkeys([*nearest, *(row_id for row_id, _ in found)])
        cosines = self._cosines(list(both), vector)
        nearest.sort(key=lambda row_id: (-cosines[row_id], row_id))
        frequencies = self._store.document_frequencies(tokens)
        joined = fuse(
            nearest[:n_candidates],
            found,
            cosines,
            self._matches(tokens, list(cosines)),
            token_weights(words, frequencies, len(self._index)),
            float(self._background.mean @ vector),
            self._background.spread,
        )
        scored = [(hit.row_id, hit.score, _explanation(hit)) for hit in joined]
        return self._hits(scored, cosines, top_k, least)

    def _hits(
        self,
        scored: Sequence[tuple[int, float, Explanation | None]],
        cosines: Mapping[int, float],
        top_k: int,
        least: float | None,
    ) -> list[Hit]:
        """The first `top_k` of (row id, score, explanation) whose cosine is no less than asked."""
        best = [one for one in scored if least is None or cosines[one[0]] >= least][:top_k]
        rows = self._store.rows([row_id for row_id, _, _ in best])
        return [
            Hit(
                rows[row_id].document,
                rank,
                score,
                cosines[row_id],
                self._background.percentile_of(cosines[row_id]) if self._background else None,
                explanation,
            )
            for rank, (row_id, score, explanation) in enumerate(best, 1)
        ]

    def _by_tokens(self, tokens: Sequence[str], top_k: int) -> list[tuple[int, float]]:
        """Row ids with their BM25, best first."""
        n = top_k + len(self._unwanted)
        found = self._store.lexical(tokens, n, self._allowed)
        return [one for one in found if one[0] not in self._unwanted][:top_k]

    def _matches(self, tokens: Sequence[str], row_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Which of a query's tokens each row holds."""
        if self._store.analyzer.name == "kiwi":
            held = {n: set(of_row) for n, of_row in self._store.morphemes(row_ids).items()}
            return {n: tuple(t for t in tokens if t in held[n]) for n in row_ids}
        rows = self._store.rows(row_ids)
        return {n: matching_tokens(tokens, rows[n].document.text) for n in row_ids}

    def _nearest(self, vector: np.ndarray, top_k: int) -> list[int]:
        """Row ids: all that can be among the `top_k` best, however many tie."""
        wanted = min(top_k + len(self._unwanted) - 1, len(self._index))
        n, most = wanted + _SPARE_CANDIDATES, wanted + _MOST_CANDIDATES
        while True:
            found, scores = self._index.search(vector[None], n, self._allowed)
            ids, scores = found[0], scores[0]
            needed = scores[max(0, wanted - 1)] - _FP16_ERROR
            if n == most or np.isneginf(scores[-1]) or scores[-1] < needed:
                return [int(row_id) for row_id in ids[~np.isin(ids, self._unwanted)]]
            n = min(4 * n, most)

    def _cosines(self, row_ids: Sequence[int], vector: np.ndarray) -> dict[int, float]:
        """Exact. `@` would round equal rows differently, and there were no ties."""
        cosines = np.einsum("ij,j->i", self._space.vectors(row_ids), vector)
        return dict(zip(row_ids, cosines.tolist(), strict=True))


def _explanation(hit: Joined) -> Explanation:
    return Explanation(
        hit.dense, hit.lexical, hit.dense_rank, hit.lexical_rank, hit.bm25, hit.matched
    )


def least_cosine(min_score: MinScore, background: Background | None) -> float | None:
    """The cosine that `min_score` names, be it one or a percentile. Raises InputError."""
    if min_score is None or background is None:
        return None
    is_percentile = isinstance(min_score, str) and min_score[:1] in ("p", "P")
    try:
        value = float(str(min_score)[is_percentile:])
    except ValueError:
        value = math.nan
    if not (0 <= value <= 100 if is_percentile else -1 <= value <= 1):  # nor is nan
        raise InputError(
            "min_score is a cosine from -1 to 1, or a percentile such as p99, not {score!r}",
            score=min_score,
        )
    if not is_percentile:
        return value
    cosine = background.cosine_at(value)
    if cosine is None:
        raise InputError(
            "min_score {score!r}: the collection is too small for percentiles. Use a cosine",
            score=min_score,
        )
    return cosine


def matching(
    store: TextStore,
    filters: Mapping[str, str] | None,
    where: str | None,
    params: Mapping[str, Any] | None,
) -> np.ndarray:
    """Row ids of the documents that fulfil the conditions, whose values are put in NFC."""
    nfc = {normalize(name): normalize(value) for name, value in (filters or {}).items()}
    return store.matching(nfc, where, params or {})


def unit(vectors: np.ndarray) -> np.ndarray:
    """The rows of a matrix float32 (n, dim), each scaled to length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
