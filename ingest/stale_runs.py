"""Owns as which ranges the hours that a flush makes stale are noted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from energy import instants

GAP_HOURS = 24
"""Stale hours of a meter closer than this become one range: few rows, little work in vain."""


def spans(hours: set[int]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the ranges [from, to) that hold all `hours` since 1970.

    >>> [f"{first:%d %H}-{last:%d %H}" for first, last in spans({0, 1, 100})]
    ['01 00-01 02', '05 04-05 05']
    """
    ordered = sorted(hours)
    first = previous = ordered[0]
    for hour in ordered[1:]:
        if hour - previous > GAP_HOURS:
            yield _instant(first), _instant(previous + 1)
            first = hour
        previous = hour
    yield _instant(first), _instant(previous + 1)


def _instant(hour: int) -> datetime:
    return instants.moment(hour * instants.HOUR)
