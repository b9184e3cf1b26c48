"""Owns alerts about units that lie elsewhere by now: closed where they were, opened where they are.

What is written about that is decided in `alerts/moves.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Moved:
    """An open alert of `region` whose unit lies in `to` by now. `is_told`: somebody was told.

    `acts`: its rule acts there, too.
    """

    alert_id: int
    rule_id: int
    rule_region: str
    region: str
    to: str
    level: int
    about: str
    is_told: bool
    acts: bool


async def list_moved(connection: Connection, rules: Collection[int]) -> list[Moved]:
    """Return open alerts of some rules about units that moved."""
    rows = await connection.fetch(
        """
        SELECT alert_id, alerts.rule_id, rules.region AS rule_region, alerts.region,
               units.region AS to, level, about, told_at IS NOT NULL AS is_told,
               units.region LIKE within || '%' AS acts
          FROM alerts
          JOIN rules USING (rule_id)
          JOIN units USING (unit_id)
         WHERE state <> 'resolved'
           AND units.region <> alerts.region
           AND alerts.rule_id = ANY ($1::integer[])
         ORDER BY alert_id
        """,
        list(rules),
    )
    return [Moved(**row) for row in rows]


async def rehome(connection: Connection, alert_id: int, region: str) -> None:
    """Let an alert that nobody was told of be one of another region."""
    await connection.execute(
        "UPDATE alerts SET region = $2 WHERE alert_id = $1 AND told_at IS NULL", alert_id, region
    )


async def close(connection: Connection, alert_id: int, at: datetime) -> bool:
    """Close an alert that goes on elsewhere; False: somebody was faster. No window resolved it."""
    closed: int | None = await connection.fetchval(
        """
        UPDATE alerts
           SET state = 'resolved', resolved_at = $2, updated_at = $2, owed = NULL
         WHERE alert_id = $1
           AND state <> 'resolved'
        RETURNING alert_id
        """,
        alert_id,
        at,
    )
    return closed is not None


async def open_anew(
    connection: Connection, alert_id: int, region: str, owed: str, at: datetime
) -> int:
    """Open an alert as one that was closed, in another region, where it is owed; return its number.

    Nobody there acknowledged it, and its due dates are not given yet.
    """
    opened: int = await connection.fetchval(
        """
        INSERT INTO alerts (rule_id, region, unit_id, subject, state, level, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, updated_at, rule_version, opened_by,
                            about, owed)
        SELECT rule_id, $2, unit_id, subject, 'firing', level, period_starts_at, period_ends_at,
               measured, threshold, uom, coverage, estimated_share, reason, $4, $4, $4,
               rule_version, opened_by, about, $3
          FROM alerts
         WHERE alert_id = $1
        RETURNING alert_id
        """,
        alert_id,
        region,
        owed,
        at,
    )
    return opened


async def untell(connection: Connection, alert_id: int) -> None:
    """Let it be told again that nothing is known of what an alert is about."""
    await connection.execute(
        """
        UPDATE standings
           SET told_at = NULL
          FROM alerts
         WHERE alert_id = $1
           AND standings.rule_id = alerts.rule_id
           AND standings.subject = alerts.subject
        """,
        alert_id,
    )
