"""Owns asking a rule on data quality: what the assessment stored is read, as of now or of then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Set
from dataclasses import replace
from datetime import timedelta

import db.quality_facts
import db.schemes
import db.scores
from alerts.kinds import past
from alerts.kinds.data_quality import facts, verdict
from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.data_quality.parameters import Check, DataQuality, Of
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from db.alerts import Watched
from db.pool import Connection
from db.scope import Scope
from energy.periods import LOCAL, Span

HOURLY = frozenset({Check.OFFLINE, Check.CLOCK, Check.REPAIR})
"""Checks whose answer changes within a day."""


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return who has the trouble that the rule is about, and those of its open alerts."""
    return await _look(connection, rule, Scope.of_region(rule.region), around, open_subjects)


async def judge_of(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    open_subjects: Set[str],
    units: Collection[str],
) -> list[Judged]:
    """Return who of units has it; of the index of a region all: it is that of all its units."""
    assert isinstance(rule.parameters, DataQuality)
    scope = Scope.of_region(rule.region)
    if rule.parameters.of is Of.UNIT:
        scope = scope.among(units)
    return await _look(connection, rule, scope, around, open_subjects)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield who would have had it, by the hour or, where days are looked at, by the day."""
    assert isinstance(rule.parameters, DataQuality)
    ends = past.hours(span) if rule.parameters.check in HOURLY else past.days(span)
    for at in ends:
        then = replace(around, now=at)
        yield at, await _look(connection, rule, scope, then, open_subjects)


async def _look(
    connection: Connection, rule: Rule, scope: Scope, around: Surroundings, subjects: Set[str]
) -> list[Judged]:
    parameters = rule.parameters
    assert isinstance(parameters, DataQuality)
    found = await _found(connection, scope, parameters, around, subjects)
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
            verdict.judge(each, parameters, around.coverage_floor),
        )
        for each in found
    ]


async def _found(
    connection: Connection,
    scope: Scope,
    parameters: DataQuality,
    around: Surroundings,
    subjects: Set[str],
) -> list[QualityFacts]:
    now, asked = around.now, sorted(subjects)
    match parameters.check:
        case Check.OFFLINE | Check.CLOCK | Check.REPAIR:
            faults = await db.quality_facts.list_faults(
                connection, scope, faults=parameters.measure.faults, at=now, subjects=asked
            )
            return facts.faults(faults, parameters, now)
        case Check.GAP:
            span = facts.days_before(now, parameters.window_days)
            gaps = await db.quality_facts.list_gaps(
                connection, scope, span=span, share=parameters.limit, subjects=asked
            )
            return facts.gaps(gaps, span)
        case Check.FLAT:
            span = facts.days_before(now, parameters.window_days)
            flats = await db.quality_facts.list_flats(connection, scope, span=span, subjects=asked)
            return facts.flats(flats, span)
        case Check.VERIFICATION:
            today = now.astimezone(LOCAL).date()
            until = today + timedelta(days=int(parameters.limit))
            rows = await db.quality_facts.list_certificates(
                connection, scope, on=today, until=until, subjects=asked
            )
            return facts.verifications(rows, now)
        case Check.INDEX:
            return await _indices(connection, scope, parameters, around)


async def _indices(
    connection: Connection, scope: Scope, parameters: DataQuality, around: Surroundings
) -> list[QualityFacts]:
    """Return the indices; none of a region of which only a unit or a part is in scope."""
    if parameters.of is not Of.UNIT and (
        scope.unit is not None or len(scope.region_prefix) > facts.DIGITS[parameters.of]
    ):
        return []
    span = facts.days_before(around.now, parameters.window_days)
    counted = await db.scores.list_units(connection, scope, span=span, region_prefix="", unit=None)
    unit_ids = await db.quality_facts.list_unit_ids(connection, scope)
    scheme = db.schemes.in_force(
        await db.schemes.list_schemes(connection), around.now.astimezone(LOCAL).date()
    )
    return facts.indices(counted, unit_ids, parameters, scheme.scheme(), span)
