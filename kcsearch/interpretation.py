"""What a query is taken for: as typed, fewer spaces, the other keyboard mode, or by its 초성."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from kcsearch.analyzer import tokens_of
from kcsearch.hangul import (
    bigrams,
    choseong,
    fold,
    is_choseong_query,
    match_choseong,
    with_initials,
)
from kcsearch.store.text_store import TextStore
from kcsearch.types import Interpretation

_HANGUL = re.compile("[가-힣]{2,}")
Found = tuple[int, float, str]  # row id, score, what the letters stand for there


def interpret(query: str, store: TextStore) -> tuple[Interpretation, list[Found]]:
    """Read a query, in NFC, in the light of the words that the store holds.

    A keyboard slip (dkssud for 안녕) is mended where the store holds no word of the query as it was
    typed, and else only suggested. Two words become one (비밀 번호) where the store holds them only
    so. A 초성 query (ㅇㄴㅎㅅㅇ) is read as the commonest words that it can stand for, and comes
    with the rows that hold such words, best first.
    """
    if not is_choseong_query(query):
        return _read(query, store), []
    found = _find_by_initials(query, store)
    readings = Counter(reading for _, _, reading in found)
    text = readings.most_common(1)[0][0] if readings else query
    return Interpretation(query, text), found if text != query else []


def _read(query: str, store: TextStore) -> Interpretation:
    if not _may_be_a_slip(query):
        return Interpretation(query, _joined(query, store))
    from kcsearch.keyboard import looks_like_slip

    meant = looks_like_slip(query)
    if meant is None:
        return Interpretation(query, query)
    tokens = tokens_of(store.analyzer.of_query(query))
    if any(store.document_frequencies(tokens).values()):
        return Interpretation(query, query, suggestion=meant)
    return Interpretation(query, meant)


def _joined(query: str, store: TextStore) -> str:
    """The query without the spaces that no text has there."""
    words = query.split()
    if len(words) < 2 or store.analyzer.name != "bigrams":  # Kiwi does not go by spaces
        return query
    joined = words[:1]
    for word in words[1:]:
        one, two = fold(joined[-1]), fold(word)
        is_split_wrongly = (
            _HANGUL.fullmatch(one + two) is not None
            and store.holds_phrase(bigrams(one + two))
            and not store.holds_phrase([*bigrams(one), *bigrams(two)])
        )
        if is_split_wrongly:
            joined[-1] += word
        else:
            joined.append(word)
    return " ".join(joined) if len(joined) < len(words) else query


def _may_be_a_slip(query: str) -> bool:
    """Cheaply: Latin letters, or a vowel that stands alone."""
    return any("a" <= letter <= "z" or "ㅏ" <= letter <= "ㅣ" for letter in query.lower())


def _find_by_initials(query: str, store: TextStore) -> list[Found]:
    """Rows whose text holds the words of a 초성 query.

    By `hangul.match_choseong`, best first, ties by row id.
    """
    found = []
    for row_id, text in _texts_to_look_at(query, store):
        match = match_choseong(query, text)
        if match is not None:
            found.append((row_id, *match))
    return sorted(found, key=lambda one: (-one[1], one[0]))


def _texts_to_look_at(query: str, store: TextStore) -> Iterator[tuple[int, str]]:
    """Rows that hold bigrams with these initials; among morphemes there is no telling: all."""
    if store.analyzer.name == "kiwi":
        yield from store.select("SELECT row_id, text FROM documents")
        return
    words = choseong(fold(query)).split()
    pairs = dict.fromkeys(pair for word in words for pair in pairwise(word))
    groups = [store.tokens_between(*with_initials(*pair)) for pair in pairs]
    for row_id, row in store.rows(store.rows_with_each(groups)).items():
        yield row_id, row.document.text
