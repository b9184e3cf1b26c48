"""Owns which sums change when hours do: days, months and years of meters, of units, of areas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import db.rollups
from db.pool import Connection
from db.rollups import CarrierSums, StaleArea
from db.settlement import Stale
from energy import periods
from energy.periods import Span, Step

COARSER = ((Step.HOUR, Step.DAY), (Step.DAY, Step.MONTH), (Step.MONTH, Step.YEAR))
STEPS = (Step.HOUR, Step.DAY, Step.MONTH, Step.YEAR)


def whole(span: Span, step: Step) -> Span:
    """Return the whole steps that `span` touches."""
    return Span(periods.floor(span.starts_at, step), periods.ceiling(span.ends_at, step))


async def add_up_meters(connection: Connection, changed: Sequence[Stale]) -> None:
    """Replace the days, months and years of meters in which hours `changed`."""
    for finer, coarser in COARSER:
        sums = [
            Stale(meter_id, span)
            for meter_id, of_meter in groupby(changed, key=lambda each: each.meter_id)
            for span in _merged((each.span for each in of_meter), coarser)
        ]
        await db.rollups.delete_meter_sums(connection, sums, coarser)
        await db.rollups.insert_meter_sums(connection, sums, finer=finer, coarser=coarser)


async def add_up_unit(connection: Connection, unit_id: int, changed: dict[str, list[Span]]) -> None:
    """Replace what a unit used of the carriers whose meters `changed`; its area is stale then."""
    for step in STEPS:
        sums = [
            CarrierSums(carrier, span)
            for carrier, spans in changed.items()
            for span in _merged(spans, step)
        ]
        await db.rollups.delete_unit_sums(connection, unit_id, sums, step)
        await db.rollups.insert_unit_sums(connection, unit_id, sums, step)
        if step is Step.HOUR:
            await db.rollups.mark_areas(connection, unit_id, sums)


async def add_up_areas(connection: Connection, region: str, stale: Sequence[StaleArea]) -> None:
    """Replace what the areas of a region used in the `stale` spans."""
    changed: dict[tuple[str, str], list[Span]] = {}
    for each in stale:
        changed.setdefault((each.division, each.carrier), []).append(each.span)
    for step in STEPS:
        sums = [
            StaleArea(division, carrier, span)
            for (division, carrier), spans in changed.items()
            for span in _merged(spans, step)
        ]
        await db.rollups.delete_area_sums(connection, region, sums, step)
        await db.rollups.insert_area_sums(connection, region, sums, step)


def _merged(spans: Iterable[Span], step: Step) -> list[Span]:
    return periods.merged(whole(span, step) for span in spans)
