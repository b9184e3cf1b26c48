"""Owns what becomes of alerts when their data changed or came late: amended, retracted, late.

Written by the evaluator alone, in its term (`db/evaluators.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.alerts import AlertState, Finding
from db.outbox import Recipient
from db.pool import Connection
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Life:
    """An alert from the period that opened it to the one that resolved it, or was its last where
    nobody watches it any more; None: not known, or not yet. `told_at`: when it was written about
    last. `is_told`: people know of it; `owed_anew`: what is told anew as soon as nothing keeps it
    back. `shown_by`: the end of the period that it shows.
    """

    alert_id: int
    subject: str
    region: str
    level: int
    state: AlertState
    pending_at: datetime
    fired_at: datetime | None
    told_at: datetime | None
    opened_by: datetime | None
    resolved_by: datetime | None
    is_late: bool
    retracted_at: datetime | None
    is_told: bool
    owed_anew: Sequence[str]
    shown_by: datetime


async def list_lives(
    connection: Connection, rule_id: int, subjects: Collection[str], since: datetime
) -> list[Life]:
    """Return the alerts of subjects that are open, or were after `since`; the oldest first."""
    rows = await connection.fetch(
        """
        SELECT alert_id, subject, region, level, state, pending_at, fired_at,
               greatest(told_at, CASE WHEN owed IS NULL THEN resolved_at END, amended_at)
               AS told_at, opened_by, is_late, retracted_at,
               coalesce(resolved_by, CASE state WHEN 'resolved' THEN period_ends_at END)
               AS resolved_by,
               told_at IS NOT NULL AND owed IS DISTINCT FROM 'first' AS is_told, owed_anew,
               period_ends_at AS shown_by
          FROM alerts
         WHERE rule_id = $1
           AND subject = ANY ($2::text[])
           AND (state <> 'resolved' OR resolved_at > $3)
         ORDER BY alert_id
        """,
        rule_id,
        list(subjects),
        since,
    )
    return [Life(**{**row, "state": AlertState(row["state"])}) for row in rows]


async def is_groundless(connection: Connection, alert_id: int, until: datetime | None) -> bool:
    """Return whether the period that opened an alert is known not to be over, and no later one is
    that ends before `until`, or at all.

    Of an alert that came late its own periods count. A notice of what is near had no reason where
    nothing was near.
    """
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
               SELECT FROM judgements
                WHERE judgements.rule_id = alerts.rule_id
                  AND judgements.subject = alerts.subject
                  AND ends_at = opened_by
                  AND (judgements.state = 'ok'
                       OR judgements.state = 'warn' AND led_to IS DISTINCT FROM 'early'))
           AND NOT EXISTS (
               SELECT FROM judgements
                WHERE judgements.rule_id = alerts.rule_id
                  AND judgements.subject = alerts.subject
                  AND ends_at > opened_by
                  AND ends_at < coalesce($2::timestamptz, 'infinity')
                  AND judgements.state = 'firing'
                  AND (judgements.alert_id = $1 OR NOT is_late))
          FROM alerts
         WHERE alert_id = $1
        """,
        alert_id,
        until,
    )
    return found


async def show_last_over(connection: Connection, alert_id: int, at: datetime) -> Span | None:
    """Let an alert show the last period that is over, after the one it shows, which is not; return
    that period, None: there is none.

    Its coverage stays that of before: it is not kept of periods.
    """
    row = await connection.fetchrow(
        """
        UPDATE alerts
           SET period_starts_at = last.starts_at,
               period_ends_at   = last.ends_at,
               measured         = last.measured,
               threshold        = last.threshold,
               reason           = 'over; an earlier period was not, as its data show now',
               updated_at       = $2
          FROM judgements AS last
         WHERE alerts.alert_id = $1
           AND last.rule_id = alerts.rule_id
           AND last.subject = alerts.subject
           AND last.state = 'firing'
           AND last.ends_at = (SELECT max(ends_at)
                                 FROM judgements
                                WHERE judgements.rule_id = alerts.rule_id
                                  AND judgements.subject = alerts.subject
                                  AND judgements.state = 'firing'
                                  AND ends_at > alerts.period_ends_at)
        RETURNING period_starts_at, period_ends_at
        """,
        alert_id,
        at,
    )
    return None if row is None else Span(row["period_starts_at"], row["period_ends_at"])


async def list_first(
    connection: Connection, rule_id: int, version: int, subjects: Sequence[str]
) -> dict[str, datetime]:
    """Return, by subject, the end of the first period that was judged by a version of the rule."""
    rows = await connection.fetch(
        """
        SELECT subject, ends_at
          FROM unnest($3::text[]) AS asked (subject)
         CROSS JOIN LATERAL (
               SELECT ends_at
                 FROM judgements
                WHERE rule_id = $1
                  AND judgements.subject = asked.subject
                  AND rule_version = $2
                ORDER BY ends_at
                LIMIT 1) AS first
         ORDER BY subject
        """,
        rule_id,
        version,
        subjects,
    )
    return {row["subject"]: row["ends_at"] for row in rows}


async def amend(
    connection: Connection,
    alert_id: int,
    period_ends_at: datetime,
    finding: Finding,
    at: datetime,
    *,
    is_told: bool,
) -> None:
    """Note what was found anew of an alert, where it is of its period, and whether it is told."""
    await connection.execute(
        """
        UPDATE alerts
           SET amended_at      = CASE WHEN $9 THEN $3 ELSE amended_at END,
               updated_at      = $3,
               measured        = CASE WHEN period_ends_at = $2 THEN $4 ELSE measured END,
               threshold       = CASE WHEN period_ends_at = $2 THEN $5 ELSE threshold END,
               coverage        = CASE WHEN period_ends_at = $2 THEN $6 ELSE coverage END,
               estimated_share = CASE WHEN period_ends_at = $2 THEN $7 ELSE estimated_share END,
               reason          = CASE WHEN period_ends_at = $2 THEN $8 ELSE reason END
         WHERE alert_id = $1
        """,
        alert_id,
        period_ends_at,
        at,
        finding.measured,
        finding.threshold,
        finding.coverage,
        finding.estimated_share,
        finding.reason,
        is_told,
    )


async def retract(
    connection: Connection, alert_id: int, at: datetime, *, by: datetime | None
) -> bool:
    """Note that there had been no reason for an alert, and close it; it owes no other letter.

    False: it was noted before.

    `by` is the end of the period that was found in order.
    """
    retracted: int | None = await connection.fetchval(
        """
        UPDATE alerts
           SET retracted_at = $2,
               owed         = NULL,
               owed_anew    = '{}',
               updated_at   = $2,
               resolved_at  = CASE WHEN state = 'resolved' THEN resolved_at ELSE $2 END,
               resolved_by  = CASE WHEN state = 'resolved' THEN resolved_by ELSE $3 END,
               state        = 'resolved'
         WHERE alert_id = $1
           AND retracted_at IS NULL
        RETURNING alert_id
        """,
        alert_id,
        at,
        by,
    )
    return retracted is not None


async def close(connection: Connection, alert_id: int, at: datetime, *, by: datetime) -> None:
    """Close an alert that is over as it is opened; `by` is the end of the period that shows it."""
    await connection.execute(
        """
        UPDATE alerts
           SET state = 'resolved', resolved_at = $2, resolved_by = $3, updated_at = $2
         WHERE alert_id = $1
           AND state <> 'resolved'
        """,
        alert_id,
        at,
        by,
    )


async def mark_late(connection: Connection, alert_id: int, opened_by: datetime) -> None:
    """Note that the data of an alert came late, and the end of the first period that was over."""
    await connection.execute(
        "UPDATE alerts SET is_late = true, opened_by = $2 WHERE alert_id = $1", alert_id, opened_by
    )


async def list_told(connection: Connection, alert_id: int, within: str) -> list[Recipient]:
    """Return who was written to about an alert and is still a contact, once per address.

    As they are now: who moved is written to where they are, who left is not. `within`: codes of
    regions that begin with it, as far as the rule reaches.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (lower(email))
               contact_id, contacts.region, name, email, contacts.language, contacts.channel
          FROM outbox
          JOIN contacts
            ON lower(email) = lower(recipient_email)
           AND contacts.region LIKE $2 || '%'
         WHERE alert_id = $1
           AND state NOT IN ('failed', 'dropped')
         ORDER BY lower(email), letter_id, contact_id
        """,
        alert_id,
        within,
    )
    return [Recipient(**row) for row in rows]
