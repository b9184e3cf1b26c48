"""Owns the assessment of units: readings → daily counts → suspicions → repair clock.

A unit is assessed once in a while, in one transaction, and each finding has a key: whoever dies in
between, or comes twice, changes nothing. It reads what ingestion and settlement have committed
and holds nothing back.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

import db.assessment
import db.heartbeats
import db.news
import db.patience
import db.quality
import db.schemes
from db.assessment import Claimed, MeterFacts, StaleDay
from db.news import Source
from db.pool import Connection, Pool
from db.quality import Counted, DayRow
from energy import agreement, coverage, periods, verification
from energy.periods import LOCAL, Span, Step
from energy.verification import Certificate
from ingest import repair_clock, suspect

DAYS_BACK = timedelta(days=400)
"""As far as late readings may reach back by default (NENGHAO_OLDEST_READING_DAYS)."""

FULL_DAYS = timedelta(days=40)
"""Measured anew each night: bad and conflicting readings do not show in what is settled."""

DAYS_MAX = 40
"""Days of a unit measured in one transaction at most; the rest follows in the next."""

GRACE = timedelta(hours=2)
"""A day is closed so long after its end: its last readings may still be in time."""

HEARTBEAT_S = 5.0
DAY = timedelta(days=1)

log = structlog.get_logger("assess")


@dataclass(frozen=True, slots=True)
class Assessed:
    """What one transaction did; `days` measured, `suspicions` seen (old ones included)."""

    unit_id: int
    days: int
    suspicions: int
    opened: int
    repaired: int


class UnitError(Exception):
    """A unit cannot be assessed as it is registered; the others must not wait for it."""

    def __init__(self, unit_id: int) -> None:
        super().__init__(f"unit {unit_id} cannot be assessed")
        self.unit_id = unit_id


async def run(
    pool: Pool,
    instance: str,
    *,
    pause_s: float,
    every: timedelta,
    clock: Callable[[], datetime],
) -> None:
    """Assess each unit once in `every` until cancelled. A unit that fails rests as long."""
    beat_at: datetime | None = None
    aside: dict[int, datetime] = {}
    while True:
        now = clock()
        aside = {unit_id: at for unit_id, at in aside.items() if now - at < every}
        if beat_at is None or (now - beat_at).total_seconds() >= HEARTBEAT_S:
            await db.patience.patiently(pool, functools.partial(_beat, instance=instance, now=now))
            beat_at = now
        try:
            assessed = await db.patience.patiently(
                pool, functools.partial(assess_one, now=now, every=every, without=aside)
            )
        except UnitError as error:
            log.error("unit_not_assessed", unit_id=error.unit_id, error=repr(error.__cause__))
            aside[error.unit_id] = now
        else:
            if assessed is None:
                await asyncio.sleep(pause_s)


async def assess_one(
    connection: Connection, now: datetime, every: timedelta, *, without: Collection[int] = ()
) -> Assessed | None:
    """Assess the unit that waits longest; None: none is due, rest. Raises UnitError."""
    today = now.astimezone(LOCAL).date()
    async with connection.transaction():
        claimed = await db.assessment.claim_unit(connection, now, every, today, without)
        if claimed is None:
            return None
        try:
            assessed = await _assess_unit(connection, claimed, now)
        except Exception as error:
            if db.patience.is_retryable(error):
                raise
            raise UnitError(claimed.unit_id) from error
        if assessed.days < DAYS_MAX:
            await db.assessment.note_checked(connection, claimed.unit_id, now, today)
        looked_at = Span(periods.floor(now, Step.DAY) - DAY, now)
        await db.news.note(connection, Source.ASSESSED, [(claimed.unit, looked_at)])
    log.info(
        "assessed",
        unit_id=assessed.unit_id,
        days=assessed.days,
        suspicions=assessed.suspicions,
        opened=assessed.opened,
        repaired=assessed.repaired,
    )
    return assessed


async def _assess_unit(connection: Connection, claimed: Claimed, now: datetime) -> Assessed:
    meters = await db.assessment.list_meters(connection, claimed.unit_id)
    days = await _measure(connection, claimed, meters, now)
    seen = await _suspect(connection, claimed, meters, days, now)
    steps = await repair_clock.advance(connection, claimed, meters, now)
    return Assessed(claimed.unit_id, len(days), seen, len(steps.opened), len(steps.repaired))


async def _measure(
    connection: Connection, claimed: Claimed, meters: Sequence[MeterFacts], now: datetime
) -> list[StaleDay]:
    """Count the days of a unit that are stale, the newest first; return them."""
    if not meters:
        return []
    today = periods.floor(now, Step.DAY)
    since = max(periods.floor(min(one.installed_at for one in meters), Step.DAY), today - DAYS_BACK)
    if since > today:
        return []
    days = await db.assessment.list_stale(
        connection,
        claimed,
        Span(since, today + DAY),
        grace=GRACE,
        full_from=today - FULL_DAYS,
        today=today,
        limit=DAYS_MAX,
    )
    if not days:
        return []
    certificates = await db.assessment.list_certificates(connection, claimed.unit_id)
    counted = await _count(connection, claimed, meters, days, now)
    rows = [
        row
        for day in days
        for meter in meters
        if (row := _row(meter, day, counted, certificates.get(meter.meter_id, []), now))
    ]
    await db.quality.upsert_days(connection, rows)
    await db.quality.roll_up_days(
        connection,
        claimed.unit_id,
        days,
        now,
        begins_within_s=agreement.DAY_BEGINS_WITHIN.total_seconds(),
    )
    return days


async def _count(
    connection: Connection,
    claimed: Claimed,
    meters: Sequence[MeterFacts],
    days: Sequence[StaleDay],
    now: datetime,
) -> dict[tuple[int, datetime], Counted]:
    schemes = await db.schemes.list_schemes(connection)
    scheme = db.schemes.in_force(schemes, now.astimezone(LOCAL).date())
    counted: dict[tuple[int, datetime], Counted] = {}
    for span in periods.merged(Span(day.starts_at, day.starts_at + DAY) for day in days):
        for one in await db.quality.count_days(
            connection,
            claimed.unit_id,
            span,
            margin=timedelta(
                seconds=max(each.interval_s for meter in meters for each in meter.intervals)
            ),
            allowance=timedelta(seconds=scheme.lateness_allowance_s),
        ):
            counted[one.meter_id, one.starts_at] = one
    return counted


def _row(
    meter: MeterFacts,
    day: StaleDay,
    counted: dict[tuple[int, datetime], Counted],
    certificates: Sequence[Certificate],
    now: datetime,
) -> DayRow | None:
    """Return the counts of a meter and day; None: it was not there yet."""
    ends_at = day.starts_at + DAY
    if meter.installed_at >= ends_at:
        return None
    there = Span(max(day.starts_at, meter.installed_at), ends_at)
    due = coverage.due_of(meter.kind, meter.intervals, there, now)
    one = counted.get((meter.meter_id, day.starts_at))
    local_day = day.starts_at.astimezone(LOCAL).date()
    faults = verification.irregularities(
        meter.data_code, meter.uom, is_energy=meter.carrier is not None
    )
    return (
        meter.meter_id,
        day.starts_at,
        due,
        min(due, one.present) if one else 0,
        one.arrived if one else 0,
        one.on_time if one else 0,
        one.traceable if one else 0,
        one.valid if one else 0,
        verification.standing(certificates, local_day),
        not faults,
        one.opening_offset_s if one else None,
        now,
    )


async def _suspect(
    connection: Connection,
    claimed: Claimed,
    meters: Sequence[MeterFacts],
    days: Sequence[StaleDay],
    now: datetime,
) -> int:
    """Run the checks on the days that are closed and not looked at as settlement has them."""
    due = [day for day in days if day.starts_at + DAY + GRACE <= now and day.checked != day.settled]
    seen = await suspect.days(connection, claimed, meters, [day.starts_at for day in due], now)
    if due:
        await db.quality.note_days_checked(connection, claimed.unit_id, due)
    if claimed.full:
        seen += await suspect.edits(connection, claimed, now)
    return seen


async def _beat(connection: Connection, *, instance: str, now: datetime) -> None:
    await db.heartbeats.beat(connection, "assess", instance, now, "assessing")
