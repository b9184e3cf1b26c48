"""Owns what of the sums of today has to be settled anew, to be what they were at an instant.

That is told by the difference between the tables of today and the known tables, and by readings
that came late. Marks are made in temporary tables; see `db/known_tables.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from db.known_tables import KNOWN_AT
from db.pool import Connection
from energy.periods import Span

NEIGHBOURS = 8
"""Readings on either side of a span that may bear on it; a dip has at most three."""

# What settlement has not come to yet: the sums of today lack it.
WAITING: LiteralString = """
        INSERT INTO pg_temp.stale_ranges
        SELECT stale.unit_id, meter_id, greatest(starts_at, first_at),
               least(ends_at, last_at + INTERVAL '1 microsecond')
          FROM public.stale_ranges AS stale
          JOIN pg_temp.reaches USING (meter_id)
         WHERE starts_at <= last_at
           AND ends_at > first_at
"""

# Rows that one of the two has and the other has not.
OTHER_CORRECTIONS: LiteralString = """
        INSERT INTO pg_temp.stale_ranges
        SELECT unit_id, meter_id, read_at, read_at + INTERVAL '1 microsecond'
          FROM ((TABLE public.corrections EXCEPT TABLE corrections)
                UNION
                (TABLE corrections EXCEPT TABLE public.corrections)) AS other
          JOIN pg_temp.reaches USING (meter_id)
         WHERE read_at BETWEEN first_at AND last_at
"""

OTHER_EPOCHS: LiteralString = """
        INSERT INTO pg_temp.stale_ranges
        SELECT unit_id, meter_id, greatest(min(starts_at), min(first_at)),
               min(last_at) + INTERVAL '1 microsecond'
          FROM ((TABLE public.meter_epochs EXCEPT TABLE meter_epochs)
                UNION
                (TABLE meter_epochs EXCEPT TABLE public.meter_epochs)) AS other
          JOIN pg_temp.reaches USING (meter_id)
         WHERE starts_at <= last_at
         GROUP BY unit_id, meter_id
"""

OTHER_METERS: LiteralString = """
        INSERT INTO pg_temp.stale_ranges
        SELECT reaches.unit_id, meter_id, first_at, last_at + INTERVAL '1 microsecond'
          FROM meters AS known
          JOIN public.meters AS today USING (meter_id)
          JOIN pg_temp.reaches USING (meter_id)
         WHERE (known.carrier, known.kind, known.uom, known.interval_s)
               IS DISTINCT FROM (today.carrier, today.kind, today.uom, today.interval_s)
"""

# The days on which another factor holds; a factor bears on the hours of its days alone.
OTHER_FACTORS: LiteralString = """
        INSERT INTO pg_temp.stale_ranges
        SELECT reaches.unit_id, meter_id, starts_at, ends_at
          FROM (((SELECT carrier, basis, unit_id, place, kgce_per_uom, valid_from, valid_to,
                         verified
                    FROM public.dated_factors)
                 EXCEPT
                 (SELECT carrier, basis, unit_id, place, kgce_per_uom, valid_from, valid_to,
                         verified
                    FROM pg_temp.dated_factors))
                UNION
                ((SELECT carrier, basis, unit_id, place, kgce_per_uom, valid_from, valid_to,
                         verified
                    FROM pg_temp.dated_factors)
                 EXCEPT
                 (SELECT carrier, basis, unit_id, place, kgce_per_uom, valid_from, valid_to,
                         verified
                    FROM public.dated_factors))) AS other
          JOIN meters USING (carrier)
          JOIN pg_temp.reaches USING (meter_id)
         CROSS JOIN LATERAL (
               SELECT greatest(first_at, $1, valid_from::timestamp AT TIME ZONE 'Asia/Shanghai')
                      AS starts_at,
                      least(last_at, $2, valid_to::timestamp AT TIME ZONE 'Asia/Shanghai')
                      AS ends_at) AS days
         WHERE (other.unit_id IS NULL OR other.unit_id = reaches.unit_id)
           AND starts_at < ends_at
"""

# In these spans readings came late: weeks of links that were made later, and all that there is if
# the chain over readings began later.
LATE_SPANS: LiteralString = """
        SELECT DISTINCT week_at AS starts_at, week_at + INTERVAL '7 days' AS ends_at
          FROM public.links
         WHERE week_at > $1::timestamptz - INTERVAL '7 days'
           AND week_at <= $2
           AND stored_at > {known_at}
           AND EXISTS (SELECT FROM public.links WHERE stored_at <= {known_at})
        UNION ALL
        SELECT $1, $2::timestamptz + INTERVAL '1 microsecond'
         WHERE NOT EXISTS (SELECT FROM public.links WHERE stored_at <= {known_at})
         ORDER BY starts_at
"""

# A reading that came late bears on all hours from the reading before it to the one after it.
LATE_READINGS: LiteralString = """
        INSERT INTO pg_temp.stale_ranges
        SELECT unit_id, meter_id, min(read_at), max(read_at) + INTERVAL '1 microsecond'
          FROM pg_temp.reaches
          JOIN public.readings USING (meter_id)
          LEFT JOIN public.links USING (link_id)
         WHERE read_at BETWEEN first_at AND last_at
           AND read_at >= $1
           AND read_at < $2
           AND (received_at > {known_at} OR stored_at > {known_at})
         GROUP BY unit_id, meter_id
"""


@dataclass(frozen=True, slots=True)
class StaleRange:
    """Readings of a meter, `interval_s` apart, that are to be settled anew."""

    unit_id: int
    meter_id: int
    interval_s: int
    span: Span


async def note_reaches(connection: Connection, span: Span) -> None:
    """Note from which reading to which those that were known bear on a span, meter by meter."""
    await connection.execute(
        """
        INSERT INTO pg_temp.reaches (meter_id, unit_id, interval_s, first_at, last_at)
        SELECT meter_id, unit_id, interval_s, coalesce(first_at, $1), coalesce(last_at, $2)
          FROM meters
          JOIN pg_temp.asked USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT min(read_at) AS first_at
                 FROM (SELECT read_at
                         FROM pg_temp.readings AS r
                        WHERE r.meter_id = meters.meter_id
                          AND read_at <= $1
                        ORDER BY read_at DESC
                        LIMIT $3) AS before) AS earlier
         CROSS JOIN LATERAL (
               SELECT max(read_at) AS last_at
                 FROM (SELECT read_at
                         FROM pg_temp.readings AS r
                        WHERE r.meter_id = meters.meter_id
                          AND read_at >= $2
                        ORDER BY read_at
                        LIMIT $3) AS after) AS later
        """,
        span.starts_at,
        span.ends_at,
        NEIGHBOURS,
    )


async def fetch_reach(connection: Connection) -> Span | None:
    """Return where all reaches lie; None: no meter is asked for."""
    row = await connection.fetchrow(
        "SELECT min(first_at) AS first_at, max(last_at) AS last_at FROM pg_temp.reaches"
    )
    return None if row is None or row["first_at"] is None else Span(row["first_at"], row["last_at"])


async def count_due(connection: Connection, span: Span) -> int:
    """Return how many readings the meters that are asked for owe in a span."""
    due: int = await connection.fetchval(
        "SELECT coalesce(sum($1 / interval_s), 0)::bigint FROM pg_temp.reaches",
        (span.ends_at - span.starts_at).total_seconds(),
    )
    return due


async def list_late_spans(connection: Connection, reach: Span) -> list[Span]:
    """Return spans outside of which no reading came late, apart from one another."""
    rows = await connection.fetch(
        LATE_SPANS.replace("{known_at}", KNOWN_AT), reach.starts_at, reach.ends_at
    )
    return [Span(row["starts_at"], row["ends_at"]) for row in rows]


async def mark_late(connection: Connection, late: Span) -> None:
    """Mark the readings in a span that came late."""
    await connection.execute(
        LATE_READINGS.replace("{known_at}", KNOWN_AT), late.starts_at, late.ends_at
    )


async def mark_others(connection: Connection, span: Span) -> None:
    """Mark what is to be settled anew in a span: other facts were known then, or it still waits."""
    await connection.execute(WAITING)
    await connection.execute(OTHER_CORRECTIONS)
    await connection.execute(OTHER_EPOCHS)
    await connection.execute(OTHER_METERS)
    await connection.execute(OTHER_FACTORS, span.starts_at, span.ends_at)


async def list_stale(connection: Connection) -> list[StaleRange]:
    """Return what is marked, unit by unit."""
    rows = await connection.fetch(
        """
        SELECT unit_id, meter_id, interval_s, starts_at, ends_at
          FROM pg_temp.stale_ranges
          JOIN pg_temp.reaches USING (unit_id, meter_id)
         ORDER BY unit_id, meter_id, starts_at
        """
    )
    return [
        StaleRange(
            row["unit_id"],
            row["meter_id"],
            row["interval_s"],
            Span(row["starts_at"], row["ends_at"]),
        )
        for row in rows
    ]


async def list_recounted(connection: Connection) -> list[tuple[int, str]]:
    """Return (unit, carrier) of which other meters are counted today than were then."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT unit_id, carrier
          FROM ((SELECT unit_id, meter_id, carrier, role FROM public.meters
                 EXCEPT
                 SELECT unit_id, meter_id, carrier, role FROM meters)
                UNION
                (SELECT unit_id, meter_id, carrier, role FROM meters
                 EXCEPT
                 SELECT unit_id, meter_id, carrier, role FROM public.meters)) AS other
          JOIN pg_temp.asked USING (unit_id)
         WHERE carrier IS NOT NULL
         ORDER BY unit_id, carrier
        """
    )
    return [(row["unit_id"], row["carrier"]) for row in rows]
