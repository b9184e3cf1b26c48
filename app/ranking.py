"""Owns ranking (排名) and share (占比): the groups of a bucket in order, each a part of the whole.

Pure. What is unknown has no place and no share, and is behind all that has; it is never the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import fsum

from app.consumption import Line

TIE_DIGITS = 12
"""Figures alike to so many digits are the same: sums of doubles differ in the last of sixteen."""


class Order(StrEnum):
    """What comes first in each bucket."""

    LARGEST = "-energy_tce"
    SMALLEST = "energy_tce"


@dataclass(frozen=True, slots=True)
class Place:
    """A line with its rank in its bucket, and its share of what is known of all of it. [0–1]"""

    line: Line
    rank: int | None
    share: float | None


def places(lines: Sequence[Line], order: Order | None, top: int | None) -> list[Place]:
    """Return the lines of each bucket in order, those of the same figure by name; no order: as is.

    Equals have the same rank, and the next one counts them (1, 2, 2, 4). `top`: up to that rank,
    so all who share the last one. The share is of all lines of the bucket, shown or not.
    """
    if order is None:
        return [Place(line, None, None) for line in lines]
    result: list[Place] = []
    for _, of_bucket in groupby(lines, key=lambda line: line.bucket.starts_at):
        ranked = _ranked(list(of_bucket), order)
        result += (
            place
            for place in ranked
            if top is None or (place.rank is not None and place.rank <= top)
        )
    return result


def unknown(lines: Sequence[Line]) -> int:
    """Return how many lines have no figure: they have no rank and are in no whole."""
    return sum(_figure(line) is None for line in lines)


def _ranked(lines: Sequence[Line], order: Order) -> list[Place]:
    known = [(figure, line) for line in lines if (figure := _figure(line)) is not None]
    whole = fsum(figure for figure, _ in known)
    known.sort(key=lambda pair: _rounded(pair[0]), reverse=order is Order.LARGEST)
    result: list[Place] = []
    rank, last = 0, None
    for place, (figure, line) in enumerate(known, start=1):
        if _rounded(figure) != last:
            rank, last = place, _rounded(figure)
        result.append(Place(line, rank, figure / whole if whole > 0 else None))
    return result + [Place(line, None, None) for line in lines if _figure(line) is None]


def _figure(line: Line) -> float | None:
    return None if line.used is None else line.used.energy_tce


def _rounded(figure: float) -> float:
    return float(f"{figure:.{TIE_DIGITS}g}")
