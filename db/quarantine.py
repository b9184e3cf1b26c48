"""Owns what was rejected: every message as it came, listed, and closed once it was replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """A rejection. `reading_index` None: the whole message."""

    quarantine_id: int
    sha256: bytes
    topic: str
    reading_index: int | None
    batch: str | None
    meter: str | None
    reason: str
    detail: str
    reading_count: int
    deliveries: int
    received_at: datetime
    replayed_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class QuarantineMessage:
    """A message with at least one rejection, as it came."""

    sha256: bytes
    topic: str
    payload: bytes
    signature: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Deleted:
    """Rejections of one reason that were deleted, received from `first_at` to `last_at`."""

    reason: str
    is_replayed: bool
    rejections: int
    readings: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class QuarantineSize:
    """What there was when it was measured; `unreplayed` rejections wait for a decision."""

    measured_at: datetime
    messages: int
    payload_bytes: int
    unreplayed: int


async def list_entries(
    connection: Connection,
    *,
    after: int = 0,
    unit: str | None = None,
    reason: str | None = None,
    is_open: bool | None = True,
    without: str | None = None,
    limit: int,
) -> list[QuarantineEntry]:
    """Return rejections after the one with the id `after`; `unit` is part of the topic.

    `without`: none of a message that has an open rejection of this reason.
    """
    rows = await connection.fetch(
        """
        SELECT quarantine_id, sha256, topic, reading_index, batch, meter, reason, detail,
               reading_count, deliveries, quarantine.received_at, replayed_at, outcome
          FROM quarantine
          JOIN quarantine_messages USING (sha256)
         WHERE quarantine_id > $1
           AND ($2::text IS NULL OR topic LIKE '%/' || $2 || '/%')
           AND ($3::text IS NULL OR reason = $3)
           AND ($4::boolean IS NULL OR (replayed_at IS NULL) = $4)
           AND NOT EXISTS (SELECT
                             FROM quarantine AS other
                            WHERE other.sha256 = quarantine.sha256
                              AND other.reason = $5
                              AND other.replayed_at IS NULL)
         ORDER BY quarantine_id
         LIMIT $6
        """,
        after,
        unit,
        reason,
        is_open,
        without,
        limit,
    )
    return [QuarantineEntry(**row) for row in rows]


async def fetch_message(connection: Connection, quarantine_id: int) -> QuarantineMessage | None:
    row = await connection.fetchrow(
        """
        SELECT sha256, topic, payload, signature, quarantine_messages.received_at
          FROM quarantine_messages
          JOIN quarantine USING (sha256)
         WHERE quarantine_id = $1
        """,
        quarantine_id,
    )
    return None if row is None else QuarantineMessage(**row)


async def close(
    connection: Connection,
    sha256: bytes,
    still: Sequence[tuple[int | None, str]],
    outcome: str,
    replayed_at: datetime,
) -> int:
    """Close the rejections of a message, but those (index, reason) that stand; return how many."""
    closed = await connection.fetch(
        """
        UPDATE quarantine
           SET replayed_at = $5, outcome = $4
         WHERE sha256 = $1
           AND replayed_at IS NULL
           AND (coalesce(reading_index, -1), reason)
               NOT IN (SELECT coalesce(index, -1), standing
                         FROM unnest($2::integer[], $3::text[]) AS still (index, standing))
        RETURNING quarantine_id
        """,
        sha256,
        [index for index, _ in still],
        [reason for _, reason in still],
        outcome,
        replayed_at,
    )
    return len(closed)


async def is_resent(connection: Connection, sha256: bytes, said_sha256: bytes) -> bool:
    """Return whether this message, or one that says the same, was rejected before, in part or
    whole, for what it said.

    A message that was turned away as a replay does not become true by being sent twice.
    """
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT
                         FROM quarantine
                         JOIN quarantine_messages USING (sha256)
                        WHERE (sha256 = $1 OR said_sha256 = $2)
                          AND reason <> 'replayed')
        """,
        sha256,
        said_sha256,
    )
    return found


async def delete(
    connection: Connection, *, before: datetime, replayed_only: bool, limit: int
) -> list[Deleted]:
    """Delete messages whose rejections all came `before`, or were all replayed too; return which
    rejections went with them.

    Looks at `limit` rejections, the oldest first.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT sha256
              FROM quarantine AS oldest
             WHERE received_at < $1
               AND NOT EXISTS (SELECT
                                 FROM quarantine AS other
                                WHERE other.sha256 = oldest.sha256
                                  AND (other.received_at >= $1
                                       OR ($2 AND other.replayed_at IS NULL)))
             ORDER BY received_at
             LIMIT $3
        ), rejections AS (
            DELETE FROM quarantine
             WHERE sha256 IN (SELECT sha256 FROM due)
            RETURNING reason, replayed_at, reading_count, received_at
        ), messages AS (
            DELETE FROM quarantine_messages
             WHERE sha256 IN (SELECT sha256 FROM due)
        )
        SELECT reason, replayed_at IS NOT NULL AS is_replayed, count(*) AS rejections,
               sum(reading_count) AS readings, min(received_at) AS first_at,
               max(received_at) AS last_at
          FROM rejections
         GROUP BY reason, is_replayed
         ORDER BY reason, is_replayed
        """,
        before,
        replayed_only,
        limit,
    )
    return [Deleted(**row) for row in rows]


async def measure(connection: Connection, now: datetime) -> QuarantineSize:
    """Measure what there is, and keep the figures for whoever asks often."""
    row = await connection.fetchrow(
        """
        INSERT INTO quarantine_size (measured_at, messages, payload_bytes, unreplayed)
        SELECT $1, count(*), coalesce(sum(octet_length(payload)), 0),
               (SELECT count(*) FROM quarantine WHERE replayed_at IS NULL)
          FROM quarantine_messages
            ON CONFLICT (only_one)
            DO UPDATE SET measured_at = excluded.measured_at, messages = excluded.messages,
                          payload_bytes = excluded.payload_bytes, unreplayed = excluded.unreplayed
        RETURNING measured_at, messages, payload_bytes, unreplayed
        """,
        now,
    )
    assert row is not None
    return QuarantineSize(**row)


async def fetch_size(connection: Connection) -> QuarantineSize | None:
    """Return what there was when it was last measured, or None: it never was."""
    row = await connection.fetchrow(
        "SELECT measured_at, messages, payload_bytes, unreplayed FROM quarantine_size"
    )
    return None if row is None else QuarantineSize(**row)
