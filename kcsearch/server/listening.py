"""Bind an address and run an ASGI application there until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kcsearch.errors import InputError, MissingExtraError
from kcsearch.server.guard import LOOPBACK

try:
    import uvicorn
except ImportError as error:
    raise MissingExtraError(
        "this needs {package}: pip install 'kcsearch[{extra}]'", package="uvicorn", extra="serve"
    ) from error


def listen(
    application: Any,
    host: str,
    port: int,
    token: str | None,
    *,
    on_start: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; on_start hears the address when the server listens.

    port: 0 for any that is free. token: what the application asks for. Raises InputError for an
    address that cannot be had, and for one beyond this machine without a token.
    """
    if token is not None and (len(token) < 16 or not token.isascii() or " " in token):
        raise InputError("the token has at least 16 ASCII characters and no space")
    if token is None and host not in LOOPBACK:
        raise InputError(
            "{host} can be reached from other machines: set a token in KCSEARCH_TOKEN", host=host
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        raise InputError(
            "cannot listen at {host}:{port} ({reason})", host=host, port=port, reason=error
        ) from None
    with listener:
        # asyncio does it only for sockets that name their protocol; without it, an answer's body
        # waits 40 ms for the acknowledgement of its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            application,
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
