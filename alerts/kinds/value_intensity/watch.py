"""Owns asking a rule on energy per 10,000 yuan: what was used and stated is read, now and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Set
from dataclasses import replace

import db.facts
import db.production
from alerts.kinds import past, windows
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.value_intensity import facts, verdict
from alerts.kinds.value_intensity.parameters import ValueIntensity
from db.alerts import Watched
from db.facts import MeterUse
from db.pool import Connection
from db.production import ProductionRow
from db.scope import Scope
from energy.periods import Span, Step
from energy.production import PRODUCT_REMEMBERED

UNIT_MONTHS_MAX = 50_000
"""Units times months of one backtest."""


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return what the rule makes of the last months; only units that state values have a verdict.

    Of the others nothing is said: that is not in order, it is not known.
    """
    parameters, scope = _parameters(rule), Scope.of_region(rule.region)
    spans = _spans(parameters, parameters.periods(around.now))
    statements = await _statements(connection, scope, spans, parameters)
    uses = await _uses(connection, scope, spans, parameters, statements)
    return _units(rule, uses, statements, around)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield what the rule would have made of them, day by day; it changes with each month."""
    parameters, ends = _parameters(rule), past.days(span)
    by_end = {at: tuple(parameters.periods(at)) for at in ends}
    spans = _spans(parameters, {each for some in by_end.values() for each in some})
    statements = await _statements(connection, scope, spans, parameters)
    _refuse_units(len({row.unit for row in statements}), len(spans))
    uses = await _uses(connection, scope, spans, parameters, statements)
    known: dict[tuple[Span, ...], list[Judged]] = {}
    for at in ends:
        if by_end[at] not in known:
            known = {by_end[at]: _units(rule, uses, statements, replace(around, now=at))}
        yield at, known[by_end[at]]


def _parameters(rule: Rule) -> ValueIntensity:
    assert isinstance(rule.parameters, ValueIntensity)
    return rule.parameters


def _spans(parameters: ValueIntensity, spans: Iterable[Span]) -> list[Span]:
    """Return the periods and, where it is held against them, those of the year before."""
    wanted = set(spans)
    if parameters.limit_tce is None:
        wanted |= {windows.year_before(each) for each in wanted}
    return sorted(wanted, key=lambda each: (each.ends_at, each.starts_at))


async def _statements(
    connection: Connection, scope: Scope, spans: list[Span], parameters: ValueIntensity
) -> list[ProductionRow]:
    if not spans:
        return []
    first = min(each.starts_at for each in spans) - PRODUCT_REMEMBERED
    return await db.production.list_statements(
        connection,
        scope,
        span=Span(first, spans[-1].ends_at),
        industry=parameters.industry,
    )


async def _uses(
    connection: Connection,
    scope: Scope,
    spans: list[Span],
    parameters: ValueIntensity,
    statements: Iterable[ProductionRow],
) -> list[MeterUse]:
    units = sorted({row.unit for row in statements})
    if not units:
        return []
    return await db.facts.list_uses_of(
        connection, scope, spans, parameters.basis, Step.MONTH, units=units
    )


def _units(
    rule: Rule,
    uses: Iterable[MeterUse],
    statements: Iterable[ProductionRow],
    around: Surroundings,
) -> list[Judged]:
    parameters, judged = _parameters(rule), []
    for candidates in facts.units(uses, statements, parameters, around.now):
        newest = verdict.newest(candidates, parameters, around.coverage_floor)
        if newest is None:
            continue
        found, said = newest
        watched = Watched(
            rule.rule_id, found.region, found.unit.unit_id, found.subject, rule.version
        )
        judged.append(Judged(watched, found, said))
    return judged


def _refuse_units(units: int, periods: int) -> None:
    if units * periods > UNIT_MONTHS_MAX:
        raise OutOfBoundsError(
            f"{units:,} units over {periods:,} periods are more than a backtest goes through at "
            f"once: ask for at most {UNIT_MONTHS_MAX // units:,} months, or for a smaller region"
        )
