"""Who may ask, and how much: a wall before the application, for HTTP and WebSockets alike."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN = frozenset({"/", "/page.js", "/microphone.js"})
"""Without a token: the page, which asks for it."""
TOKEN_PROTOCOL = "token."
"""How a browser, which can give a WebSocket no header, brings the token: as the name of a protocol."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request must fulfil."""

    hosts: Collection[str]
    """Names by which the server may be called; beside them, away from loopback, its numbers."""
    any_number: bool = False
    """Whether a numeric address may stand for the server: no name of the web can be bent to one."""
    token: str | None = None
    most_bytes: int = 10_000_000
    """Of a body, or of a message of a WebSocket."""

    def refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        """The status and the reason why a request is turned away."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 400, f"this server is not called {host!r}; see --allow-host"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "a page of another site may not ask this server"
        if self.token is not None and path not in OPEN and not self._has_token(headers):
            return 401, "a token is needed: Authorization: Bearer TOKEN"
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.most_bytes:
            return 413, self.too_large
        return None

    @property
    def too_large(self) -> str:
        """What is said of a body over the limit."""
        return f"a body may have {self.most_bytes:,} bytes"

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self.hosts or (self.any_number and _is_number(name))

    def _has_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            asked = (name.strip() for name in headers.get("sec-websocket-protocol", "").split(","))
            given = next((name[len(TOKEN_PROTOCOL) :] for name in asked if name.startswith(TOKEN_PROTOCOL)), "")
        return hmac.compare_digest(given.strip().encode(), (self.token or "").encode())


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guarded:
    """An application behind a `Guard`; a body that says no length is counted as it comes."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Turn a request away, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        refusal = self.guard.refusal(scope["path"], Headers(scope=scope))
        if refusal is not None:
            return await _refuse(scope, receive, send, *refusal)
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        return await self.app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        num_bytes = 0

        async def counting() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self.guard.most_bytes:
                raise HTTPException(413, self.guard.too_large)
            return message

        return counting


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":  # before it is accepted, closing it is HTTP's 403
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    await JSONResponse({"detail": reason}, status, headers=dict(headers))(scope, receive, send)
