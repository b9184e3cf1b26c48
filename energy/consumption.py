"""Owns hours: how advances and readings of one meter become hourly consumption.

Energy is conserved: the hours of any span sum to the advances in it, to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from energy import periods, registers
from energy.periods import HOUR, Span, Step
from energy.registers import Advance, Epoch, Kind, Reading

GAP_INTERVALS = 1.5
"""An advance longer than this many intervals of the meter is a gap: its course is estimated."""


@dataclass(frozen=True, slots=True)
class Hour:
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
    readings: Sequence[Reading],
    epochs: Sequence[Epoch],
    interval_s: float,
    within: Span,
) -> list[Hour]:
    """Return the hours of `within` in which anything is known or held, in order.

    `readings` must reach from the last one at or before `within` to the first at or after it.
    """
    allotment = _Allotment(timedelta(seconds=interval_s * GAP_INTERVALS))
    for advance in registers.advances(kind, readings, epochs, interval_s):
        allotment.add(advance)
    present = _readings_present(kind, readings, interval_s)
    starts = allotment.starts() | present.keys()
    return [
        allotment.hour(start, present.get(start, 0))
        for start in sorted(starts)
        if within.starts_at <= start < within.ends_at
    ]


class _Allotment:
    """Spreads advances over hours in proportion to time; the last piece takes the remainder."""

    def __init__(self, gap: timedelta) -> None:
        self._gap = gap
        self._quantity: dict[datetime, float] = {}
        self._estimated: dict[datetime, float] = {}
        self._held: set[datetime] = set()

    def add(self, advance: Advance) -> None:
        span = advance.ends_at - advance.starts_at
        if not span:
            return
        starts = list(periods.buckets(Span(advance.starts_at, advance.ends_at), Step.HOUR))
        if advance.quantity is None:
            self._held.update(starts)
            return
        estimated = len(starts) > 1 and span > self._gap
        left = advance.quantity
        for start in starts[:-1]:
            inside = start + HOUR - max(start, advance.starts_at)
            piece = advance.quantity * (inside / span)
            left -= piece
            self._book(start, piece, estimated=estimated)
        self._book(starts[-1], left, estimated=estimated)

    def _book(self, start: datetime, quantity: float, *, estimated: bool) -> None:
        self._quantity[start] = self._quantity.get(start, 0.0) + quantity
        if estimated:
            self._estimated[start] = self._estimated.get(start, 0.0) + quantity

    def starts(self) -> set[datetime]:
        return self._quantity.keys() | self._held

    def hour(self, start: datetime, present: int) -> Hour:
        return Hour(
            start,
            self._quantity.get(start),
            self._estimated.get(start, 0.0),
            present,
            start in self._held,
        )


def _readings_present(
    kind: Kind, readings: Iterable[Reading], interval_s: float
) -> dict[datetime, int]:
    """Return how many slots have a reading, by hour.

    A register reading closes the slot before it; the others open the slot after them. A reading
    belongs to the nearest slot boundary, so that a clock some seconds off fills its own slot.
    """
    slots = {round(reading.read_at.timestamp() / interval_s) for reading in readings}
    counts: dict[datetime, int] = {}
    for slot in slots:
        second = slot * interval_s - (1 if kind is Kind.REGISTER else 0)
        start = datetime.fromtimestamp(second // 3600 * 3600, UTC)
        counts[start] = counts.get(start, 0) + 1
    return counts
