"""A TCP proxy in a thread of its own, so that whole programs can be put behind it.

It passes on, loses the answer to a COMMIT (the commit is made, and nobody is told), swallows all
bytes (a hung network), or resets its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"COMMIT"
CHUNK_BYTES = 65_536


Listener = Callable[[str, bytes], None]
"""Is told who sends, the client or the server, and what."""


class Proxy:
    """`commits_to_lose`: how many answers are still to be lost; `is_hung`: nothing gets through."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self.commits_to_lose = 0
        self.is_hung = False
        self.listener: Listener = lambda sender, chunk: None
        self.port = 0

    def run(self, ready: threading.Event) -> None:
        async def main() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            server.close()

        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(main())
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._main)
        others = asyncio.all_tasks(self._loop)
        for task in others:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*others, return_exceptions=True))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._main.cancel)

    def reset(self) -> None:
        """Cut every connection."""

        def cut() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    async def _serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(*self._target)
        except OSError:
            to_client.close()
            return
        both = {to_client, to_server}
        self._writers |= both
        answers = asyncio.create_task(self._copy(server, to_client))
        try:
            with contextlib.suppress(ConnectionError):
                await self._ask(client, to_server, server, answers)
        finally:
            answers.cancel()
            self._writers -= both
            for writer in both:
                writer.close()

    async def _ask(
        self,
        client: StreamReader,
        to_server: StreamWriter,
        server: StreamReader,
        answers: asyncio.Task[None],
    ) -> None:
        while chunk := await client.read(CHUNK_BYTES):
            await self._pass()
            self.listener("client", chunk)
            is_lost = COMMIT in chunk and self.commits_to_lose > 0
            if is_lost:
                answers.cancel()
                await asyncio.wait([answers])
            to_server.write(chunk)
            if is_lost:
                self.commits_to_lose -= 1
                await server.read(CHUNK_BYTES)  # the commit is made; its answer ends here
                return

    async def _copy(self, source: StreamReader, target: StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(CHUNK_BYTES):
                await self._pass()
                self.listener("server", chunk)
                target.write(chunk)
            target.close()

    async def _pass(self) -> None:
        while self.is_hung:
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def before(url: str) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy and the URL that leads through it to the database or broker at `url`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy, ready = Proxy(parts.hostname, parts.port), threading.Event()
    thread = threading.Thread(target=proxy.run, args=(ready,), daemon=True)
    thread.start()
    assert ready.wait(10)
    netloc = f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}"
    try:
        yield proxy, urlunsplit(parts._replace(netloc=netloc))
    finally:
        proxy.stop()
        thread.join(10)
