"""Owns letters that are held: what a recipient was told of late, and what becomes one digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Connection
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class ToldRow:
    """A letter to `address`; `city` None: it told of several."""

    address: str
    city: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose letters may be one: an address, how it is reached, and the language it reads."""

    address: str
    channel: str
    language: str


@dataclass(frozen=True, slots=True)
class HeldLetter:
    """A letter that waits to be gathered. `held_since` is when it was written."""

    letter_id: int
    city: str
    recipient_name: str
    held_since: datetime


@dataclass(frozen=True, slots=True)
class ToldOf:
    """What a letter tells of: an alert, and what happened to it. `unit_name` None: of a region.

    `measured` and `threshold` in `uom`; `period` is the newest that the alert is about. `is_open`:
    it fires still. `acknowledge_by`: the first instant that is too late to answer, None: no answer
    is waited for (any more); `remedy_by` likewise, to remedy it, and `task_due_at`, of the task
    that is to be done (`has_task`).
    """

    alert_id: int
    kind: str
    level: int
    rule_name: str
    region: str
    unit_name: str | None
    subject: str
    measured: float | None
    threshold: float | None
    uom: str
    period: Span
    is_open: bool
    acknowledge_by: datetime | None
    remedy_by: datetime | None
    has_task: bool
    task_due_at: datetime | None


async def list_told(
    connection: Connection, addresses: Sequence[str], since: datetime
) -> list[ToldRow]:
    """Return the letters to some addresses after `since`, oldest first; held ones are none yet."""
    rows = await connection.fetch(
        """
        SELECT recipient_email AS address, city, created_at AS at
          FROM outbox
         WHERE recipient_email = ANY ($1)
           AND created_at > $2
           AND state IN ('waiting', 'sent', 'failed')
         ORDER BY created_at, letter_id
        """,
        addresses,
        since,
    )
    return [ToldRow(**row) for row in rows]


async def list_holding(connection: Connection, addresses: Sequence[str], city: str) -> set[str]:
    """Return those of some addresses for whom something about `city` is held."""
    rows = await connection.fetch(
        """
        SELECT address
          FROM unnest($1::text[]) AS address
         WHERE EXISTS (SELECT
                         FROM outbox
                        WHERE recipient_email = address
                          AND city = $2
                          AND state = 'held')
         ORDER BY address
        """,
        addresses,
        city,
    )
    return {row["address"] for row in rows}


async def list_due(connection: Connection, now: datetime) -> list[Reader]:
    """Return those for whom something is held that is to leave by `now`; no silence holds it."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT recipient_email AS address, channel, language
          FROM outbox
         WHERE state = 'held'
           AND due_at <= $1
           AND NOT EXISTS (SELECT
                             FROM alerts
                            WHERE alerts.alert_id = outbox.alert_id
                              AND silenced_by IS NOT NULL
                              AND retracted_at IS NULL)
         ORDER BY address, channel, language
        """,
        now,
    )
    return [Reader(**row) for row in rows]


async def lock_held(connection: Connection, reader: Reader, limit: int) -> list[HeldLetter]:
    """Return what is held for a reader, oldest first.

    What somebody else gathers is left out, and what is silenced by now: it waits for the end of
    the silence. What was retracted waits for nothing.
    """
    rows = await connection.fetch(
        """
        SELECT letter_id, city, recipient_name, created_at AS held_since
          FROM outbox
         WHERE recipient_email = $1
           AND channel = $2
           AND language = $3
           AND state = 'held'
           AND NOT EXISTS (SELECT
                             FROM alerts
                            WHERE alerts.alert_id = outbox.alert_id
                              AND silenced_by IS NOT NULL
                              AND retracted_at IS NULL)
         ORDER BY letter_id
         LIMIT $4
           FOR UPDATE SKIP LOCKED
        """,
        reader.address,
        reader.channel,
        reader.language,
        limit,
    )
    return [HeldLetter(**row) for row in rows]


async def list_told_of(connection: Connection, letter_ids: Sequence[int]) -> list[ToldOf]:
    """Return what some letters tell of, once for each alert: what happened to it last.

    Of an incident of which a region is told only its own part: that part.

    Of one that is over its threshold the measured value is the one of its period and threshold.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (outbox.alert_id)
               outbox.alert_id, outbox.letter_id, alert_events.kind, alerts.level,
               coalesce(rule_versions.name, '') AS rule_name, alerts.region,
               units.name AS unit_name, alerts.subject,
               CASE WHEN outbox.part IS NOT NULL THEN alert_parts.measured
                    WHEN alerts.state <> 'resolved' AND alerts.about = 'over'
                    THEN alerts.measured ELSE alert_events.measured END AS measured,
               CASE WHEN outbox.part IS NOT NULL THEN alert_parts.threshold
                    ELSE alerts.threshold END AS threshold,
               alerts.uom, alerts.period_starts_at, alerts.period_ends_at,
               alerts.state <> 'resolved' AS is_open,
               CASE WHEN runs AND alerts.acknowledged_at IS NULL
                    THEN acknowledge_by END AS acknowledge_by,
               CASE WHEN runs THEN remedy_by END AS remedy_by,
               task_id IS NOT NULL AS has_task, tasks.due_at AS task_due_at
          FROM outbox
          JOIN alerts USING (alert_id)
          JOIN alert_events USING (event_id)
          LEFT JOIN alert_parts
                 ON alert_parts.event_id = outbox.event_id
                AND alert_parts.region = outbox.part
          LEFT JOIN alert_cases
                 ON alert_cases.alert_id = alerts.alert_id
                AND outbox.part IS NULL
         CROSS JOIN LATERAL (
               SELECT stopped_at IS NULL AND contest IS DISTINCT FROM 'upheld' AS runs) AS clock
          LEFT JOIN tasks
                 ON tasks.alert_id = alerts.alert_id
                AND done_at IS NULL
                AND withdrawn_at IS NULL
                AND retracted_at IS NULL
          LEFT JOIN units USING (unit_id)
          LEFT JOIN rule_versions
                 ON rule_versions.rule_id = alerts.rule_id
                AND version = coalesce(alert_events.rule_version, alerts.rule_version)
         WHERE letter_id = ANY ($1)
         ORDER BY outbox.alert_id, letter_id DESC, task_id
        """,
        letter_ids,
    )
    return [_told_of(dict(row)) for row in rows]


async def mark_gathered(connection: Connection, letter_ids: Sequence[int], digest_id: int) -> None:
    """Note which digest held letters went into; their text stays, their page and picture go."""
    await connection.execute(
        """
        UPDATE outbox
           SET state = 'gathered', digest_id = $2, html = '', chart = NULL
         WHERE letter_id = ANY ($1)
        """,
        letter_ids,
        digest_id,
    )


async def release(connection: Connection, letter_id: int, at: datetime) -> None:
    """Let a held letter go by itself: nothing came to it."""
    await connection.execute(
        """
        UPDATE outbox
           SET state = 'waiting', due_at = $2, created_at = $2
         WHERE letter_id = $1
           AND state = 'held'
        """,
        letter_id,
        at,
    )


def _told_of(values: dict[str, Any]) -> ToldOf:
    period = Span(values.pop("period_starts_at"), values.pop("period_ends_at"))
    del values["letter_id"]
    return ToldOf(**values, period=period)
