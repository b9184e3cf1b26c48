"""Owns comparing lines of consumption with those of another period (同比, 环比).

Which period that is and what the change comes to is the business of `energy/comparison.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import app.consumption
from app.consumption import Line
from app.depends import Caller
from app.errors import InvalidParameter
from db.consumption import Key, Selection
from energy import comparison, workdays
from energy.comparison import Calendar, Change, Compare, Other, Rule, Side
from energy.periods import Span, Step

IN_DAYS = {Rule.SPRING_FESTIVAL}
"""Rules by which a month is compared with days that are not a month of the calendar."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared with what."""

    compare: Compare
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Compared:
    """A line beside that of another period. `then` None: no meter was there.

    With an adjusted calendar it has the working days of both, and the change per working day.
    """

    other: Other
    then: Line | None
    change: Change
    workdays: tuple[int | None, int | None] | None = None
    per_workday: Change | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What is read at once. `of_days`: its spans are not buckets, they are added up of days."""

    selection: Selection
    spans: Sequence[Span]
    of_days: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The other period of each bucket, and what has to be read of them.

    `workdays` are counted where they divide.
    """

    asked: Asked
    others: Mapping[datetime, Other]
    reads: Sequence[Read]
    workdays: Mapping[Span, int | None]

    @property
    def selections(self) -> list[Selection]:
        return [read.selection for read in self.reads]


@dataclass(frozen=True, slots=True)
class Others:
    """A plan with the lines that were read, by their span and group."""

    plan: Plan
    lines: Mapping[tuple[Span, Key], Line]


def planned(asked: Asked, selection: Selection, within: Sequence[Span]) -> Plan:
    """Return what the buckets `within` are compared with. Raises InvalidParameter."""
    step, is_adjusted = selection.bucket, asked.calendar is Calendar.ADJUSTED
    if is_adjusted and step not in (Step.DAY, Step.MONTH):
        raise InvalidParameter("calendar", "adjusted is for bucket=day and bucket=month")
    others = {
        bucket.starts_at: comparison.other(bucket, step, asked.compare, asked.calendar)
        for bucket in within
    }
    found = [other for other in others.values() if other.span is not None]
    of_days = {other.span for other in found if step is Step.MONTH and other.rule in IN_DAYS}
    of_buckets = {other.span for other in found} - of_days
    reads = [
        Read(
            replace(selection, span=_hull(spans), bucket=bucket), spans, of_days=bucket is not step
        )
        for bucket, some in ((step, of_buckets), (Step.DAY, of_days))
        if (spans := _in_order(some))
    ]
    counted = [*within, *of_buckets, *of_days] if is_adjusted else []
    return Plan(asked, others, reads, {span: workdays.count(span) for span in counted if span})


async def fetch(caller: Caller, plan: Plan) -> Others:
    """Return the lines that others are compared with."""
    lines = {
        (line.bucket, line.key): line
        for read in plan.reads
        for line in await app.consumption.lines(
            caller, read.selection, read.spans, may_trail=True, of_days=read.of_days
        )
    }
    return Others(plan, lines)


def compared(line: Line, others: Others, now: datetime) -> Compared:
    """Return what `line` is compared with, and what the change comes to."""
    plan = others.plan
    other = plan.others[line.bucket.starts_at]
    if other.span is None:
        then, change = None, Change(None, None, other.reason)
    else:
        then = others.lines.get((other.span, line.key))
        side = None if then is None else _side(then)
        change = comparison.change(_side(line), side, is_over=line.bucket.ends_at <= now)
    if plan.asked.calendar is not Calendar.ADJUSTED:
        return Compared(other, then, change)
    days = [None if span is None else plan.workdays[span] for span in (line.bucket, other.span)]
    per_workday = comparison.change_per_workday(
        change, _tce(line), _tce(then), workdays_now=days[0], workdays_then=days[1]
    )
    return Compared(other, then, change, (days[0], days[1]), per_workday)


def _side(line: Line) -> Side:
    used = line.used
    return Side(None) if used is None else Side(used.energy_tce, used.held, bool(used.left_out))


def _tce(line: Line | None) -> float | None:
    return None if line is None or line.used is None else line.used.energy_tce


def _in_order(spans: Iterable[Span | None]) -> list[Span]:
    return sorted((span for span in spans if span), key=lambda span: span.starts_at)


def _hull(spans: Sequence[Span]) -> Span:
    return Span(spans[0].starts_at, spans[-1].ends_at)
