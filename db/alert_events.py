"""Owns the history of alerts: what the platform found and what people said; it only grows.

What people said stands in the ledger of changes besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope

NOUN = "alert_events"
"""Noun of what people said in the ledger of changes, under alert and event."""

ACKNOWLEDGED = "acknowledged"
COMMENT = "comment"
ASSIGNED = "assigned"
CONTESTED = "contested"
UPHELD = "upheld"
REJECTED = "rejected"
CLOSED = "closed"
TASK_DONE = "task_done"


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to an alert. `actor` None: the platform found it.

    `reason` is a sentence, or what the actor wrote; `rule_version` the version that judged.
    `evidence` is what proves it, `assignee` whose the alert became.
    """

    event_id: int
    happened_at: datetime
    kind: str
    measured: float | None
    reason: str
    actor: str | None
    rule_version: int | None
    evidence: str | None = None
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of an alert, as table or ledger know it."""

    kind: str
    at: datetime
    actor: str
    text: str
    evidence: str | None = None
    assignee: str | None = None


async def insert(
    connection: Connection,
    alert_id: int,
    *,
    at: datetime,
    kind: str,
    reason: str,
    measured: float | None = None,
    actor: str | None = None,
    version: int | None = None,
    evidence: str | None = None,
    assignee: str | None = None,
) -> int:
    """Append to the history of an alert; return the event_id."""
    event_id: int = await connection.fetchval(
        """
        INSERT INTO alert_events (alert_id, happened_at, kind, measured, reason, actor,
                                  rule_version, evidence, assignee)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        RETURNING event_id
        """,
        alert_id,
        at,
        kind,
        measured,
        reason,
        actor,
        version,
        evidence,
        assignee,
    )
    return event_id


async def list_of(connection: Connection, alert_id: int) -> list[EventRow]:
    """Return the history of an alert that the caller was allowed to fetch, oldest first."""
    rows = await connection.fetch(
        """
        SELECT event_id, happened_at, kind, measured, reason, actor, rule_version, evidence,
               assignee
          FROM alert_events
         WHERE alert_id = $1
         ORDER BY event_id
        """,
        alert_id,
    )
    return [EventRow(**row) for row in rows]


async def list_comments(
    connection: Connection, alert_id: int, *, limit: int, after_event_id: int
) -> list[EventRow]:
    """Return comments on an alert that the caller was allowed to fetch, oldest first."""
    rows = await connection.fetch(
        """
        SELECT event_id, happened_at, kind, measured, reason, actor, rule_version, evidence,
               assignee
          FROM alert_events
         WHERE alert_id = $1
           AND kind = 'comment'
           AND event_id > $2
         ORDER BY event_id
         LIMIT $3
        """,
        alert_id,
        after_event_id,
        limit,
    )
    return [EventRow(**row) for row in rows]


async def count(connection: Connection, alert_id: int, kind: str) -> int:
    """Return how often something of a kind happened to an alert."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM alert_events WHERE alert_id = $1 AND kind = $2", alert_id, kind
    )
    return found


async def acknowledge(
    connection: Connection, scope: Scope, alert_id: int, actor: str, at: datetime
) -> bool:
    """Note who takes care of an alert; False: it is not open, or somebody was faster."""
    changed: int | None = await connection.fetchval(
        """
        UPDATE alerts
           SET acknowledged_at = $4, acknowledged_by = $5, updated_at = $4
         WHERE alert_id = $3
           AND alert_id IN (SELECT alert_id FROM visible_alerts($1, $2))
           AND state <> 'resolved'
           AND acknowledged_at IS NULL
        RETURNING alert_id
        """,
        scope.region_prefix,
        scope.unit,
        alert_id,
        at,
        actor,
    )
    return changed is not None


async def list_said(connection: Connection) -> dict[str, Said]:
    """Return what people said, by alert and event."""
    rows = await connection.fetch(
        """
        SELECT alert_id || '/' || event_id AS subject, kind, happened_at AS at, actor,
               reason AS text, evidence, assignee
          FROM alert_events
         WHERE actor IS NOT NULL
         ORDER BY event_id
        """
    )
    return _by_subject(rows)


async def list_known(connection: Connection) -> dict[str, Said]:
    """Return what people said as the ledger of changes knows it."""
    rows = await connection.fetch(
        """
        SELECT subject, content::jsonb->>'kind' AS kind,
               (content::jsonb->>'at')::timestamptz AS at, actor, content::jsonb->>'text' AS text,
               content::jsonb->>'evidence' AS evidence, content::jsonb->>'assignee' AS assignee
          FROM changes
         WHERE noun = 'alert_events'
           AND content IS NOT NULL
         ORDER BY change_id
        """
    )
    return _by_subject(rows)


def _by_subject(rows: list[Record]) -> dict[str, Said]:
    return {
        row["subject"]: Said(
            row["kind"], row["at"], row["actor"], row["text"], row["evidence"], row["assignee"]
        )
        for row in rows
    }
