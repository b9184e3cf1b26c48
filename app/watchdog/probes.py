"""Owns looking at each part from outside, by a way that does not lead through the others.

The database is asked itself, and what it knows of the programs while it answers; broker, mail and
web server are knocked at. A look never raises: what goes wrong is its trouble.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import aiosmtplib
import asyncpg
import httpx

import db.heads
import db.metrics
import db.watch
from alerts import smtp
from alerts.smtp import Security
from app.watchdog.parts import Look, Part, of_signs
from db.heads import KeptHead
from db.pool import Connection
from ingest import broker_url, readiness

WITHIN_S = 10.0
"""Longest wait for one part."""

UNANSWERED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""How it shows that a database does not answer."""

CONNECT = bytes([0x10, 15, 0, 4, *b"MQTT", 4, 2, 0, 10, 0, 3, *b"dog"])
"""MQTT 3.1.1: who is there? Any answer will do, also that we may not come in."""

CONNACK = 0x20


@dataclass(frozen=True, slots=True)
class Ways:
    """How each part is reached; None: it is not watched."""

    database: str | None
    broker: str | None = None
    mail: str | None = None
    web: str | None = None


async def look(ways: Ways, at: datetime | None = None) -> list[Look]:
    """Look at all parts at once; `at` stands in for the database's clock."""
    asked: list[Awaitable[list[Look]]] = []
    if ways.database is not None:
        asked.append(_database(ways.database, at))
    knocks: list[tuple[Part, str | None, Callable[[str], Awaitable[None]]]] = [
        (Part.BROKER, ways.broker, _knock_broker),
        (Part.MAIL, ways.mail, _knock_mail),
        (Part.WEB, ways.web, _knock_web),
    ]
    asked += [_tried(part, knock(url)) for part, url, knock in knocks if url is not None]
    return [one for found in await asyncio.gather(*asked) for one in found]


async def heads(ways: Ways, now: datetime) -> list[KeptHead]:
    """Return the newest daily heads of the books; none where the database does not tell."""
    if ways.database is None:
        return []
    try:
        async with _connected(ways.database) as connection:
            return await db.heads.list_newest(connection, now)
    except UNANSWERED:
        return []


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    """Lend a connection for as long as anything may take. Raises one of UNANSWERED."""
    async with asyncio.timeout(WITHIN_S):
        connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
        try:
            yield connection
        finally:
            await connection.close()


async def _database(url: str, at: datetime | None) -> list[Look]:
    """Look at the database, and at what it knows; of that nothing where it does not answer."""
    try:
        async with _connected(url) as connection:
            signs = await db.watch.fetch_signs(connection, at)
            beats = await db.metrics.list_heartbeats(connection)
    except UNANSWERED as error:
        return [Look(Part.DATABASE, _said(error))]
    states = [each for each in readiness.states(beats, signs.now) if each.is_expected]
    unready = [
        (each.collector, str(each.readiness))
        for each in states
        if each.readiness is not readiness.Readiness.READY
    ]
    return [Look(Part.DATABASE), *of_signs(signs, unready if states else None)]


async def _tried(part: Part, knock: Awaitable[None]) -> list[Look]:
    try:
        async with asyncio.timeout(WITHIN_S):
            await knock
    except (aiosmtplib.SMTPException, httpx.HTTPError, OSError, TimeoutError, ValueError) as error:
        return [Look(part, _said(error))]
    return [Look(part)]


async def _knock_broker(url: str) -> None:
    at = broker_url.parse(url)
    reader, writer = await asyncio.open_connection(at.host, at.port, ssl=_any_peer(tls=at.tls))
    try:
        writer.write(CONNECT)
        answer = await reader.read(4)
        if not answer or answer[0] != CONNACK:
            raise OSError("it answers, and not as an MQTT broker does")
    finally:
        writer.close()


async def _knock_mail(url: str) -> None:
    at = smtp.parse(url)
    client = aiosmtplib.SMTP(
        hostname=at.host,
        port=at.port,
        use_tls=at.security is Security.TLS,
        start_tls=False,
        tls_context=_any_peer(tls=True),
        timeout=WITHIN_S,
    )
    async with client:
        await client.noop()


async def _knock_web(url: str) -> None:
    async with httpx.AsyncClient(timeout=WITHIN_S) as client:
        (await client.get(f"{url.rstrip('/')}/healthz")).raise_for_status()


def _any_peer(*, tls: bool) -> ssl.SSLContext | None:
    """Return what lets us in, whoever it is: we ask whether somebody is there, and tell nothing."""
    if not tls:
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _said(error: BaseException) -> str:
    """Return a sentence on what went wrong; no address with a password is in it."""
    if isinstance(error, TimeoutError):
        return f"no answer within {WITHIN_S:.0f} s"
    return f"{type(error).__name__}: {error}"
