"""Owns working days of China: those in which a fault must be repaired, those of a period.

The days off and the working weekends are those the State Council publishes each autumn for the year
to come, as the library `chinesecalendar` keeps them. A year it does not hold is unknown, not
guessed from the weekdays: docs/decisions/0015.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import chinese_calendar

from energy import periods
from energy.periods import LOCAL, Span, Step

REPAIR_WORKDAYS = 3
"""Working days in which a fault of the access-side system is repaired (provincial rules)."""

LIST_WORKDAYS = 20
"""Working days in which a region at level 1 lists cities that rose (发改办环资〔2021〕629号)."""


class NoDeadline(StrEnum):
    """Why there is no deadline."""

    CALENDAR_UNKNOWN = "calendar_unknown"


@dataclass(frozen=True, slots=True)
class Deadline:
    """`due_at` is the first instant that is too late; None: not known, for `reason`."""

    due_at: datetime | None
    reason: NoDeadline | None = None


def is_workday(day: date) -> bool | None:
    """Return whether `day` is a working day in China; None: that year is not known yet.

    14 February 2026 is a Saturday that is worked for the Spring Festival (国务院办公厅 2025).

    >>> is_workday(date(2026, 2, 14)), is_workday(date(2026, 2, 16)), is_workday(date(2050, 1, 3))
    (True, False, None)
    """
    try:
        worked: bool = chinese_calendar.is_workday(day)
    except NotImplementedError:
        return None
    return worked


def count(span: Span) -> int | None:
    """Return the working days in `span`, which is whole days. [days] None: a year is not known.

    >>> january = [datetime(2026, month, 1, tzinfo=LOCAL) for month in (1, 2)]
    >>> count(Span(*january))  # 22 weekdays, less 1 and 2, and Sunday 4 January was worked
    21
    """
    starts_at, worked = span.starts_at.astimezone(LOCAL), 0
    for number in range((span.ends_at - span.starts_at).days):
        is_worked = is_workday(starts_at.date() + timedelta(days=number))
        if is_worked is None:
            return None
        worked += is_worked
    return worked


def deadline(opened_at: datetime, workdays: int = REPAIR_WORKDAYS) -> Deadline:
    """Return when `workdays` working days after a fault are over. [UTC]

    The day of the fault does not count, the last one counts to its end (24:00 Asia/Shanghai; how
    periods by days are reckoned in the Civil Code, articles 201 and 203). A span that reaches into
    a year whose days off are not published has no deadline yet.

    >>> from datetime import UTC
    >>> deadline(datetime(2026, 2, 12, 2, tzinfo=UTC)).due_at.astimezone(LOCAL).isoformat()
    '2026-02-25T00:00:00+08:00'
    """
    day = opened_at.astimezone(LOCAL).date()
    left = workdays
    while left:
        day += timedelta(days=1)
        worked = is_workday(day)
        if worked is None:
            return Deadline(None, NoDeadline.CALENDAR_UNKNOWN)
        left -= worked
    start = datetime(day.year, day.month, day.day, tzinfo=LOCAL)
    return Deadline(periods.following(start, Step.DAY))


def postponed(due_at: datetime, stopped_at: datetime, resumed_at: datetime) -> Deadline:
    """Return a deadline of which the clock stood still from one instant to another. [UTC]

    The working days that were left after the day it stopped count from the day it goes on. What
    was over before it stopped stays as it was.

    >>> stopped, resumed = (datetime(2026, 11, day, 9, tzinfo=LOCAL) for day in (24, 30))
    >>> due_at = deadline(datetime(2026, 11, 23, 9, tzinfo=LOCAL), 3).due_at  # a Monday; Thursday
    >>> last_day(postponed(due_at, stopped, resumed).due_at).isoformat()
    '2026-12-02'
    """
    if due_at <= stopped_at:
        return Deadline(due_at)
    day = stopped_at.astimezone(LOCAL).date()
    starts_at = periods.following(datetime(day.year, day.month, day.day, tzinfo=LOCAL), Step.DAY)
    left = count(Span(starts_at, due_at)) if starts_at < due_at else 0
    if left is None:
        return Deadline(None, NoDeadline.CALENDAR_UNKNOWN)
    return deadline(resumed_at, left)


def last_day(due_at: datetime) -> date:
    """Return the last day that is in time for a deadline, which is the end of a day.

    >>> last_day(datetime(2026, 12, 1, tzinfo=LOCAL)).isoformat()
    '2026-11-30'
    """
    return (due_at.astimezone(LOCAL) - timedelta(microseconds=1)).date()
