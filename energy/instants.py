"""Owns instants as PostgreSQL stores them: whole microseconds since 2000-01-01T00:00Z.

Where there is one for every reading an instant is such an integer: comparing integers costs a
tenth of comparing datetimes with offsets, and a COPY row needs them anyway.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
HOUR = 3600 * SECOND
WEEK = 168 * HOUR
WEEK_LONG = timedelta(days=7)
_WEEKS_BEGIN = 48 * HOUR
"""From the Thursday before 2000-01-01 to then: weeks begin when chunks of seven days do."""


def of(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def week(instant: int) -> int:
    """Return the number of the seven days, from a Thursday 00:00Z, in which `instant` lies."""
    return (instant + _WEEKS_BEGIN) // WEEK


def week_start(number: int) -> int:
    """Return the instant at which a week begins.

    >>> moment(week_start(week(of(datetime(2026, 11, 23, tzinfo=UTC))))).isoformat()
    '2026-11-19T00:00:00+00:00'
    """
    return number * WEEK - _WEEKS_BEGIN
