"""Owns taking out what was kept long enough: rejected messages, and arrivals.

Rejected messages are gone through in order of their place (see `db.quarantine`), arrivals by the
time of their first message: whoever goes through them says where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from db.pool import Connection
from db.quarantine import STEP_S_MAX, Place


@dataclass(frozen=True, slots=True)
class Gone:
    """Which arrivals were looked at last: their first message and link; how many were deleted."""

    first_at: datetime
    first_link_id: int
    deleted: int


NONE_GONE = Gone(datetime.min.replace(tzinfo=UTC), 0, 0)


@dataclass(frozen=True, slots=True)
class Looked:
    """A message that retention looked at, and how many rejections would go with it."""

    place: Place
    rejections: int
    is_due: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """Rejections of one reason that were deleted, received from `first_at` to `last_at`."""

    reason: str
    is_replayed: bool
    rejections: int
    readings: int
    first_at: datetime
    last_at: datetime


async def list_oldest(
    connection: Connection, *, before: datetime, replayed_only: bool, after: Place, limit: int
) -> list[Looked]:
    """Return the next messages after a place that came `before`, and which of them are due.

    Due is one whose rejections all came `before` and, if `replayed_only`, were all replayed.
    """
    rows = await connection.fetch(
        """
        SELECT received_at, sha256,
               (SELECT count(*)
                  FROM quarantine
                 WHERE quarantine.sha256 = message.sha256) AS rejections,
               NOT EXISTS (SELECT
                             FROM quarantine
                            WHERE quarantine.sha256 = message.sha256
                              AND (quarantine.received_at >= $1
                                   OR ($2 AND replayed_at IS NULL))) AS is_due
          FROM quarantine_messages AS message
         WHERE received_at < $1
           AND (received_at, sha256) > ($3, $4)
         ORDER BY received_at, sha256
         LIMIT $5
        """,
        before,
        replayed_only,
        *after,
        limit,
        timeout=STEP_S_MAX,
    )
    return [
        Looked((row["received_at"], row["sha256"]), row["rejections"], row["is_due"])
        for row in rows
    ]


async def lock(connection: Connection, sha256s: Sequence[bytes]) -> list[bytes]:
    """Lock messages until the end of the transaction; return which: not those another has locked.

    Whoever keeps a message, or one more rejection of it, locks it first too.
    """
    rows = await connection.fetch(
        """
        SELECT sha256
          FROM quarantine_messages
         WHERE sha256 = ANY ($1)
         ORDER BY sha256
           FOR UPDATE SKIP LOCKED
        """,
        sha256s,
    )
    return [row["sha256"] for row in rows]


async def delete(
    connection: Connection, locked: Sequence[bytes], *, before: datetime, replayed_only: bool
) -> list[Deleted]:
    """Delete those of the `locked` messages that are still due, and take them off the size; return
    which rejections went with them.
    """
    rows = await connection.fetch(
        """
        WITH messages AS (
            DELETE FROM quarantine_messages AS message
             WHERE sha256 = ANY ($3)
               AND NOT EXISTS (SELECT
                                 FROM quarantine
                                WHERE quarantine.sha256 = message.sha256
                                  AND (quarantine.received_at >= $1
                                       OR ($2 AND replayed_at IS NULL)))
            RETURNING sha256, octet_length(payload) AS payload_bytes
        ), rejections AS (
            DELETE FROM quarantine
             WHERE sha256 IN (SELECT sha256 FROM messages)
            RETURNING reason, replayed_at, reading_count, received_at
        ), smaller AS (
            UPDATE quarantine_size
               SET messages = greatest(quarantine_size.messages - gone.messages, 0),
                   payload_bytes = greatest(quarantine_size.payload_bytes - gone.payload_bytes, 0),
                   unreplayed = greatest(
                       unreplayed - (SELECT count(*) FROM rejections WHERE replayed_at IS NULL), 0)
              FROM (SELECT count(*) AS messages, sum(payload_bytes) AS payload_bytes
                      FROM messages) AS gone
             WHERE gone.messages > 0
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
        locked,
        timeout=STEP_S_MAX,
    )
    return [Deleted(**row) for row in rows]


async def delete_arrivals(
    connection: Connection, *, before: datetime, after: Gone, limit: int
) -> Gone | None:
    """Delete those of the next arrivals that came `before` and that no conflict refers to; return
    where to go on, or None: there are no more.

    A conflict refers to the flush that brought the value that stands, and to the one that brought
    the other: by the instant at which their messages came.
    """
    row = await connection.fetchrow(
        """
        WITH looked_at AS MATERIALIZED (
            SELECT received_at[1] AS first_at, first_link_id
              FROM arrivals
             WHERE received_at[1] < $1
               AND (received_at[1], first_link_id) > ($2, $3)
             ORDER BY received_at[1], first_link_id
             LIMIT $4
        ), deleted AS (
            DELETE FROM arrivals
             WHERE first_link_id IN (SELECT first_link_id FROM looked_at)
               AND $1 > ALL (received_at)
               AND NOT EXISTS (SELECT
                                 FROM conflicts
                                WHERE conflicts.first_received_at = ANY (arrivals.received_at))
               AND NOT EXISTS (SELECT
                                 FROM conflicts
                                WHERE conflicts.received_at = ANY (arrivals.received_at))
            RETURNING first_link_id
        )
        SELECT first_at, first_link_id, (SELECT count(*) FROM deleted) AS deleted
          FROM looked_at
         ORDER BY first_at DESC, first_link_id DESC
         LIMIT 1
        """,
        before,
        after.first_at,
        after.first_link_id,
        limit,
        timeout=STEP_S_MAX,
    )
    if row is None:
        return None
    return Gone(row["first_at"], row["first_link_id"], after.deleted + row["deleted"])
