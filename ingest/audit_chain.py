"""Owns the links over the audit log and how long its entries are kept; beside settlement.

Entries are noted by many requests at once and wait here for their links: one at a time makes them,
in the order of entry_id, so that nobody who asks waits for a lock. In any number of settlers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import asyncpg
import structlog

import db.audit
import db.patience
from db.pool import Connection, Pool
from energy.periods import LOCAL

LINKS_A_TIME = 5_000
"""Links made, or removed, in one transaction."""

PAUSE_S = 1.0
REMOVE_EVERY_S = 3_600.0

log = structlog.get_logger("settle")


async def link_some(connection: Connection) -> int:
    """Make links for some entries that wait, in one transaction; return for how many."""
    async with connection.transaction():
        if not await db.audit.try_lock(connection):
            return 0
        noted = await db.audit.list_waiting(connection, LINKS_A_TIME)
        if noted:
            await db.audit.append(connection, noted, await db.audit.fetch_head(connection))
            await db.audit.forget_waiting(connection, [each.entry_id for each in noted])
    return len(noted)


async def remove_some(connection: Connection, kept: timedelta, now: datetime) -> int:
    """Remove some entries of whole days that ended longer than `kept` ago; return how many.

    They go behind a head that was kept, after which the chain begins from then on.
    """
    async with connection.transaction():
        if not await db.audit.try_lock(connection):
            return 0
        # The head of a day may hold the first entries of the next: that one must be old, too.
        oldest = (now - kept).astimezone(LOCAL).date() - timedelta(days=1)
        await db.audit.note_removal(connection, oldest, now)
        await db.audit.remove_entries(connection, LINKS_A_TIME)
        return await db.audit.remove_links(connection, LINKS_A_TIME)


async def run(pool: Pool, kept: timedelta, *, clock: Callable[[], datetime]) -> None:
    """Make links, and remove what is older than `kept`, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_link(pool))
        tasks.create_task(_remove(pool, kept, clock))


async def _link(pool: Pool) -> None:
    while True:
        if await db.patience.patiently(pool, link_some) < LINKS_A_TIME:
            await asyncio.sleep(PAUSE_S)


async def _remove(pool: Pool, kept: timedelta, clock: Callable[[], datetime]) -> None:
    async def some(connection: Connection) -> int:
        return await remove_some(connection, kept, clock())

    while True:
        try:
            while removed := await db.patience.patiently(pool, some):
                log.info("audit_removed", entries=removed, older_than_days=kept.days)
        except asyncpg.InsufficientPrivilegeError as error:
            log.critical("audit_not_removed", error=str(error))
        await asyncio.sleep(REMOVE_EVERY_S)
