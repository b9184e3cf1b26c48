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
MONTHS_BACK = 2
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


def months(now: datetime) -> list[Span]:
    """Return the last months, as many as statements may be late.

    >>> found = months(datetime(2026, 1, 10, tzinfo=UTC))
    >>> [f"{each.starts_at.astimezone(LOCAL):%Y-%m}" for each in found]
    ['2025-12', '2025-11', '2025-10']
    """
    found = []
    ends_at = periods.floor(now, Step.MONTH)
    for _ in range(MONTHS_BACK + 1):
        starts_at = periods.floor(ends_at - HOUR, Step.MONTH)
        found.append(Span(starts_at, ends_at))
        ends_at = starts_at
    return found


def years_to_date(now: datetime) -> list[Span]:
    """Return January to the end of each of these months."""
    return [Span(periods.floor(each.starts_at, Step.YEAR), each.ends_at) for each in months(now)]


def year_before(span: Span) -> Span:
    """Return the same whole months a year before.

    >>> span = years_to_date(datetime(2026, 11, 10, tzinfo=UTC))[0]
    >>> f"{year_before(span).ends_at.astimezone(LOCAL):%Y-%m-%d}"
    '2025-11-01'
    """
    starts_at, ends_at = (
        each.astimezone(LOCAL).replace(year=each.astimezone(LOCAL).year - 1).astimezone(UTC)
        for each in (span.starts_at, span.ends_at)
    )
    return Span(starts_at, ends_at)
