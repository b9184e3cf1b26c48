"""Owns what kept letters back in a past period, for a backtest: alerts that really fired then.

Outages are among them; which units a larger one took in is told by when gateways were heard.
Silences are left out: a backtest says what a rule finds, not what somebody did not want to hear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import db.kept
import db.rules
from alerts import keepers, rules
from alerts.keepers import Edges, Keepers, Kept, Silences
from alerts.kinds.kind import Judged, Rule
from alerts.kinds.outage import watch
from alerts.kinds.outage.parameters import Outage
from alerts.kinds.outage.past import LOOK_BACK, MINUTE, History
from db.alerts import OpenAlert
from db.kept import Fired, Standing
from db.pool import Connection
from db.rules import RuleRow
from db.scope import Scope
from energy import periods
from energy.periods import Span


@dataclass(slots=True)
class PastKeepers:
    """Alerts of other rules that fired, by place, and which rules keep letters of which back.

    `wide`: outages of more than a unit; `outages`: by rule, what was silent while one of them
    lasted.
    """

    edges: Edges = field(default_factory=dict)
    outages: Mapping[int, Sequence[tuple[Span, History]]] = field(default_factory=dict)
    fired: dict[int | str, list[Fired]] = field(default_factory=dict)
    wide: Sequence[Fired] = ()

    def over(self, judged: Judged, alert: OpenAlert | None, at: datetime) -> Kept | None:
        """Return what would have kept letters of an alert back at an instant."""
        own = keepers.standing_of(judged, alert)
        then = Keepers(Silences([]), self.edges)
        for each in (*self.fired.get(keepers.place_of(own), ()), *self.wide):
            if each.fired_at <= at and (each.resolved_at is None or at < each.resolved_at):
                then.add(each.standing, self._takes_in(each.standing, at))
        return then.over(own)

    def _takes_in(self, alert: Standing, at: datetime) -> frozenset[int]:
        if alert.rule_id not in self.outages:
            return frozenset()
        if alert.unit_id is not None:
            return frozenset({alert.unit_id})
        prefix = Scope.of_region(alert.region).region_prefix
        for span, history in self.outages[alert.rule_id]:
            if span.starts_at <= at <= span.ends_at:
                return history.silent_units(at, prefix)
        return frozenset()


async def load(connection: Connection, rule: Rule, scope: Scope, span: Span) -> PastKeepers:
    """Return what really fired in a period, of rules other than the one that is tried out."""
    rows = await db.rules.list_holding(connection, span.ends_at)
    others = [parsed for row in rows if (parsed := _parsed(row)) and row.rule_id != rule.rule_id]
    edges, outages = keepers.edges([rule, *others]), _outages(others)
    fired = [
        each
        for each in await db.kept.list_fired(connection, scope, span.starts_at, span.ends_at)
        if each.standing.rule_id != rule.rule_id
    ]
    wide = [
        each
        for each in fired
        if each.standing.unit_id is None and (each.standing.rule_id, rule.rule_id) in edges
        if each.standing.rule_id in outages
    ]
    known = {
        rule_id: [
            (part, await watch.recall(connection, scope, part, outage.silence))
            for part in _lasted(wide, rule_id, span)
        ]
        for rule_id, outage in outages.items()
    }
    by_place: dict[int | str, list[Fired]] = {}
    for each in fired:
        by_place.setdefault(keepers.place_of(each.standing), []).append(each)
    return PastKeepers(edges, known, by_place, wide)


def _lasted(wide: Iterable[Fired], rule_id: int, span: Span) -> list[Span]:
    """Return when outages of a rule lasted in `span`: only then is it looked who was silent."""
    ends_at = span.ends_at + MINUTE
    lasted = [
        Span(max(each.fired_at, span.starts_at), min(each.resolved_at or ends_at, ends_at))
        for each in wide
        if each.standing.rule_id == rule_id and each.fired_at != each.resolved_at
    ]
    return periods.merged(lasted, LOOK_BACK)


def _outages(rules: Iterable[Rule]) -> dict[int, Outage]:
    return {each.rule_id: each.parameters for each in rules if isinstance(each.parameters, Outage)}


def _parsed(row: RuleRow) -> Rule | None:
    """Return a rule; None: it is one that this program cannot read, and watches nobody."""
    try:
        return rules.parse(row)
    except ValueError:
        return None
