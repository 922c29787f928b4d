"""Who may ask, and how much at once: checks before a request reaches the application.

A page of another site that a browser shows can send requests to a server on the same machine. So
the Host header must name this server (else a foreign name has been pointed at it) and an Origin
header, which browsers send, must be its own.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 4_000_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OPEN_PATHS = ("/", "/docs", "/healthz", "/openapi.json")  # and the files of the page
_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rules:
    """hosts: names that the Host header may hold; None for any, which only a token makes safe.

    max_bytes: of a request's body.
    """

    hosts: frozenset[str] | None = frozenset(LOOPBACK)
    token: str | None = None
    max_bytes: int = MAX_BYTES


class Guard:
    """ASGI middleware that answers what breaks the rules by itself."""

    def __init__(self, application: Application, rules: Rules) -> None:
        self._application, self._rules = application, rules

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = self._refusal(scope["path"], headers)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        body = _Body(receive, self._rules.max_bytes)
        answer = _Answer(send, body)
        with suppress(_TooLargeError):  # FastAPI makes an answer of it, which `answer` drops
            await self._application(scope, body.receive, answer.send)
        if body.is_too_large and not answer.has_begun:
            await _answer(send, *self._too_large())

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        if self._rules.hosts is not None and name_of(host) not in self._rules.hosts:
            return 421, "Host", f"this server does not answer for the host {host!r}"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "Origin", f"pages of {origin!r} may not ask this server"
        if not self._may_pass(path, headers.get("authorization", "")):
            return 401, "Token", "send the header `Authorization: Bearer TOKEN`"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._rules.max_bytes:
            return self._too_large()
        return None

    def _may_pass(self, path: str, authorization: str) -> bool:
        token = self._rules.token
        if token is None or path in _OPEN_PATHS or path.startswith("/page/"):
            return True
        kind, _, given = authorization.partition(" ")
        is_it = hmac.compare_digest(given.strip().encode(), token.encode())
        return kind.lower() == "bearer" and is_it

    def _too_large(self) -> tuple[int, str, str]:
        return 413, "Size", f"a request's body has at most {self._rules.max_bytes:,} bytes"


class _TooLargeError(Exception):
    pass


class _Body:
    """Counts what comes in: a chunked body tells no length beforehand."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive, self._left = receive, max_bytes

    @property
    def is_too_large(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.is_too_large:
            raise _TooLargeError
        return message


class _Answer:
    """Adds the headers that every answer has."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send, self._body, self.has_begun = send, body, False

    async def send(self, message: Message) -> None:
        if self._body.is_too_large and not self.has_begun:
            return
        if message["type"] == "http.response.start":
            self.has_begun = True
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await self._send(message)


async def _answer(send: Send, status: int, kind: str, message: str) -> None:
    body = error_body(kind, message)
    headers = [(b"content-type", b"application/json"), (b"connection", b"close"), *_HEADERS]
    headers.append((b"content-length", str(len(body)).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_body(kind: str, message: str) -> bytes:
    """The one form that every error has."""
    error = {"error": {"kind": kind, "message": message}}
    return json.dumps(error, ensure_ascii=False).encode("utf-8", "backslashreplace")


def name_of(host: str) -> str:
    """A Host header's name without its port.

    >>> [name_of(host) for host in ("localhost:8765", "[::1]:80", "Example.org", "::1")]
    ['localhost', '::1', 'example.org', '::1']
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() and ":" not in name else host).lower()


def rules(
    host: str, token: str | None, allowed: Iterable[str] = (), max_bytes: int = MAX_BYTES
) -> Rules:
    """The rules for a server that listens at `host` and also answers to the names `allowed`."""
    names = frozenset(name.lower() for name in allowed)
    if host in LOOPBACK:
        return Rules(frozenset(LOOPBACK) | names, token, max_bytes)
    return Rules(names | {host.lower()} if names else None, token, max_bytes)
