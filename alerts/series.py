"""Owns a figure over the last windows, as a letter shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Point:
    """A window; `measured` None: it cannot be told, and is drawn as a gap."""

    window: Span
    measured: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """Windows, oldest first, in `uom`; `is_share`: figures are shares, shown in percent.

    `is_worse_above`: what is over its threshold is worse; else what is under it.
    """

    points: tuple[Point, ...]
    uom: str
    is_share: bool = False
    is_worse_above: bool = True

    def is_worse(self, point: Point) -> bool:
        """Return whether a point is on the wrong side of its threshold; unknown is not."""
        if point.measured is None or point.threshold is None:
            return False
        if self.is_worse_above:
            return point.measured > point.threshold
        return point.measured < point.threshold
