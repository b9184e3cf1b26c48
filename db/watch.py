"""Owns what the database knows of whether the programs live, for who watches from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Signs:
    """When each part was heard, by the database's clock at `now`. None: never, or nothing waits.

    `letter_due_at`: of the letter that nobody has taken up for longest, though it waits for no
    other and was never tried. `stale_since`: since when hours wait for settlement.
    """

    now: datetime
    evaluated_at: datetime | None
    sender_at: datetime | None
    settler_at: datetime | None
    letter_due_at: datetime | None
    stale_since: datetime | None


async def fetch_signs(connection: Connection, at: datetime | None = None) -> Signs:
    """Return the signs of life; `at` stands in for the database's clock."""
    row = await connection.fetchrow(
        """
        WITH clock AS (
            SELECT coalesce($1::timestamptz, clock_timestamp()) AS now
        )
        SELECT now,
               (SELECT max(ended_at) FROM evaluators) AS evaluated_at,
               (SELECT max(beat_at) FROM heartbeats WHERE program = 'send') AS sender_at,
               (SELECT max(beat_at) FROM heartbeats WHERE program = 'settle') AS settler_at,
               (SELECT min(due_at)
                  FROM outbox AS due
                 WHERE state = 'waiting'
                   AND due_at <= now
                   AND last_error IS NULL
                   AND (leased_until IS NULL OR leased_until <= now)
                   AND NOT EXISTS (SELECT
                                     FROM outbox AS earlier
                                     LEFT JOIN outbox AS digest
                                            ON digest.letter_id = earlier.digest_id
                                    WHERE earlier.alert_id = due.alert_id
                                      AND earlier.letter_id < due.letter_id
                                      AND earlier.recipient_email = due.recipient_email
                                      AND 'waiting' IN (earlier.state, digest.state))
               ) AS letter_due_at,
               (SELECT min(marked_at) FROM stale_ranges) AS stale_since
          FROM clock
        """,
        at,
    )
    assert row is not None
    return Signs(**row)
