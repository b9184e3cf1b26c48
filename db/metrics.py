"""Owns what the database knows of the programs: backlogs, signs of life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection

LETTER_STATES = ("waiting", "failed")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for settlement; `since` None: nothing."""

    ranges: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    program: str
    instance: str
    beat_at: datetime
    detail: str


async def fetch_backlog(connection: Connection) -> Backlog:
    row = await connection.fetchrow(
        "SELECT count(*) AS ranges, min(marked_at) AS since FROM stale_ranges"
    )
    assert row is not None
    return Backlog(**row)


async def count_letters(connection: Connection) -> dict[str, int]:
    """Return how many letters wait, and how many have failed for good."""
    rows = await connection.fetch(
        """
        SELECT state, count(*) AS letters
          FROM outbox
         WHERE state = ANY ($1)
         GROUP BY state
         ORDER BY state
        """,
        LETTER_STATES,
    )
    return dict.fromkeys(LETTER_STATES, 0) | {row["state"]: row["letters"] for row in rows}


async def list_heartbeats(connection: Connection) -> list[Heartbeat]:
    rows = await connection.fetch(
        "SELECT program, instance, beat_at, detail FROM heartbeats ORDER BY program, instance"
    )
    return [Heartbeat(**row) for row in rows]
