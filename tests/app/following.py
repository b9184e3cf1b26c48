"""Somebody who follows the event stream of an interface in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message

WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """What came: `name` None: only its id."""

    name: str | None
    data: dict[str, Any]
    id: str | None


@dataclass(slots=True)
class Following:
    """What has come so far, and what comes next."""

    status: int = 0
    body: bytes = b""
    blocked: asyncio.Event | None = None
    parts: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def event(self) -> Event:
        """Return the next event; comments and the time to retry are passed over."""
        while True:
            text = (await asyncio.wait_for(self.parts.get(), WITHIN_S)).decode()
            lines = [line.split(": ", 1) for line in text.split("\n") if not line.startswith(":")]
            fields = {line[0]: line[1] for line in lines if len(line) == 2}
            if fields:
                data = json.loads(fields.get("data", "{}"))
                return Event(fields.get("event"), data, fields.get("id"))

    async def events(self, count: int) -> list[Event]:
        return [await self.event() for _ in range(count)]

    async def is_silent(self, seconds: float = 0.15) -> bool:
        """Return whether nothing comes for a while."""
        await asyncio.sleep(seconds)
        return self.parts.empty()

    async def send(self, message: Message) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.status == 200:
            for part in message.get("body", b"").split(b"\n\n")[:-1]:
                self.parts.put_nowait(part)
        else:
            self.body += message.get("body", b"")


@asynccontextmanager
async def following(
    app: ASGIApp, key: str | None, *, after: str | None = None, **query: str
) -> AsyncIterator[Following]:
    """Follow meanwhile; the connection is cut at the end."""
    headers = [(b"host", b"test")]
    if key is not None:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    if after is not None:
        headers.append((b"last-event-id", after.encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "GET", "scheme": "http", "path": "/v1/stream", "raw_path": b"/v1/stream",
        "query_string": urlencode(query).encode(), "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip
    heard, asked, cut = Following(), False, asyncio.Event()

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await cut.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        try:
            await app(scope, receive, heard.send)
        finally:
            heard.ended.set()

    task = asyncio.create_task(run())
    try:
        yield heard
    finally:
        cut.set()
        if heard.blocked is not None:
            heard.blocked.set()
        await asyncio.wait_for(task, WITHIN_S)


@asynccontextmanager
async def followed(
    app: ASGIApp, key: str | None, *, after: str | None = None, **query: str
) -> AsyncIterator[Following]:
    """Follow once the stream is open."""
    async with following(app, key, after=after, **query) as heard:
        opened = await heard.event()
        assert opened.name == "open", opened
        yield heard
