"""A collection for assistants, by the Model Context Protocol: `kcsearch mcp`.

Three tools that only read. `search` and `fetch` have the shape that general assistants expect of
every source (ids first, whole texts afterwards); `query` has kcsearch's own options. The collection
is chosen at the start: a caller names neither a folder nor a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote

from kcsearch import __version__
from kcsearch.collection import Collection
from kcsearch.errors import KcsearchError, MissingExtraError
from kcsearch.types import Document, Hit, Mode

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.server.transport_security import TransportSecuritySettings
    from mcp.types import ToolAnnotations
    from pydantic import BaseModel, Field
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'", package="mcp>=2", extra="mcp"
    ) from error

N_RESULTS, MAX_TOP_K = 10, 100
_TITLE_LENGTH = 60  # characters

QueryText = Annotated[str, Field(description="What to look for, in Korean", max_length=4_000)]
TopK = Annotated[int, Field(description="How many documents", ge=1, le=MAX_TOP_K)]
ModeName = Annotated[Mode, Field(description="hybrid, dense (meaning alone) or lexical (words)")]
Filters = Annotated[
    Annotated[dict[str, str], Field(max_length=20)] | None,
    Field(description="NAME to VALUE of metadata, all of which must hold"),
]


class Result(BaseModel):
    id: str
    title: str
    url: str


class Results(BaseModel):
    results: list[Result]


class Text(BaseModel):
    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, Any]


class Found(BaseModel):
    id: str
    text: str
    cosine: float
    percentile: float | None
    source: str | None
    line: int | None
    metadata: dict[str, Any]


class Hits(BaseModel):
    hits: list[Found]


def create_server(collection: Collection) -> MCPServer:
    """A server with the tools search, fetch and query over one collection."""
    server = MCPServer(
        "kcsearch",
        version=__version__,
        instructions=f"Searches the Korean texts of the collection {collection.path.name!r} by "
        "meaning and by words. `query` gives texts with scores at once; `search` gives ids, "
        "`fetch` the text of one.",
        log_level="WARNING",
    )
    reads = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    @server.tool(annotations=reads)
    def search(query: QueryText) -> Results:
        """Search Korean texts by meaning; returns ids and titles, best first, for `fetch`."""
        with _told():
            hits = collection.search(query, N_RESULTS)
        return Results(results=[_result(hit.document) for hit in hits])

    @server.tool(annotations=reads)
    def fetch(id: Annotated[str, Field(description="An id that `search` gave")]) -> Text:
        """The whole text of a document, with its metadata."""
        with _told():
            document = collection.get(id)
        place = {"source": document.source, "line": document.line}
        known = {name: value for name, value in place.items() if value is not None}
        return Text(
            **_result(document).model_dump(),
            text=document.text,
            metadata=known | dict(document.metadata),
        )

    @server.tool(annotations=reads)
    def query(
        query: QueryText,
        top_k: TopK = N_RESULTS,
        mode: ModeName = "hybrid",
        filters: Filters = None,
    ) -> Hits:
        """Search Korean texts by meaning and by words; returns texts with cosines, best first."""
        with _told():
            hits = collection.search(query, top_k, mode=mode, filters=filters)
        return Hits(hits=[_found(hit) for hit in hits])

    return server


def serve_stdio(collection: Collection) -> None:
    """Speak the protocol over standard input and output until the input ends."""
    create_server(collection).run("stdio")


def serve_http(
    collection: Collection,
    *,
    host: str = "127.0.0.1",
    port: int = 8766,
    token: str | None = None,
    allowed_hosts: Sequence[str] = (),
    on_start: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve at http://HOST:PORT/mcp until interrupted; who may ask is as for `kcsearch serve`."""
    from kcsearch.server.guard import Guard, rules
    from kcsearch.server.listening import listen

    application = create_server(collection).streamable_http_app(
        host=host,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    guarded = Guard(application, rules(host, token, allowed_hosts))
    listen(guarded, host, port, token, on_start=lambda url: on_start(f"{url}mcp"))


@contextmanager
def _told() -> Iterator[None]:
    """Errors of kcsearch as the caller is meant to read them; all others stay unexpected."""
    try:
        yield
    except KcsearchError as error:
        raise ToolError(str(error)) from error


def _result(document: Document) -> Result:
    key, first = document.key or "", document.text.strip().split("\n", 1)[0]
    title = first if len(first) <= _TITLE_LENGTH else first[: _TITLE_LENGTH - 1] + "…"
    return Result(id=key, title=title, url=f"kcsearch:{quote(key)}")


def _found(hit: Hit) -> Found:
    return Found(
        id=hit.key,
        text=hit.text,
        cosine=hit.cosine,
        percentile=hit.percentile,
        source=hit.source,
        line=hit.line,
        metadata=dict(hit.metadata),
    )
