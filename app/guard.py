"""Owns the bounds of every request: how large its body may be, how long it waits for its answer,
and how long the answer waits for its reader.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import TooLarge, Unavailable

BODY_BYTES_MAX = 512 * 1024
"""Of every call but uploads, which take less: `ingest/payload.py`."""

LESS = f"A body has at most {BODY_BYTES_MAX:,} bytes. Send less at once."

SEND_S = 30.0
"""How long a reader may take no byte of its answer."""

ABORT = "nenghao.abort"
"""Extension of ASGI: cuts a connection, whatever waits to be sent on it."""


class Guard:
    """ASGI middleware in front of everything that reads a body or takes time."""

    def __init__(self, app: ASGIApp, request_s: float, send_s: float = SEND_S) -> None:
        self._app = app
        self._request_s = request_s
        self._send_s = send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > BODY_BYTES_MAX:
            await TooLarge(LESS).response()(scope, receive, send)
            return
        has_begun, received = False, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES_MAX:
                raise HTTPException(413)  # what reads a body lets it pass
            return message

        async def bounded(message: Message) -> None:
            nonlocal has_begun
            if not has_begun:
                has_begun = True
                whole.reschedule(None)
            await self._send(scope, send, message)

        try:
            async with asyncio.timeout(self._request_s) as whole:
                await self._app(scope, counted, bounded)
        except TimeoutError:
            if has_begun or not whole.expired():
                raise
            detail = (
                f"This took longer than {self._request_s:g} s. Ask for a shorter span, a coarser "
                "bucket or fewer units, and send a body at once."
            )
            await Unavailable("too_slow", detail).response()(scope, receive, send)

    async def _send(self, scope: Scope, send: Send, message: Message) -> None:
        """Send; cut the connection of a reader that takes nothing."""
        try:
            async with asyncio.timeout(self._send_s):
                await send(message)
        except TimeoutError:
            abort = scope.get("extensions", {}).get(ABORT)
            if abort is None:
                raise ClientDisconnect from None
            abort()


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
