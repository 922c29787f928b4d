"""What a collection has to learn from: texts that belong together. Nothing is loaded here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kcsearch.errors import InputError
from kcsearch.hangul import normalize, split_sentences
from kcsearch.types import Document


@dataclass(frozen=True, slots=True)
class Triple:
    """A query, a text that answers it, and one that seems to and does not, if there is one."""

    anchor: str
    positive: str
    negative: str | None = None


class Example(Protocol):
    """Something that a training step can take texts from."""

    def draw(self, rng: np.random.Generator) -> Triple:
        """Texts for one step."""
        ...

    def trial(self) -> Triple:
        """Texts to measure by, always the same."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """Texts that somebody paired."""

    triple: Triple

    def draw(self, rng: np.random.Generator) -> Triple:
        return self.triple

    def trial(self) -> Triple:
        return self.triple


@dataclass(frozen=True, slots=True)
class Passage:
    """Plain text: a sentence belongs to the rest of its passage, a lone one to itself.

    The model reads a lone sentence twice, each time without other tenths of its numbers (dropout).
    """

    sentences: tuple[str, ...]

    def draw(self, rng: np.random.Generator) -> Triple:
        """A random sentence and the others."""
        return self._without(int(rng.integers(len(self.sentences))))

    def trial(self) -> Triple:
        """The first sentence and the others; of a lone one its first and its second half."""
        if len(self.sentences) > 1:
            return self._without(0)
        words = self.sentences[0].split()
        middle = (len(words) + 1) // 2
        return Triple(" ".join(words[:middle]), " ".join(words[middle:]) or self.sentences[0])

    def _without(self, place: int) -> Triple:
        rest = self.sentences[:place] + self.sentences[place + 1 :]
        return Triple(self.sentences[place], " ".join(rest) or self.sentences[place])


def examples(
    documents: Iterable[Document],
    positive_field: str | None = None,
    negative_field: str | None = None,
) -> list[Example]:
    """Turn documents into examples, equal ones once.

    positive_field: the field of the text that answers a document's text; without one the texts are
    passages. negative_field: the field of one that does not; where it is empty there is none.
    """
    found: dict[Example, None] = {}
    for document in documents:
        if positive_field is None:
            sentences = [sentence.strip() for sentence in split_sentences(document.text)]
            found[Passage(tuple(sentence for sentence in sentences if sentence))] = None
            continue
        positive = _field(document, positive_field)
        if not positive:
            raise InputError(
                "{path}:{line}: no text in the field {field!r}, which has to hold what belongs to "
                "{text!r}",
                path=document.source,
                line=document.line,
                field=positive_field,
                text=document.text[:20],
            )
        negative = _field(document, negative_field) if negative_field else ""
        found[Given(Triple(document.text, positive, negative or None))] = None
    return [example for example in found if not isinstance(example, Passage) or example.sentences]


def _field(document: Document, name: str) -> str:
    value = document.metadata.get(normalize(name))
    return normalize(value).strip() if isinstance(value, str) else ""
