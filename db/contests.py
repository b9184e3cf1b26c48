"""Owns which contests of alerts wait for a decision, and of which of them nobody was told.

Contesting and deciding are in `db/alert_cases.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.alert_cases import AT_ONCE
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class OpenContest:
    """A contest that waits for a decision: what was said, in which event, and since when the clock
    of its alert stands still.
    """

    alert_id: int
    rule_id: int
    region: str
    event_id: int
    text: str
    stopped_at: datetime


async def list_untold(connection: Connection) -> list[OpenContest]:
    """Return contests that wait for a decision and that nobody was told of.

    Of an alert whose letters are kept back nobody is told that either, until nothing does.
    """
    rows = await connection.fetch(
        """
        SELECT alert_id, rule_id, region, event_id, said.reason AS text, stopped_at
          FROM alert_cases
          JOIN alerts USING (alert_id)
         CROSS JOIN LATERAL (
               SELECT event_id, reason
                 FROM alert_events
                WHERE alert_id = alerts.alert_id
                  AND kind = 'contested'
                ORDER BY event_id DESC
                LIMIT 1) AS said
         WHERE contest = 'open'
           AND stopped_at IS NOT NULL
           AND state = 'firing'
           AND silenced_by IS NULL
           AND inhibited_by IS NULL
           AND owed IS NULL
           AND NOT EXISTS (SELECT FROM outbox WHERE outbox.event_id = said.event_id)
         ORDER BY alert_id
         LIMIT $1
        """,
        AT_ONCE,
    )
    return [OpenContest(**row) for row in rows]


async def is_open(connection: Connection, alert_id: int) -> bool:
    """Return whether a contest of an alert waits for a decision."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM alert_cases WHERE alert_id = $1 AND contest = 'open')", alert_id
    )
    return found
