"""Owns when programs of ours were away, as the evaluator noticed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Downtime:
    """A program heard nothing from `went_at` on; `back_at` None: it is still away."""

    program: str
    went_at: datetime
    back_at: datetime | None


async def list_since(connection: Connection, since: datetime) -> list[Downtime]:
    """Return the absences that were not over at an instant."""
    rows = await connection.fetch(
        """
        SELECT program, went_at, back_at
          FROM downtimes
         WHERE back_at IS NULL
            OR back_at > $1
         ORDER BY went_at, program
        """,
        since,
    )
    return [Downtime(**row) for row in rows]


async def open_or_close(connection: Connection, noticed: Downtime) -> None:
    """Note that a program went; or, with `back_at`, that it is back."""
    await connection.execute(
        """
        WITH closed AS (
            UPDATE downtimes
               SET back_at = $3::timestamptz
             WHERE program = $1
               AND back_at IS NULL
               AND $3::timestamptz IS NOT NULL
            RETURNING program
        )
        INSERT INTO downtimes (program, went_at, back_at)
        SELECT $1, $2, $3::timestamptz
         WHERE NOT EXISTS (SELECT FROM closed)
            ON CONFLICT (program) WHERE back_at IS NULL DO NOTHING
        """,
        noticed.program,
        noticed.went_at,
        noticed.back_at,
    )
