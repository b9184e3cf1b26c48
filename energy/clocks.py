"""Owns clock discipline: how far a gateway's clock is off, from when its messages arrive.

A message says little alone: it may have waited. What its newest reading is behind the moment of
its arrival is at least the time it took, so the smallest of several is the clock's. A constant
delay of the gateway itself looks the same as a clock that is slow by as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MESSAGES_MIN = 3
OFFSET_MAX = timedelta(seconds=60)
"""More than the ±1 min in which a day must begin."""

SPREAD_MAX = timedelta(seconds=60)
"""A clock is off by the same in each message; what waits in a queue is late by different spans."""

ZONE = timedelta(hours=8)
ZONE_WITHIN = timedelta(minutes=5)


class ClockError(StrEnum):
    """What is wrong with a clock. Zone errors are named by how the clock reads against ours."""

    OFFSET = "offset"
    ZONE_AHEAD = "zone_plus_8h"
    ZONE_BEHIND = "zone_minus_8h"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message: when it came, and when by the gateway's clock its newest reading was complete."""

    received_at: datetime
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """`offset_s`: what the clock reads more than ours. [s] `spread_s` over `messages`. [s]

    `error` None: in order.
    """

    offset_s: float
    spread_s: float
    messages: int
    since: datetime
    error: ClockError | None


def measure(arrivals: Sequence[Arrival]) -> Clock | None:
    """Return what the last messages say of a clock; None: fewer than 3 came. [s]

    `arrivals` in order of their coming. With a drift of 2 s an hour and messages each 15 min the
    offset is that of the newest reading within 5 s, if one of three came within 4 s.

    >>> from datetime import UTC
    >>> at = [datetime(2026, 11, 23, 8, minute, tzinfo=UTC) for minute in (0, 15, 30)]
    >>> measure([Arrival(one, one + timedelta(hours=8)) for one in at]).error
    <ClockError.ZONE_AHEAD: 'zone_plus_8h'>
    """
    if len(arrivals) < MESSAGES_MIN:
        return None
    last = arrivals[-MESSAGES_MIN:]
    offsets = [one.newest_at - one.received_at for one in last]
    offset, spread = max(offsets), max(offsets) - min(offsets)
    return Clock(
        offset.total_seconds(),
        spread.total_seconds(),
        len(last),
        last[0].received_at,
        _error(offset, spread),
    )


def _error(offset: timedelta, spread: timedelta) -> ClockError | None:
    if spread > SPREAD_MAX:
        return None
    if abs(offset - ZONE) <= ZONE_WITHIN:
        return ClockError.ZONE_AHEAD
    if abs(offset + ZONE) <= ZONE_WITHIN:
        return ClockError.ZONE_BEHIND
    return ClockError.OFFSET if abs(offset) > OFFSET_MAX else None
