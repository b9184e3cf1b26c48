"""Owns asking a rule on products: what meters counted is read, now and over a past period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Set
from dataclasses import replace

import db.facts
import db.limits
from alerts.kinds import past
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.product_intensity import facts, verdict
from alerts.kinds.product_intensity.parameters import ProductIntensity
from db.alerts import Watched
from db.facts import MeterUse
from db.limits import LimitRow
from db.pool import Connection
from db.scope import Scope
from energy.periods import HOUR, Span

METER_HOURS_MAX = 200_000
"""Meters times hours of one backtest."""

HOURS_READ_MAX = 5_000_000
"""Meters times hours times the length of the window: hours of consumption that are added up."""

HOURS_READ_AT_ONCE = 200_000
HOURS_AT_ONCE = 24


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return what the rule makes of the newest windows."""
    parameters = _parameters(rule)
    scope, windows = Scope.of_region(rule.region), facts.windows(around.now, parameters.window)
    uses = await db.facts.list_uses(connection, scope, windows, parameters.basis)
    limits = await db.limits.list_limits(connection)
    return _products(rule, uses, limits, around)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield what the rule would have made of them, hour by hour."""
    parameters, ends = _parameters(rule), past.hours(span)
    meters = await db.facts.count_meters(connection, scope)
    _refuse_meters(meters, len(ends), parameters.window_h)
    limits = await db.limits.list_limits(connection)
    most = HOURS_READ_AT_ONCE // max(1, meters * parameters.window_h)
    size = max(1, min(HOURS_AT_ONCE, most))
    for first in range(0, len(ends), size):
        some = ends[first : first + size]
        back = [some[0] - hours * HOUR for hours in range(facts.WINDOWS_BACK, 0, -1)]
        windows = [Span(end - parameters.window, end) for end in (*back, *some)]
        uses = await db.facts.list_uses(connection, scope, windows, parameters.basis)
        for at in some:
            near = {each.ends_at for each in facts.windows(at, parameters.window)}
            then = [use for use in uses if use.window.ends_at in near]
            yield at, _products(rule, then, limits, replace(around, now=at))


def _parameters(rule: Rule) -> ProductIntensity:
    assert isinstance(rule.parameters, ProductIntensity)
    return rule.parameters


def _products(
    rule: Rule, uses: Iterable[MeterUse], limits: Iterable[LimitRow], around: Surroundings
) -> list[Judged]:
    # Nobody is written to because of a figure that was never checked against its edition.
    checked = [limit for limit in limits if limit.verified]
    judged = []
    for candidates in facts.products(uses, checked, _parameters(rule), around.now):
        newest = verdict.newest(candidates, around.coverage_floor)
        if newest is None:
            continue
        found, said = newest
        subject = found.subject
        watched = Watched(rule.rule_id, subject.region, subject.unit_id, subject.name, rule.version)
        judged.append(Judged(watched, found, said))
    return judged


def _refuse_meters(meters: int, hours: int, window_h: int) -> None:
    allowed = min(METER_HOURS_MAX, HOURS_READ_MAX // window_h)
    if meters * hours > allowed:
        raise OutOfBoundsError(
            f"{meters:,} meters over {hours:,} hours in windows of {window_h} h are more than a "
            f"backtest goes through at once: ask for at most {allowed // meters:,} hours, or for "
            "a smaller region"
        )
