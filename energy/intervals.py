"""Owns how often a meter is due to be read, and since when: the interval of then counts.

Whoever reads a meter less often from some day on does not lack readings before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from energy import instants
from energy.instants import SECOND
from energy.registers import Epoch, Kind

SINCE_1970_S = 946_684_800
"""Slots are counted from 1970 (`energy.coverage`), instants from 2000; both on a full hour."""

EVER = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


class Interval(NamedTuple):
    """A meter is due every `interval_s` from `starts_at` on, until the next one starts."""

    starts_at: datetime
    interval_s: int


Intervals: TypeAlias = Sequence[Interval]
"""Those of one meter, oldest first; the first has held `EVER` since."""


def plain(interval_s: int) -> Intervals:
    """Return the intervals of a meter that never got another."""
    return (Interval(EVER, interval_s),)


def of(interval_s: int, epochs: Iterable[Epoch]) -> Intervals:
    """Return the intervals of a meter: its own until an epoch says otherwise. [s]

    >>> [each.interval_s for each in of(900, [])]
    [900]
    """
    later = (
        Interval(epoch.starts_at, epoch.interval_s)
        for epoch in epochs
        if epoch.interval_s is not None
    )
    return (Interval(EVER, interval_s), *later)


def at(intervals: Intervals, instant: datetime) -> int:
    """Return the interval in force at `instant`. [s]"""
    return intervals[bisect_right(intervals, instant, key=_starts_at) - 1].interval_s


def stretches(intervals: Intervals) -> Iterator[tuple[int, datetime, datetime]]:
    """Yield each interval with the times from which and until before which it holds."""
    for one, following in pairwise([*intervals, Interval(END, 0)]):
        yield one.interval_s, one.starts_at, following.starts_at


def slots(
    kind: Kind, readings: Sequence[tuple[int, float]], intervals: Intervals
) -> Iterator[tuple[int, set[int]]]:
    """Yield each interval with the slots of it that `readings`, in order of time, fill.

    Slots are numbered from 1970 and named by their boundary: a reading fills the nearest, so that
    a clock some seconds off fills its own. A register reading closes what was before it, so the
    slot at a change is one of the interval that ends there; the others open what follows.
    """
    for interval_s, starts_at, ends_at in stretches(intervals):
        interval, some = interval_s * SECOND, readings
        if len(intervals) > 1:
            first, last = instants.of(starts_at) - interval, instants.of(ends_at) + interval
            some = readings[
                bisect_left(readings, first, key=_read_at) : bisect_left(
                    readings, last, key=_read_at
                )
            ]
        nearest = SINCE_1970_S * SECOND + interval // 2
        filled = {(read_at + nearest) // interval for read_at, _ in some}
        if len(intervals) > 1:
            ends = [instants.of(end) // SECOND + SINCE_1970_S for end in (starts_at, ends_at)]
            shift = 1 if kind is Kind.REGISTER else 0
            filled = {each for each in filled if ends[0] <= each * interval_s - shift < ends[1]}
        yield interval_s, filled


def longest(intervals: Intervals, starts_at: int, ends_at: int) -> int:
    """Return the longest interval in force when a time begins or as it ends, in instants. [µs]"""
    if len(intervals) == 1:
        return intervals[0].interval_s * SECOND
    ends = (at(intervals, instants.moment(end)) for end in (starts_at, max(starts_at, ends_at - 1)))
    return max(ends) * SECOND


def _starts_at(interval: Interval) -> datetime:
    return interval.starts_at


def _read_at(reading: tuple[int, float]) -> int:
    return reading[0]
