"""How texts and queries become the tokens of the full-text index: one choice for each collection.

Syllable bigrams need nothing and find a word within any other. Kiwi's morphemes (kiwi.py) know what
a word is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import get_args

from kcsearch.errors import InputError
from kcsearch.hangul import TOKENIZER_VERSION, bigrams, fold, query_tokens
from kcsearch.types import Analyzer, Words


def analyzer_of(words: Words) -> Analyzer:
    """Raises InputError, and MissingExtraError where Kiwi is asked for and not installed."""
    if words not in get_args(Words):
        raise InputError("words is bigrams or kiwi, not {name!r}", name=words)
    if words == "kiwi":
        from kcsearch.kiwi import Morphemes

        return Morphemes()
    return Bigrams()


class Bigrams:
    """`hangul.bigrams` of texts, `hangul.query_tokens` of queries, word by word."""

    name: Words = "bigrams"
    version: int | str = TOKENIZER_VERSION

    def of_texts(self, texts: Sequence[str]) -> list[list[str]]:
        return [bigrams(text) for text in texts]

    def of_query(self, query: str) -> list[list[str]]:
        """The bigrams of one word mostly come together."""
        return [query_tokens(word) for word in fold(query).split()]


def tokens_of(words: Sequence[Sequence[str]]) -> list[str]:
    """The tokens of the words of a query, each once.

    >>> tokens_of([["꽃*"], ["축제"], ["축제"]])
    ['꽃*', '축제']
    """
    return list(dict.fromkeys(chain.from_iterable(words)))
