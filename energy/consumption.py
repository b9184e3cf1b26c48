"""Owns hours: how the course and the readings of one meter become hourly consumption.

Energy is conserved: the hours of any span sum to the advances in it, to rounding, and the quarters
of an hour to the hour.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from energy import instants, intervals
from energy.instants import HOUR, SECOND
from energy.intervals import SINCE_1970_S, Intervals
from energy.periods import Span
from energy.registers import Advance, Course, Kind

QUARTER = HOUR // 4
"""A quarter of an hour. [µs]"""

GAP_INTERVALS = 1.5
"""An advance longer than this many intervals of the meter is a gap: its course is estimated."""


class Hour(NamedTuple):
    """What one meter used in the hour, or the quarter of one, from `starts_at`.

    `quantity` and `estimated_quantity` in the meter's unit of measure, multiplier applied;
    `quantity` is None where nothing is known. `readings_present` counts the slots of the meter's
    interval that have a reading. `held`: a register step in the hour waits for review.
    """

    starts_at: datetime
    quantity: float | None
    estimated_quantity: float
    readings_present: int
    held: bool


def hours(
    kind: Kind,
    readings: Sequence[tuple[int, float]],
    course: Course,
    due: Intervals,
    within: Span,
) -> list[Hour]:
    """Return the hours of `within` in which a quantity is known or held, in order.

    `course` is that of `readings`, which must reach from the last one at or before `within` to
    the first at or after it.
    """
    return _divided(kind, readings, course.advances, due, within, HOUR)


def quarters(
    kind: Kind,
    readings: Sequence[tuple[int, float]],
    course: Course,
    due: Intervals,
    within: Span,
) -> list[Hour]:
    """Return the quarters of hours of `within`, by the rules of `hours`: they sum to the hours.

    What is more of an estimate in a quarter than in an hour says so: an advance longer than
    `GAP_INTERVALS` quarters is spread over them, though its hour is known. [as `Hour`]
    """
    steps = list(_steps(course, readings))
    return _divided(kind, readings, steps, due, within, QUARTER)


def _divided(
    kind: Kind,
    readings: Sequence[tuple[int, float]],
    advances: Iterable[Advance],
    due: Intervals,
    within: Span,
    length: int,
) -> list[Hour]:
    allotment = _Allotment(advances, due, length)
    present = _readings_present(kind, readings, due, length // SECOND)
    first, last = instants.of(within.starts_at) // length, instants.of(within.ends_at) // length
    numbers = allotment.quantity.keys() | allotment.held
    return [
        Hour(
            instants.moment(number * length),
            allotment.quantity.get(number),
            allotment.estimated.get(number, 0.0),
            present.get(number, 0),
            number in allotment.held,
        )
        for number in sorted(numbers)
        if first <= number < last
    ]


def _steps(course: Course, readings: Sequence[tuple[int, float]]) -> Iterator[Advance]:
    """Yield the advances of a course, those that take in several steps of an hour cut into them.

    Readings within an advance are on its course, as are those at its ends, unless in doubt.
    """
    doubtful = {
        read_at
        for doubt in course.doubts
        if doubt.readings
        for read_at, _ in _between(readings, doubt.first_at - 1, doubt.last_at + 1)
    }
    for advance in course.advances:
        starts_at, ends_at, quantity, _ = advance
        inside = [
            each for each in _between(readings, starts_at, ends_at) if each[0] not in doubtful
        ]
        if quantity is None or not inside:
            yield advance
            continue
        ends = _between(readings, starts_at - 1, ends_at + 1)
        first, last = ends[0][1], ends[-1][1]
        left, before = quantity, first
        for read_at, value in inside:
            piece = quantity * ((value - before) / (last - first)) if last > first else 0.0
            yield Advance(starts_at, read_at, piece)
            left, before, starts_at = left - piece, value, read_at
        yield Advance(starts_at, ends_at, left)


def _between(
    readings: Sequence[tuple[int, float]], after: int, before: int
) -> Sequence[tuple[int, float]]:
    """Return the readings strictly between two instants."""
    first = bisect_right(readings, after, key=_read_at)
    return readings[first : bisect_left(readings, before, key=_read_at)]


def is_longer(starts_at: int, ends_at: int, due: Intervals) -> bool:
    """Return whether an advance is a gap: longer than `GAP_INTERVALS` of its meter's intervals."""
    return ends_at - starts_at > intervals.longest(due, starts_at, ends_at) * GAP_INTERVALS


class _Allotment:
    """Advances spread over hours in proportion to time; the last piece takes the remainder.

    `length` is that of an hour, or of a quarter of one.
    """

    def __init__(self, advances: Iterable[Advance], due: Intervals, length: int) -> None:
        self.quantity: dict[int, float] = {}
        self.estimated: dict[int, float] = {}
        self.held: set[int] = set()
        self._length = length
        booked = self.quantity
        for starts_at, ends_at, quantity, is_estimate in advances:
            first = starts_at // length
            last = max(first, (ends_at - 1) // length)  # a piece without length is of its hour
            if quantity is None:
                self.held.update(range(first, last + 1))
            elif first == last and not is_estimate:
                booked[first] = booked.get(first, 0.0) + quantity
            else:
                is_gap = is_estimate or is_longer(starts_at, ends_at, due)
                if length < HOUR:
                    is_gap |= ends_at - starts_at > length * GAP_INTERVALS
                self._spread(starts_at, ends_at, quantity, is_estimate=is_gap)

    def _spread(self, starts_at: int, ends_at: int, quantity: float, *, is_estimate: bool) -> None:
        length = self._length
        first = starts_at // length
        left, last = quantity, max(first, (ends_at - 1) // length)
        for number in range(first, last):
            inside = (number + 1) * length - max(number * length, starts_at)
            piece = quantity * (inside / (ends_at - starts_at))
            left -= piece
            self._book(number, piece, is_estimate=is_estimate)
        self._book(last, left, is_estimate=is_estimate)

    def _book(self, number: int, quantity: float, *, is_estimate: bool) -> None:
        self.quantity[number] = self.quantity.get(number, 0.0) + quantity
        if is_estimate:
            self.estimated[number] = self.estimated.get(number, 0.0) + quantity


def _readings_present(
    kind: Kind, readings: Sequence[tuple[int, float]], due: Intervals, length_s: int
) -> dict[int, int]:
    """Return how many slots have a reading, by hour, or what else is `length_s` long.

    A register reading closes the slot before it; the others open the slot after them.
    """
    before = SINCE_1970_S + (1 if kind is Kind.REGISTER else 0)
    counts: dict[int, int] = {}
    for interval_s, filled in intervals.slots(kind, readings, due):
        for slot in filled:
            number = (slot * interval_s - before) // length_s
            counts[number] = counts.get(number, 0) + 1
    return counts


def _read_at(reading: tuple[int, float]) -> int:
    return reading[0]
