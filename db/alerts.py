"""Owns the alerts: what the evaluator opens, changes and closes.

What callers may read of them is in `db/alert_rows.py`, what happened to them in
`db/alert_events.py`, what people do about them in `db/alert_cases.py`.

A change names the state it starts from; if that is not the state any more, somebody was faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from asyncpg import Record

from db.pool import Connection
from energy.periods import Span


class AlertState(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class About(StrEnum):
    """What an alert is about: over its threshold, near it, or unknown for long."""

    OVER = "over"
    WARN = "warn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is not resolved, as the evaluator needs it. `level`: 1 is the worst.

    `told_at`: when it was written about last; `opened_by`: the end of the period that opened it,
    None: not known. Acknowledged is what it was when it became as bad
    as it is, or later. `rule_version` led to its present state.
    """

    alert_id: int
    subject: str
    region: str
    state: AlertState
    level: int
    period: Span
    pending_at: datetime
    told_at: datetime | None = None
    is_acknowledged: bool = False
    opened_by: datetime | None = None
    about: About = About.OVER
    rule_version: int = 1
    unit_id: int | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What an alert is about: a rule and its subject. `unit_id` None: the region itself.

    `version` is that of the rule which judges now.
    """

    rule_id: int
    region: str
    unit_id: int | None
    subject: str
    version: int = 1


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


async def list_open(connection: Connection, rule_id: int) -> list[OpenAlert]:
    rows = await connection.fetch(
        """
        SELECT alert_id, subject, region, state, level, period_starts_at, period_ends_at,
               pending_at, told_at, acknowledged_at IS NOT NULL AS is_acknowledged, opened_by,
               about, rule_version, unit_id
          FROM alerts
         WHERE rule_id = $1
           AND state <> 'resolved'
         ORDER BY alert_id
        """,
        rule_id,
    )
    return [_open(row) for row in rows]


async def list_of_ended_rules(connection: Connection, at: datetime) -> list[OpenAlert]:
    """Return open alerts of rules that watch nobody any more at an instant, or not this unit: it
    moved to where they do not act.
    """
    rows = await connection.fetch(
        """
        SELECT alert_id, subject, alerts.region, state, level, period_starts_at, period_ends_at,
               pending_at, told_at, acknowledged_at IS NOT NULL AS is_acknowledged, opened_by,
               about, rule_version, unit_id
          FROM alerts
          JOIN rules USING (rule_id)
          LEFT JOIN units USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT parameters
                 FROM rule_versions
                WHERE rule_versions.rule_id = alerts.rule_id
                  AND holds_from <= $1
                ORDER BY version DESC
                LIMIT 1) AS holding
         WHERE state <> 'resolved'
           AND (parameters IS NULL OR units.region NOT LIKE within || '%')
         ORDER BY alert_id
        """,
        at,
    )
    return [_open(row) for row in rows]


async def insert_alert(
    connection: Connection,
    watched: Watched,
    finding: Finding,
    state: AlertState,
    at: datetime,
    about: About = About.OVER,
    *,
    is_told: bool = True,
) -> int | None:
    """Open an alert; return its alert_id, or None if its subject has an open one already."""
    alert_id: int | None = await connection.fetchval(
        """
        INSERT INTO alerts (rule_id, region, unit_id, subject, state, level, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, told_at, updated_at, rule_version,
                            opened_by, about)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                CASE $5 WHEN 'firing' THEN $15::timestamptz END,
                CASE WHEN $5 = 'firing' AND $18 THEN $15::timestamptz END, $15, $16, $8, $17)
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
        watched.version,
        about,
        is_told,
    )
    return alert_id


async def change(
    connection: Connection,
    alert: OpenAlert,
    finding: Finding,
    state: AlertState,
    at: datetime,
    *,
    version: int = 1,
    is_told: bool = False,
    unless_acknowledged: bool = False,
    about: About = About.OVER,
) -> bool:
    """Give an alert a state and the finding that led to it; False: somebody was faster.

    Who acknowledged a milder level, or a mere notice, has not acknowledged this one; a notice that
    becomes an alert fires from then on.
    """
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
               fired_at         = CASE WHEN $4 <> 'firing'
                                       THEN CASE WHEN about = $18 THEN fired_at END
                                       WHEN about = $18 THEN coalesce(fired_at, $14::timestamptz)
                                       ELSE $14 END,
               told_at          = CASE WHEN $15 THEN $14 ELSE told_at END,
               acknowledged_at  = CASE WHEN $5 >= level AND about = $18 THEN acknowledged_at END,
               acknowledged_by  = CASE WHEN $5 >= level AND about = $18 THEN acknowledged_by END,
               updated_at       = $14,
               rule_version     = $16,
               opened_by        = CASE WHEN about = $18 THEN opened_by ELSE $7 END,
               about            = $18
         WHERE alert_id = $1
           AND state = $2
           AND level = $3
           AND NOT ($17 AND acknowledged_at IS NOT NULL)
        RETURNING alert_id
        """,
        alert.alert_id,
        alert.state,
        alert.level,
        state,
        *_finding(finding),
        at,
        is_told,
        version,
        unless_acknowledged,
        about,
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


async def resolve(
    connection: Connection, alert: OpenAlert, at: datetime, *, by: datetime | None
) -> bool:
    """Close an alert; it keeps the finding for which it was open. False: somebody was faster.

    `by` is the end of the window that was found in order; None: none was, nobody watches it.
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


async def fetch_name(connection: Connection, alert_id: int) -> str:
    """Return the name of the unit that an alert is about, or of its region."""
    name: str = await connection.fetchval(
        """
        SELECT coalesce(units.name, regions.name)
          FROM alerts
          JOIN regions USING (region)
          LEFT JOIN units USING (unit_id)
         WHERE alert_id = $1
        """,
        alert_id,
    )
    return name


async def count_fired(connection: Connection) -> int:
    """Return how many alerts ever fired, resolved ones included."""
    count: int = await connection.fetchval("SELECT count(*) FROM alerts WHERE fired_at IS NOT NULL")
    return count


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


def _open(row: Record) -> OpenAlert:
    values = dict(row)
    values["state"], values["about"] = AlertState(values["state"]), About(values["about"])
    values["period"] = Span(values.pop("period_starts_at"), values.pop("period_ends_at"))
    return OpenAlert(**values)
