"""Owns what is new of units for rules that look at days, months and data quality.

One row a unit and source, however often: settlement of days that are over, statements of output
and its value (noted by a trigger, see migration 0046), assessment. It is there until rules have
looked, whichever evaluator does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from db.fresh import Fresh
from db.pool import Connection
from energy.periods import Span


class Source(StrEnum):
    """What changed of a unit though nobody stated a fact that all rules heed."""

    SETTLED = "settled"  # hours of days that are over
    STATED = "stated"  # output or its value
    ASSESSED = "assessed"  # its data


@dataclass(frozen=True, slots=True)
class News:
    """What is new of a unit, and of which time."""

    source: Source
    fresh: Fresh


async def note(connection: Connection, source: Source, spans: Sequence[tuple[str, Span]]) -> None:
    """Note that something changed of units (credit codes) in spans."""
    await connection.execute(
        """
        INSERT INTO unit_news AS held (unit_id, source, starts_at, ends_at)
        SELECT unit_id, $1, min(from_at), max(to_at)
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS changed (unit, from_at, to_at)
          JOIN units USING (unit)
         GROUP BY unit_id
         ORDER BY unit_id
            ON CONFLICT (unit_id, source)
            DO UPDATE SET starts_at = least(held.starts_at, excluded.starts_at),
                          ends_at = greatest(held.ends_at, excluded.ends_at),
                          mark = excluded.mark
        """,
        source,
        [unit for unit, _ in spans],
        [span.starts_at for _, span in spans],
        [span.ends_at for _, span in spans],
    )


async def list_oldest(
    connection: Connection, sources: Collection[Source], limit: int
) -> list[News]:
    """Return what is new from some sources and no rule has looked at yet, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT source, unit_id, unit, region, starts_at, ends_at, mark
          FROM unit_news
          JOIN units USING (unit_id)
         WHERE source = ANY ($1::text[])
         ORDER BY mark
         LIMIT $2
        """,
        list(sources),
        limit,
    )
    return [
        News(
            Source(row["source"]),
            Fresh(
                row["unit_id"],
                row["unit"],
                row["region"],
                Span(row["starts_at"], row["ends_at"]),
                row["mark"],
            ),
        )
        for row in rows
    ]


async def delete(connection: Connection, looked_at: Sequence[News]) -> None:
    """Remove what was looked at, unless it changed again since.

    What somebody has locked is just changing: nobody waits for the end of an import.
    """
    await connection.execute(
        """
        WITH seen AS (
            SELECT unit_id, source
              FROM unit_news
              JOIN unnest($1::integer[], $2::bigint[]) AS looked_at (unit_id, mark)
             USING (unit_id, mark)
               FOR UPDATE OF unit_news SKIP LOCKED
        )
        DELETE FROM unit_news
         USING seen
         WHERE unit_news.unit_id = seen.unit_id
           AND unit_news.source = seen.source
        """,
        [each.fresh.unit_id for each in looked_at],
        [each.fresh.mark for each in looked_at],
    )
