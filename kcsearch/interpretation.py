"""What a query is taken for: as typed, in the other keyboard mode, or by its leading consonants."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from kcsearch.hangul import (
    choseong,
    fold,
    is_choseong_query,
    match_choseong,
    query_tokens,
    with_initials,
)
from kcsearch.store.text_store import TextStore
from kcsearch.types import Interpretation


def interpret(query: str, store: TextStore) -> Interpretation:
    """Read a query, in NFC, in the light of the words that the store holds.

    A keyboard slip (dkssud for 안녕) is mended where the store holds no word of the query as it was
    typed, and else only suggested. A 초성 query (ㅇㄴㅎㅅㅇ) is read as the commonest words that it
    can stand for.
    """
    if is_choseong_query(query):
        readings = Counter(reading for _, _, reading in find_by_initials(query, store))
        return Interpretation(query, readings.most_common(1)[0][0] if readings else query)
    if not _may_be_a_slip(query):
        return Interpretation(query, query)
    from kcsearch.keyboard import looks_like_slip

    meant = looks_like_slip(query)
    if meant is None:
        return Interpretation(query, query)
    if any(store.document_frequencies(query_tokens(query)).values()):
        return Interpretation(query, query, suggestion=meant)
    return Interpretation(query, meant)


def _may_be_a_slip(query: str) -> bool:
    """Cheaply: Latin letters alone, or a vowel that stands alone."""
    return query.isascii() or any("ㅏ" <= letter <= "ㅣ" for letter in query)


def find_by_initials(query: str, store: TextStore) -> list[tuple[int, float, str]]:
    """Rows whose text holds the words of a 초성 query: row id, score, what the letters stand for.

    By `hangul.match_choseong`, best first, ties by row id.
    """
    words = choseong(fold(query)).split()
    pairs = dict.fromkeys(pair for word in words for pair in pairwise(word))
    groups = [store.tokens_between(*with_initials(*pair)) for pair in pairs]
    found = []
    for row_id, row in store.rows(store.rows_with_each(groups)).items():
        match = match_choseong(query, row.document.text)
        if match is not None:
            found.append((row_id, *match))
    return sorted(found, key=lambda one: (-one[1], one[0]))
