"""Owns asking a rule's question of everybody it watches: facts in, one verdict a subject out.

`judge` looks at what is known now. What it makes of it is pure, so that the same answers what a
rule would have found on another day (`alerts/backtest.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import db.facts
import db.figures
import db.limits
from alerts import facts, verdicts
from alerts.facts import ProductFacts, RegionFacts
from alerts.rules import ProductIntensity, RegionLevel, Rule
from alerts.verdicts import Verdict
from db.alerts import Watched
from db.facts import MeterUse
from db.figures import FigureRow, TargetRow
from db.limits import LimitRow
from db.pool import Connection
from db.scope import Scope
from energy.factors import Unverified


@dataclass(frozen=True, slots=True)
class Judged:
    """A subject of a rule with what was found."""

    watched: Watched
    facts: ProductFacts | RegionFacts
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all subjects of an evaluation."""

    now: datetime
    coverage_floor: float
    public_url: str
    region_names: dict[str, str]
    unverified: Unverified = Unverified.NOTE


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: set[str]
) -> list[Judged]:
    """Return what the rule finds now, for each subject it watches."""
    scope = Scope.of_region(rule.region)
    match rule.parameters:
        case ProductIntensity() as parameters:
            windows = facts.windows(around.now, parameters.window)
            uses = await db.facts.list_uses(connection, scope, windows, parameters.basis)
            limits = await db.limits.list_limits(connection)
            return products(rule, parameters, uses, limits, around)
        case RegionLevel() as parameters:
            figures = await db.figures.list_figures(connection)
            targets = await db.figures.list_targets(connection)
            return regions(rule, parameters, within(figures, scope), targets, around, open_subjects)


def products(
    rule: Rule,
    parameters: ProductIntensity,
    uses: Iterable[MeterUse],
    limits: Iterable[LimitRow],
    around: Surroundings,
) -> list[Judged]:
    """Return what the rule makes of what meters counted in the newest windows."""
    # Nobody is written to because of a figure that was never checked against its edition.
    checked = [limit for limit in limits if limit.verified]
    judged = []
    for candidates in facts.products(uses, checked, parameters.against, around.now):
        newest = verdicts.newest(candidates, around.coverage_floor)
        if newest is None:
            continue
        found, verdict = newest
        subject = found.subject
        watched = Watched(rule.rule_id, subject.region, subject.unit_id, subject.name, rule.version)
        judged.append(Judged(watched, found, verdict))
    return judged


def regions(
    rule: Rule,
    parameters: RegionLevel,
    figures: Iterable[FigureRow],
    targets: Iterable[TargetRow],
    around: Surroundings,
    open_subjects: set[str],
) -> list[Judged]:
    """Return what the rule makes of the figures of regions."""
    return [
        Judged(
            Watched(rule.rule_id, found.region, None, found.subject, rule.version),
            found,
            verdicts.region_level(found, parameters),
        )
        for found in facts.regions(figures, targets, around.region_names, open_subjects)
    ]


def within(figures: Iterable[FigureRow], scope: Scope) -> Sequence[FigureRow]:
    """Return the figures of regions of which all is in scope: none for an enterprise."""
    if scope.unit is not None:
        return []
    return [row for row in figures if row.region.startswith(scope.region_prefix)]
