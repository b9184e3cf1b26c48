"""Owns the settlement of one unit: which hours of its meters change, and what is in them now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import db.factors
import db.fresh
import db.settlement
from db.metering import MeterSpec, list_specs
from db.pool import Connection
from db.settlement import DoubtRow, History, HourRow, Stale
from energy import consumption, courses, instants, periods, roles
from energy.factors import FactorTable, Unverified
from energy.periods import Span, Step
from energy.registers import Course, Kind
from ingest import histories, restating, rollups
from ingest.valuation import Valuation

READINGS_MAX = 200_000
"""Readings held in memory at a time, about; a single window may have more."""

GAP = timedelta(days=1)
"""Windows of a meter so near to each other are one: to settle a day is cheaper than to find it."""

Specs = Mapping[int, MeterSpec]


async def settle(
    connection: Connection, unit_id: int, stale: Sequence[Stale], unverified: Unverified
) -> int:
    """Settle `stale` ranges of a unit, and all sums above them; return how many hours changed."""
    specs = {spec.meter_id: spec for spec in await list_specs(connection, unit_id)}
    await db.factors.lock_for_valuing(connection)
    rows = await db.factors.list_for_unit(connection, unit_id)
    table = FactorTable(rows, unverified=unverified)
    worth = {spec.meter_id: Valuation(unit_id, spec, table) for spec in specs.values()}
    windows = await _windows(connection, specs, stale)
    last = {window.meter_id: window.span.ends_at for window in windows}
    hours, changed, done = 0, list[Stale](), set[int]()
    for some in _portions(windows, specs):
        followed = []
        fetched = await histories.fetch(connection, some)
        for window, history in zip(some, fetched, strict=True):
            if window.meter_id not in done:
                spec = specs[window.meter_id]
                one = await _followed(connection, spec, window, history, last[window.meter_id])
                followed.append(one)
                if one[0] is not window:
                    done.add(window.meter_id)
        hours += await _replace(connection, specs, worth, followed)
        changed += [window for window, _, _ in followed]
    touched: dict[str, list[Span]] = {}
    for window in changed:
        spec = specs[window.meter_id]
        if spec.carrier is not None and spec.role in roles.COUNTING:
            touched.setdefault(spec.carrier, []).append(window.span)
    final = await restating.list_final(connection, unit_id, specs.values(), touched.values())
    await rollups.add_up_meters(connection, changed)
    if touched:
        await rollups.add_up_unit(connection, unit_id, touched)
        await restating.note(connection, unit_id, final)
    if changed:
        spans = periods.merged(window.span for window in changed)
        await db.fresh.mark(connection, unit_id, spans)
    return hours


async def _windows(connection: Connection, specs: Specs, stale: Sequence[Stale]) -> list[Stale]:
    """Return the whole hours that change when the readings of `stale` did, meter by meter."""
    by_meter: dict[int, list[Span]] = {}
    for each in stale:
        by_meter.setdefault(each.meter_id, []).append(each.span)
    merged = [
        Stale(meter_id, span)
        for meter_id, spans in sorted(by_meter.items())
        for span in periods.merged(spans)
    ]
    counted = [each for each in merged if specs[each.meter_id].kind is Kind.REGISTER]
    reaches = iter(await histories.reaches(connection, counted))
    wide: dict[int, list[Span]] = {}
    for each in merged:
        spec = specs[each.meter_id]
        if spec.kind is Kind.REGISTER:
            reach = next(reaches)
        else:
            # What was read before holds until the next reading: that may have come, or gone.
            interval = _interval(spec)
            reach = Span(each.span.starts_at - interval, each.span.ends_at + interval)
        wide.setdefault(each.meter_id, []).append(rollups.whole(reach, Step.HOUR))
    return [
        Stale(meter_id, span)
        for meter_id, spans in wide.items()
        for span in periods.merged(spans, GAP)
    ]


def _portions(windows: Sequence[Stale], specs: Specs) -> Iterator[list[Stale]]:
    """Yield `windows` a few at a time, so that their readings fit into memory."""
    portion, readings = list[Stale](), 0.0
    for window in windows:
        span = window.span
        readings += (span.ends_at - span.starts_at) / _interval(specs[window.meter_id])
        if portion and readings > READINGS_MAX:
            yield portion
            portion, readings = [], 0.0
        portion.append(window)
    if portion:
        yield portion


async def _followed(
    connection: Connection, spec: MeterSpec, window: Stale, history: History, last: datetime
) -> tuple[Stale, History, Course]:
    """Return a window with its readings and their course.

    Where new readings put later ones in doubt that were on the course before, the window reaches
    on to the hour of the newest reading of the meter, and to the end of its `last` window: then it
    is done.
    """
    course = courses.course(spec.kind, history, spec.epochs, spec.intervals)
    while (until := await _doubtful_until(connection, spec, window, history, course)) is not None:
        reach = rollups.whole(Span(window.span.starts_at, max(until, last)), Step.HOUR)
        window = Stale(spec.meter_id, reach)
        (history,) = await histories.fetch(connection, [window])
        course = courses.course(spec.kind, history, spec.epochs, spec.intervals)
    return window, history, course


async def _doubtful_until(
    connection: Connection, spec: MeterSpec, window: Stale, history: History, course: Course
) -> datetime | None:
    """Return how far hours after `window` may have changed with it, or None: they have not.

    They have not where the step out of the window begins at the reading before: then the course
    goes on as it did.
    """
    ends_at = window.span.ends_at
    if course.is_open:
        (newest,) = await histories.beyond(connection, [(spec.meter_id, ends_at)])
        return newest if newest > ends_at else None
    if spec.kind is not Kind.REGISTER or len(history) < 2 or history[-1][0] <= instants.of(ends_at):
        return None
    step = course.advances[-1]
    if step.quantity is not None and step.starts_at == history[-2][0]:
        return None
    return instants.moment(history[-1][0])


async def _replace(
    connection: Connection,
    specs: Specs,
    worth: Mapping[int, Valuation],
    followed: Sequence[tuple[Stale, History, Course]],
) -> int:
    """Replace hours and doubts of the windows; return how many hours there are."""
    rows, reaches = list[HourRow](), list[Stale]()
    doubts = dict[tuple[int, datetime, str], DoubtRow]()  # neighbouring windows may share one
    for window, history, course in followed:
        spec = specs[window.meter_id]
        found = consumption.hours(spec.kind, history, course, spec.intervals, window.span)
        rows += worth[window.meter_id].rows(found)
        doubts |= {(row[0], row[1], row[3]): row for row in _doubts(window.meter_id, course)}
        reaches.append(Stale(window.meter_id, _reach(window.span, history)))
    await db.settlement.delete_hours(connection, [window for window, _, _ in followed])
    await db.settlement.copy_hours(connection, rows)
    await db.settlement.delete_doubts(connection, reaches)
    if doubts:
        await db.settlement.copy_doubts(connection, list(doubts.values()))
    return len(rows)


def _reach(window: Span, history: History) -> Span:
    """Return where doubts are said anew: also of readings at either end that count no longer."""
    if not history:
        return window
    first, last = instants.moment(history[0][0]), instants.moment(history[-1][0])
    return Span(min(first, window.starts_at), max(last, window.ends_at))


def _doubts(meter_id: int, course: Course) -> list[DoubtRow]:
    return [
        (
            meter_id,
            instants.moment(doubt.first_at),
            instants.moment(doubt.last_at),
            doubt.reason,
            doubt.readings,
            doubt.is_held,
        )
        for doubt in course.doubts
    ]


def _interval(spec: MeterSpec) -> timedelta:
    """Return the longest interval that the meter ever had."""
    return timedelta(seconds=max(each.interval_s for each in spec.intervals))
