"""Owns keeping the head of every chain once a day; runs beside settlement, in any number.

Settlement is always there and is not on the way of a reading; whichever settler comes first after
midnight in Asia/Shanghai keeps the heads, the others find them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

import db.changes
import db.heads
import db.patience
from db.pool import Connection, Pool
from energy.periods import LOCAL

PAUSE_S = 60.0

log = structlog.get_logger("settle")


async def note_once(connection: Connection, now: datetime) -> int:
    """Keep the heads of the day that ended last, if nobody has; return how many were kept.

    No change is under way meanwhile: what is not in the head of the changes comes after it.
    """
    ended = now.astimezone(LOCAL).date() - timedelta(days=1)
    async with connection.transaction():
        await db.changes.lock(connection)
        return await db.heads.note(connection, ended, now)


async def run(pool: Pool, *, clock: Callable[[], datetime]) -> None:
    """Keep heads until cancelled."""

    async def note(connection: Connection) -> int:
        return await note_once(connection, clock())

    while True:
        kept = await db.patience.patiently(pool, note)
        if kept:
            log.info("heads_kept", chains=kept)
        await asyncio.sleep(PAUSE_S)
