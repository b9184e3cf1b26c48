"""Owns what a region was told of an incident that takes in others: the part that lies there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from db.alerts import About, AlertState
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class NewPart:
    """What lies in `region`; `measured` and `threshold` in the uom of the alert."""

    region: str
    measured: float
    threshold: float
    reason: str
    period: Span


@dataclass(frozen=True, slots=True)
class ToldPart:
    """An incident as it was told to a region with an event. What is not of the part is as it is
    now: state, level, when it fired, was acknowledged, is over.
    """

    event_id: int
    happened_at: datetime
    event: str
    event_version: int | None
    measured: float
    threshold: float
    reason: str
    period: Span
    alert_id: int
    kind: str | None
    rule_id: int
    rule_version: int
    rule: str | None
    region: str
    region_name: str
    subject: str
    level: int
    state: AlertState
    uom: str
    coverage: float
    estimated_share: float
    pending_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    updated_at: datetime
    about: About


async def insert(
    connection: Connection, alert_id: int, event_id: int, parts: Sequence[NewPart]
) -> None:
    """Keep what regions are told of an event."""
    await connection.executemany(
        """
        INSERT INTO alert_parts (event_id, region, alert_id, measured, threshold, reason,
                                 period_starts_at, period_ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (event_id, each.region, alert_id, each.measured, each.threshold, each.reason,
             each.period.starts_at, each.period.ends_at)
            for each in parts
        ],
    )  # fmt: skip


async def list_told(connection: Connection, scope: Scope, alert_id: int) -> list[ToldPart]:
    """Return what the region of a scope was told of an incident, oldest first; an enterprise was
    told nothing.
    """
    if scope.unit is not None:
        return []
    rows = await connection.fetch(
        """
        SELECT event_id, happened_at, event, event_version, measured, threshold, told.reason,
               period_starts_at, period_ends_at, alert_id, rules.kind, told.rule_id, rule_version,
               said.name AS rule, told.region, regions.name AS region_name, subject, level, state,
               uom, coverage, estimated_share, pending_at, fired_at, resolved_at, acknowledged_at,
               updated_at, about
          FROM told_parts AS told
          LEFT JOIN visible_rules($1, NULL) AS rules ON rules.rule_id = told.rule_id
          LEFT JOIN rule_versions AS said
            ON said.rule_id = rules.rule_id AND said.version = told.rule_version
          JOIN regions ON regions.region = told.region
         WHERE alert_id = $2
           AND place = rpad($1, 6, '0')
         ORDER BY event_id
        """,
        scope.region_prefix,
        alert_id,
    )
    return [_part(row) for row in rows]


def _part(row: Record) -> ToldPart:
    values = dict(row)
    values["state"], values["about"] = AlertState(values["state"]), About(values["about"])
    values["period"] = Span(values.pop("period_starts_at"), values.pop("period_ends_at"))
    return ToldPart(**values)
