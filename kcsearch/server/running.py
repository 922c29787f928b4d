"""Serve a collection over HTTP until interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcsearch.collection import Collection
from kcsearch.errors import InputError
from kcsearch.server.app import create_app
from kcsearch.server.guard import rules
from kcsearch.server.listening import listen


def serve(
    collection: Collection,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    token: str | None = None,
    allowed_hosts: Sequence[str] = (),
    writable: bool = False,
    on_start: Callable[[str], None] = lambda url: None,
) -> None:
    """`listening.listen` with the application of app.py; a writable one needs a token, too."""
    if token is None and writable:
        raise InputError("--writable needs a token in KCSEARCH_TOKEN")
    app = create_app(collection, rules=rules(host, token, allowed_hosts), writable=writable)
    collection.search("안녕하세요", 1)  # loads model and index before the first who asks
    listen(app, host, port, token, on_start=on_start)
