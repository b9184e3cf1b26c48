"""Owns the sums among the known tables: copies of those of today, which settlement takes back.

Which of them is the business of `db/known_stale.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import LiteralString

from db.known_tables import KNOWN_AT
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span, Step

MAKE: LiteralString = """
        CREATE TEMP TABLE asked (unit_id integer PRIMARY KEY);
        CREATE TEMP TABLE reaches (meter_id integer PRIMARY KEY, unit_id integer,
                                   interval_s integer,
                                   first_at timestamptz, last_at timestamptz);
        CREATE TEMP TABLE stale_ranges (unit_id integer, meter_id integer, starts_at timestamptz,
                                        ends_at timestamptz);
        CREATE TEMP TABLE stale_areas (region text, division text, carrier text,
                                       starts_at timestamptz, ends_at timestamptz);
        CREATE TEMP TABLE fresh_hours (unit_id integer, day_at timestamptz,
                                       starts_at timestamptz, ends_at timestamptz, mark bigint,
                                       PRIMARY KEY (unit_id, day_at));
        CREATE TEMP TABLE energy_restatements (LIKE public.energy_restatements INCLUDING ALL);
        CREATE TEMP TABLE doubts (LIKE public.doubts INCLUDING ALL);
        CREATE TEMP TABLE meter_consumption (LIKE public.meter_consumption INCLUDING ALL);
        CREATE TEMP TABLE unit_consumption (LIKE public.unit_consumption INCLUDING ALL);
        CREATE TEMP TABLE area_consumption (LIKE public.area_consumption INCLUDING ALL);
        CREATE TEMP TABLE kept_of_meters (LIKE public.meter_consumption INCLUDING ALL);
        CREATE TEMP TABLE kept_of_units (LIKE public.unit_consumption INCLUDING ALL)
"""

CLEAR: LiteralString = """
        TRUNCATE pg_temp.reaches, pg_temp.stale_ranges, pg_temp.doubts, pg_temp.meter_consumption,
                 pg_temp.unit_consumption
"""

# Settlement has noted what it took back, as if it were new.
RESTATED: LiteralString = """
        TRUNCATE pg_temp.energy_restatements;
        INSERT INTO pg_temp.energy_restatements
        SELECT noted.*
          FROM public.energy_restatements AS noted
          JOIN pg_temp.asked USING (unit_id)
         WHERE restated_at <= {known_at}
"""

# Sums of years are not kept: a year is the sum of its months.
SHOW: LiteralString = """
        DROP TABLE pg_temp.meter_consumption, pg_temp.unit_consumption;
        ALTER TABLE pg_temp.kept_of_meters RENAME TO meter_consumption;
        ALTER TABLE pg_temp.kept_of_units RENAME TO unit_consumption;
        ANALYZE pg_temp.meter_consumption, pg_temp.unit_consumption
"""


async def make(connection: Connection) -> None:
    """Make the tables of sums, all empty."""
    await connection.execute(MAKE)


async def ask_units(
    connection: Connection, scope: Scope, *, region_prefix: str, unit: str | None
) -> None:
    """Note the units whose sums are asked for."""
    await connection.execute(
        """
        INSERT INTO pg_temp.asked (unit_id)
        SELECT unit_id
          FROM visible_units($1, $2)
         WHERE region LIKE $3 || '%'
           AND ($4::text IS NULL OR unit = $4)
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        unit,
    )


async def ask_budget_units(connection: Connection, budgets: Collection[int]) -> None:
    """Note the units that are charged to budgets which the caller was shown."""
    await connection.execute(
        """
        INSERT INTO pg_temp.asked (unit_id)
        SELECT DISTINCT unit_id
          FROM pg_temp.budget_units
         WHERE budget_id = ANY ($1::integer[])
        """,
        list(budgets),
    )


async def count_meters(connection: Connection) -> dict[int, int]:
    """Return how many meters each of the units has that are asked for."""
    rows = await connection.fetch(
        "SELECT unit_id, count(*) AS meters FROM pg_temp.reaches GROUP BY unit_id ORDER BY unit_id"
    )
    return {row["unit_id"]: row["meters"] for row in rows}


async def copy_doubts(connection: Connection) -> None:
    await connection.execute(
        """
        INSERT INTO pg_temp.doubts
        SELECT doubts.*
          FROM public.doubts
          JOIN pg_temp.reaches USING (meter_id)
        """
    )
    await connection.execute("ANALYZE pg_temp.doubts")


async def copy_sums(
    connection: Connection, span: Span, steps: Collection[Step], again: Mapping[int, datetime]
) -> None:
    """Copy the sums of today in a span: those of `steps`, and of units all from an instant on."""
    asked = (span.starts_at, span.ends_at, list(steps), list(again), list(again.values()))
    await connection.execute(
        """
        INSERT INTO pg_temp.meter_consumption
        SELECT today.*
          FROM public.meter_consumption AS today
          JOIN pg_temp.reaches USING (meter_id)
          LEFT JOIN unnest($4::integer[], $5::timestamptz[]) AS again (unit_id, from_at)
         USING (unit_id)
         WHERE starts_at >= $1
           AND starts_at < $2
           AND step <> 'year'
           AND (step = ANY ($3::text[]) OR starts_at >= from_at)
        """,
        *asked,
    )
    await connection.execute(
        """
        INSERT INTO pg_temp.unit_consumption
        SELECT today.*
          FROM public.unit_consumption AS today
          JOIN pg_temp.asked USING (unit_id)
          LEFT JOIN unnest($4::integer[], $5::timestamptz[]) AS again (unit_id, from_at)
         USING (unit_id)
         WHERE starts_at >= $1
           AND starts_at < $2
           AND step <> 'year'
           AND (step = ANY ($3::text[]) OR starts_at >= from_at)
        """,
        *asked,
    )
    await connection.execute("ANALYZE pg_temp.meter_consumption, pg_temp.unit_consumption")


async def keep(connection: Connection, span: Span, steps: Collection[Step]) -> None:
    """Keep what was asked for; the rest was there to be added up, and is not whole."""
    asked = (list(steps), span.starts_at, span.ends_at)
    await connection.execute(
        """
        INSERT INTO pg_temp.kept_of_meters
        SELECT known.*
          FROM pg_temp.meter_consumption AS known
         WHERE step = ANY ($1::text[])
           AND starts_at >= $2
           AND starts_at < $3
        """,
        *asked,
    )
    await connection.execute(
        """
        INSERT INTO pg_temp.kept_of_units
        SELECT known.*
          FROM pg_temp.unit_consumption AS known
         WHERE step = ANY ($1::text[])
           AND starts_at >= $2
           AND starts_at < $3
        """,
        *asked,
    )
    await connection.execute(CLEAR)


async def show(connection: Connection) -> None:
    """Let what was kept be the sums of this transaction, and what was noted until then be there."""
    await connection.execute(SHOW)
    await connection.execute(RESTATED.replace("{known_at}", KNOWN_AT))


async def list_areas(connection: Connection) -> list[tuple[str, str, str]]:
    """Return (region, division, carrier) of the areas in which the units that are asked for lay."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT region, division, carrier
          FROM pg_temp.unit_consumption
          JOIN units USING (unit_id)
         ORDER BY region, division, carrier
        """
    )
    return [(row["region"], row["division"], row["carrier"]) for row in rows]
