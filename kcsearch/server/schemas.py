"""What goes over the wire: requests and answers, with their limits."""

from __future__ import annotations

from typing import Annotated, Any

from kcsearch.errors import MissingExtraError
from kcsearch.types import Hit, Mode

try:
    from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'", package="fastapi", extra="serve"
    ) from error

MAX_QUERIES, MAX_DOCUMENTS, MAX_TOP_K = 32, 1_000, 1_000

# Something to be seen: white space alone is no text. No halves of surrogate pairs.
_VISIBLE = r"^[\s\S]*[^\s\u00ad\u115f\u1160\u200b-\u200f\u2060\u3164\uffa0\ufeff\x00-\x1f][\s\S]*$"
Query = Annotated[str, StringConstraints(max_length=4_000, pattern=_VISIBLE)]
Text = Annotated[str, StringConstraints(max_length=1_000_000, pattern=_VISIBLE)]
Key = Annotated[str, StringConstraints(max_length=500, pattern=_VISIBLE)]
Filters = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=200)],
        Annotated[str, StringConstraints(max_length=1_000)],
    ],
    Field(max_length=20, description="NAME to VALUE, all of which must hold"),
]


def _whole(number: Any) -> Any:
    """To JSON Schema 10.0 is an integer."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


TopK = Annotated[int, Field(ge=1, le=MAX_TOP_K, strict=True), BeforeValidator(_whole)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class QueryRequest(Strict):
    query: Query | Annotated[list[Query], Field(min_length=1, max_length=MAX_QUERIES)]
    top_k: TopK = 10
    mode: Mode = "hybrid"
    filters: Filters = {}


class SimilarRequest(Strict):
    key: Key
    top_k: TopK = 10
    filters: Filters = {}


class NewDocument(Strict):
    text: Text
    key: Key | None = None
    metadata: dict[str, Any] = {}


class NewDocuments(Strict):
    documents: Annotated[list[NewDocument], Field(min_length=1, max_length=MAX_DOCUMENTS)]


class DocumentAnswer(BaseModel):
    key: str
    text: str
    source: str | None
    line: int | None
    metadata: dict[str, Any]


class HitAnswer(DocumentAnswer):
    rank: int
    score: float
    cosine: float
    percentile: float | None = None
    matched: list[str] = Field(description="The query's tokens that the text holds; hybrid only")


class QueryAnswer(BaseModel):
    query: str
    hits: list[HitAnswer]


class Answers(BaseModel):
    answers: list[QueryAnswer]


class Place(BaseModel):
    x: float
    y: float


class Point(Place):
    key: str
    text: str = Field(description="Its beginning")


class MapAnswer(BaseModel):
    id: str = Field(description="Another one after every commit")
    n_documents: int
    share: float = Field(description="Of the vectors' variance, from 0 to 1")
    points: list[Point] = Field(description="A sample of some 3,000; most are from -1 to 1")


class PlacesRequest(Strict):
    query: Query | None = None
    keys: Annotated[list[Key], Field(max_length=100)] = []


class KeyPlace(Place):
    key: str


class Places(BaseModel):
    id: str = Field(description="The map's")
    query: Place | None
    documents: list[KeyPlace] = Field(description="Those of the keys that are here")


class Status(BaseModel):
    name: str
    n_documents: int
    n_sources: int
    model: str
    dim: int
    index: str
    writable: bool


class Report(BaseModel):
    n_read: int
    n_unchanged: int
    n_added: int
    n_changed: int
    n_embedded: int


class ErrorDetail(BaseModel):
    kind: str
    message: str


class ErrorAnswer(BaseModel):
    error: ErrorDetail


def hit_answer(hit: Hit) -> HitAnswer:
    matched = list(hit.explanation.matched) if hit.explanation else []
    return HitAnswer(matched=matched, **hit.as_dict())
