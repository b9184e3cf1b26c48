"""The server on its port: who sends or reads too slowly is cut, streams end when it stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from app import serving
from app.guard import ABORT, Guard
from app.main import create_app
from app.resolve import Refusal
from app.serving import Connection
from app.uploads import Patience
from settings import Settings
from tests import cast
from tests.app.conftest import Stage

HEAD_S = 0.3
WITHIN_S = 5.0
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hasty(Connection):
    head_s = HEAD_S


@asynccontextmanager
async def served(url: str) -> AsyncIterator[tuple[serving.Server, int]]:
    """Run a server on a free port; it has stopped at the end."""
    application = create_app(Settings(), url, patience=Patience(stream_s=0.02))
    server = serving.server(application, "127.0.0.1", 0, Hasty)
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(WITHIN_S):
            while not server.started:
                await asyncio.sleep(0.02)
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(running, WITHIN_S)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def cut_after(reader: asyncio.StreamReader) -> float:
    """Return when the connection was cut. [s]"""
    started = time.monotonic()
    with suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), WITHIN_S)
    return time.monotonic() - started


async def test_a_server_that_stops_ends_its_streams_at_once(
    stage: Stage, database_url: str
) -> None:
    async with served(database_url) as (server, port), connected(port) as (reader, writer):
        head = (
            f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stage.cast.li}\r\n\r\n"
        )
        writer.write(head.encode())
        await asyncio.wait_for(reader.readuntil(b"event: open\n"), WITHIN_S)
        server.should_exit = True
        told = await asyncio.wait_for(reader.read(), 2)
    assert b"event: end\n" in told
    assert b'"code": "stopping"' in told


async def test_who_does_not_come_to_the_end_of_a_head_is_cut(
    stage: Stage, database_url: str
) -> None:
    """Slow-loris: nothing at all, half a head, or half of the second one."""
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    async with served(database_url) as (_, port):
        for sent in (b"", asked, asked + b"\r\n" + asked):
            async with connected(port) as (reader, writer):
                writer.write(sent)
                assert HEAD_S / 2 < await cut_after(reader) < HEAD_S + 2
        async with connected(port) as (reader, writer):
            writer.write(asked + b"Connection: close\r\n\r\n")
            assert b'{"alive":true}' in await asyncio.wait_for(reader.read(), WITHIN_S)


async def test_a_body_that_nobody_reads_any_more_is_not_waited_for(
    stage: Stage, database_url: str
) -> None:
    path = f"/v1/readings/450200/{cast.QIANS_UNIT}/gw1"
    async with served(database_url) as (_, port), connected(port) as (reader, writer):
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n".encode()
        )
        answer = await asyncio.wait_for(reader.readuntil(b"}"), WITHIN_S)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert await cut_after(reader) < HEAD_S + 2


@pytest.mark.parametrize(("bytes_per_s", "is_cut"), [(40_000, True), (10_000, False)])
async def test_a_reader_that_takes_too_little_is_cut(bytes_per_s: float, is_cut: bool) -> None:
    """It takes 20 KB/s, a kilobyte at a time: never nothing."""
    aborted = asyncio.Event()

    async def file(scope: object, receive: object, send: object) -> None:
        for _ in range(20):
            await send({"type": "http.response.body", "body": bytes(1_000)})  # type: ignore[operator]

    async def slow(message: object) -> None:
        await asyncio.sleep(0.05)

    scope = {"type": "http", "headers": [], "extensions": {ABORT: aborted.set}}
    guard = Guard(file, request_s=5, send_s=0.2, read_bytes_per_s=bytes_per_s)
    await guard(scope, None, slow)  # type: ignore[arg-type]
    assert aborted.is_set() == is_cut


async def test_a_reader_that_takes_nothing_is_cut() -> None:
    aborted = asyncio.Event()

    async def endless(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]

    async def stuck(message: object) -> None:
        await asyncio.wait_for(aborted.wait(), WITHIN_S)

    scope = {"type": "http", "headers": [], "extensions": {ABORT: aborted.set}}
    await Guard(endless, request_s=5, send_s=0.05)(scope, None, stuck)  # type: ignore[arg-type]
    assert aborted.is_set()


def test_a_port_that_is_taken_names_the_setting() -> None:
    with serving.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match=f"port {port} of 127.0.0.1 is taken.*NENGHAO_HTTP_PORT"):
            serving.bound("127.0.0.1", port)
    with pytest.raises(Refusal, match="NENGHAO_HTTP_HOST"):
        serving.bound("192.0.2.1", 0)
