"""Owns looking back for the chart of a letter: what a rule finds of a subject in earlier windows.

They are judged as in a backtest, from what is known now; the last one is the figure of the letter.
"""

from __future__ import annotations

from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.registry import KINDS
from alerts.kinds.words import SHARE
from alerts.series import Point, Series
from alerts.verdicts import State, Verdict
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


async def fetch(
    connection: Connection, rule: Rule, judged: Judged, around: Surroundings
) -> Series | None:
    """Return the windows up to the one that was judged; None: it is too much to look through."""
    look_back = KINDS[rule.kind].look_back
    try:
        if look_back is not None:
            return series(await look_back(connection, rule, judged, around), judged.verdict)
        return series(await _windows(connection, rule, judged, around), judged.verdict)
    except OutOfBoundsError:
        return None


def series(earlier: list[tuple[Span, Verdict | None]], newest: Verdict) -> Series:
    """Return what the chart shows: windows before the newest, oldest first, and that one.

    Which side of its threshold is worse is told by the newest: it is over, or it is not.
    """
    points = [_point(window, verdict) for window, verdict in earlier]
    is_above = (newest.measured or 0.0) > (newest.threshold or 0.0)
    return Series(
        (*points, _point(newest.period, newest)),
        newest.uom,
        is_share=newest.uom == SHARE,
        is_worse_above=is_above == (newest.state is State.FIRING),
    )


def _point(window: Span, verdict: Verdict | None) -> Point:
    if verdict is None or verdict.state is State.UNKNOWN:
        return Point(window, None, None if verdict is None else verdict.threshold)
    return Point(window, verdict.measured, verdict.threshold)


async def _windows(
    connection: Connection, rule: Rule, judged: Judged, around: Surroundings
) -> list[tuple[Span, Verdict | None]]:
    """Return what the rule finds of a subject in the windows before the one that was judged.

    Of a window that could not be judged, the rule tells the one before it: it is none of these.
    """
    watched, newest, unit = judged.watched, judged.verdict.period, judged.facts.about_unit
    windows = rule.parameters.look_back(newest)
    if not windows:
        return []
    scope = Scope.of_region(watched.region, None if unit is None else unit.unit)
    ends = [each.ends_at for each in (*windows, newest)]
    span = Span(ends[0] - (ends[1] - ends[0]), newest.ends_at)
    ticks = KINDS[rule.kind].ticks(connection, rule, scope, span, around, {watched.subject})
    found: dict[Span, Verdict] = {}
    async for _, some in ticks:
        for each in some:
            if each.watched.subject == watched.subject:
                found[each.verdict.period] = each.verdict
    return [(window, found.get(window)) for window in windows]
