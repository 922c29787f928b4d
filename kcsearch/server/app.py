"""The HTTP application over one collection. Who may ask is guard.py's, the wire schemas.py's.

Callers name documents, never paths, models or SQL. Every search is of the collection's newest
commit, whoever made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from kcsearch import __version__
from kcsearch.collection import Collection
from kcsearch.errors import (
    CollectionUnavailableError,
    DocumentNotFoundError,
    InputError,
    KcsearchError,
    MissingExtraError,
)
from kcsearch.indexing import checked
from kcsearch.server import schemas
from kcsearch.server.guard import Guard, Rules
from kcsearch.types import Document, Hit

try:
    import anyio
    import anyio.to_thread
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import FileResponse, JSONResponse
    from starlette.exceptions import HTTPException
    from starlette.routing import Match
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'", package="fastapi", extra="serve"
    ) from error

PAGE = Path(__file__).parent / "page"
_PAGE_FILES = ("page.css", "page.js", "map.js", "docs.js", "icon.svg")
_STATUS = {DocumentNotFoundError: 404, InputError: 422, CollectionUnavailableError: 503}
_Answer = TypeVar("_Answer")


def create_app(
    collection: Collection,
    *,
    rules: Rules | None = None,
    writable: bool = False,
    seconds: float = 30.0,
    n_threads: int = 8,
) -> FastAPI:
    """An ASGI application.

    seconds: after which a request is answered with 503. n_threads: requests at work at once; the
    collection lets one after the other search.
    """
    errors = {
        status: {"model": schemas.ErrorAnswer} for status in (400, 401, 403, 413, 421, 422, 503)
    }
    app = FastAPI(
        title="kcsearch",
        version=__version__,
        description="Search Korean text by meaning.",
        docs_url=None,  # FastAPI's page loads its scripts from elsewhere
        redoc_url=None,
        responses=errors,  # type: ignore[arg-type]
    )
    limiter = anyio.CapacityLimiter(n_threads)

    async def work(function: Callable[[], _Answer]) -> _Answer:
        """In a thread; a caller who waits too long hears so."""
        try:
            with anyio.fail_after(seconds):
                return await anyio.to_thread.run_sync(
                    function, abandon_on_cancel=True, limiter=limiter
                )
        except TimeoutError:
            raise HTTPException(503, f"no answer within {seconds:g} s; try again") from None

    @app.post("/query", summary="Search")
    async def query(request: schemas.QueryRequest) -> schemas.Answers:
        queries = [request.query] if isinstance(request.query, str) else request.query

        def search() -> list[Sequence[Hit]]:  # one by one: many at once would want torch
            return [
                collection.search(
                    text, request.top_k, mode=request.mode, filters=request.filters or None
                )
                for text in queries
            ]

        return _answers(queries, await work(search))

    @app.post("/similar", summary="Neighbours of a document", responses=_error(404))
    async def similar(request: schemas.SimilarRequest) -> schemas.Answers:
        hits = await work(
            lambda: collection.similar(request.key, request.top_k, filters=request.filters or None)
        )
        return _answers([request.key], [hits])

    @app.get("/documents/{key:path}", summary="A document by its key", responses=_error(404))
    async def document(key: str) -> schemas.DocumentAnswer:
        found = await work(lambda: collection.get(key))
        return schemas.DocumentAnswer(
            key=found.key or "",
            text=found.text,
            source=found.source,
            line=found.line,
            metadata=dict(found.metadata),
        )

    @app.get("/map", summary="The vectors in two dimensions")
    async def picture() -> schemas.MapAnswer:
        drawn = await work(collection.map)
        return schemas.MapAnswer(
            id=drawn.id,
            n_documents=drawn.n_documents,
            share=drawn.plane.share,
            points=[schemas.Point(key=p.key, text=p.text, x=p.x, y=p.y) for p in drawn.points],
        )

    @app.post("/places", summary="Where a query and documents lie on the map")
    async def places(request: schemas.PlacesRequest) -> schemas.Places:
        (found, asked), drawn = await work(
            lambda: (collection.places(request.keys, request.query), collection.map())
        )
        return schemas.Places(
            id=drawn.id,
            query=asked and schemas.Place(x=asked[0], y=asked[1]),
            documents=[schemas.KeyPlace(key=key, x=x, y=y) for key, (x, y) in found.items()],
        )

    @app.get("/status", summary="What the collection holds")
    async def status() -> schemas.Status:
        facts = await work(collection.status)
        model = facts["model"]
        return schemas.Status(
            name=collection.path.name,
            n_documents=facts["n_documents"],
            n_sources=facts["n_sources"],
            model=f"{model.get('name')} {model.get('revision', '')}".strip(),
            dim=facts["dim"],
            index=facts["index"],
            writable=writable,
        )

    @app.get("/healthz", summary="Whether the server answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    if writable:

        @app.post(
            "/documents", summary="Add documents, or replace them by key", responses=_error(409)
        )
        async def add(request: schemas.NewDocuments) -> schemas.Report:
            given = [Document(d.text, d.key, metadata=d.metadata) for d in request.documents]
            new = [checked(document) for document in given]  # what is wrong by itself is a 422
            try:
                report = (await work(lambda: collection.add(new))).as_dict()
            except InputError as error:  # two of one key, or the key of a window
                raise HTTPException(409, str(error)) from None
            return schemas.Report(**{name: report[name] for name in schemas.Report.model_fields})

        @app.delete("/documents/{key:path}", summary="Remove a document", responses=_error(404))
        async def delete(key: str) -> dict[str, int]:
            return {"n_removed": await work(lambda: collection.delete([key]))}

    _serve_page(app)
    _answer_errors(app)
    app.add_middleware(Guard, rules=rules or Rules())  # type: ignore[arg-type]
    return app


def _serve_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def asset(name: str) -> FileResponse:
        if name not in _PAGE_FILES:
            raise HTTPException(404, "no such page")
        return FileResponse(PAGE / name)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(KcsearchError)
    async def ours(request: Request, error: KcsearchError) -> JSONResponse:
        status = next((n for kind, n in _STATUS.items() if isinstance(error, kind)), 500)
        return _error_answer(status, type(error).__name__, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _error_answer(422, "Request", f"{place}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = {"Allow": _allowed(app, request)} if error.status_code == 405 else error.headers
        return _error_answer(error.status_code, "Request", str(error.detail), headers)


def _allowed(app: FastAPI, request: Request) -> str:
    """The methods of every route with this path; Starlette names those of the first alone."""
    routes = [route for route in app.routes if route.matches(request.scope)[0] != Match.NONE]
    return ", ".join(sorted({m for route in routes for m in getattr(route, "methods", None) or ()}))


def _answers(queries: Sequence[str], found: Sequence[Sequence[Hit]]) -> schemas.Answers:
    pairs = zip(queries, found, strict=True)
    return schemas.Answers(
        answers=[
            schemas.QueryAnswer(query=text, hits=[schemas.hit_answer(hit) for hit in hits])
            for text, hits in pairs
        ]
    )


def _error(status: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": schemas.ErrorAnswer}}


class _Utf8Response(JSONResponse):
    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _error_answer(status: int, kind: str, message: str, headers: Any = None) -> JSONResponse:
    content = {"error": {"kind": kind, "message": message}}
    return _Utf8Response(content, status, headers)
