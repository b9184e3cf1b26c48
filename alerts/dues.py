"""Owns by when an alert is to be taken care of, and when the next region up is written to.

Pure. Due dates are working days of China after a day; a year whose days off are not known makes
them unknown, never a guess. While a contest waits for its decision the clock stands still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.reach import above
from db.alert_cases import Case, Dates
from energy import workdays
from energy.workdays import Deadline

CONTEST_STOPS_FOR = timedelta(days=15)
"""So long a contest that nobody decides keeps the clock from going on."""


class Turn(StrEnum):
    """What happens to an alert because of its clock."""

    RAISED_TO = "raised_to"  # nobody acknowledged it in time: the next region up is written to
    CLOCK_RESUMED = "clock_resumed"  # it was contested, and nobody decided in time
    DATED = "dated"  # the days off of a year became known


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen now: the dates, and the region that is or was written to last."""

    turn: Turn
    dates: Dates
    raised_to: str | None


def dated(
    region: str,
    rule_region: str,
    *,
    acknowledge: int | None,
    remedy: int | None,
    at: datetime,
    clock_from: datetime | None = None,
) -> Dates:
    """Return the due dates of an alert that was told at an instant and is now with `region`.

    `clock_from` is when that region was written to; None: it is where the alert is.
    """
    to_acknowledge, to_remedy = _deadline(at, acknowledge), _deadline(at, remedy)
    has_above = above(region, rule_region) is not None
    to_raise = _deadline(clock_from or at, acknowledge if has_above else None)
    return Dates(
        dated_at=at,
        clock_from=clock_from or at,
        acknowledge_by=to_acknowledge.due_at,
        remedy_by=to_remedy.due_at,
        raise_at=to_raise.due_at,
        undated=to_acknowledge.reason or to_remedy.reason or to_raise.reason,
    )


def resumed(case: Case, at: datetime) -> Dates:
    """Return the due dates of a case whose clock goes on at an instant.

    Where one of them is not known, all count anew from there: late rather than wrong.
    """
    if case.stopped_at is None:
        return case.dates
    dates = case.dates
    to_acknowledge, to_remedy, to_raise = (
        Deadline(None) if due_at is None else workdays.postponed(due_at, case.stopped_at, at)
        for due_at in (dates.acknowledge_by, dates.remedy_by, dates.raise_at)
    )
    if dates.undated or to_acknowledge.reason or to_remedy.reason or to_raise.reason:
        return _again(case, at, at)
    return replace(
        dates,
        acknowledge_by=to_acknowledge.due_at,
        remedy_by=to_remedy.due_at,
        raise_at=to_raise.due_at,
    )


def next_step(case: Case, now: datetime) -> Step | None:
    """Return what is to happen to a case that nobody took care of, or None if nothing is.

    A contest that nobody decides stops the clock for so long and no longer.
    """
    if case.stopped_at is not None:
        until = case.stopped_at + CONTEST_STOPS_FOR
        if now < until:
            return None
        return Step(Turn.CLOCK_RESUMED, resumed(case, until), case.raised_to)
    if case.dates.undated is not None:
        known = _again(case, case.dates.dated_at, case.dates.clock_from)
        if known != case.dates:
            return Step(Turn.DATED, known, case.raised_to)
    if case.is_kept or case.dates.raise_at is None or now < case.dates.raise_at:
        return None
    to = above(case.raised_to or case.region, case.rule_region)
    if to is None:
        return None
    following = _deadline(
        now, case.acknowledge_workdays if above(to, case.rule_region) is not None else None
    )
    dates = replace(
        case.dates,
        clock_from=now,
        raise_at=following.due_at,
        undated=case.dates.undated or following.reason,
    )
    return Step(Turn.RAISED_TO, dates, to)


def _again(case: Case, at: datetime, clock_from: datetime) -> Dates:
    return dated(
        case.raised_to or case.region,
        case.rule_region,
        acknowledge=case.acknowledge_workdays,
        remedy=case.remedy_workdays,
        at=at,
        clock_from=clock_from,
    )


def _deadline(at: datetime, days: int | None) -> Deadline:
    return Deadline(None) if days is None else workdays.deadline(at, days)
