"""Owns writing the audit log for many requests at once: what waits shares one commit.

`note` returns after the commit. Nobody waits for a lock: entries are inserted, and chained behind
the requests (`ingest/audit_chain.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import structlog

import db.audit
import db.patience
from app.errors import NotNoted
from db.audit import Entry
from db.pool import Pool

ENTRIES_MAX = 500
"""Entries in one commit."""

WITHIN_S = 5.0
"""How long a request waits for its entry before it is refused."""

log = structlog.get_logger("serve")


class AuditLog:
    """The log as one process writes it, on a login that may only append."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: asyncio.Queue[tuple[Entry, asyncio.Future[None]]] = asyncio.Queue()

    async def note(self, entry: Entry) -> None:
        """Return once `entry` is committed. Raises NotNoted when it cannot be, in time."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((entry, done))
        try:
            async with asyncio.timeout(WITHIN_S):
                await done
        except TimeoutError as error:
            raise NotNoted from error

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            taken = [await self._waiting.get()]
            while len(taken) < ENTRIES_MAX and not self._waiting.empty():
                taken.append(self._waiting.get_nowait())
            # Who went away, or waited too long, was given no answer: there is nothing to note.
            if waiting := [each for each in taken if not each[1].done()]:
                await self._write(waiting)

    async def _write(self, taken: Sequence[tuple[Entry, asyncio.Future[None]]]) -> None:
        try:
            async with self._pool.acquire(timeout=WITHIN_S) as connection:
                await db.audit.note(connection, [entry for entry, _ in taken])
                for _, done in taken:
                    with suppress(asyncio.InvalidStateError):  # who asked has gone away
                        done.set_result(None)
        except Exception as error:
            if len(taken) > 1 and _is_of_one(error):
                for each in taken:
                    await self._write([each])
                return
            log.error("not_noted", entries=len(taken), error=repr(error))
            for _, done in taken:
                if not done.done():
                    done.set_exception(NotNoted())


def _is_of_one(error: Exception) -> bool:
    """Return whether it may be one entry that the database refuses: the others shall pass."""
    return isinstance(error, asyncpg.PostgresError) and db.patience.is_of_the_data(error)
