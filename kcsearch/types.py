"""The words of kcsearch: documents, hits, reports, and the protocols that its parts meet.

Nothing here does work; everything else imports this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # `kcsearch --help` answers without numpy
    import numpy as np

Role = Literal["query", "passage"]
Pooling = Literal["pooler", "cls", "mean"]
Clean = Literal["none", "kcbert"]
Mode = Literal["dense", "lexical", "hybrid"]
Words = Literal["bigrams", "kiwi"]

MAX_DEPTH = 64  # levels of lists and objects in metadata, and in a record that is read


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its name and where it came from.

    key: the caller's id, unique in a collection; `SOURCE:LINE` when the caller gave none.
    source: the file that it was read from; None for texts that were handed over.
    line: its first line in `source`, counted from 1.
    metadata: JSON values by field name.
    """

    text: str
    key: str | None = None
    source: str | None = None
    line: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As `get`, `list` and `export` print it."""
        return {
            "key": self.key,
            "text": self.text,
            "source": self.source,
            "line": self.line,
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a hybrid score came about: score = dense + lexical.

    dense_rank, lexical_rank, bm25: of the side that found it; None where a side did not.
    matched: the query's tokens that the text holds.
    """

    dense: float
    lexical: float
    dense_rank: int | None
    lexical_rank: int | None
    bm25: float | None
    matched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that answers a query.

    rank: 1 is the best. score: what `rank` is ordered by: the cosine in dense mode, BM25 in lexical
    mode, nats of surprise in hybrid mode (see fusion.py), for a 초성 query how well its letters fit
    (`hangul.match_choseong`). cosine: of query and document vector, in [-1, 1], whichever way the
    hit was found. percentile: how many of 100 random pairs of the collection are less near than
    this cosine; None in a small collection, which has too few pairs.
    explanation: in hybrid mode, how the score came about.
    """

    document: Document
    rank: int
    score: float
    cosine: float
    percentile: float | None = None
    explanation: Explanation | None = None

    @property
    def key(self) -> str:
        assert self.document.key is not None  # every stored document has one
        return self.document.key

    @property
    def text(self) -> str:
        return self.document.text

    @property
    def source(self) -> str | None:
        return self.document.source

    @property
    def line(self) -> int | None:
        return self.document.line

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.document.metadata

    def as_dict(self) -> dict[str, Any]:
        """A flat dict of JSON values, in the order in which they are printed."""
        return {
            "rank": self.rank,
            "score": self.score,
            "cosine": self.cosine,
            "percentile": self.percentile,
            "key": self.key,
            "text": self.text,
            "source": self.source,
            "line": self.line,
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What a query was taken for.

    query: as it was asked. text: what is embedded and looked up; another than `query` if nothing
    holds that and it is a keyboard slip, if words are in one in every text that has them, or if it
    consists of leading consonants (초성).
    suggestion: what was perhaps meant instead.
    """

    query: str
    text: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query was taken for, and the documents that answer it, best first."""

    asked: Interpretation
    hits: Sequence[Hit]


@dataclass(slots=True)
class IndexReport:
    """What `Collection.add` and `Collection.sync` did, in documents."""

    n_read: int = 0
    n_unchanged: int = 0
    n_added: int = 0
    n_changed: int = 0
    n_removed: int = 0
    n_embedded: int = 0
    n_windows: int = 0  # rows that hold a part of a text longer than the model's limit

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Encoder(Protocol):
    """Texts to unit vectors. `kcsearch.encoder.TextEncoder` is the real one."""

    @property
    def dim(self) -> int: ...

    def fingerprint(self) -> Mapping[str, Any]:
        """What decides a vector, as JSON values: name, revision, hashes, pooling, limits."""
        ...

    def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        """float32 (n, dim), unit rows, in the order of `texts`."""
        ...

    def split(self, text: str) -> list[str]:
        """Cut a text into windows that the model can read whole; `"".join` gives it back."""
        ...


class Engine(Protocol):
    """A forward pass: piece ids to vectors before normalisation.

    Every sequence holds its special pieces and is at most the model's `max_length` long.
    """

    def pool(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """float32 (n, dim): the vector that the model folder's pooling names, in input order."""
        ...

    def words(self, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Per sequence the last hidden state, float32 (length, hidden)."""
        ...


class Analyzer(Protocol):
    """Texts and queries to tokens of the full-text index. analyzer.py has the real ones."""

    @property
    def name(self) -> Words: ...

    @property
    def version(self) -> int | str:
        """Another one may cut a text otherwise."""
        ...

    def of_texts(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text, in order, with repetitions."""
        ...

    def of_query(self, query: str) -> list[list[str]]:
        """What to look up, word by word; a token that ends in * stands for all that begin so."""
        ...


class VectorIndex(Protocol):
    """Nearest vectors by inner product. `kcsearch.faiss_index.FaissIndex` is the real one."""

    def __len__(self) -> int: ...

    def add(self, row_ids: np.ndarray, vectors: np.ndarray) -> None:
        """row_ids: int64 (n,), never seen before; vectors: float32 (n, dim), unit rows."""
        ...

    def remove(self, row_ids: np.ndarray) -> None: ...

    def search(
        self, queries: np.ndarray, top_k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Row ids int64 (n, top_k), best first, -1 where there are no more; scores float32."""
        ...
