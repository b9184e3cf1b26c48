"""Owns asking a rule on outages: which gateways are not heard now, and what they take with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set

import db.outages
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.outage import facts, verdict
from alerts.kinds.outage.parameters import Outage
from alerts.kinds.past import OutOfBoundsError
from db.alerts import Watched
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return the incidents that there are, the largest first."""
    assert isinstance(rule.parameters, Outage)
    scope = Scope.of_region(rule.region)
    units = sorted(subject.partition("/")[0] for subject in open_subjects)
    since = around.now - rule.parameters.silence
    found = facts.incidents(
        await db.outages.list_sites(connection, scope, since, units),
        await db.outages.count_gateways(connection, scope),
        rule.parameters,
        rule.region,
        open_subjects,
        around.now,
        around.grace,
    )
    return [
        Judged(
            Watched(
                rule.rule_id,
                each.region,
                None if each.about_unit is None else each.about_unit.unit_id,
                each.subject,
                rule.version,
            ),
            each,
            verdict.judge(each, rule.parameters),
        )
        for each in found
    ]


def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Refuse: of a gateway only the last time that it was heard is kept."""
    raise OutOfBoundsError(
        "which gateways were silent in the past is not kept: a rule on outages has no backtest"
    )
