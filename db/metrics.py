"""Owns what the database knows of the programs: backlogs, signs of life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

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

    `unknown_units` could not be reconciled. `verified_at`: no part was verified longer ago; of one
    that never was, since when it is owed.
    """

    reconciled_at: datetime
    differences: int
    unknown_units: int
    verified_at: datetime
    findings: int


async def fetch_night(
    connection: Connection,
    night: date,
    *,
    always: Sequence[str],
    recent: Mapping[str, datetime],
    weeks_a_night: int,
) -> Night:
    """Return what the nights until `night` found.

    `always` are the parts of every night, `recent` those of weeks of readings with the begin of
    each: one that holds readings is owed since the first was stored. Of the other weeks, some take
    turns each night: theirs is that much later.
    """
    row = await connection.fetchrow(
        """
        WITH newest AS (
            SELECT DISTINCT ON (part)
                   part, checked_at, findings
              FROM nightly_checks
             WHERE night <= $1
             ORDER BY part, night DESC
        ), owed AS (
            SELECT coalesce(checked_at, (SELECT min(reconciled_at) FROM reconciliations))
                   AS verified_at
              FROM unnest($2::text[]) AS always (part)
              LEFT JOIN newest USING (part)
             UNION ALL
            SELECT coalesce(checked_at, (SELECT min(stored_at)
                                           FROM links
                                          WHERE links.week_at = recent.week_at))
              FROM unnest($3::text[], $4::timestamptz[]) AS recent (part, week_at)
              LEFT JOIN newest USING (part)
             UNION ALL
            SELECT checked_at + make_interval(days => (count(*) OVER () / $5)::integer)
              FROM newest
             WHERE part <> ALL ($2 || $3)
        )
        SELECT reconciled_at, differences, failed AS unknown_units,
               (SELECT min(verified_at) FROM owed) AS verified_at,
               (SELECT coalesce(sum(findings), 0)::bigint FROM newest) AS findings
          FROM reconciliations
         ORDER BY reconciled_at DESC
         LIMIT 1
        """,
        night,
        always,
        list(recent),
        list(recent.values()),
        weeks_a_night,
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
