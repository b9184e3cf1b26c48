"""Owns the nightly reconciliation: readings against every sum above them, and repairing them.

A unit is settled anew in one transaction and compared with what was stored. What differs is named;
what is new is kept only where it is to be repaired.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

import db.patience
import db.reconciliation
import db.settlement
from db.pool import Connection, Pool
from db.reconciliation import Difference, Tally
from db.settlement import Stale
from energy import periods
from energy.factors import Unverified
from energy.periods import EARLIEST, LATEST, LOCAL, Span, Step
from ingest import rollups, unit_settlement

NIGHTLY_SPAN = timedelta(days=40)
"""What is reconciled every night: the month that is reported, and the one under way. Older months
have their turns, one a night."""

NIGHT_HOUR = timedelta(hours=2)
"""After midnight of Asia/Shanghai."""

LOOK_S = 60.0
LEASE = timedelta(minutes=10)
"""Of whoever reconciles tonight, from its last unit on: then another goes on where it was."""

RANGES_MAX = 1_000_000
ALL_TIME = Span(EARLIEST, LATEST)

log = structlog.get_logger("settle")


class _RollbackError(Exception):
    """What was settled anew is not to be kept."""


async def of_unit(
    connection: Connection,
    unit_id: int,
    span: Span,
    *,
    repair: bool,
    unverified: Unverified = Unverified.NOTE,
) -> list[Difference]:
    """Return where a unit's sums differ from its readings in `span`.

    What waits to be settled is settled first: that is no difference.
    """
    found: list[Difference] = []
    years = rollups.whole(span, Step.YEAR)
    try:
        async with connection.transaction():
            await db.reconciliation.lock_unit(connection, unit_id)
            waiting = await db.settlement.take_stale(connection, unit_id, RANGES_MAX)
            if waiting:
                await unit_settlement.settle(connection, unit_id, waiting, unverified)
            await db.reconciliation.keep_stored(connection, unit_id, years)
            ranges = await db.reconciliation.list_ranges(connection, unit_id, span)
            await db.reconciliation.delete_doubts(connection, unit_id, span)
            if ranges:
                await unit_settlement.settle(connection, unit_id, ranges, unverified)
            await _add_up(connection, unit_id, span)
            found = await db.reconciliation.list_differences(connection, unit_id, years)
            if not (repair and found):
                raise _RollbackError
    except _RollbackError:
        pass
    return found


async def _add_up(connection: Connection, unit_id: int, span: Span) -> None:
    """Add up all that begins in `span`: a sum without hours below it is found only so."""
    years = rollups.whole(span, Step.YEAR)
    meter_ids, carriers = await db.reconciliation.list_owners(connection, unit_id, years)
    if meter_ids:
        await rollups.add_up_meters(connection, [Stale(meter_id, span) for meter_id in meter_ids])
    if carriers:
        await rollups.add_up_unit(connection, unit_id, {carrier: [span] for carrier in carriers})


async def of_areas(connection: Connection, span: Span, *, repair: bool) -> list[Difference]:
    """Return where areas differ from the sums of their units in the years of `span`."""
    years = rollups.whole(span, Step.YEAR)
    async with connection.transaction():
        found = await db.reconciliation.list_area_differences(connection, years)
        if repair and found:
            await db.reconciliation.mark_areas_stale(connection, found)
    return found


async def of_all(
    pool: Pool,
    *spans: Span,
    repair: bool,
    unverified: Unverified = Unverified.NOTE,
    after: int = 0,
) -> AsyncIterator[tuple[int, list[Difference] | None]]:
    """Yield each unit past `after` with its differences, and at last the areas as unit 0.

    None: the unit could not be settled, or the areas not be compared: nothing is known of its sums.
    """
    last = after
    while unit_ids := await db.patience.patiently(
        pool, functools.partial(db.reconciliation.list_unit_ids, after=last)
    ):
        for unit_id in unit_ids:
            work = functools.partial(of_unit, unit_id=unit_id, repair=repair, unverified=unverified)
            yield unit_id, await _found(pool, work, spans, unit_id)
        last = unit_ids[-1]
    yield 0, await _found(pool, functools.partial(of_areas, repair=repair), spans, 0)


async def _found(
    pool: Pool,
    work: Callable[..., Awaitable[list[Difference]]],
    spans: Sequence[Span],
    unit_id: int,
) -> list[Difference] | None:
    """Return the differences in `spans`; None: it is registered wrongly, the others do not wait."""
    found: list[Difference] = []
    for span in spans:
        one = functools.partial(work, span=span)
        try:
            found += await db.patience.patiently(pool, one, limit_s=None)
        except Exception as error:
            log.error("unit_not_reconciled", unit_id=unit_id, error=repr(error))
            return None
    return found


def months_in_turn(now: datetime, first_at: datetime | None) -> list[Span]:
    """Return the month before NIGHTLY_SPAN whose turn it is; none where no hour is so old.

    Each has its turn within as many nights as there are months.
    """
    before = now - NIGHTLY_SPAN
    if first_at is None or first_at >= before:
        return []
    months = [*periods.buckets(Span(first_at, before), Step.MONTH)]
    starts_at = months[now.astimezone(LOCAL).toordinal() % len(months)]
    return [Span(starts_at, periods.ceiling(starts_at + timedelta(hours=1), Step.MONTH))]


def is_due(now: datetime, newest: datetime) -> bool:
    """Return whether the night of `now` has not been reconciled yet.

    >>> night = datetime(2026, 11, 25, 18, 30, tzinfo=UTC)  # 02:30 of the 26th in Shanghai
    >>> is_due(night, night), is_due(night, night - timedelta(hours=1))
    (False, True)
    """
    begins_at = periods.floor(now - NIGHT_HOUR, Step.DAY) + NIGHT_HOUR
    return newest < begins_at


async def run(pool: Pool, clock: Callable[[], datetime], unverified: Unverified) -> None:
    """Reconcile and repair every night, until cancelled."""
    while True:
        now = clock()
        if is_due(now, await db.patience.patiently(pool, db.reconciliation.fetch_newest)):
            await reconcile(pool, Span(now - NIGHTLY_SPAN, now), clock, unverified)
        await asyncio.sleep(LOOK_S)


async def reconcile(
    pool: Pool, span: Span, clock: Callable[[], datetime], unverified: Unverified
) -> Tally | None:
    """Reconcile and repair once; return what was found, None where somebody else is at it.

    An older month is looked at besides. Where it was broken off, tonight, it goes on with the next
    unit.
    """
    night = (span.ends_at.astimezone(LOCAL) - NIGHT_HOUR).date()

    async def claim(connection: Connection) -> Tally | None:
        now = clock()
        return await db.reconciliation.claim(connection, night, now, now + LEASE)

    tally = await db.patience.patiently(pool, claim)
    if tally is None:
        return None
    first_at = await db.patience.patiently(pool, db.reconciliation.fetch_first_month)
    spans = [span, *months_in_turn(span.ends_at, first_at)]
    async for unit_id, found in of_all(
        pool, *spans, repair=True, unverified=unverified, after=tally.last_unit
    ):
        tally = _counted(tally, unit_id, found)

        async def renew(connection: Connection, tally: Tally = tally) -> bool:
            return await db.reconciliation.renew(connection, night, tally, clock() + LEASE)

        if unit_id and not await db.patience.patiently(pool, renew):
            return None  # our lease was over, and somebody else is further

    async def note(connection: Connection, tally: Tally = tally) -> None:
        await db.reconciliation.note(connection, span.ends_at, tally)

    await db.patience.patiently(pool, note)
    log.info("reconciled", units=tally.units, differences=tally.differences, failed=tally.failed)
    return tally


def _counted(tally: Tally, unit_id: int, found: list[Difference] | None) -> Tally:
    """Return `tally` with a unit more; the areas are unit 0."""
    for each in (found or [])[:3]:
        log.critical("sum_differed", owner=each.owner, step=each.step, stored=each.stored,
                     starts_at=each.starts_at.isoformat(), right=each.right)  # fmt: skip
    return Tally(
        max(tally.last_unit, unit_id),
        tally.units + (unit_id > 0),
        tally.differences + len(found or []),
        tally.failed + (found is None),
    )
