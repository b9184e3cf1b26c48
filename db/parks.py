"""Owns parks (园区): groupings across units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ParkRow:
    """`units` are credit codes in order, with one space between them."""

    park: str
    name: str
    units: str


async def list_parks(connection: Connection) -> list[ParkRow]:
    rows = await connection.fetch(
        """
        SELECT park, parks.name, coalesce(string_agg(unit, ' ' ORDER BY unit), '') AS units
          FROM parks
          LEFT JOIN park_units USING (park)
          LEFT JOIN units USING (unit_id)
         GROUP BY park
         ORDER BY park
        """
    )
    return [ParkRow(**row) for row in rows]


async def list_regions(connection: Connection, park: str) -> list[str]:
    """Return the regions of the units of a park, each once; none: there is no such park."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT region
          FROM parks
          JOIN park_units USING (park)
          JOIN units USING (unit_id)
         WHERE park = $1
         ORDER BY region
        """,
        park,
    )
    return [row["region"] for row in rows]


async def upsert_parks(connection: Connection, parks: Sequence[ParkRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO parks (park, name)
        VALUES ($1, $2)
            ON CONFLICT (park) DO UPDATE SET name = excluded.name
        """,
        [(row.park, row.name) for row in parks],
    )


async def replace_units(connection: Connection, park: str, units: Sequence[str]) -> None:
    """Make `units` the units of a park, and no others."""
    await connection.execute(
        """
        WITH wanted AS (
            SELECT unit_id FROM units WHERE unit = ANY ($2::text[])
        ), gone AS (
            DELETE FROM park_units
             WHERE park = $1
               AND unit_id NOT IN (SELECT unit_id FROM wanted)
        )
        INSERT INTO park_units (park, unit_id)
        SELECT $1, unit_id FROM wanted
            ON CONFLICT DO NOTHING
        """,
        park,
        list(units),
    )
