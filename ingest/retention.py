"""Owns how long rejected messages and arrivals are kept; runs beside settlement, in any number.

Time ends them all; want of room only those messages that were replayed. What was never replayed
does not go without a word: it is counted in the log and in the ledger of changes, in the same
transaction. Of arrivals none goes to which a conflict refers.

All is gone through a little at a time, each step in a transaction of its own: what one of them
lacks time for, or another process has locked, keeps no other from being done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar

import structlog

import db.changes
import db.patience
import db.quarantine
import db.retention
from db.changes import Author, Fact
from db.pool import Connection, Pool
from db.quarantine import BEGINNING, Place, QuarantineSize
from db.retention import Deleted, Gone, Looked

MEASURED_MAX = 2_000
"""Messages measured in one step."""

LOOKED_AT_MAX = 500
"""Messages, or arrivals, of which is asked in one step whether they are due."""

REJECTIONS_MAX = 500
"""Rejections deleted in one step, or one message with all of its own."""

REST_S = 0.2
PAUSE_S = 600.0

P = TypeVar("P")

log = structlog.get_logger("settle")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rejected messages and arrivals are kept, and how many bytes of messages there should
    be at most.
    """

    longest: timedelta
    bytes_max: int
    arrivals_longest: timedelta


class Step(Protocol[P]):
    """Does what is to be done after a place; returns where to go on, or None at the end."""

    def __call__(self, connection: Connection, *, after: P) -> Awaitable[P | None]: ...


async def expire_some(
    connection: Connection, longest: timedelta, now: datetime, *, after: Place
) -> Place | None:
    """Delete the next messages older than `longest`, in one transaction; return where to go on."""
    async with connection.transaction():
        next_place, deleted = await _delete_some(
            connection, before=now - longest, replayed_only=False, after=after
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
    return next_place


def _content(lost: Sequence[Deleted]) -> dict[str, object]:
    return {
        "rejections": sum(each.rejections for each in lost),
        "readings": sum(each.readings for each in lost),
        "reasons": {each.reason: each.rejections for each in lost},
        "first_received_at": min(each.first_at for each in lost).isoformat(),
        "last_received_at": max(each.last_at for each in lost).isoformat(),
    }


async def make_room(
    connection: Connection, bytes_max: int, now: datetime, *, after: Place
) -> Place | None:
    """Delete the next messages that were replayed while there are more than `bytes_max`, in one
    transaction; return where to go on.
    """
    async with connection.transaction():
        size = await db.quarantine.fetch_size(connection)
        if size is None or size.payload_bytes <= bytes_max:
            return None
        next_place, _ = await _delete_some(connection, before=now, replayed_only=True, after=after)
        return next_place


async def _delete_some(
    connection: Connection, *, before: datetime, replayed_only: bool, after: Place
) -> tuple[Place | None, list[Deleted]]:
    looked_at = _bounded(
        await db.retention.list_oldest(
            connection,
            before=before,
            replayed_only=replayed_only,
            after=after,
            limit=LOOKED_AT_MAX,
        )
    )
    if not looked_at:
        return None, []
    due = [each.place[1] for each in looked_at if each.is_due]
    locked = await db.retention.lock(connection, due) if due else []
    deleted = await db.retention.delete(
        connection, locked, before=before, replayed_only=replayed_only
    )
    return looked_at[-1].place, deleted


def _bounded(looked_at: Sequence[Looked]) -> Sequence[Looked]:
    """Return the first of them, with as many rejections as may go in one step."""
    rejections = 0
    for number, each in enumerate(looked_at):
        rejections += each.rejections * each.is_due
        if rejections > REJECTIONS_MAX and number:
            return looked_at[:number]
    return looked_at


async def walk(pool: Pool, step: Step[P], place: P, rest_s: float) -> P:
    """Take one step after the other to the end; return the last place.

    A step that fails because the database is away is taken again, and none before it.
    """
    while True:
        reached = await db.patience.patiently(pool, partial(step, after=place))
        if reached is None:
            return place
        place = reached
        await asyncio.sleep(rest_s)


class Keeper:
    """Keeps what was rejected within its bounds; says once when it cannot."""

    def __init__(self, pool: Pool, retention: Retention, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._retention = retention
        self._clock = clock
        self._is_said = False

    async def keep_once(self, rest_s: float = REST_S) -> QuarantineSize:
        """Delete what is due, a little at a time; return what there is afterwards.

        What there is is measured once; what is deleted is taken off it where it is deleted.
        """
        kept, now = self._retention, self._clock()
        await walk(
            self._pool, partial(expire_some, longest=kept.longest, now=now), BEGINNING, rest_s
        )
        size = await self._measure(rest_s)
        if self._is_over(size):
            room = partial(make_room, bytes_max=kept.bytes_max, now=now)
            await walk(self._pool, room, BEGINNING, rest_s)
            left = await db.patience.patiently(self._pool, db.quarantine.fetch_size)
            assert left is not None
            size = left
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

    async def forget_arrivals(self, rest_s: float = REST_S) -> int:
        """Delete arrivals that are old enough, a little at a time; return how many."""
        before = self._clock() - self._retention.arrivals_longest
        step = partial(db.retention.delete_arrivals, before=before, limit=LOOKED_AT_MAX)
        gone: Gone = await walk(self._pool, step, db.retention.NONE_GONE, rest_s)
        if gone.deleted:
            log.info("arrivals_expired", arrivals=gone.deleted)
        return gone.deleted

    async def _measure(self, rest_s: float) -> QuarantineSize:
        now = self._clock()
        step = partial(db.quarantine.measure, limit=MEASURED_MAX)
        part = await walk(self._pool, step, db.quarantine.NOTHING, rest_s)
        size = QuarantineSize(now, part.messages, part.payload_bytes, part.unreplayed)
        await db.patience.patiently(self._pool, partial(db.quarantine.replace_size, size=size))
        return size

    def _is_over(self, size: QuarantineSize) -> bool:
        return size.payload_bytes > self._retention.bytes_max


async def run(pool: Pool, retention: Retention, *, clock: Callable[[], datetime]) -> None:
    """Keep what was rejected, and arrivals, within their bounds until cancelled."""
    keeper = Keeper(pool, retention, clock)
    while True:
        await keeper.keep_once()
        await keeper.forget_arrivals()
        await asyncio.sleep(PAUSE_S)
