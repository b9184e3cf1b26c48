"""Owns the marks that settlement leaves for rules: which hours of a unit it has settled anew.

One row a unit and UTC day, however often: as many rows as there is to look at. In settlement's
transaction, so that a mark and the hours it is about are there together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Fresh:
    """Hours of a unit (credit code) that were settled. `mark`: another one if they are again."""

    unit_id: int
    unit: str
    region: str
    span: Span
    mark: int


async def mark(connection: Connection, unit_id: int, spans: Sequence[Span]) -> None:
    """Note that hours of a unit were settled."""
    await connection.execute(
        """
        INSERT INTO fresh_hours AS held (unit_id, day_at, starts_at, ends_at)
        SELECT $1, day_at, min(greatest(from_at, day_at)),
               max(least(to_at, day_at + INTERVAL '1 day'))
          FROM unnest($2::timestamptz[], $3::timestamptz[]) AS settled (from_at, to_at)
         CROSS JOIN generate_series(date_trunc('day', from_at, 'UTC'),
                                    to_at - INTERVAL '1 microsecond', INTERVAL '1 day') AS day_at
         GROUP BY day_at
         ORDER BY day_at
            ON CONFLICT (unit_id, day_at)
            DO UPDATE SET starts_at = least(held.starts_at, excluded.starts_at),
                          ends_at = greatest(held.ends_at, excluded.ends_at),
                          mark = excluded.mark
        """,
        unit_id,
        [span.starts_at for span in spans],
        [span.ends_at for span in spans],
    )


async def list_oldest(connection: Connection, since: datetime, limit: int) -> list[Fresh]:
    """Return what no rule has looked at yet of the time after `since`, the oldest marks first."""
    rows = await connection.fetch(
        """
        SELECT unit_id, unit, region, starts_at, ends_at, mark
          FROM fresh_hours
          JOIN units USING (unit_id)
         WHERE ends_at > $1
         ORDER BY mark
         LIMIT $2
        """,
        since,
        limit,
    )
    return [
        Fresh(
            row["unit_id"],
            row["unit"],
            row["region"],
            Span(row["starts_at"], row["ends_at"]),
            row["mark"],
        )
        for row in rows
    ]


async def delete_old(connection: Connection, before: datetime, limit: int) -> None:
    """Remove marks of hours that are too old to be judged again."""
    await connection.execute(
        """
        DELETE FROM fresh_hours
         WHERE (unit_id, day_at) IN (SELECT unit_id, day_at
                                       FROM fresh_hours
                                      WHERE ends_at <= $1
                                      LIMIT $2)
        """,
        before,
        limit,
    )


async def delete(connection: Connection, looked_at: Sequence[Fresh]) -> None:
    """Remove marks, unless the hours were settled again since."""
    await connection.execute(
        """
        DELETE FROM fresh_hours
         USING unnest($1::integer[], $2::bigint[]) AS seen (unit_id, mark)
         WHERE fresh_hours.unit_id = seen.unit_id
           AND fresh_hours.mark = seen.mark
        """,
        [each.unit_id for each in looked_at],
        [each.mark for each in looked_at],
    )
