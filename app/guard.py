"""Owns the bounds of every request: how large its body may be, how long it waits for its answer,
and how long the answer waits for its reader.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import TooLarge, Unavailable

BODY_BYTES_MAX = 512 * 1024
"""Of every call but uploads, which take less: `ingest/payload.py`."""

LESS = f"A body has at most {BODY_BYTES_MAX:,} bytes. Send less at once."

SEND_S = 30.0
"""How long a reader may take no byte of its answer, and may fall behind the slowest one."""

READ_BYTES_PER_S = 16 * 1024
"""What the slowest reader takes: an answer of n bytes is over n / 16,384 + 30 seconds after it is
there, however its reader takes it."""

KEPT = "nenghao.kept"
"""Where a request has what is given back when its answer has ended, sent or not."""

ABORT = "nenghao.abort"
"""Extension of ASGI: cuts a connection, whatever waits to be sent on it."""


class Guard:
    """ASGI middleware in front of everything that reads a body or takes time."""

    def __init__(
        self,
        app: ASGIApp,
        request_s: float,
        send_s: float = SEND_S,
        read_bytes_per_s: float = READ_BYTES_PER_S,
    ) -> None:
        self._app = app
        self._request_s = request_s
        self._send_s = send_s
        self._read_bytes_per_s = read_bytes_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _announced(scope) > BODY_BYTES_MAX:
            await TooLarge(LESS).response()(scope, receive, send)
            return
        has_begun, received, patience_s = False, 0, self._send_s

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_BYTES_MAX:
                raise HTTPException(413)  # what reads a body lets it pass
            return message

        async def bounded(message: Message) -> None:
            nonlocal has_begun, patience_s
            if not has_begun:
                has_begun = True
                whole.reschedule(None)
            took_s = await self._send(scope, send, message, patience_s)
            earned_s = len(message.get("body", b"")) / self._read_bytes_per_s
            patience_s = min(self._send_s, patience_s - took_s + earned_s)

        try:
            with ExitStack() as scope[KEPT]:
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

    async def _send(self, scope: Scope, send: Send, message: Message, patience_s: float) -> float:
        """Send, and return how long it took [s]; cut the connection of who takes longer."""
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(patience_s):
                await send(message)
        except TimeoutError:
            abort = scope.get("extensions", {}).get(ABORT)
            if abort is None:
                raise ClientDisconnect from None
            abort()
        return time.monotonic() - began_s


def kept(scope: Scope) -> ExitStack:
    """Return what is closed when the answer to a request has ended."""
    stack = scope[KEPT]
    assert isinstance(stack, ExitStack)
    return stack


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
