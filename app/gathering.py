"""Owns gathering the rows behind a consumption, as they are now or were known on a day.

What the rows come to is the business of `app/explain.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import db.explanations
import db.factors
import db.stored_sums
from app import known_facts
from app.depends import Caller
from app.errors import ApiError, NotFound
from app.lineage import Lineage, MeterLineage, Question
from db.explanations import ArrivedReading, LinkRow, MeterRow
from db.settlement import Stale
from energy import instants, roles
from energy.periods import Span
from energy.roles import Role
from ingest import histories

METERS_MAX = 5_000
"""Meters that one explanation takes apart."""

READINGS_MAX = 100_000
"""Readings that one explanation follows; a figure of more is taken apart by stored meter sums."""

SPARE = 2
"""A reach may hold so many times the readings that are due: a clock jumped, readings came twice."""

NEIGHBOURS = 8
"""Readings looked at on either side of a span as it was known on a day; a dip has at most three."""


async def gather(
    caller: Caller,
    question: Question,
    *,
    region_prefix: str = "",
    roles_asked: Sequence[str] | None = None,
) -> Lineage:
    """Return all rows behind the consumption that is asked for. Raises NotFound without a meter.

    Without `roles_asked` of the meters that count, or of the one that is named.
    """
    if roles_asked is None:
        roles_asked = roles.COUNTING if question.meter is None else tuple(Role)
    lineage = await _of(
        caller, question, await _meters(caller, question, region_prefix, roles_asked)
    )
    if not lineage.meters:
        raise NotFound("meter" if question.meter is not None else "figure")
    return lineage


async def gather_outputs(caller: Caller, question: Question, product: str) -> Lineage | None:
    """Return all rows behind what output meters of a unit counted; None: it has none."""
    found = await _meters(caller, question, "", (Role.OUTPUT,))
    meters = [meter for meter in found if meter.product == product]
    lineage = await _of(caller, question, meters)
    return lineage if lineage.meters else None


async def _of(caller: Caller, question: Question, meters: Sequence[MeterRow]) -> Lineage:
    if not meters:
        return Lineage(question, [], [])
    epochs = await known_facts.epochs(caller, question, meters)
    lineage = Lineage(
        question,
        [
            MeterLineage(meter, epochs[meter.meter_id])
            for meter in meters
            if meter.meter_id in epochs
        ],
        await known_facts.factors(caller, question, meters),
        await db.factors.list_ranges(caller.connection),
        unit_codes={meter.unit_id: meter.unit for meter in meters},
    )
    is_deep = _readings_due(question, meters) <= READINGS_MAX
    if is_deep:
        lineage = await _with_readings(caller, lineage)
    elif question.as_known_on is not None:
        raise _too_many()
    return lineage if question.as_known_on is not None else await _with_sums(caller, lineage)


def _too_many() -> ApiError:
    return ApiError(
        "too_many_rows",
        f"More than {READINGS_MAX:,} readings bear on this figure, and all would have to be "
        f"followed anew. Ask for a meter, or for a shorter span.",
    )


def _readings_due(question: Question, meters: Sequence[MeterRow]) -> float:
    length_s = (question.span.ends_at - question.span.starts_at).total_seconds()
    return sum(length_s / meter.interval_s for meter in meters)


async def _meters(
    caller: Caller, question: Question, region_prefix: str, asked: Sequence[str]
) -> list[MeterRow]:
    meters = await db.explanations.list_meters(
        caller.connection,
        caller.scope,
        region_prefix=region_prefix,
        unit=question.unit,
        meter=question.meter,
        industry=question.industry,
        energy=question.energy,
        roles=asked,
        before=question.span.ends_at,
        limit=METERS_MAX + 1,
    )
    if len(meters) > METERS_MAX:
        raise ApiError(
            "too_many_rows",
            f"More than {METERS_MAX:,} meters make up this figure. Ask for a smaller region, a "
            f"unit, or one energy carrier.",
        )
    return meters


async def _with_sums(caller: Caller, lineage: Lineage) -> Lineage:
    """Return the lineage with what is stored, to compare with."""
    question, steps = lineage.question, lineage.question.steps()
    ids = [each.meter.meter_id for each in lineage.meters]
    connection, scope = caller.connection, caller.scope
    of_meters = await db.stored_sums.list_meter_sums(
        connection, scope, ids, question.span, steps, question.basis
    )
    of_units = []
    if question.meter is None:
        units = sorted(lineage.unit_codes)
        of_units = await db.stored_sums.list_unit_sums(
            connection, scope, units, question.energy, question.span, steps, question.basis
        )
    reaches = [Stale(each.meter.meter_id, _reach(question, each)) for each in lineage.meters]
    waiting = await db.stored_sums.count_waiting(connection, scope, reaches)
    return replace(lineage, meter_sums=of_meters, unit_sums=of_units, waiting=waiting)


async def _with_readings(caller: Caller, lineage: Lineage) -> Lineage:
    """Return the lineage with the readings of its meters and all that bears on them."""
    question, at = lineage.question, lineage.question.as_known_on
    rows = [each.meter for each in lineage.meters]
    ids = [meter.meter_id for meter in rows]
    corrections = await known_facts.corrections(caller, question, rows)
    count = (caller.connection, caller.scope, ids, question.span)
    conflicts = await db.explanations.count_conflicts(*count, at=at)
    rejected = await db.explanations.count_rejected(*count, at=at)
    reaches = await _reaches(caller, question, ids)
    readings = await _readings(caller, question, reaches)
    meters = [
        replace(
            each,
            readings=readings.get(each.meter.meter_id, []),
            corrections=corrections.get(each.meter.meter_id, {}),
            conflicts=conflicts.get(each.meter.meter_id, 0),
            rejected=rejected.get(each.meter.meter_id, 0),
        )
        for each in lineage.meters
    ]
    return replace(lineage, meters=meters, links=await _links(caller, meters))


async def _reaches(caller: Caller, question: Question, ids: Sequence[int]) -> list[Stale]:
    """Return from which reading to which those of each meter bear on the span.

    Today settlement knows where the course of a register can be taken up.
    """
    if question.as_known_on is not None:
        return await db.explanations.list_reaches_known(
            caller.connection,
            caller.scope,
            ids,
            question.span,
            at=question.as_known_on,
            neighbours=NEIGHBOURS,
        )
    windows = [Stale(meter_id, question.span) for meter_id in ids]
    found = await histories.fetch(caller.connection, windows)
    return [
        Stale(meter_id, _hull(question.span, history))
        for meter_id, history in zip(ids, found, strict=True)
    ]


def _hull(span: Span, history: Sequence[tuple[int, float]]) -> Span:
    """Return the span of a history, and all of `span`: what does not count is shown, too."""
    if not history:
        return span
    first, last = instants.moment(history[0][0]), instants.moment(history[-1][0])
    return Span(min(first, span.starts_at), max(last, span.ends_at))


def _reach(question: Question, each: MeterLineage) -> Span:
    """Return where a new reading would bear on the span: from its first reading to its last."""
    if not each.readings:
        return question.span
    first, last = each.readings[0].read_at, each.readings[-1].read_at
    return Span(min(first, question.span.starts_at), max(last, question.span.ends_at))


async def _readings(
    caller: Caller, question: Question, reaches: Sequence[Stale]
) -> Mapping[int, list[ArrivedReading]]:
    if not reaches:
        return {}
    found = await db.explanations.list_readings(
        caller.connection,
        caller.scope,
        reaches,
        at=question.as_known_on,
        limit=READINGS_MAX * SPARE + 1,
    )
    if sum(len(readings) for readings in found.values()) > READINGS_MAX * SPARE:
        raise _too_many()
    return found


async def _links(
    caller: Caller, meters: Sequence[MeterLineage]
) -> Mapping[tuple[str, int], LinkRow]:
    named = sorted(
        {
            (reading.chain, reading.number)
            for each in meters
            for reading in each.readings or ()
            if reading.chain is not None and reading.number is not None
        }
    )
    return await db.explanations.list_links(
        caller.connection, [chain for chain, _ in named], [number for _, number in named]
    )
