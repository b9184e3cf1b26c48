"""Owns which periods a rule looks at: those that are over, the newest one first. Pure.

Gateways deliver late, often by minutes: where the newest period is not all there yet, the one
before it still stands, so each function also returns some that are older.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from energy import periods
from energy.periods import HOUR, LOCAL, Span, Step

HOURS_BACK = 3
DAY = timedelta(days=1)


def hours(now: datetime, length: timedelta) -> list[Span]:
    """Return windows of `length` that end with a full hour."""
    newest = periods.floor(now, Step.HOUR)
    ends = [newest - back * HOUR for back in range(HOURS_BACK + 1)]
    return [Span(ends_at - length, ends_at) for ends_at in ends]


def shifts(now: datetime, times: Mapping[date, Sequence[int]]) -> list[Span]:
    """Return the last two shifts. `times`: the local hours at which they start, by first day.

    On the day of new times, the last shift of the old ones ends where the first new one starts.

    >>> at = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)  # 16:05 in Shanghai
    >>> found = shifts(at, {date(2026, 1, 1): [0, 8, 16]})
    >>> [f"{each.starts_at:%H}–{each.ends_at:%H}" for each in found]
    ['00–08', '16–00']
    """
    today = now.astimezone(LOCAL).date()
    starts = []
    for back in range(3, -1, -1):
        on = today - back * DAY
        held = max((since for since in times if since <= on), default=None)
        if held is not None:
            starts += [
                datetime.combine(on, time(hour), LOCAL).astimezone(UTC) for hour in times[held]
            ]
    over = [Span(one, other) for one, other in pairwise(starts) if other <= now]
    return over[:-3:-1]


def days(now: datetime) -> list[Span]:
    """Return the last two days."""
    today = periods.floor(now, Step.DAY)
    return [Span(today - back * DAY, today - (back - 1) * DAY) for back in (1, 2)]


def months_to_date(now: datetime) -> list[Span]:
    """Return the month up to the end of yesterday, and up to the end of the day before.

    >>> first = datetime(2026, 11, 30, 16, tzinfo=UTC)  # 1 December in Shanghai
    >>> [each.starts_at.isoformat() for each in months_to_date(first)][:1]
    ['2026-10-31T16:00:00+00:00']
    """
    return [Span(periods.floor(day.starts_at, Step.MONTH), day.ends_at) for day in days(now)]
