"""Owns asking a rule on outages: which gateways are not heard, now and over a past period."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Set
from datetime import timedelta

import db.outages
import db.past_outages
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.outage import facts, past, verdict
from alerts.kinds.outage.facts import OutageFacts, Scale
from alerts.kinds.outage.parameters import Outage
from db.alerts import Watched
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span

CITY_DIGITS = 4
"""Of the code of a city, or of what is wider."""


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
    return _judged(rule, found)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield the incidents that there were, each time that something fell silent or came back.

    Those of a city, or of the broker, only where all of it is asked about.
    """
    parameters = rule.parameters
    assert isinstance(parameters, Outage)
    history = await recall(connection, scope, span, parameters.silence)
    scales = known_scales(rule.region, scope)
    for at in history.instants(span):
        units = {subject.partition("/")[0] for subject in open_subjects}
        found = facts.incidents(
            history.sites(at, units),
            history.gateways(at),
            parameters,
            rule.region,
            open_subjects,
            at,
            scales=scales,
        )
        yield at, _judged(rule, found)


async def recall(
    connection: Connection, scope: Scope, span: Span, silence: timedelta
) -> past.History:
    """Return what is known of gateways and meters in a period."""
    since = span.starts_at - past.LOOK_BACK
    return past.History.of(
        await db.past_outages.list_units(connection, scope),
        await db.past_outages.list_gateways(connection, scope),
        await db.past_outages.list_pauses(connection, scope, Span(since, span.ends_at), silence),
        await db.past_outages.list_mutes(connection, scope, span),
        since,
        silence,
    )


def known_scales(region: str, scope: Scope) -> frozenset[Scale]:
    """Return how far incidents of a rule can be told from what lies in a scope.

    >>> sorted(known_scales("450000", Scope("4502"))), sorted(known_scales("450000", Scope("45")))
    (['city', 'unit'], ['broker', 'city', 'unit'])
    """
    found = {Scale.UNIT}
    if scope.unit is None and len(scope.region_prefix) <= len(
        Scope.of_region(region).region_prefix
    ):
        found.add(Scale.BROKER)
    if scope.unit is None and len(scope.region_prefix) <= CITY_DIGITS:
        found.add(Scale.CITY)
    return frozenset(found)


def _judged(rule: Rule, found: Iterable[OutageFacts]) -> list[Judged]:
    parameters = rule.parameters
    assert isinstance(parameters, Outage)
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
            verdict.judge(each, parameters),
        )
        for each in found
    ]
