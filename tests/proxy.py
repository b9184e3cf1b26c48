"""A TCP proxy that can lose the answer to a COMMIT: the commit is made, and nobody is told."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"COMMIT"
CHUNK_BYTES = 65_536


class Proxy:
    """Stands before a database. `commits_to_lose`: how many answers are still to be lost."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.commits_to_lose = 0

    async def serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_copy(server, to_client))
        try:
            while chunk := await client.read(CHUNK_BYTES):
                is_lost = COMMIT in chunk and self.commits_to_lose > 0
                if is_lost:
                    answers.cancel()
                    await asyncio.wait([answers])
                to_server.write(chunk)
                if is_lost:
                    self.commits_to_lose -= 1
                    await server.read(CHUNK_BYTES)  # the commit is made; its answer ends here
                    break
        finally:
            answers.cancel()
            for writer in (to_server, to_client):
                writer.close()


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(CHUNK_BYTES):
            target.write(chunk)
        target.close()


@contextlib.asynccontextmanager
async def before(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Yield a proxy and the URL that leads through it to the database at `url`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    try:
        yield proxy, urlunsplit(parts._replace(netloc=netloc))
    finally:
        server.close()
