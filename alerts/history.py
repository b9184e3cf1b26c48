"""Owns looking back for the chart of a letter: what a rule finds of a subject in earlier windows.

They are judged as in a backtest, from what is known now; the last one is the figure of the letter.
"""

from __future__ import annotations

from datetime import datetime

from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.registry import KINDS
from alerts.kinds.words import SHARE
from alerts.series import Point, Series
from alerts.verdicts import State, Verdict
from db.pool import Connection
from db.scope import Scope
from energy.periods import HOUR, Span

HOURS = 24
"""Windows of a rule that looks every hour; other kinds look back as far as they say."""


async def fetch(
    connection: Connection, rule: Rule, judged: Judged, around: Surroundings
) -> Series | None:
    """Return the windows up to the one that was judged; None: it is too much to look through."""
    look_back = KINDS[rule.kind].look_back
    try:
        if look_back is not None:
            return series(await look_back(connection, rule, judged, around), judged.verdict)
        return series(await _hours(connection, rule, judged, around), judged.verdict)
    except OutOfBoundsError:
        return None


def series(earlier: list[tuple[Span, Verdict | None]], newest: Verdict) -> Series:
    """Return what the chart shows: windows before the newest, oldest first, and that one.

    Which side of its threshold is worse is told by the newest: it is over, or it is not.
    """
    points = [_point(window, verdict) for window, verdict in earlier]
    is_above = (newest.measured or 0.0) > (newest.threshold or 0.0)
    return Series(
        [*points, _point(newest.period, newest)],
        newest.uom,
        is_share=newest.uom == SHARE,
        is_worse_above=is_above == (newest.state is State.FIRING),
    )


def _point(window: Span, verdict: Verdict | None) -> Point:
    if verdict is None or verdict.state is State.UNKNOWN:
        return Point(window, None, None if verdict is None else verdict.threshold)
    return Point(window, verdict.measured, verdict.threshold)


async def _hours(
    connection: Connection, rule: Rule, judged: Judged, around: Surroundings
) -> list[tuple[Span, Verdict | None]]:
    """Return what the rule finds of a subject in windows that ended each hour before.

    Of a window that could not be judged, the rule tells the one before it: it is none of these.
    """
    watched, newest, unit = judged.watched, judged.verdict.period, judged.facts.about_unit
    scope = Scope.of_region(watched.region, None if unit is None else unit.unit)
    span = Span(newest.ends_at - HOURS * HOUR, newest.ends_at)
    ticks = KINDS[rule.kind].ticks(connection, rule, scope, span, around, {watched.subject})
    found: dict[datetime, Verdict] = {}
    async for _, some in ticks:
        for each in some:
            if each.watched.subject == watched.subject:
                found[each.verdict.period.ends_at] = each.verdict
    ends = [newest.ends_at - number * HOUR for number in range(HOURS - 1, 0, -1)]
    length = newest.ends_at - newest.starts_at
    return [(Span(ends_at - length, ends_at), found.get(ends_at)) for ends_at in ends]
