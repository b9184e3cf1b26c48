"""Owns which readings of a meter have to be looked at when some of them changed.

A step of a register reaches from one reading to the next, so a new reading changes both steps that
it ends and begins; and it may put the reading before it in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import db.settlement
from db.pool import Connection
from db.settlement import History, Point, Stale
from energy.periods import EARLIEST, LATEST, Span

NEAR = timedelta(days=8)
"""How far one looks for the neighbour of a reading at first: nearly always it is there."""

JUST_AFTER = timedelta(microseconds=1)


async def reaches(connection: Connection, stale: Sequence[Stale]) -> list[Span]:
    """Return the spans of registers that change when readings in `stale` ranges did."""
    before = await _before(connection, _starts(stale), count=2)
    after = await _after(connection, _ends(stale))
    # A reading on the hour closes a slot of the hour before.
    return [
        Span(min(first or LATEST, each.span.starts_at - JUST_AFTER), last)
        for each, first, last in zip(stale, before, after, strict=True)
    ]


async def fetch(connection: Connection, windows: Sequence[Stale]) -> list[History]:
    """Return the readings of each window, from the last one on the register's course at or before
    it to the first such one at or after it, and all between: the doubtful ones too.
    """
    starts = [(meter_id, at + JUST_AFTER) for meter_id, at in _starts(windows)]
    before = await _before(connection, starts, count=1)
    after = await _after(connection, _ends(windows))
    wide = [
        Stale(window.meter_id, Span(first or window.span.starts_at, last))
        for window, first, last in zip(windows, before, after, strict=True)
    ]
    return await db.settlement.list_histories(connection, wide)


async def beyond(connection: Connection, points: Sequence[Point]) -> list[datetime]:
    """Return, for each point, an instant at or after it and after the newest reading."""
    if not points:
        return []
    newest = await db.settlement.list_newest(connection, points)
    return [
        point[1] if at is None else at + JUST_AFTER
        for point, at in zip(points, newest, strict=True)
    ]


def _starts(ranges: Sequence[Stale]) -> list[Point]:
    return [(each.meter_id, each.span.starts_at) for each in ranges]


def _ends(ranges: Sequence[Stale]) -> list[Point]:
    return [(each.meter_id, each.span.ends_at) for each in ranges]


async def _before(
    connection: Connection, points: Sequence[Point], *, count: int
) -> list[datetime | None]:
    """Return the reading on the course before each point, the `count`-th, or the first of all."""
    if not points:
        return []
    found: list[datetime | None] = [None] * len(points)
    for since in (min(at for _, at in points) - NEAR, EARLIEST):
        if rest := [point for point, at in zip(points, found, strict=True) if at is None]:
            more = iter(await db.settlement.list_before(connection, rest, count=count, since=since))
            found = [next(more) if at is None else at for at in found]
    return found


async def _after(connection: Connection, points: Sequence[Point]) -> list[datetime]:
    """Return the nearest reading on the course from each point on; else the end of all readings."""
    if not points:
        return []
    found: list[datetime | None] = [None] * len(points)
    for until in (max(at for _, at in points) + NEAR, LATEST):
        if rest := [point for point, at in zip(points, found, strict=True) if at is None]:
            more = iter(await db.settlement.list_after(connection, rest, until=until))
            found = [next(more) if at is None else at for at in found]
    rest = [point for point, at in zip(points, found, strict=True) if at is None]
    ends = iter(await beyond(connection, rest))
    return [next(ends) if at is None else at for at in found]
