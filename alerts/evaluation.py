"""Owns asking a rule's question of everybody it watches: facts in, one verdict a subject out."""

from __future__ import annotations

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
from db.pool import Connection
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
    match rule.parameters:
        case ProductIntensity() as parameters:
            return await _judge_products(connection, rule.rule_id, parameters, around)
        case RegionLevel() as parameters:
            return await _judge_regions(connection, rule.rule_id, parameters, around, open_subjects)


async def _judge_products(
    connection: Connection, rule_id: int, parameters: ProductIntensity, around: Surroundings
) -> list[Judged]:
    windows = facts.windows(around.now, parameters.window)
    uses = await db.facts.list_uses(connection, windows, parameters.basis)
    # Nobody is written to because of a figure that was never checked against its edition.
    limits = [limit for limit in await db.limits.list_limits(connection) if limit.verified]
    judged = []
    for candidates in facts.products(uses, limits, parameters.against, around.now):
        newest = verdicts.newest(candidates, around.coverage_floor)
        if newest is None:
            continue
        found, verdict = newest
        subject = found.subject
        watched = Watched(rule_id, subject.region, subject.unit_id, subject.name)
        judged.append(Judged(watched, found, verdict))
    return judged


async def _judge_regions(
    connection: Connection,
    rule_id: int,
    parameters: RegionLevel,
    around: Surroundings,
    open_subjects: set[str],
) -> list[Judged]:
    figures = await db.figures.list_figures(connection)
    targets = await db.figures.list_targets(connection)
    return [
        Judged(
            Watched(rule_id, found.region, None, found.subject),
            found,
            verdicts.region_level(found, parameters),
        )
        for found in facts.regions(figures, targets, around.region_names, open_subjects)
    ]
