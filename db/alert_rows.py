"""Owns alerts as callers read them: what was found, and what people do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from db.alert_cases import Contest
from db.alerts import About, AlertState
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as callers see it. `fired_at` None: it never held long enough for a letter.

    `kind` and `rule` None: its rule does not act on what the caller sees. `due_at` is the first
    instant that is too late for what is owed now, `due_for`: to acknowledge it, or to remedy it.
    `owed`: why a letter would have been written that is kept back; `nobody_to_tell`: by nothing
    but that there is no contact to write to. `newest_…`: what was found last of what is open; None:
    it is over, or its rule says nothing of it by now.
    """

    alert_id: int
    kind: str | None
    rule_id: int
    rule_version: int
    rule: str | None
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
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    updated_at: datetime
    about: About
    is_late: bool
    amended_at: datetime | None
    retracted_at: datetime | None
    assigned_to: str | None
    contest: Contest | None
    contests: int
    due_at: datetime | None
    due_for: str | None
    undated: str | None
    is_overdue: bool
    raised_to: str | None
    closed_at: datetime | None
    silenced_by: int | None
    inhibited_by: int | None
    owed: str | None
    newest_state: str | None
    newest_period_ends_at: datetime | None
    newest_measured: float | None
    newest_threshold: float | None
    nobody_to_tell: bool


@dataclass(frozen=True, slots=True)
class Which:
    """Which alerts; None: whatever it is. `region` is a GB/T 2260 code and takes in all below it.

    `assigned_to` is whose it is as it is shown, or as it was named.
    """

    state: str | None = None
    region: str | None = None
    unit: str | None = None
    is_acknowledged: bool | None = None
    assigned_to: str | None = None
    is_contested: bool | None = None
    is_overdue: bool | None = None


ALERTS = """
        SELECT alert_id, rules.kind, alerts.rule_id, rule_version, said.name AS rule, alerts.region,
               regions.name AS region_name, units.unit, units.name AS unit_name, subject, level,
               state, period_starts_at, period_ends_at, measured, threshold, uom, coverage,
               estimated_share, alerts.reason, pending_at, fired_at, resolved_at, acknowledged_at,
               acknowledged_by, updated_at, about, is_late, amended_at, retracted_at, assigned_to,
               contest, coalesce(contests, 0) AS contests,
               due_at, CASE WHEN due_at IS NOT NULL THEN due_for END AS due_for,
               CASE WHEN is_owed AND due_at IS NULL THEN undated END AS undated,
               is_overdue, raised_to, closed_at, silenced_by, inhibited_by,
               coalesce(alerts.owed, owed_anew[1]) AS owed,
               newest_state, newest_period_ends_at, newest_measured, newest_threshold,
               nobody_to_tell
          FROM visible_alerts($1, $2) AS alerts
          LEFT JOIN visible_rules($1, $2) AS rules ON rules.rule_id = alerts.rule_id
          LEFT JOIN rule_versions AS said
            ON said.rule_id = rules.rule_id AND said.version = alerts.rule_version
          JOIN regions ON regions.region = alerts.region
          LEFT JOIN units ON units.unit_id = alerts.unit_id
          LEFT JOIN alert_cases AS cases USING (alert_id)
         CROSS JOIN LATERAL (
               SELECT state = 'firing' AND contest IS DISTINCT FROM 'upheld' AS is_owed,
                      CASE WHEN acknowledged_at IS NULL AND acknowledge_workdays IS NOT NULL
                           THEN 'acknowledge' ELSE 'remedy' END AS due_for) AS owed
         CROSS JOIN LATERAL (
               SELECT CASE WHEN NOT is_owed THEN NULL
                           WHEN due_for = 'acknowledge' THEN acknowledge_by
                           ELSE remedy_by END AS due_at) AS due
         CROSS JOIN LATERAL (
               SELECT coalesce(due_at <= $3 AND stopped_at IS NULL, false) AS is_overdue) AS late
          LEFT JOIN LATERAL (
               SELECT state AS newest_state, ends_at AS newest_period_ends_at,
                      measured AS newest_measured, threshold AS newest_threshold
                 FROM visible_standings($1, $2) AS standings
                WHERE standings.rule_id = alerts.rule_id
                  AND standings.subject = alerts.subject) AS newest
            ON alerts.state <> 'resolved'
"""
"""All that is visible, as it is at an instant ($3): its scope is cut by visible_alerts."""


async def list_alerts(
    connection: Connection,
    scope: Scope,
    which: Which,
    *,
    now: datetime,
    limit: int,
    before_alert_id: int | None,
) -> list[AlertRow]:
    """Return alerts, newest first."""
    rows = await connection.fetch(
        ALERTS
        + """
         WHERE ($4::text IS NULL OR state = $4)
           AND ($5::text IS NULL OR alerts.region LIKE $5 || '%')
           AND ($6::text IS NULL OR units.unit = $6)
           AND ($7::bigint IS NULL OR alert_id < $7)
           AND ($8::boolean IS NULL OR (acknowledged_at IS NOT NULL) = $8)
           AND ($9::text IS NULL OR assigned_to = $9 OR assignee = $9)
           AND ($10::boolean IS NULL OR coalesce(contest = 'open', false) = $10)
           AND ($11::boolean IS NULL OR is_overdue = $11)
         ORDER BY alert_id DESC
         LIMIT $12
        """,
        scope.region_prefix,
        scope.unit,
        now,
        which.state,
        None if which.region is None else Scope.of_region(which.region).region_prefix,
        which.unit,
        before_alert_id,
        which.is_acknowledged,
        which.assigned_to,
        which.is_contested,
        which.is_overdue,
        limit,
    )
    return [_alert(row) for row in rows]


async def fetch_alert(
    connection: Connection, scope: Scope, alert_id: int, now: datetime
) -> AlertRow | None:
    """Return an alert; None: there is none, or not for this scope."""
    row = await connection.fetchrow(
        ALERTS
        + """
         WHERE alert_id = $4
        """,
        scope.region_prefix,
        scope.unit,
        now,
        alert_id,
    )
    return None if row is None else _alert(row)


def _alert(row: Record) -> AlertRow:
    values = dict(row)
    values["state"], values["about"] = AlertState(values["state"]), About(values["about"])
    values["contest"] = None if values["contest"] is None else Contest(values["contest"])
    values["period"] = Span(values.pop("period_starts_at"), values.pop("period_ends_at"))
    return AlertRow(**values)
