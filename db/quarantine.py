"""Owns what was rejected: every message as it came, listed, and closed once it was replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

from db.pool import Connection

Place = tuple[datetime, bytes]
"""received_at and sha256 of a message: all that go through the messages do so in this order."""

BEGINNING: Place = (datetime.min.replace(tzinfo=UTC), b"")

STEP_S_MAX = 50.0
"""Longest time for one step through all messages: on a slow disk it reads a page or two of each."""


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
class QuarantineSize:
    """What there was when it was measured; `unreplayed` rejections wait for a decision."""

    measured_at: datetime
    messages: int
    payload_bytes: int
    unreplayed: int


@dataclass(frozen=True, slots=True)
class Part:
    """The messages up to a place, and what they come to."""

    last: Place
    messages: int
    payload_bytes: int
    unreplayed: int


NOTHING = Part(BEGINNING, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which messages to replay: those with an open rejection, for this reason, of this unit.

    `without`: none that has an open rejection of that reason. None: whatever it is.
    """

    received_before: datetime
    unit: str | None = None
    reason: str | None = None
    without: str | None = None


async def list_entries(
    connection: Connection,
    *,
    after: int = 0,
    unit: str | None = None,
    reason: str | None = None,
    is_open: bool | None = True,
    limit: int,
) -> list[QuarantineEntry]:
    """Return rejections after the one with the id `after`; `unit` is part of the topic."""
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
         ORDER BY quarantine_id
         LIMIT $5
        """,
        after,
        unit,
        reason,
        is_open,
        limit,
    )
    return [QuarantineEntry(**row) for row in rows]


async def list_hashes(connection: Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """Return the messages of rejections, by the ids that there are."""
    rows = await connection.fetch(
        """
        SELECT quarantine_id, sha256
          FROM quarantine
         WHERE quarantine_id = ANY ($1)
         ORDER BY quarantine_id
        """,
        ids,
    )
    return {row["quarantine_id"]: row["sha256"] for row in rows}


async def fetch_message(connection: Connection, sha256: bytes) -> QuarantineMessage | None:
    row = await connection.fetchrow(
        """
        SELECT sha256, topic, payload, signature, received_at
          FROM quarantine_messages
         WHERE sha256 = $1
        """,
        sha256,
    )
    return None if row is None else QuarantineMessage(**row)


CHOSEN: LiteralString = """
      FROM quarantine_messages AS message
     WHERE received_at < $1
       AND ($2::text IS NULL OR topic LIKE '%/' || $2 || '/%')
       AND EXISTS (SELECT
                     FROM quarantine
                    WHERE quarantine.sha256 = message.sha256
                      AND replayed_at IS NULL
                      AND ($3::text IS NULL OR reason = $3))
       AND NOT EXISTS (SELECT
                         FROM quarantine
                        WHERE quarantine.sha256 = message.sha256
                          AND replayed_at IS NULL
                          AND reason = $4)
"""


async def list_chosen(
    connection: Connection, choice: Choice, *, after: Place, limit: int
) -> list[Place]:
    """Return the next messages of a choice after a place, the oldest first."""
    rows = await connection.fetch(
        "SELECT received_at, sha256"
        + CHOSEN
        + "AND (received_at, sha256) > ($5, $6) ORDER BY received_at, sha256 LIMIT $7",
        choice.received_before,
        choice.unit,
        choice.reason,
        choice.without,
        *after,
        limit,
    )
    return [(row["received_at"], row["sha256"]) for row in rows]


async def count_chosen(connection: Connection, choice: Choice) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*)" + CHOSEN,
        choice.received_before,
        choice.unit,
        choice.reason,
        choice.without,
    )
    return count


async def close(
    connection: Connection,
    sha256: bytes,
    still: Sequence[tuple[int | None, str]],
    outcome: str,
    replayed_at: datetime,
) -> int:
    """Close the rejections of a message, but those (index, reason) that stand; return how many.

    Those of a reading close with the `outcome` of the message, or as rejected where that reading
    stands rejected for another reason; none of them closes if the message stands rejected as a
    whole (index None), for then nobody looked at its readings. The message is locked first, as by
    all who change its rejections: so none waits in a circle.
    """
    closed = await connection.fetch(
        """
        WITH message AS (
            SELECT sha256 FROM quarantine_messages WHERE sha256 = $1 FOR UPDATE
        )
        UPDATE quarantine
           SET replayed_at = $5,
               outcome = CASE WHEN reading_index = ANY ($2::integer[]) THEN 'rejected' ELSE $4 END
          FROM message
         WHERE quarantine.sha256 = message.sha256
           AND replayed_at IS NULL
           AND (reading_index IS NULL OR array_position($2::integer[], NULL) IS NULL)
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


async def measure(connection: Connection, *, after: Part, limit: int) -> Part | None:
    """Return a part with the next messages added; None: there are no more."""
    row = await connection.fetchrow(
        """
        WITH part AS MATERIALIZED (
            SELECT received_at, sha256, octet_length(payload) AS payload_bytes,
                   -- filtered, so that it is found by its message and not among all that are open
                   (SELECT count(*) FILTER (WHERE replayed_at IS NULL)
                      FROM quarantine
                     WHERE quarantine.sha256 = message.sha256) AS unreplayed
              FROM quarantine_messages AS message
             WHERE (received_at, sha256) > ($1, $2)
             ORDER BY received_at, sha256
             LIMIT $3
        )
        SELECT received_at, sha256,
               count(*) OVER () AS messages,
               sum(payload_bytes) OVER () AS payload_bytes,
               (sum(unreplayed) OVER ())::bigint AS unreplayed
          FROM part
         ORDER BY received_at DESC, sha256 DESC
         LIMIT 1
        """,
        *after.last,
        limit,
        timeout=STEP_S_MAX,
    )
    if row is None:
        return None
    return Part(
        (row["received_at"], row["sha256"]),
        after.messages + row["messages"],
        after.payload_bytes + row["payload_bytes"],
        after.unreplayed + row["unreplayed"],
    )


async def replace_size(connection: Connection, size: QuarantineSize) -> None:
    """Keep what was measured for whoever asks often."""
    await connection.execute(
        """
        INSERT INTO quarantine_size (measured_at, messages, payload_bytes, unreplayed)
        VALUES ($1, $2, $3, $4)
            ON CONFLICT (only_one)
            DO UPDATE SET measured_at = excluded.measured_at, messages = excluded.messages,
                          payload_bytes = excluded.payload_bytes, unreplayed = excluded.unreplayed
        """,
        size.measured_at,
        size.messages,
        size.payload_bytes,
        size.unreplayed,
    )


async def fetch_size(connection: Connection) -> QuarantineSize | None:
    """Return what there was when it was last measured, less what retention has deleted since; None:
    it never was.
    """
    row = await connection.fetchrow(
        "SELECT measured_at, messages, payload_bytes, unreplayed FROM quarantine_size"
    )
    return None if row is None else QuarantineSize(**row)
