"""Owns adding sums up that the database was asked for in pieces: days to a span, carriers to all.

Pure. What `db/consumption.py` adds up in SQL adds up here alike: unknown is not zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import fsum

from db.consumption import Key, Sum
from energy.explanation import known_sum
from energy.periods import Span


def added(sums: Sequence[Sum], starts_at: datetime, key: Key) -> Sum:
    """Return the sum of `sums`, under another name."""
    tce_is_whole = all(one.absolute_tce is not None or one.energy_tce is None for one in sums)
    is_whole = all(one.absolute_quantity is not None or one.quantity is None for one in sums)
    return Sum(
        starts_at,
        key,
        known_sum(one.energy_tce for one in sums),
        known_sum(one.quantity for one in sums),
        known_sum(one.estimated_tce for one in sums),
        known_sum(one.absolute_tce for one in sums) if tce_is_whole else None,
        fsum(one.estimated_quantity for one in sums),
        known_sum(one.absolute_quantity for one in sums) if is_whole else None,
        sum(one.readings_present for one in sums),
        any(one.held for one in sums),
        sorted({carrier for one in sums for carrier in one.left_out}),
        list(dict.fromkeys(pair for one in sums for pair in one.unvalued)),
    )


def within(sums: Iterable[Sum], spans: Sequence[Span]) -> list[Sum]:
    """Return the sums of each of `spans`, in order and apart, of those that start in it."""
    starts = [span.starts_at for span in spans]
    found: dict[tuple[datetime, Key], list[Sum]] = {}
    for one in sums:
        place = bisect_right(starts, one.starts_at) - 1
        if place >= 0 and one.starts_at < spans[place].ends_at:
            found.setdefault((starts[place], one.key), []).append(one)
    return [added(of, starts_at, key) for (starts_at, key), of in found.items()]
