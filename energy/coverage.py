"""Owns how many readings were due: what coverage (完整率) is measured against.

A day is cut into slots of the meter's interval, counted from the epoch. A register reading closes
the slot before it, the others open the slot after them; either is due once the slot is over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

from energy import intervals
from energy.intervals import Intervals
from energy.periods import Span
from energy.registers import Kind


def readings_due(kind: Kind, interval_s: int, span: Span, now: datetime) -> int:
    """Return how many readings of `span` a meter owes at `now`. [readings]

    >>> from datetime import UTC, timedelta
    >>> hour = datetime(2026, 11, 23, 8, tzinfo=UTC)
    >>> span = Span(hour, hour + timedelta(hours=1))
    >>> readings_due(Kind.REGISTER, 900, span, hour + timedelta(days=1))
    4
    >>> readings_due(Kind.REGISTER, 900, span, hour + timedelta(minutes=20))
    1
    """
    first, last = span.starts_at.timestamp(), span.ends_at.timestamp()
    over = now.timestamp() // interval_s
    if kind is Kind.REGISTER:
        due = min(last // interval_s, over) - first // interval_s
    else:
        due = min(-(-last // interval_s), over) - -(-first // interval_s)
    return max(0, int(due))


def due_of(kind: Kind, due: Intervals, span: Span, now: datetime) -> int:
    """Return how many readings of `span` a meter owes at `now`, each by the interval of then.

    [readings]
    """
    if len(due) == 1:
        return readings_due(kind, due[0].interval_s, span, now)
    return sum(
        readings_due(kind, interval_s, Span(first, last), now)
        for interval_s, starts_at, ends_at in intervals.stretches(due)
        if (first := max(starts_at, span.starts_at)) < (last := min(ends_at, span.ends_at))
    )


class Calendar:
    """The buckets of a question, and what one meter owes in each of them."""

    def __init__(self, buckets: Sequence[Span], now: datetime) -> None:
        self.buckets = buckets
        self.now = now
        self._starts = [bucket.starts_at for bucket in buckets]
        self._owed: dict[tuple[Kind, int], list[int]] = {}

    def owed(self, kind: Kind, interval_s: int) -> Sequence[int]:
        """Return the readings due in each bucket from a meter that is there all the time."""
        key = (kind, interval_s)
        if key not in self._owed:
            self._owed[key] = [
                readings_due(kind, interval_s, bucket, self.now) for bucket in self.buckets
            ]
        return self._owed[key]

    def first_whole(self, instant: datetime) -> int:
        """Return the index of the first bucket that does not start before `instant`."""
        return bisect_left(self._starts, instant)


class Due:
    """The readings due from a group of meters; its cost does not grow with meters × buckets."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._joining: dict[tuple[Kind, int], list[int]] = {}
        self._partial = [0] * len(calendar.buckets)
        self.first = len(calendar.buckets)
        """Index of the first bucket in which any of the meters is installed."""

    def add(
        self,
        kind: Kind,
        interval_s: int,
        starts_at: datetime,
        meters: int,
        *,
        ends_at: datetime | None = None,
    ) -> None:
        """Add `meters` meters of one kind, due at one interval from `starts_at` until then."""
        self.first = min(self.first, self._join(kind, interval_s, starts_at, meters))
        if ends_at is not None:
            self._join(kind, interval_s, ends_at, -meters)

    def _join(self, kind: Kind, interval_s: int, instant: datetime, meters: int) -> int:
        """Count `meters` more from `instant` on; return the bucket that it lies in."""
        buckets = self._calendar.buckets
        whole = self._calendar.first_whole(instant)
        if whole < len(buckets):
            joining = self._joining.setdefault((kind, interval_s), [0] * len(buckets))
            joining[whole] += meters
        if whole > 0 and instant < buckets[whole - 1].ends_at:
            whole -= 1
            rest = Span(instant, buckets[whole].ends_at)
            due = readings_due(kind, interval_s, rest, self._calendar.now)
            self._partial[whole] += meters * due
        return whole

    def counts(self) -> list[int]:
        """Return the readings due in each bucket."""
        counts = list(self._partial)
        for (kind, interval_s), joining in self._joining.items():
            owed = self._calendar.owed(kind, interval_s)
            meters = 0
            for index, more in enumerate(joining):
                meters += more
                counts[index] += meters * owed[index]
        return counts
