"""Owns the alerts: what the evaluator opens, changes and closes, and what callers may read.

A change names the state it starts from; if that is not the state any more, somebody was faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span

LOCK_KEY = 0x616C6572  # "aler": advisory lock of the one evaluator


class AlertState(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is not resolved, as the evaluator needs it. `level`: 1 is the worst."""

    alert_id: int
    subject: str
    region: str
    state: AlertState
    level: int
    period: Span
    pending_at: datetime


@dataclass(frozen=True, slots=True)
class Watched:
    """What an alert is about: a rule and its subject. `unit_id` None: the region itself."""

    rule_id: int
    region: str
    unit_id: int | None
    subject: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found; `measured` and `threshold` in `uom`."""

    level: int
    period: Span
    measured: float
    threshold: float
    uom: str
    coverage: float
    estimated_share: float
    reason: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as callers see it. `fired_at` None: it never held long enough for a letter."""

    alert_id: int
    kind: str
    rule: str
    region: str
    region_name: str
    unit: str | None
    unit_name: str | None
    subject: str
    level: int
    state: AlertState
    period: Span
    measured: float
    threshold: float
    uom: str
    coverage: float
    estimated_share: float
    reason: str
    pending_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to an alert."""

    event_id: int
    happened_at: datetime
    kind: str
    measured: float | None
    reason: str


async def try_lock(connection: Connection) -> bool:
    """Become the one evaluator, until `unlock` or the end of the session; False: another is."""
    locked: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY)
    return locked


async def unlock(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)


async def list_open(connection: Connection, rule_id: int) -> list[OpenAlert]:
    rows = await connection.fetch(
        """
        SELECT alert_id, subject, region, state, level, period_starts_at, period_ends_at,
               pending_at
          FROM alerts
         WHERE rule_id = $1
           AND state <> 'resolved'
         ORDER BY alert_id
        """,
        rule_id,
    )
    return [
        OpenAlert(
            row["alert_id"],
            row["subject"],
            row["region"],
            AlertState(row["state"]),
            row["level"],
            Span(row["period_starts_at"], row["period_ends_at"]),
            row["pending_at"],
        )
        for row in rows
    ]


async def insert_alert(
    connection: Connection, watched: Watched, finding: Finding, state: AlertState, at: datetime
) -> int | None:
    """Open an alert; return its alert_id, or None if its subject has an open one already."""
    alert_id: int | None = await connection.fetchval(
        """
        INSERT INTO alerts (rule_id, region, unit_id, subject, state, level, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                CASE $5 WHEN 'firing' THEN $15::timestamptz END, $15)
            ON CONFLICT (rule_id, subject) WHERE state <> 'resolved' DO NOTHING
        RETURNING alert_id
        """,
        watched.rule_id,
        watched.region,
        watched.unit_id,
        watched.subject,
        state,
        *_finding(finding),
        at,
    )
    return alert_id


async def change(
    connection: Connection, alert: OpenAlert, finding: Finding, state: AlertState, at: datetime
) -> bool:
    """Give an alert a state and the finding that led to it; False: somebody was faster."""
    changed: int | None = await connection.fetchval(
        """
        UPDATE alerts
           SET state            = $4,
               level            = $5,
               period_starts_at = $6,
               period_ends_at   = $7,
               measured         = $8,
               threshold        = $9,
               uom              = $10,
               coverage         = $11,
               estimated_share  = $12,
               reason           = $13,
               fired_at         = CASE $4 WHEN 'firing' THEN coalesce(fired_at, $14::timestamptz)
                                          ELSE fired_at END,
               updated_at       = $14
         WHERE alert_id = $1
           AND state = $2
           AND level = $3
        RETURNING alert_id
        """,
        alert.alert_id,
        alert.state,
        alert.level,
        state,
        *_finding(finding),
        at,
    )
    return changed is not None


async def list_resolved(connection: Connection, rule_id: int) -> dict[str, datetime]:
    """Return, by subject, the end of the newest window that resolved an alert of the rule."""
    rows = await connection.fetch(
        """
        SELECT subject, max(resolved_by) AS resolved_by
          FROM alerts
         WHERE rule_id = $1
           AND resolved_by IS NOT NULL
         GROUP BY subject
         ORDER BY subject
        """,
        rule_id,
    )
    return {row["subject"]: row["resolved_by"] for row in rows}


async def resolve(connection: Connection, alert: OpenAlert, at: datetime, *, by: datetime) -> bool:
    """Close an alert; it keeps the finding for which it was open. False: somebody was faster.

    `by` is the end of the window that was found in order.
    """
    changed: int | None = await connection.fetchval(
        """
        UPDATE alerts
           SET state = 'resolved', resolved_at = $3, updated_at = $3, resolved_by = $4
         WHERE alert_id = $1
           AND state = $2
        RETURNING alert_id
        """,
        alert.alert_id,
        alert.state,
        at,
        by,
    )
    return changed is not None


async def insert_event(
    connection: Connection,
    alert_id: int,
    *,
    at: datetime,
    kind: str,
    measured: float | None,
    reason: str,
) -> int:
    """Append to the history of an alert; return the event_id."""
    event_id: int = await connection.fetchval(
        """
        INSERT INTO alert_events (alert_id, happened_at, kind, measured, reason)
        VALUES ($1, $2, $3, $4, $5)
        RETURNING event_id
        """,
        alert_id,
        at,
        kind,
        measured,
        reason,
    )
    return event_id


async def count_fired(connection: Connection) -> int:
    """Return how many alerts ever fired, resolved ones included."""
    count: int = await connection.fetchval("SELECT count(*) FROM alerts WHERE fired_at IS NOT NULL")
    return count


async def list_alerts(
    connection: Connection,
    scope: Scope,
    *,
    state: str | None,
    region: str | None,
    unit: str | None,
    limit: int,
    before_alert_id: int | None,
) -> list[AlertRow]:
    """Return alerts, newest first. `region` is a GB/T 2260 code and takes in all below it."""
    rows = await connection.fetch(
        """
        SELECT alert_id, rules.kind, rules.name AS rule, alerts.region,
               regions.name AS region_name, units.unit, units.name AS unit_name, subject, level,
               state, period_starts_at, period_ends_at, measured, threshold, uom, coverage,
               estimated_share, reason, pending_at, fired_at, resolved_at, updated_at
          FROM visible_alerts($1, $2) AS alerts
          JOIN rules USING (rule_id)
          JOIN regions ON regions.region = alerts.region
          LEFT JOIN units ON units.unit_id = alerts.unit_id
         WHERE ($3::text IS NULL OR state = $3)
           AND ($4::text IS NULL OR alerts.region LIKE $4 || '%')
           AND ($5::text IS NULL OR units.unit = $5)
           AND ($6::bigint IS NULL OR alert_id < $6)
         ORDER BY alert_id DESC
         LIMIT $7
        """,
        scope.region_prefix,
        scope.unit,
        state,
        None if region is None else Scope.of_region(region).region_prefix,
        unit,
        before_alert_id,
        limit,
    )
    return [_alert(row) for row in rows]


async def fetch_alert(connection: Connection, scope: Scope, alert_id: int) -> AlertRow | None:
    """Return an alert; None: there is none, or not for this scope."""
    row = await connection.fetchrow(
        """
        SELECT alert_id, rules.kind, rules.name AS rule, alerts.region,
               regions.name AS region_name, units.unit, units.name AS unit_name, subject, level,
               state, period_starts_at, period_ends_at, measured, threshold, uom, coverage,
               estimated_share, reason, pending_at, fired_at, resolved_at, updated_at
          FROM visible_alerts($1, $2) AS alerts
          JOIN rules USING (rule_id)
          JOIN regions ON regions.region = alerts.region
          LEFT JOIN units ON units.unit_id = alerts.unit_id
         WHERE alert_id = $3
        """,
        scope.region_prefix,
        scope.unit,
        alert_id,
    )
    return None if row is None else _alert(row)


async def list_events(connection: Connection, alert_id: int) -> list[EventRow]:
    """Return the history of an alert that the caller was allowed to fetch, oldest first."""
    rows = await connection.fetch(
        """
        SELECT event_id, happened_at, kind, measured, reason
          FROM alert_events
         WHERE alert_id = $1
         ORDER BY event_id
        """,
        alert_id,
    )
    return [EventRow(**row) for row in rows]


def _finding(
    finding: Finding,
) -> tuple[int, datetime, datetime, float, float, str, float, float, str]:
    """Return the values in the order of their columns, from level to reason."""
    return (
        finding.level,
        finding.period.starts_at,
        finding.period.ends_at,
        finding.measured,
        finding.threshold,
        finding.uom,
        finding.coverage,
        finding.estimated_share,
        finding.reason,
    )


def _alert(row: Record) -> AlertRow:
    values = dict(row)
    values["state"] = AlertState(values["state"])
    values["period"] = Span(values.pop("period_starts_at"), values.pop("period_ends_at"))
    return AlertRow(**values)
