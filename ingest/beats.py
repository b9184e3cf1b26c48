"""Owns the signs of life of a collector: how ready it is, that it stands by, that it has ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

import db.collectors
import db.heartbeats
import db.patience
from db.pool import Connection, Pool
from ingest import readiness
from ingest.client import Link
from ingest.readiness import PROGRAM, Readiness
from ingest.writer import Holder

HEARTBEAT_S = 5.0
LOOKS = 10
"""How often one looks between two signs of life whether readiness has changed."""

STANDBY_AFTER_S = 1.0
"""Whoever holds its shard by then was no standby."""

LAST_WORD_S_MAX = 2.0
"""Who is told to stop does not wait longer for a database that is away."""

log = structlog.get_logger("collect")


async def beat_as_standby(pool: Pool, name: str, clock: Callable[[], datetime]) -> None:
    """Give signs of life under a name of its own, not under that of the holder."""

    async def say(connection: Connection) -> None:
        await db.heartbeats.beat(connection, PROGRAM, _standby(name), clock(), Readiness.STANDBY)

    await asyncio.sleep(STANDBY_AFTER_S)
    while True:
        await db.patience.patiently(pool, say)
        await asyncio.sleep(HEARTBEAT_S)


async def beat(pool: Pool, holder: Holder, link: Link) -> None:
    """Say how ready we are, every few seconds and when that changes.

    Raises FencedError when another process has taken over: the name is no longer ours to speak for.
    """

    async def say(connection: Connection, said: Readiness) -> None:
        if not await _say(connection, holder, said):
            raise holder.fenced()

    await db.patience.patiently(
        pool, lambda connection: db.heartbeats.delete(connection, PROGRAM, _standby(holder.name))
    )
    while True:
        said = link.readiness
        await db.patience.patiently(pool, partial(say, said=said))
        for _ in range(LOOKS):
            if link.readiness is not said:
                break
            await asyncio.sleep(HEARTBEAT_S / LOOKS)


async def say_ended(pool: Pool, holder: Holder) -> None:
    """Say that we were told to stop: nobody has to wonder why we are silent from now on.

    Not when another process has taken over meanwhile: it collects.
    """
    try:
        async with asyncio.timeout(LAST_WORD_S_MAX), pool.acquire() as connection:
            if not await _say(connection, holder, Readiness.ENDED):
                log.info("ended_after_another_took_over", shard=holder.name)
    except Exception as error:
        if not db.patience.is_retryable(error):
            raise
        log.warning("last_word_unsaid", error=repr(error))


async def _say(connection: Connection, holder: Holder, said: Readiness) -> bool:
    return await db.collectors.beat(
        connection, holder.name, holder.epoch, holder.clock(), said, program=PROGRAM
    )


def _standby(name: str) -> str:
    return readiness.standby_name(name, socket.gethostname())
