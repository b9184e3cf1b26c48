"""Owns asking a rule on regions: what was published is read, now and over a past period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Set
from dataclasses import replace

import db.figures
import db.levels
from alerts.kinds import past
from alerts.kinds.gone import Gone
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.region_level import facts, verdict
from alerts.kinds.region_level.facts import Ladder, RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.verdicts import Verdict
from db.alerts import Watched
from db.figures import FigureRow, TargetRow
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return what the rule makes of the newest figures."""
    figures = await db.figures.list_figures(connection)
    targets = await db.figures.list_targets(connection)
    known = facts.within(figures, Scope.of_region(rule.region))
    return _regions(rule, known, targets, around, await ladder(connection, _parameters(rule)))


async def judge_closed(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    periods: Collection[tuple[str, Span]],
) -> list[Judged]:
    """Return what it makes of months by what is published of them now."""
    figures = await db.figures.list_figures(connection)
    targets = await db.figures.list_targets(connection)
    known = facts.within(figures, Scope.of_region(rule.region))
    levels = await ladder(connection, _parameters(rule))
    months = facts.months(known, targets, around.region_names, levels)
    return [_judged(rule, each) for each in months if (each.subject, each.period) in periods]


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield what the rule would have made of them, day by day."""
    ends = past.days(span)
    figures = facts.within(await db.figures.list_figures(connection), scope)
    targets = await db.figures.list_targets(connection)
    levels = await ladder(connection, _parameters(rule))
    for at in ends:
        known = facts.over(figures, at)
        yield at, _regions(rule, known, targets, around, levels)


async def why_gone(
    connection: Connection, rule: Rule, subjects: Collection[str], around: Surroundings
) -> Mapping[str, Gone]:
    """Return whether another year of regions has figures, or theirs are there no more."""
    years: dict[str, set[str]] = {}
    for row in await db.figures.list_figures(connection):
        years.setdefault(row.region, set()).add(str(row.year))
    found = {}
    for subject in subjects:
        region, _, year = subject.partition("/")
        known = years.get(region, set())
        is_left = Gone.LEFT if year in known else Gone.WITHDRAWN
        found[subject] = Gone.YEAR_OVER if max(known, default="") > year else is_left
    return found


async def look_back(
    connection: Connection, rule: Rule, judged: Judged, around: Surroundings
) -> list[tuple[Span, Verdict | None]]:
    """Return January to each month of the year before the one that was judged."""
    newest, found = judged.facts, {}
    assert isinstance(newest, RegionFacts)
    targets = await db.figures.list_targets(connection)
    levels = await ladder(connection, _parameters(rule))
    rows = [r for r in await db.figures.list_figures(connection) if r.region == newest.region]
    for row in rows:
        if row.year == newest.year:
            known = [row, *(one for one in rows if one.year < row.year)]
            for each in _regions(rule, known, targets, around, levels):
                found[row.through_month] = each.verdict
    months = range(1, newest.through_month)
    periods = [replace(newest, through_month=month).period for month in months]
    return [(period, found.get(month)) for month, period in zip(months, periods, strict=True)]


def _parameters(rule: Rule) -> RegionLevel:
    assert isinstance(rule.parameters, RegionLevel)
    return rule.parameters


async def ladder(connection: Connection, parameters: RegionLevel) -> Ladder:
    """Return the levels that such a rule goes by; a scheme that is not there leaves none."""
    schemes = db.levels.schemes(await db.levels.list_bands(connection))
    if parameters.scheme is not None:
        return Ladder(parameters.indicator, schemes.get(parameters.scheme))
    choices = await db.levels.list_choices(connection)
    return Ladder(parameters.indicator, None, schemes, choices)


def _regions(
    rule: Rule,
    figures: Iterable[FigureRow],
    targets: Iterable[TargetRow],
    around: Surroundings,
    levels: Ladder,
) -> list[Judged]:
    found = facts.regions(figures, targets, around.region_names, levels)
    return [_judged(rule, each) for each in found]


def _judged(rule: Rule, found: RegionFacts) -> Judged:
    watched = Watched(rule.rule_id, found.region, None, found.subject, rule.version)
    return Judged(watched, found, verdict.region(found, _parameters(rule)))
