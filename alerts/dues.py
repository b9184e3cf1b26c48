"""Owns by when an alert is to be taken care of, and when the next region up is written to.

Pure. Due dates are working days of China after a day; a year whose days off are not known makes
them unknown, never a guess. While a contest waits for its decision the clock stands still.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from alerts.reach import above
from db.alert_cases import Case, Dates
from energy import workdays
from energy.workdays import Deadline

STEP_WORKDAYS = 5
"""So many working days each region has, of what is not remedied, before the next one up is written
to: as of tasks that are late."""

UNDATED_STEP = timedelta(days=15)
"""The same where the days off are not known: longer than any five working days."""

CONTEST_STOPS_FOR = timedelta(days=15)
"""So long a contest that nobody decides keeps the clock from going on."""


class Turn(StrEnum):
    """What happens to an alert because of its clock."""

    RAISED_TO = "raised_to"  # nobody acknowledged it in time: the next region up is written to
    REMEDY_OVERDUE = "remedy_overdue"  # its figures are not in order in time: it is written about
    CLOCK_RESUMED = "clock_resumed"  # it was contested, and nobody decided in time
    DATED = "dated"  # the days off of a year became known


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen now: the dates, and the regions that are or were written to last: as
    nobody acknowledged, and as it is not remedied.
    """

    turn: Turn
    dates: Dates
    raised_to: str | None
    remedy_raised_to: str | None = None


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
        remedy_raise_at=to_remedy.due_at,
        undated=to_acknowledge.reason or to_remedy.reason or to_raise.reason,
    )


def resumed(case: Case, at: datetime) -> Dates:
    """Return the due dates of a case whose clock goes on at an instant.

    Where one of them is not known, all count anew from there: late rather than wrong.
    """
    if case.stopped_at is None:
        return case.dates
    dates = case.dates
    postponed = [
        Deadline(None) if due_at is None else workdays.postponed(due_at, case.stopped_at, at)
        for due_at in (
            dates.acknowledge_by, dates.remedy_by, dates.raise_at, dates.remedy_raise_at
        )
    ]  # fmt: skip
    if dates.undated or any(each.reason for each in postponed):
        return _again(case, at, at)
    to_acknowledge, to_remedy, to_raise, to_tell = (each.due_at for each in postponed)
    return replace(
        dates,
        acknowledge_by=to_acknowledge,
        remedy_by=to_remedy,
        raise_at=to_raise,
        remedy_raise_at=to_tell,
    )


def next_step(case: Case, now: datetime, staffed: Collection[str] = ()) -> Step | None:
    """Return what is to happen to a case that nobody took care of, or None if nothing is.

    A contest that nobody decides stops the clock for so long and no longer. A region without
    contacts (not `staffed`) costs no step where one further up has some.
    """
    if case.stopped_at is not None:
        until = case.stopped_at + CONTEST_STOPS_FOR
        if now < until:
            return None
        return _step(Turn.CLOCK_RESUMED, case, resumed(case, until))
    if case.dates.undated is not None:
        known = _again(case, case.dates.dated_at, case.dates.clock_from)
        if known != case.dates:
            return _step(Turn.DATED, case, known)
    if case.is_kept:
        return None
    return _raised(case, now, staffed) or _not_remedied(case, now, staffed)


def _step(turn: Turn, case: Case, dates: Dates) -> Step:
    return Step(turn, dates, case.raised_to, case.remedy_raised_to)


def _raised(case: Case, now: datetime, staffed: Collection[str]) -> Step | None:
    if case.is_acknowledged or case.dates.raise_at is None or now < case.dates.raise_at:
        return None
    to = above(case.raised_to or case.region, case.rule_region, staffed)
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
    return Step(Turn.RAISED_TO, dates, to, case.remedy_raised_to)


def _not_remedied(case: Case, now: datetime, staffed: Collection[str]) -> Step | None:
    """Return that it is written about what is not remedied: first to its own region and the next
    one up, then to each further one, as far as the rule reaches.

    Of what is unknown nobody can say so; nor of what is within its threshold again.
    """
    if case.dates.remedy_raise_at is None or now < case.dates.remedy_raise_at or not case.is_over:
        return None
    to = above(case.remedy_raised_to or case.region, case.rule_region, staffed)
    following = None
    if to is not None and above(to, case.rule_region) is not None:
        following = workdays.deadline(now, STEP_WORKDAYS).due_at or now + UNDATED_STEP
    dates = replace(case.dates, remedy_raise_at=following)
    return Step(Turn.REMEDY_OVERDUE, dates, case.raised_to, to or case.region)


def written_to(case: Case, step: Step) -> list[str]:
    """Return the regions whose contacts a step is for; none: it is for nobody."""
    if step.turn is Turn.RAISED_TO:
        return [each for each in (step.raised_to,) if each is not None]
    if step.turn is not Turn.REMEDY_OVERDUE or step.remedy_raised_to is None:
        return []
    own = [] if case.remedy_raised_to else [case.region]
    return list(dict.fromkeys([*own, step.remedy_raised_to]))


def _again(case: Case, at: datetime, clock_from: datetime) -> Dates:
    dates = dated(
        case.raised_to or case.region,
        case.rule_region,
        acknowledge=case.acknowledge_workdays,
        remedy=case.remedy_workdays,
        at=at,
        clock_from=clock_from,
    )
    if case.remedy_raised_to is None:
        return dates
    return replace(dates, remedy_raise_at=case.dates.remedy_raise_at)  # it is written about already


def _deadline(at: datetime, days: int | None) -> Deadline:
    return Deadline(None) if days is None else workdays.deadline(at, days)


def last_day(due_at: datetime | None) -> date | None:
    """Return the last day on which something is done in time, as letters and answers say it."""
    return None if due_at is None else workdays.last_day(due_at)
