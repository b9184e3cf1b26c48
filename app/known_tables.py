"""Owns answering a call as known on a day: the known tables, made before the call looks at facts.

A call says `facts` first, then `sums` for each span that it reads consumption of; all else is as it
always is. Settlement itself takes back what became known later, on copies that are rolled back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

import db.known_stale
import db.known_sums
import db.known_tables
import db.rollups
from app.depends import Caller
from app.errors import AS_KNOWN_ON, ApiError, InvalidParameter
from app.remembered import NOTHING
from db.consumption import Selection
from db.known_stale import StaleRange
from db.pool import Connection
from db.rollups import StaleArea
from db.settlement import Stale
from energy import periods
from energy.periods import Span, Step
from ingest import histories, rollups, unit_settlement

READINGS_LOOKED_AT_MAX = 3_000_000
"""Readings due in weeks in which some came late: each is looked at for when it came."""

READINGS_SETTLED_MAX = 500_000
"""Readings that one answer settles anew: those that bear on what changed."""

METERS_SETTLED_MAX = 1_000
"""Meters that one answer settles anew: about 15 ms each. A month that was over then needs few, one
that went on needs them all."""

ROWS_MAX = 2_000_000
"""Rows of sums that one answer copies."""

LENGTHS = {
    Step.HOUR: timedelta(hours=1),
    Step.DAY: timedelta(days=1),
    Step.MONTH: timedelta(days=28),
}


def refuse_future(caller: Caller, at: datetime | None) -> None:
    """Refuse an instant to come: what will be known then, nobody knows."""
    if at is not None and at > caller.now:
        raise InvalidParameter(
            AS_KNOWN_ON,
            f"is in the future: it is {caller.now:%Y-%m-%dT%H:%M:%SZ} here. Leave it out to be "
            "answered from what is known now",
        )


async def facts(caller: Caller, at: datetime | None) -> Caller:
    """Return a caller who finds the stated facts, and the time, of an instant; None: those of now.

    There are no sums until somebody asks for them: what is forgotten reads as unknown, never as
    the figure of today.
    """
    refuse_future(caller, at)
    if at is None:
        return caller
    await db.known_tables.remember(caller.connection, at)
    await db.known_tables.make_facts(caller.connection)
    await db.known_sums.make(caller.connection)
    await db.known_tables.make_views(caller.connection)
    return replace(caller, known_at=at, now=min(at, caller.now), remembered=NOTHING)


async def selected(caller: Caller, selection: Selection, *others: Selection) -> None:
    """Make the sums of a selection, if the caller asks for those of an instant.

    `others` are of the same units, in other spans.
    """
    await sums(
        caller,
        [each.span for each in (selection, *others)],
        {each.step for each in (selection, *others)},
        region_prefix=selection.region_prefix,
        unit=selection.unit,
    )


async def sums(
    caller: Caller,
    spans: Sequence[Span],
    steps: Collection[Step],
    *,
    region_prefix: str = "",
    unit: str | None = None,
) -> None:
    """Make the sums of whole `steps` in `spans` as they were known, then close the transaction.

    Nothing is to be done for a caller who asks for those of now.
    """
    if caller.known_at is None:
        return
    connection = caller.connection
    await db.known_sums.ask_units(connection, caller.scope, region_prefix=region_prefix, unit=unit)
    apart = await _take_back(caller, spans, steps)
    if unit is None and caller.scope.unit is None:
        await _add_up_areas(caller, apart)
    await db.known_tables.close(connection)


async def budgets(caller: Caller, budgets: Collection[int], span: Span) -> None:
    """Make the days of all units that are charged to `budgets`, like `sums`."""
    if caller.known_at is None:
        return
    await db.known_sums.ask_budget_units(caller.connection, budgets)
    await _take_back(caller, [span], {Step.DAY})
    await db.known_tables.close(caller.connection)


async def _take_back(
    caller: Caller, spans: Sequence[Span], steps: Collection[Step]
) -> Sequence[Span]:
    """Make the sums of the units that are asked for; return the spans, those that touch made one.

    Each span is worked on alone: what a reading bears on beyond it is not whole, and not kept.
    """
    apart = periods.merged(spans)
    for span in apart:
        await db.known_stale.note_reaches(caller.connection, span)
        stale = await _stale(caller.connection, span, caller.now)
        await _settle(caller, span, steps, stale)
        await db.known_sums.keep(caller.connection, span, steps)
    await db.known_sums.show(caller.connection)
    return apart


async def _stale(connection: Connection, span: Span, now: datetime) -> list[StaleRange]:
    """Return what of the sums of today was otherwise then, which is `now`."""
    reach = await db.known_stale.fetch_reach(connection)
    if reach is None:
        return []
    late = await db.known_stale.list_late_spans(connection, reach)
    due = [await db.known_stale.count_due(connection, each) for each in late]
    _refuse_beyond(sum(due), READINGS_LOOKED_AT_MAX)
    for each in late:
        await db.known_stale.mark_late(connection, each)
    await db.known_stale.mark_others(connection, span)
    stale = await db.known_stale.list_stale(connection)
    _refuse_beyond(sum(_readings(each, now) for each in stale), READINGS_SETTLED_MAX)
    _refuse_beyond(len({each.meter_id for each in stale}), METERS_SETTLED_MAX, "meters")
    return stale


async def _settle(
    caller: Caller, span: Span, steps: Collection[Step], stale: Sequence[StaleRange]
) -> None:
    """Settle anew what is stale, on copies of the sums of today."""
    connection = caller.connection
    await db.known_sums.copy_doubts(connection)
    recounted = await db.known_stale.list_recounted(connection)
    again = await _again(connection, span, max(steps, key=list(Step).index), stale)
    again |= {unit_id: span.starts_at for unit_id, _ in recounted}
    meters = await db.known_sums.count_meters(connection)
    finest = LENGTHS[min(steps, key=list(Step).index)]
    rows = sum(meters.values()) * ((span.ends_at - span.starts_at) / finest)
    for unit_id, from_at in again.items():
        rows += meters.get(unit_id, 0) * ((span.ends_at - from_at) / LENGTHS[Step.HOUR])
    _refuse_beyond(rows, ROWS_MAX, "sums")
    await db.known_sums.copy_sums(connection, span, steps, again)
    for unit_id, of_unit in groupby(stale, key=lambda each: each.unit_id):
        ranges = [Stale(each.meter_id, each.span) for each in of_unit]
        await unit_settlement.settle(connection, unit_id, ranges, caller.unverified)
    for unit_id, carrier in recounted:
        await rollups.add_up_unit(connection, unit_id, {carrier: [span]})


async def _again(
    connection: Connection, span: Span, step: Step, stale: Sequence[StaleRange]
) -> dict[int, datetime]:
    """Return from which bucket of a span on settlement may change the hours of units.

    It begins at a reading before what is stale, and may have to go on to the newest one.
    """
    ranges = [Stale(each.meter_id, each.span) for each in stale]
    found: dict[int, datetime] = {}
    for each, reach in zip(stale, await histories.reaches(connection, ranges), strict=True):
        from_at = max(span.starts_at, periods.floor(reach.starts_at, step))
        found[each.unit_id] = min(from_at, found.get(each.unit_id, from_at))
    return found


async def _add_up_areas(caller: Caller, spans: Sequence[Span]) -> None:
    """Add up areas from the sums of units, which are all there."""
    areas: dict[str, list[StaleArea]] = {}
    for region, division, carrier in await db.known_sums.list_areas(caller.connection):
        areas.setdefault(region, []).extend(StaleArea(division, carrier, span) for span in spans)
    for region, of_region in areas.items():
        for step in rollups.STEPS:
            await db.rollups.insert_area_sums(caller.connection, region, of_region, step)


def _readings(stale: StaleRange, now: datetime) -> float:
    """Return about how many readings are settled anew; of what came later there are none."""
    length = min(stale.span.ends_at, now) - stale.span.starts_at
    return max(0.0, length.total_seconds() / stale.interval_s)


def _refuse_beyond(count: float, limit: int, of: str = "readings") -> None:
    if count > limit:
        raise ApiError(
            "too_many_rows",
            f"More than {limit:,} {of} would have to be gone through to answer as known on an "
            f"earlier day. Ask for a unit or a smaller region, or for a shorter span.",
        )
