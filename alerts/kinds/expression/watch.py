"""Owns asking an expression rule: the facts that it names are read, now and over a past period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence, Set
from dataclasses import replace
from datetime import timedelta

import db.facts
import db.figures
import db.limits
import db.products
import db.schemes
import db.scores
import db.unit_windows
from alerts.kinds import past, windows
from alerts.kinds.expression import facts, verdict
from alerts.kinds.expression.facts import ExpressionFacts
from alerts.kinds.expression.parameters import ExpressionRule, Whose
from alerts.kinds.gone import Gone
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.product_intensity import facts as products
from alerts.kinds.product_intensity import watch as product_watch
from alerts.kinds.product_intensity.facts import Reference
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.region_level import facts as regions
from alerts.kinds.region_level import watch as region_watch
from alerts.kinds.region_level.facts import Ladder
from alerts.verdicts import State
from db.alerts import Watched
from db.pool import Connection
from db.scope import Scope
from db.unit_windows import UnitWindow
from energy import periods
from energy.periods import LOCAL, Span, Step

INDEX_DAYS = 30
"""`index` is that of so many whole days."""

YEAR = timedelta(days=365)
LOOKS_MAX = 800
"""Times that a backtest of units or products looks: each reads all their hours of a window."""


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return what the rule finds of each subject by its newest window or figures."""
    return await _look(connection, rule, Scope.of_region(rule.region), around)


async def judge_of(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    open_subjects: Set[str],
    units: Collection[str],
) -> list[Judged]:
    """Return what it finds of units; of regions all: their index is that of all their units."""
    scope = Scope.of_region(rule.region)
    if _parameters(rule).of is not Whose.REGION:
        scope = scope.among(units)
    return await _look(connection, rule, scope, around)


async def judge_closed(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    periods: Collection[tuple[str, Span]],
) -> list[Judged]:
    """Return what it finds of months of regions."""
    parameters = _parameters(rule)
    within = regions.within(await db.figures.list_figures(connection), Scope.of_region(rule.region))
    targets = await db.figures.list_targets(connection)
    found = [
        facts.of_region(each, {}, parameters.expression)
        for each in regions.months(within, targets, around.region_names, Ladder())
        if (each.subject, each.period) in periods
    ]
    return _judged(rule, found, around)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield what it would have found, by the hour, or by the day where regions are looked at."""
    daily = _parameters(rule).of is Whose.REGION
    ends = past.days(span) if daily else past.hours(span)
    if not daily and len(ends) > LOOKS_MAX:
        raise past.OutOfBoundsError(
            f"an expression over windows is looked at {LOOKS_MAX} times at most: ask for "
            f"{LOOKS_MAX // 24} days or less"
        )
    for at in ends:
        yield at, await _look(connection, rule, scope, replace(around, now=at))


async def why_gone(
    connection: Connection, rule: Rule, subjects: Collection[str], around: Surroundings
) -> Mapping[str, Gone]:
    """Return the same as the kinds do that watch products and regions; units have no meters."""
    match _parameters(rule).of:
        case Whose.PRODUCT:
            return await product_watch.without_limit(connection, subjects, around)
        case Whose.UNIT:
            return dict.fromkeys(subjects, Gone.LEFT)
        case Whose.REGION:
            return await region_watch.why_gone(connection, rule, subjects, around)


async def _look(
    connection: Connection, rule: Rule, scope: Scope, around: Surroundings
) -> list[Judged]:
    parameters = _parameters(rule)
    match parameters.of:
        case Whose.PRODUCT:
            found = await _products(connection, parameters, scope, around)
        case Whose.UNIT:
            found = await _units(connection, parameters, scope, around)
        case Whose.REGION:
            found = await _regions(connection, parameters, scope, around)
    return _judged(rule, found, around)


def _judged(rule: Rule, found: Sequence[ExpressionFacts], around: Surroundings) -> list[Judged]:
    return [
        Judged(
            Watched(
                rule.rule_id,
                each.region,
                None if each.unit is None else each.unit.unit_id,
                each.key,
                rule.version,
            ),
            each,
            verdict.judge(each, _parameters(rule), around.coverage_floor),
        )
        for each in found
    ]


def _parameters(rule: Rule) -> ExpressionRule:
    assert isinstance(rule.parameters, ExpressionRule)
    return rule.parameters


async def _products(
    connection: Connection, rule: ExpressionRule, scope: Scope, around: Surroundings
) -> list[ExpressionFacts]:
    spans = windows.hours(around.now, rule.window)
    uses = await db.facts.list_uses(connection, scope, spans, rule.basis, Step.HOUR)
    reference = Reference(
        await db.limits.list_limits(connection),
        await db.products.list_equivalents(connection),
        around.unverified,
    )
    asked = ProductIntensity(basis=rule.basis)
    found = products.products(uses, reference, asked, around.now)
    return [
        _newest(newest_first, rule, around)
        for candidates in found
        if (newest_first := [facts.of_product(each, rule.expression) for each in candidates])
    ]


def _newest(
    newest_first: Sequence[ExpressionFacts], rule: ExpressionRule, around: Surroundings
) -> ExpressionFacts:
    """Return the newest window that can be told; none can: the newest."""
    floor = around.coverage_floor
    told = (
        each for each in newest_first if verdict.judge(each, rule, floor).state is not State.UNKNOWN
    )
    return next(told, newest_first[0])


async def _units(
    connection: Connection, rule: ExpressionRule, scope: Scope, around: Surroundings
) -> list[ExpressionFacts]:
    indices = await _indices(connection, scope, around) if "index" in rule.parsed.names else {}
    found: dict[int, list[ExpressionFacts]] = {}
    for window in windows.hours(around.now, rule.window)[:2]:
        some = await _window(connection, rule, scope, window, indices)
        for each in some:
            assert each.unit is not None
            found.setdefault(each.unit.unit_id, []).append(each)
        floor = around.coverage_floor
        if all(verdict.judge(each, rule, floor).state is not State.UNKNOWN for each in some):
            break  # all can be told: nobody asks for the window before
    return [_newest(newest_first, rule, around) for newest_first in found.values()]


async def _window(
    connection: Connection,
    rule: ExpressionRule,
    scope: Scope,
    window: Span,
    indices: Mapping[str, float | None],
) -> list[ExpressionFacts]:
    """Return the facts of units in a window; those of a year before only if they are named."""

    async def used(span: Span) -> list[UnitWindow]:
        return await db.unit_windows.list_windows(connection, scope, span, rule.basis, rule.carrier)

    before: dict[int, UnitWindow] = {}
    if "growth" in rule.parsed.names:
        then = Span(window.starts_at - YEAR, window.ends_at - YEAR)
        before = {each.unit_id: each for each in await used(then)}
    rows = await used(window)
    return facts.of_units(rows, before, indices, window, rule.expression, rule.basis)


async def _regions(
    connection: Connection,
    rule: ExpressionRule,
    scope: Scope,
    around: Surroundings,
) -> list[ExpressionFacts]:
    figures = regions.over(await db.figures.list_figures(connection), around.now)
    targets = await db.figures.list_targets(connection)
    within = regions.within(figures, scope)
    indices = await _indices(connection, scope, around) if "index" in rule.parsed.names else {}
    return [
        facts.of_region(each, indices, rule.expression)
        for each in regions.regions(within, targets, around.region_names, Ladder())
    ]


async def _indices(
    connection: Connection, scope: Scope, around: Surroundings
) -> dict[str, float | None]:
    ends_at = periods.floor(around.now, Step.DAY)
    span = Span(ends_at - timedelta(days=INDEX_DAYS), ends_at)
    rows = await db.scores.list_units(connection, scope, span=span, region_prefix="", unit=None)
    schemes = await db.schemes.list_schemes(connection)
    scheme = db.schemes.in_force(schemes, around.now.astimezone(LOCAL).date()).scheme()
    return facts.composites(rows, scheme)
