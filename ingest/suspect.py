"""Owns running the suspicion checks over the days of a unit and over what was stated of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import db.assessment
import db.quality
import db.schemes
import db.suspicions
from db.assessment import Claimed, MeterFacts
from db.pool import Connection
from db.suspicions import Stated, SuspicionRow, Used
from energy import agreement, carriers, intervals, ledger, periods, registers, suspicion
from energy.periods import HOUR, LOCAL, Span, Step
from energy.registers import Kind
from energy.roles import Role
from energy.suspicion import Sample, Sureness, Suspicion

DAY = timedelta(days=1)
USUAL_DAYS = timedelta(days=30)
"""The usual rate of a meter is that of the days that are checked and so many before."""

EDITS_BACK = timedelta(days=40)
STATED_NOUNS = ("production", "monthly_filings", "corrections")
"""Kinds of facts about a month of a unit that have a deadline."""

WHOLE_UNIT = (Role.BOUNDARY, Role.EXPORT, Role.OUTPUT)


async def days(
    connection: Connection,
    claimed: Claimed,
    meters: Sequence[MeterFacts],
    starts: Sequence[datetime],
    now: datetime,
) -> int:
    """Check the local days that begin at `starts`; return how many suspicions were seen."""
    if not starts:
        return 0
    span = Span(min(starts) - DAY, max(starts) + DAY)
    used = await _used(connection, meters, span)
    found: list[SuspicionRow] = []
    for meter in meters:
        readings = await db.assessment.list_samples(connection, meter.meter_id, span)
        found += await _flat(connection, claimed, meter, readings, meters, used, span)
        found += await _copied(connection, claimed, meter, readings, starts)
    for start in starts:
        found += await _subs(connection, claimed, meters, start)
    found += await _twins(connection, claimed, starts)
    await db.suspicions.store(connection, found, now)
    return len(found)


async def edits(connection: Connection, claimed: Claimed, now: datetime) -> int:
    """Look at what was stated of the unit lately; return how many late edits were seen."""
    schemes = await db.schemes.list_schemes(connection)
    stated = await db.suspicions.list_stated(
        connection, claimed.unit, STATED_NOUNS, now - EDITS_BACK
    )
    found = []
    for each in stated:
        month = _month(each)
        if month is None:
            continue
        scheme = db.schemes.in_force(schemes, month)
        if agreement.is_late(each.changed_at, month, scheme.monthly_deadline_day):
            found.append(_late(claimed, each, month, scheme.monthly_deadline_day))
    await db.suspicions.store(connection, found, now)
    return len(found)


async def _used(
    connection: Connection, meters: Sequence[MeterFacts], span: Span
) -> dict[int, list[Span]]:
    """Return the hours in which each meter of the whole unit used anything, by meter id."""
    whole = [one.meter_id for one in meters if one.role in WHOLE_UNIT]
    hours: dict[int, list[Span]] = {meter_id: [] for meter_id in whole}
    for one in await db.suspicions.list_used(connection, whole, span, step=Step.HOUR):
        if one.quantity:
            hours[one.meter_id].append(Span(one.starts_at, one.starts_at + HOUR))
    return hours


async def _flat(
    connection: Connection,
    claimed: Claimed,
    meter: MeterFacts,
    readings: Sequence[Sample],
    meters: Sequence[MeterFacts],
    used: dict[int, list[Span]],
    span: Span,
) -> list[SuspicionRow]:
    flats = suspicion.flat_lines(
        meter.kind,
        readings,
        intervals.at(meter.intervals, span.starts_at),
        usual_per_interval=await _usual(connection, meter, span),
        is_part=meter.role not in WHOLE_UNIT,
        producing=_producing(meter, meters, used),
    )
    rows = []
    for flat in flats:
        begun = await db.suspicions.fetch_touching(
            connection, claimed.unit_id, Suspicion.FLAT_LINE, meter.meter, flat.span.starts_at
        )
        rows.append(
            _row(
                claimed,
                Suspicion.FLAT_LINE,
                meter.meter,
                Span(begun or flat.span.starts_at, flat.span.ends_at),
                Sureness.LIKELY if meter.role in WHOLE_UNIT else Sureness.POSSIBLE,
                intervals=flat.intervals,
                value=flat.value,
                expected_steps=round(flat.expected_steps, 1),
            )
        )
    return rows


def _producing(
    meter: MeterFacts, meters: Sequence[MeterFacts], used: dict[int, list[Span]]
) -> list[Span]:
    """Return when the unit produced: by its output meters, for want of any by other whole ones."""
    others = [one for one in meters if one.meter_id in used and one.meter_id != meter.meter_id]
    outputs = [one for one in others if one.role == Role.OUTPUT]
    return periods.merged(span for one in outputs or others for span in used[one.meter_id])


async def _usual(connection: Connection, meter: MeterFacts, span: Span) -> float | None:
    """Return what a register usually advances in an interval; None: unknown. [uom, raw]

    Days on which it did not move at all are left out: they are what is looked for.
    """
    if meter.kind is not Kind.REGISTER:
        return None
    past = Span(span.starts_at - USUAL_DAYS, span.ends_at)
    known = [
        one.quantity
        for one in await db.suspicions.list_used(connection, [meter.meter_id], past, step=Step.DAY)
        if one.quantity
    ]
    if not known:
        return None
    per_day = sum(known) / len(known) / _reference_per_raw(meter)
    return per_day * intervals.at(meter.intervals, span.starts_at) / DAY.total_seconds()


def _reference_per_raw(meter: MeterFacts) -> float:
    """Return how much one raw unit of a register is in the reference unit of its carrier."""
    if meter.reference_uom is None:
        return meter.multiplier
    return meter.multiplier * carriers.conversion(meter.uom, meter.reference_uom)


async def _copied(
    connection: Connection,
    claimed: Claimed,
    meter: MeterFacts,
    readings: Sequence[Sample],
    starts: Sequence[datetime],
) -> list[SuspicionRow]:
    """Draw the curve of each day, keep its print, and hold it against the day before."""
    rows, prints = [], []
    for start in starts:
        day = Span(start, start + DAY)
        interval_s = intervals.at(meter.intervals, start)
        drawn = suspicion.curve(meter.kind, readings, interval_s, day)
        prints.append((start, None if drawn is None else drawn.digest))
        before = suspicion.curve(meter.kind, readings, interval_s, Span(start - DAY, start))
        if drawn is not None and before is not None and drawn.digest == before.digest:
            rows.append(
                _row(
                    claimed,
                    Suspicion.COPIED_CURVE,
                    meter.meter,
                    day,
                    Sureness.LIKELY,
                    points=drawn.points,
                    distinct=drawn.distinct,
                    copy_of=(start - DAY).astimezone(LOCAL).date().isoformat(),
                )
            )
    await db.quality.set_curves(connection, meter.meter_id, prints)
    return rows


async def _subs(
    connection: Connection, claimed: Claimed, meters: Sequence[MeterFacts], start: datetime
) -> list[SuspicionRow]:
    day = Span(start, start + DAY)
    rows = []
    for carrier in sorted({one.carrier for one in meters if one.carrier}):
        ours = [one for one in meters if one.carrier == carrier and one.installed_at < day.ends_at]
        if not any(one.role == Role.SUB for one in ours):
            continue
        listed = await db.suspicions.list_used(
            connection, [one.meter_id for one in ours], day, step=Step.DAY
        )
        excess = suspicion.subs_above_boundary(
            _of(Role.BOUNDARY, ours, listed),
            _of(Role.SUB, ours, listed),
            produced=sum(one or 0.0 for one in _of(Role.RENEWABLE, ours, listed)),
            resolution=sum(_last_digit(one) for one in ours),
        )
        if excess is not None:
            rows.append(
                _row(
                    claimed,
                    Suspicion.SUBS_ABOVE_BOUNDARY,
                    carrier,
                    day,
                    Sureness.POSSIBLE,
                    subs=excess.subs,
                    supply=excess.supply,
                    tolerance=excess.tolerance,
                )
            )
    return rows


def _of(role: Role, meters: Sequence[MeterFacts], listed: Sequence[Used]) -> list[float | None]:
    used = {one.meter_id: one.quantity for one in listed}
    return [used.get(one.meter_id) for one in meters if one.role == role]


def _last_digit(meter: MeterFacts) -> float:
    if meter.kind is not Kind.REGISTER:
        return 0.0
    return registers.RESOLUTION * _reference_per_raw(meter)


async def _twins(
    connection: Connection, claimed: Claimed, starts: Sequence[datetime]
) -> list[SuspicionRow]:
    """Return the curves that another unit has on the same day, once for each of the two."""
    rows = []
    for twin in await db.suspicions.list_twins(connection, claimed.unit_id, starts):
        for unit_id, meter, other_id, other in (
            (twin.unit_id, twin.meter, twin.other_unit_id, twin.other_meter),
            (twin.other_unit_id, twin.other_meter, twin.unit_id, twin.meter),
        ):
            rows.append(
                SuspicionRow(
                    Suspicion.SAME_VALUES,
                    unit_id,
                    meter,
                    twin.starts_at,
                    twin.starts_at + DAY,
                    Sureness.LIKELY,
                    ledger.canonical({"other_meter": other}),
                    other_id,
                )
            )
    return rows


def _month(stated: Stated) -> date | None:
    """Return the last month a fact is about; None: it is not about one, or was withdrawn."""
    content = json.loads(stated.content) if stated.content else {}
    for name in ("to", "ends_at"):
        ended = _instant(content.get(name))
        if ended is not None:
            return (ended - timedelta(microseconds=1)).date().replace(day=1)
    for name in ("month", "from", "starts_at", "read_at", "time"):
        begun = _instant(content.get(name))
        if begun is not None:
            return begun.date().replace(day=1)
    return None


def _instant(told: object) -> datetime | None:
    """Return the local time in a field of a fact: an instant, a day, or a month; None: none."""
    if not isinstance(told, str):
        return None
    try:
        instant = datetime.fromisoformat(f"{told}-01" if len(told) == len("2026-01") else told)
    except ValueError:
        return None
    return instant.astimezone(LOCAL) if instant.tzinfo else instant.replace(tzinfo=LOCAL)


def _late(claimed: Claimed, stated: Stated, month: date, deadline_day: int) -> SuspicionRow:
    start = datetime(month.year, month.month, 1, tzinfo=LOCAL).astimezone(UTC)
    return _row(
        claimed,
        Suspicion.LATE_EDIT,
        f"{stated.noun}/{stated.subject.partition('/')[2]}#{stated.change_id}",
        Span(start, periods.following(start, Step.MONTH)),
        Sureness.POSSIBLE if stated.is_first else Sureness.LIKELY,
        change_id=stated.change_id,
        actor=stated.actor,
        stated_at=stated.changed_at.astimezone(LOCAL).isoformat(),
        deadline_day=deadline_day,
        first_statement=stated.is_first,
    )


def _row(
    claimed: Claimed,
    kind: Suspicion,
    subject: str,
    span: Span,
    sureness: Sureness,
    **evidence: object,
) -> SuspicionRow:
    return SuspicionRow(
        kind,
        claimed.unit_id,
        subject,
        span.starts_at,
        span.ends_at,
        sureness,
        ledger.canonical(evidence),
    )
