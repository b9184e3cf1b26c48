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
class HeldLetter:
    """A letter that waits to be gathered. `held_since` is when it was written."""

    letter_id: int
    city: str
    channel: str
    language: str
    recipient_name: str
    held_since: datetime


@dataclass(frozen=True, slots=True)
class ToldOf:
    """What a letter tells of: an alert, and what happened to it. `unit_name` None: of a region.

    `measured` and `threshold` in `uom`; `period` is the newest that the alert is about.
    """

    alert_id: int
    kind: str
    level: int
    rule_name: str
    region: str
    unit_name: str | None
    subject: str
    measured: float | None
    threshold: float
    uom: str
    period: Span


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


async def list_due(connection: Connection, now: datetime) -> list[str]:
    """Return the addresses for whom something is held that is to leave by `now`."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT recipient_email
          FROM outbox
         WHERE state = 'held'
           AND due_at <= $1
         ORDER BY recipient_email
        """,
        now,
    )
    return [row["recipient_email"] for row in rows]


async def lock_held(connection: Connection, address: str, limit: int) -> list[HeldLetter]:
    """Return what is held for an address, oldest first; what somebody else gathers is left out."""
    rows = await connection.fetch(
        """
        SELECT letter_id, city, channel, language, recipient_name,
               created_at AS held_since
          FROM outbox
         WHERE recipient_email = $1
           AND state = 'held'
         ORDER BY letter_id
         LIMIT $2
           FOR UPDATE SKIP LOCKED
        """,
        address,
        limit,
    )
    return [HeldLetter(**row) for row in rows]


async def list_told_of(connection: Connection, letter_ids: Sequence[int]) -> list[ToldOf]:
    """Return what some letters tell of, once for each alert: what happened to it last."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (outbox.alert_id)
               outbox.alert_id, outbox.letter_id, alert_events.kind, alerts.level,
               coalesce(rule_versions.name, '') AS rule_name, alerts.region,
               units.name AS unit_name, alerts.subject, alert_events.measured, alerts.threshold,
               alerts.uom, alerts.period_starts_at, alerts.period_ends_at
          FROM outbox
          JOIN alerts USING (alert_id)
          JOIN alert_events USING (event_id)
          LEFT JOIN units USING (unit_id)
          LEFT JOIN rule_versions
                 ON rule_versions.rule_id = alerts.rule_id
                AND version = coalesce(alert_events.rule_version, alerts.rule_version)
         WHERE letter_id = ANY ($1)
         ORDER BY outbox.alert_id, letter_id DESC
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


async def list_telling(connection: Connection, event_id: int) -> list[int]:
    """Return the letters that tell of an event: by itself, or in a digest."""
    rows = await connection.fetch(
        """
        SELECT coalesce(digest_id, letter_id) AS letter_id
          FROM outbox
         WHERE event_id = $1
           AND state <> 'dropped'
         ORDER BY letter_id
        """,
        event_id,
    )
    return [row["letter_id"] for row in rows]


def _told_of(values: dict[str, Any]) -> ToldOf:
    period = Span(values.pop("period_starts_at"), values.pop("period_ends_at"))
    del values["letter_id"]
    return ToldOf(**values, period=period)
