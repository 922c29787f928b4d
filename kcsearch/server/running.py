"""Bind an address and serve a collection there until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from kcsearch.collection import Collection
from kcsearch.errors import InputError, MissingExtraError
from kcsearch.server.app import create_app
from kcsearch.server.guard import LOOPBACK, rules

try:
    import uvicorn
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'", package="uvicorn", extra="serve"
    ) from error


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
    """Serve until SIGINT or SIGTERM; on_start hears the address when the server listens.

    port: 0 for any that is free. Raises InputError for an address that cannot be had, and for one
    beyond this machine, or a writable server, without a token.
    """
    if token is not None and (len(token) < 16 or not token.isascii() or " " in token):
        raise InputError("the token has at least 16 ASCII characters and no space")
    if token is None and host not in LOOPBACK:
        raise InputError(
            "{host} can be reached from other machines: set a token in KCSEARCH_TOKEN", host=host
        )
    if token is None and writable:
        raise InputError("--writable needs a token in KCSEARCH_TOKEN")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        raise InputError(
            "cannot listen at {host}:{port} ({reason})", host=host, port=port, reason=error
        ) from None
    with listener:
        _warm_up(collection)
        app = create_app(collection, rules=rules(host, token, allowed_hosts), writable=writable)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=256,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=10,
        )
        shown = f"[{host}]" if ":" in host else host
        on_start(f"http://{shown}:{listener.getsockname()[1]}/")
        with suppress(KeyboardInterrupt):  # that is how a server ends
            uvicorn.Server(config).run(sockets=[listener])


def _warm_up(collection: Collection) -> None:
    """Load model and index now, so that the first who asks does not wait for them."""
    collection.search("안녕하세요", 1)
