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


@dataclass(frozen=True, slots=True)
class Night:
    """What the last reconciliation and the last verification of each part found, and when.

    `unknown_units` could not be reconciled. `verified_at` None: nothing was ever verified.
    """

    reconciled_at: datetime
    differences: int
    unknown_units: int
    verified_at: datetime | None
    findings: int


async def fetch_night(connection: Connection) -> Night:
    row = await connection.fetchrow(
        """
        WITH newest AS (
            SELECT DISTINCT ON (part)
                   checked_at, findings
              FROM nightly_checks
             ORDER BY part, night DESC
        )
        SELECT reconciled_at, differences, failed AS unknown_units,
               (SELECT max(checked_at) FROM newest) AS verified_at,
               (SELECT coalesce(sum(findings), 0)::bigint FROM newest) AS findings
          FROM reconciliations
         ORDER BY reconciled_at DESC
         LIMIT 1
        """
    )
    assert row is not None  # migration 0009 writes the first one
    return Night(**row)


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
