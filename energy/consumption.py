"""Owns hours: how the course and the readings of one meter become hourly consumption.

Energy is conserved: the hours of any span sum to the advances in it, to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from energy import instants, intervals
from energy.instants import HOUR
from energy.intervals import SINCE_1970_S, Intervals
from energy.periods import Span
from energy.registers import Course, Kind

GAP_INTERVALS = 1.5
"""An advance longer than this many intervals of the meter is a gap: its course is estimated."""


class Hour(NamedTuple):
    """What one meter used in the hour from `starts_at`.

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
    allotment = _Allotment(course, due)
    present = _readings_present(kind, readings, due)
    first, last = instants.of(within.starts_at) // HOUR, instants.of(within.ends_at) // HOUR
    numbers = allotment.quantity.keys() | allotment.held
    return [
        Hour(
            instants.moment(number * HOUR),
            allotment.quantity.get(number),
            allotment.estimated.get(number, 0.0),
            present.get(number, 0),
            number in allotment.held,
        )
        for number in sorted(numbers)
        if first <= number < last
    ]


def is_longer(starts_at: int, ends_at: int, due: Intervals) -> bool:
    """Return whether an advance is a gap: longer than `GAP_INTERVALS` of its meter's intervals."""
    return ends_at - starts_at > intervals.longest(due, starts_at, ends_at) * GAP_INTERVALS


class _Allotment:
    """Advances spread over hours in proportion to time; the last piece takes the remainder."""

    def __init__(self, course: Course, due: Intervals) -> None:
        self.quantity: dict[int, float] = {}
        self.estimated: dict[int, float] = {}
        self.held: set[int] = set()
        booked = self.quantity
        for starts_at, ends_at, quantity, is_estimate in course.advances:
            first = starts_at // HOUR
            last = max(first, (ends_at - 1) // HOUR)  # a piece without length is of its hour
            if quantity is None:
                self.held.update(range(first, last + 1))
            elif first == last and not is_estimate:
                booked[first] = booked.get(first, 0.0) + quantity
            else:
                is_gap = is_estimate or is_longer(starts_at, ends_at, due)
                self._spread(starts_at, ends_at, quantity, is_estimate=is_gap)

    def _spread(self, starts_at: int, ends_at: int, quantity: float, *, is_estimate: bool) -> None:
        first = starts_at // HOUR
        left, last = quantity, max(first, (ends_at - 1) // HOUR)
        for number in range(first, last):
            inside = (number + 1) * HOUR - max(number * HOUR, starts_at)
            piece = quantity * (inside / (ends_at - starts_at))
            left -= piece
            self._book(number, piece, is_estimate=is_estimate)
        self._book(last, left, is_estimate=is_estimate)

    def _book(self, number: int, quantity: float, *, is_estimate: bool) -> None:
        self.quantity[number] = self.quantity.get(number, 0.0) + quantity
        if is_estimate:
            self.estimated[number] = self.estimated.get(number, 0.0) + quantity


def _readings_present(
    kind: Kind, readings: Sequence[tuple[int, float]], due: Intervals
) -> dict[int, int]:
    """Return how many slots have a reading, by hour.

    A register reading closes the slot before it; the others open the slot after them.
    """
    before = SINCE_1970_S + (1 if kind is Kind.REGISTER else 0)
    counts: dict[int, int] = {}
    for interval_s, filled in intervals.slots(kind, readings, due):
        for slot in filled:
            number = (slot * interval_s - before) // 3600
            counts[number] = counts.get(number, 0) + 1
    return counts
