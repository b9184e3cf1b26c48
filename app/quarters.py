"""Owns consumption by quarter of an hour: of one unit, from its readings, when it is asked for.

It is not stored. The course of each meter is followed as settlement follows it, so that the four
quarters of an hour come to what is settled for the hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from math import fsum
from typing import NamedTuple

import app.consumption
import app.gathering
import app.sums
from app import explain_meter
from app.consumption import Line
from app.depends import Caller
from app.errors import ApiError, InvalidParameter
from app.lineage import Lineage, MeterLineage, Question, Source
from db.consumption import Group, Key, Selection, Sum
from db.explanations import MeterRow
from energy import consumption, factors, periods
from energy.explanation import known_sum
from energy.factors import Factor, FactorTable
from energy.periods import Span, Step
from energy.roles import Role

QUARTER = timedelta(minutes=15)
SPAN_MAX = timedelta(days=31)
GROUPS = {Group.UNIT, Group.ENERGY, Group.METER}


def refuse_unfitting(selection: Selection) -> None:
    """Refuse what is not asked of a single unit and a month at most: nothing of it is stored."""
    why = "bucket=15m is reckoned from readings, of one unit at a time"
    if selection.unit is None:
        raise InvalidParameter("unit", f"{why}: name it, or use bucket=hour")
    if not selection.groups <= GROUPS:
        raise InvalidParameter("group_by", f"{why}: group by {', '.join(sorted(GROUPS))}")
    if selection.span.ends_at - selection.span.starts_at > SPAN_MAX:
        raise InvalidParameter("to", f"{why} and {SPAN_MAX.days} days at most; use bucket=hour")


def buckets(span: Span, now: datetime) -> list[Span]:
    """Return the quarters that `span` touches and that have begun, none beyond what is answered."""
    ends_at = min(span.ends_at, now, span.starts_at + SPAN_MAX + QUARTER)
    start = periods.floor(span.starts_at, Step.HOUR)
    start += (span.starts_at - start) // QUARTER * QUARTER
    found = []
    while start < ends_at:
        found.append(Span(start, start + QUARTER))
        start += QUARTER
    return found


async def lines(caller: Caller, selection: Selection, within: Sequence[Span]) -> list[Line]:
    """Return the answer to `selection`, by the quarters `within`."""
    roles = app.consumption.counted(selection)
    groups = await app.consumption.owing(caller, selection)
    app.consumption.refuse_beyond(len({group.key for group in groups}), len(within))
    if not groups:
        return []
    span = selection.span
    question = Question(
        span=Span(
            periods.floor(span.starts_at, Step.HOUR), periods.ceiling(span.ends_at, Step.HOUR)
        ),
        basis=selection.basis,
        now=caller.now,
        unit=selection.unit,
        energy=selection.energy,
        unverified=caller.unverified,
    )
    lineage = await app.gathering.gather(caller, question, roles_asked=roles)
    if lineage.source is not Source.READINGS:
        raise ApiError(
            "too_many_rows",
            f"More than {app.gathering.READINGS_MAX:,} readings would have to be gone through. "
            "Ask for a shorter span or for one energy, or use bucket=hour.",
        )
    found = await asyncio.to_thread(sums, lineage, selection.groups)
    return app.consumption.merged(within, groups, found, caller.now)


def sums(lineage: Lineage, groups: Collection[Group]) -> list[Sum]:
    """Return what was used by quarter and group: of a unit its boundary less its export meters."""
    question = lineage.question
    table = FactorTable(
        (each.factor for each in lineage.factors), lineage.ranges, unverified=question.unverified
    )
    by_carrier: dict[tuple[datetime, Key], list[_Piece]] = {}
    for each in lineage.meters:
        meter, is_single = each.meter, Group.METER in groups
        sign = -1 if meter.role == Role.EXPORT and not is_single else 1
        key = Key(None, None, meter.unit, meter.carrier, meter.meter if is_single else None)
        for piece in _pieces(question, each, table, sign):
            by_carrier.setdefault((piece.starts_at, key), []).append(piece)
    by_group: dict[tuple[datetime, Key], list[Sum]] = {}
    for (starts_at, key), pieces in by_carrier.items():
        shown = Key(
            None,
            None,
            key.unit if Group.UNIT in groups else None,
            key.energy if Group.ENERGY in groups else None,
            key.meter,
        )
        by_group.setdefault((starts_at, shown), []).append(_sum(starts_at, key, pieces))
    return [app.sums.added(of, starts_at, key) for (starts_at, key), of in by_group.items()]


class _Piece(NamedTuple):
    """What one meter adds to a quarter, in the reference unit of its carrier."""

    starts_at: datetime
    unit_id: int
    quantity: float | None
    estimated: float
    present: int
    held: bool
    tce: float | None


def _pieces(
    question: Question, each: MeterLineage, table: FactorTable, sign: int
) -> Iterator[_Piece]:
    meter, days = each.meter, dict[int, Factor | None]()
    to_reference = explain_meter.conversion(meter)
    quarters = consumption.quarters(
        meter.kind,
        explain_meter.counted(each),
        explain_meter.course_of(each),
        explain_meter.intervals_of(each),
        question.span,
    )
    for quarter in quarters:
        quantity = None if quarter.quantity is None else sign * quarter.quantity * to_reference
        day = periods.local_ordinal(quarter.starts_at)
        if day not in days:
            days[day] = _factor(question, meter, table, date.fromordinal(day))
        yield _Piece(
            quarter.starts_at,
            meter.unit_id,
            quantity,
            quarter.estimated_quantity * to_reference,
            quarter.readings_present,
            quarter.held,
            None if quantity is None else factors.coal_equivalent(quantity, days[day]),
        )


def _factor(question: Question, meter: MeterRow, table: FactorTable, on: date) -> Factor | None:
    if meter.carrier is None:
        return None
    return table.find(meter.carrier, question.basis, meter.unit_id, on)


def _sum(starts_at: datetime, key: Key, pieces: Sequence[_Piece]) -> Sum:
    """Return the sum of one carrier, as settlement and `db/consumption.py` make it."""
    quantity = known_sum(piece.quantity for piece in pieces)
    tce = known_sum(piece.tce for piece in pieces)
    estimated = fsum(piece.estimated for piece in pieces)
    is_left_out = key.energy is not None and quantity is not None and tce is None
    return Sum(
        starts_at,
        key,
        tce,
        quantity,
        None if tce is None or not quantity else abs(tce * estimated / quantity),
        None if tce is None else abs(tce),
        abs(estimated),
        None if quantity is None else abs(quantity),
        sum(piece.present for piece in pieces),
        any(piece.held for piece in pieces),
        [key.energy] if is_left_out and key.energy else [],
        [(key.energy, pieces[0].unit_id)] if is_left_out and key.energy else [],
    )
