"""Owns asking a rule on products: what meters counted is read, now and over a past period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Set
from dataclasses import replace

import db.facts
import db.limits
import db.products
from alerts.kinds import past
from alerts.kinds.gone import Gone
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.product_intensity import facts, verdict
from alerts.kinds.product_intensity.facts import Reference
from alerts.kinds.product_intensity.parameters import ProductIntensity, Window
from alerts.verdicts import near
from db.alerts import Watched
from db.facts import MeterUse
from db.pool import Connection
from db.scope import Scope
from energy.periods import LOCAL, Span, Step

METER_ENDS_MAX = 200_000
"""Meters times hours (or days) of one backtest."""

BUCKETS_READ_MAX = 5_000_000
"""Meters times hours times the length of the window: buckets of consumption that are added up."""

BUCKETS_READ_AT_ONCE = 200_000
ENDS_AT_ONCE = 24
SHIFT_H_MAX = 24
MONTH_DAYS_MAX = 31


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return what the rule makes of the newest windows."""
    parameters = _parameters(rule)
    uses = await db.facts.list_uses(
        connection,
        Scope.of_region(rule.region),
        parameters.windows(around.now),
        parameters.basis,
        parameters.step,
    )
    return _products(rule, uses, await _reference(connection, around), around)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield what the rule would have made of them: hour by hour, of days day by day."""
    parameters = _parameters(rule)
    ends = past.days(span) if parameters.step is Step.DAY else past.hours(span)
    meters = await db.facts.count_meters(connection, scope)
    width = _width(parameters)
    _refuse_meters(meters, len(ends), width, parameters.step)
    reference = await _reference(connection, around)
    most = BUCKETS_READ_AT_ONCE // max(1, meters * width)
    size = max(1, min(ENDS_AT_ONCE, most))
    for first in range(0, len(ends), size):
        some = ends[first : first + size]
        wanted = sorted(
            {each for at in some for each in parameters.windows(at)},
            key=lambda each: (each.ends_at, each.starts_at),
        )
        uses = await db.facts.list_uses(
            connection, scope, wanted, parameters.basis, parameters.step
        )
        for at in some:
            near = set(parameters.windows(at))
            then = [use for use in uses if use.window in near]
            yield at, _products(rule, then, reference, replace(around, now=at))


async def why_gone(
    connection: Connection, rule: Rule, subjects: Collection[str], around: Surroundings
) -> Mapping[str, Gone]:
    """Return whether limits of products hold no more; nothing is gone before a shift is over."""
    if not _parameters(rule).windows(around.now):
        return {}
    return await without_limit(connection, subjects, around)


async def without_limit(
    connection: Connection, subjects: Collection[str], around: Surroundings
) -> Mapping[str, Gone]:
    """Return which products of units have no limit any more, and of which nothing is left."""
    today = around.now.astimezone(LOCAL).date()
    limits = await db.limits.list_limits(connection)
    limited = {row.product for row in limits if row.valid_from <= today}
    return {
        each: Gone.LEFT if each.partition("/")[2] in limited else Gone.WITHDRAWN
        for each in subjects
    }


def _parameters(rule: Rule) -> ProductIntensity:
    assert isinstance(rule.parameters, ProductIntensity)
    return rule.parameters


async def _reference(connection: Connection, around: Surroundings) -> Reference:
    return Reference(
        await db.limits.list_limits(connection),
        await db.products.list_equivalents(connection),
        around.unverified,
        await db.products.list_products(connection),
    )


def _products(
    rule: Rule, uses: Iterable[MeterUse], reference: Reference, around: Surroundings
) -> list[Judged]:
    judged = []
    for candidates in facts.products(uses, reference, _parameters(rule), around.now):
        newest = verdict.newest(candidates, around.coverage_floor)
        if newest is None:
            continue
        found, said = newest
        subject = found.subject
        watched = Watched(rule.rule_id, subject.region, subject.unit_id, subject.name, rule.version)
        judged.append(Judged(watched, found, near(said, _parameters(rule).warn_at)))
    return judged


def _width(parameters: ProductIntensity) -> int:
    """Return how many buckets a window has at most."""
    match parameters.window:
        case Window.HOURS:
            return parameters.window_h
        case Window.SHIFT:
            return SHIFT_H_MAX
        case Window.DAY:
            return 1
        case Window.MONTH_TO_DATE:
            return MONTH_DAYS_MAX


def _refuse_meters(meters: int, ends: int, width: int, step: Step) -> None:
    allowed = min(METER_ENDS_MAX, BUCKETS_READ_MAX // width)
    if meters * ends > allowed:
        raise OutOfBoundsError(
            f"{meters:,} meters over {ends:,} {step}s in windows of {width} {step}s are more than "
            f"a backtest goes through at once: ask for at most {allowed // meters:,} {step}s, or "
            "for a smaller region"
        )
