"""Owns time: instants are aware UTC, days and months are those of Asia/Shanghai.

China has no daylight saving, so every local day and month is a whole number of UTC hours.
A period is labelled by its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Shanghai")
HOUR = timedelta(hours=1)
EARLIEST, LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""The table of readings refuses what is before or after, so that a bad clock cannot scatter its
chunks."""

_NEXT_DAY_HOUR = 16
"""From this hour of UTC on it is the next day in Shanghai."""


class Step(StrEnum):
    """The length of a bucket of consumption."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open span of time `[starts_at, ends_at)`, both aware."""

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise ValueError("a span needs instants with an offset")
        if self.ends_at <= self.starts_at:
            raise ValueError("a span must end after it starts")


def floor(instant: datetime, step: Step) -> datetime:
    """Return the start of the bucket that contains `instant`. [UTC]

    >>> floor(datetime(2026, 1, 31, 17, 30, tzinfo=UTC), Step.MONTH).isoformat()
    '2026-01-31T16:00:00+00:00'
    """
    if step is Step.HOUR:
        return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    local = instant.astimezone(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
    if step in (Step.MONTH, Step.YEAR):
        local = local.replace(day=1)
    if step is Step.YEAR:
        local = local.replace(month=1)
    return local.astimezone(UTC)


def local_ordinal(instant: datetime) -> int:
    """Return the day of Asia/Shanghai that a UTC instant lies in, as `date.toordinal` counts.

    >>> local_ordinal(datetime(2026, 1, 31, 16, tzinfo=UTC)) == datetime(2026, 2, 1).toordinal()
    True
    """
    return instant.toordinal() + (instant.hour >= _NEXT_DAY_HOUR)


def following(starts_at: datetime, step: Step) -> datetime:
    """Return the start of the bucket after the one that starts at `starts_at`. [UTC]

    >>> following(datetime(2026, 1, 31, 16, tzinfo=UTC), Step.MONTH).isoformat()
    '2026-02-28T16:00:00+00:00'
    """
    longest = {
        Step.HOUR: HOUR,
        Step.DAY: timedelta(days=1),
        Step.MONTH: timedelta(days=31),
        Step.YEAR: timedelta(days=366),
    }
    return floor(starts_at + longest[step], step)


def merged(spans: Iterable[Span], gap: timedelta = timedelta(0)) -> list[Span]:
    """Return `spans` in order, those that overlap or lie at most `gap` apart made one."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: span.starts_at):
        if result and span.starts_at <= result[-1].ends_at + gap:
            ends_at = max(result[-1].ends_at, span.ends_at)
            result[-1] = Span(result[-1].starts_at, ends_at)
        else:
            result.append(span)
    return result


def ceiling(instant: datetime, step: Step) -> datetime:
    """Return `instant` if it starts a bucket, else the start of the next one. [UTC]"""
    start = floor(instant, step)
    return start if start == instant else following(start, step)


def buckets(span: Span, step: Step) -> Iterator[datetime]:
    """Yield the start of each bucket that `span` touches, in order."""
    start = floor(span.starts_at, step)
    while start < span.ends_at:
        yield start
        start = following(start, step)
