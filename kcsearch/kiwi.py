"""Morphemes by Kiwi, for collections that were made with `--words kiwi`: `kcsearch[ko]`.

Kiwi takes a second to load and cuts words apart where a dictionary says so: 서울은 is 서울 and 은,
들었다 is 듣, 었 and 다. Only morphemes with a meaning of their own become tokens.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kcsearch.errors import MissingExtraError
from kcsearch.hangul import bigrams, fold, runs
from kcsearch.types import Words

# Sejong tags, by their beginnings: nouns, verbs, adjectives, roots, adverbs, determiners,
# interjections, what Kiwi does not know, and foreign letters, numbers, Hanja, web addresses.
# Particles, endings, affixes, copulas and auxiliary verbs say nothing of what a text is about.
_CONTENT = ("N", "VV", "VA", "XR", "MAG", "MM", "IC", "UN", "SL", "SN", "SH", "SW", "W_")


class Morphemes:
    """The content morphemes of texts and queries; numbers, Latin and Hanja as bigrams has them."""

    name: Words = "kiwi"

    def __init__(self) -> None:
        """Raises MissingExtraError. Kiwi itself is loaded when a text comes."""
        self.version: int | str = _version()

    def of_texts(self, texts: Sequence[str]) -> list[list[str]]:
        kiwi = _loaded(os.getpid())
        return [_tokens(found) for found in kiwi.tokenize(map(fold, texts))]

    def of_query(self, query: str) -> list[list[str]]:
        """Each morpheme is a word of its own."""
        (tokens,) = self.of_texts([query])
        return [[token] for token in dict.fromkeys(tokens)]


def _version() -> str:
    """Of the package and its model. Raises MissingExtraError."""
    try:
        return f"{version('kiwipiepy')}, model {version('kiwipiepy_model')}"
    except PackageNotFoundError as error:
        raise MissingExtraError(
            "this needs {package}: pip install 'kcsearch[{extra}]'",
            package="kiwipiepy",
            extra="ko",
        ) from error


@cache
def _loaded(process: int) -> Any:
    """One for each process: its threads do not live on in a forked child."""
    try:
        from kiwipiepy import Kiwi

        return Kiwi(load_multi_dict=False)  # whose words hold spaces
    except Exception as error:  # a library built for another system, a model that is not whole
        raise MissingExtraError(
            "{package} cannot be loaded ({reason}). Install it anew: "
            "pip install --force-reinstall 'kcsearch[{extra}]'",
            package="kiwipiepy",
            reason=error,
            extra="ko",
        ) from error


def _tokens(morphemes: Sequence[Any]) -> list[str]:
    tokens: list[str] = []
    for morpheme in morphemes:
        if morpheme.tag.startswith(_CONTENT):
            for run in runs(morpheme.form):
                tokens += [run] if "가" <= run[0] <= "힣" else bigrams(run)
    return tokens
