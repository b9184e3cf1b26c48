"""Owns what kept letters back in a past period, for a backtest: alerts that really fired then.

An outage of a unit is among them; which units a larger one took in is not kept. Silences are left
out: a backtest says what a rule finds, not what somebody did not want to hear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import db.kept
import db.rules
from alerts import keepers, rules
from alerts.keepers import Edges, Keepers, Kept, Silences
from alerts.kinds.kind import Judged, Kind, Rule
from db.alerts import OpenAlert
from db.kept import Fired, Standing
from db.pool import Connection
from db.rules import RuleRow
from db.scope import Scope
from energy.periods import Span


@dataclass(slots=True)
class PastKeepers:
    """Alerts of other rules that fired, by place, and which rules keep letters of which back."""

    edges: Edges = field(default_factory=dict)
    outages: frozenset[int] = frozenset()
    fired: dict[int | str, list[Fired]] = field(default_factory=dict)

    def over(self, judged: Judged, alert: OpenAlert | None, at: datetime) -> Kept | None:
        """Return what would have kept letters of an alert back at an instant."""
        own = keepers.standing_of(judged, alert)
        then = Keepers(Silences([]), self.edges)
        for each in self.fired.get(keepers.place_of(own), ()):
            if each.fired_at <= at and (each.resolved_at is None or at < each.resolved_at):
                then.add(each.standing, self._takes_in(each.standing))
        return then.over(own)

    def _takes_in(self, alert: Standing) -> frozenset[int]:
        if alert.unit_id is None or alert.rule_id not in self.outages:
            return frozenset()
        return frozenset({alert.unit_id})


async def load(connection: Connection, rule: Rule, scope: Scope, span: Span) -> PastKeepers:
    """Return what really fired in a period, of rules other than the one that is tried out."""
    rows = await db.rules.list_holding(connection, span.ends_at)
    others = [parsed for row in rows if (parsed := _parsed(row)) and row.rule_id != rule.rule_id]
    made = PastKeepers(
        keepers.edges([rule, *others]),
        frozenset(each.rule_id for each in others if each.kind is Kind.OUTAGE),
    )
    for each in await db.kept.list_fired(connection, scope, span.starts_at, span.ends_at):
        if each.standing.rule_id != rule.rule_id:
            made.fired.setdefault(keepers.place_of(each.standing), []).append(each)
    return made


def _parsed(row: RuleRow) -> Rule | None:
    """Return a rule; None: it is one that this program cannot read, and watches nobody."""
    try:
        return rules.parse(row)
    except ValueError:
        return None
