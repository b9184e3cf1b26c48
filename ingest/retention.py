"""Owns how long rejected messages are kept; runs beside settlement, in any number.

Time ends them all; want of room only those that were replayed. What was never replayed does not go
without a word: it is counted in the log and in the ledger of changes, in the same transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import structlog

import db.changes
import db.patience
import db.quarantine
from db.changes import Author, Fact
from db.pool import Connection, Pool
from db.quarantine import Deleted, QuarantineSize

REJECTIONS_MAX = 500
"""Rejections deleted in one transaction: a message with all of its own goes with them."""

REST_S = 0.2
PAUSE_S = 600.0

log = structlog.get_logger("settle")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rejected messages are kept, and how many bytes of them there should be at most."""

    longest: timedelta
    bytes_max: int


async def expire_some(connection: Connection, longest: timedelta, now: datetime) -> bool:
    """Delete some messages older than `longest`, in one transaction; False: there was none."""
    async with connection.transaction():
        deleted = await db.quarantine.delete(
            connection, before=now - longest, replayed_only=False, limit=REJECTIONS_MAX
        )
        lost = [each for each in deleted if not each.is_replayed]
        if lost:
            reason = f"older than {longest.days} days (NENGHAO_QUARANTINE_DAYS)"
            facts = [Fact("quarantine", now.isoformat(), _content(lost))]
            await db.changes.record(connection, Author("settle", reason), facts, now)
    if lost:
        log.warning(
            "quarantine_expired",
            unreplayed=sum(each.rejections for each in lost),
            readings=sum(each.readings for each in lost),
            reasons={each.reason: each.rejections for each in lost},
        )
    return bool(deleted)


def _content(lost: Sequence[Deleted]) -> dict[str, object]:
    return {
        "rejections": sum(each.rejections for each in lost),
        "readings": sum(each.readings for each in lost),
        "reasons": {each.reason: each.rejections for each in lost},
        "first_received_at": min(each.first_at for each in lost).isoformat(),
        "last_received_at": max(each.last_at for each in lost).isoformat(),
    }


async def make_room(connection: Connection, now: datetime) -> bool:
    """Delete some messages that were replayed, the oldest first; False: there was none."""
    async with connection.transaction():
        return bool(
            await db.quarantine.delete(
                connection, before=now, replayed_only=True, limit=REJECTIONS_MAX
            )
        )


class Keeper:
    """Keeps what was rejected within its bounds; says once when it cannot."""

    def __init__(self, pool: Pool, retention: Retention, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._retention = retention
        self._clock = clock
        self._is_said = False

    async def keep_once(self, rest_s: float = REST_S) -> QuarantineSize:
        """Delete what is due, a little at a time; return what there is afterwards."""
        longest, clock = self._retention.longest, self._clock
        await self._exhaust(lambda connection: expire_some(connection, longest, clock()), rest_s)
        size = await self._measure()
        if self._is_over(size):
            await self._exhaust(self._make_room, rest_s)
            size = await self._measure()
        if self._is_over(size) and not self._is_said:
            log.critical(
                "quarantine_over_bound",
                mebibytes=size.payload_bytes >> 20,
                unreplayed=size.unreplayed,
                help="mend what is rejected and replay it (`nenghao quarantine list`), or raise "
                "NENGHAO_QUARANTINE_MIB_MAX: nothing is deleted that was not replayed",
            )
        self._is_said = self._is_over(size)
        return size

    async def _exhaust(self, work: Callable[[Connection], Awaitable[bool]], rest_s: float) -> None:
        while True:
            if not await db.patience.patiently(self._pool, work):
                return
            await asyncio.sleep(rest_s)

    async def _make_room(self, connection: Connection) -> bool:
        size = await db.quarantine.measure(connection, self._clock())
        return self._is_over(size) and await make_room(connection, self._clock())

    def _is_over(self, size: QuarantineSize) -> bool:
        return size.payload_bytes > self._retention.bytes_max

    async def _measure(self) -> QuarantineSize:
        now = self._clock()
        return await db.patience.patiently(self._pool, lambda c: db.quarantine.measure(c, now))


async def run(pool: Pool, retention: Retention, *, clock: Callable[[], datetime]) -> None:
    """Keep what was rejected within its bounds until cancelled."""
    keeper = Keeper(pool, retention, clock)
    while True:
        try:
            await keeper.keep_once()
        except asyncpg.ForeignKeyViolationError:
            log.info("quarantine_resent", help="an old message came again; it stays for now")
        await asyncio.sleep(PAUSE_S)
