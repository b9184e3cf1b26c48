"""Owns asking a rule on units that should be connected, now and over a past period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Set
from datetime import datetime, timedelta

import db.connecting
import db.factors
from alerts.kinds import past
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.not_connected import facts, verdict
from alerts.kinds.not_connected.parameters import NotConnected
from db.alerts import Watched
from db.pool import Connection
from db.scope import Scope
from energy.periods import LOCAL, Span


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return the units that lack something, and those of open alerts."""
    scope = Scope.of_region(rule.region)
    return await _look(connection, rule, scope, around.now, open_subjects)


async def judge_of(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    open_subjects: Set[str],
    units: Collection[str],
) -> list[Judged]:
    """Return those of units that lack something, and those of open alerts."""
    scope = Scope.of_region(rule.region).among(units)
    return await _look(connection, rule, scope, around.now, open_subjects)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield the units that would have lacked something, day by day."""
    for at in past.days(span):
        yield at, await _look(connection, rule, scope, at, open_subjects)


async def _look(
    connection: Connection, rule: Rule, scope: Scope, now: datetime, subjects: Set[str]
) -> list[Judged]:
    parameters = rule.parameters
    assert isinstance(parameters, NotConnected)
    grace = timedelta(days=parameters.days)
    rows = await db.connecting.list_incomplete(
        connection,
        scope,
        commissioned_by=now.astimezone(LOCAL).date() - grace,
        installed_by=now - grace,
        at=now,
        subjects=sorted(subjects),
    )
    names = {
        each.carrier: (each.name_zh, each.name_en)
        for each in (await db.factors.list_carriers(connection) if rows else [])
    }
    found = [facts.of(row, names, now) for row in rows]
    return [
        Judged(
            Watched(rule.rule_id, one.region, one.unit.unit_id, one.unit.unit, rule.version),
            one,
            verdict.judge(one, parameters),
        )
        for one in found
    ]
