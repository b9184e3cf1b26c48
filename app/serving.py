"""Owns how the HTTP interface is put on a port: the server process and its options."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.guard import ABORT
from app.resolve import Refusal

HEAD_WITHIN_S = 10.0
"""How long a connection may take to the end of the head of its request, its first byte included;
and to the rest of a body that nobody reads any more."""

GRACE_S = 10
"""How long answers that are being sent may take when the server stops."""


class Connection(HttpToolsProtocol):
    """A connection that is cut when no request comes of it."""

    head_s = HEAD_WITHIN_S
    _cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._cut_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._spare()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self._abort}  # type: ignore[dict-item]
        if self._cut is None:
            self._cut_later()

    def on_headers_complete(self) -> None:
        self._spare()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._spare()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.cycle.more_body:
            self._cut_later()
        super().on_response_complete()

    def _abort(self) -> None:
        self.transport.abort()

    def _cut_later(self) -> None:
        self._spare()
        self._cut = self.loop.call_later(self.head_s, self._abort)

    def _spare(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


class Server(uvicorn.Server):
    """A server that ends what would go on for ever before it waits for the rest."""

    def __init__(self, config: uvicorn.Config, close_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._close_streams = close_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._close_streams()
        await super().shutdown(sockets)


def server(
    application: FastAPI, host: str, port: int, connection: type[Connection] = Connection
) -> Server:
    """Return a server that is not started yet."""
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http=connection,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, lambda: application.state.close_streams())


def run(application: FastAPI, host: str, port: int) -> None:
    """Answer until SIGINT or SIGTERM."""
    server(application, host, port).run([bound(host, port)])


def bound(host: str, port: int) -> socket.socket:
    """Return the socket that is answered on. Raises Refusal with what to set instead."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                why = "is taken, by another `nenghao serve` or another program: end that, or set "
                why += "NENGHAO_HTTP_PORT to a free one (0: any)"
            case errno.EACCES:
                why = "may only be bound by root: set NENGHAO_HTTP_PORT to one from 1024 on"
            case _:
                why = f"cannot be bound: {error.strerror}. NENGHAO_HTTP_HOST is an address of "
                why += "this machine, such as 127.0.0.1, or 0.0.0.0 for all of them"
        raise Refusal(f"port {port} of {host} {why}") from error
