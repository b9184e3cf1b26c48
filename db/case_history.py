"""Owns what a verification reads of alerts: what people do about each, beside what happened to it.

It is changed by `db/alert_cases.py` and `db/alert_events.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Stood:
    """An alert and its case as they stand. `has_case`: without one all that is of it is None."""

    alert_id: int
    rule_id: int
    region: str
    rule_region: str
    fired_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    has_case: bool
    assigned_to: str | None
    assignee: str | None
    contest: str | None
    contests: int | None
    closed_at: datetime | None
    dated_level: int | None
    dated_at: datetime | None
    clock_from: datetime | None
    acknowledge_workdays: int | None
    remedy_workdays: int | None
    acknowledge_by: datetime | None
    remedy_by: datetime | None
    raise_at: datetime | None
    undated: str | None
    stopped_at: datetime | None
    raised_to: str | None
    remedy_raise_at: datetime | None
    remedy_raised_to: str | None


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to an alert. `actor` None: the platform found it.

    `holder_sha256`: of the address or label that it was given to, by the ledger; None: not kept.
    """

    kind: str
    at: datetime
    actor: str | None
    reason: str
    assignee: str | None
    holder_sha256: str | None = None


async def list_stood(connection: Connection) -> list[Stood]:
    """Return every alert with its case, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT alert_id, alerts.rule_id, alerts.region, rules.region AS rule_region, fired_at,
               acknowledged_at, acknowledged_by, cases.alert_id IS NOT NULL AS has_case,
               assigned_to, assignee, contest, contests, closed_at, dated_level, dated_at,
               clock_from, acknowledge_workdays, remedy_workdays, acknowledge_by, remedy_by,
               raise_at, undated, stopped_at, raised_to, remedy_raise_at, remedy_raised_to
          FROM alerts
          JOIN rules USING (rule_id)
          LEFT JOIN alert_cases AS cases USING (alert_id)
         ORDER BY alert_id
        """
    )
    return [Stood(**row) for row in rows]


async def list_happened(connection: Connection) -> dict[int, list[Happened]]:
    """Return, by alert, what happened to it and bears on its case, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT alert_id, kind, happened_at AS at, alert_events.actor, alert_events.reason, assignee,
               CASE WHEN kind = 'assigned'
                    THEN (SELECT content::jsonb->>'holder_sha256'
                            FROM changes
                           WHERE noun = 'alert_events'
                             AND subject = alert_id || '/' || event_id
                           ORDER BY change_id DESC
                           LIMIT 1)
               END AS holder_sha256
          FROM alert_events
         WHERE kind NOT IN ('comment', 'task_done', 'task_reminder', 'task_overdue',
                            'task_withdrawn')
         ORDER BY event_id
        """
    )
    found: dict[int, list[Happened]] = {}
    for row in rows:
        values = dict(row)
        found.setdefault(values.pop("alert_id"), []).append(Happened(**values))
    return found
