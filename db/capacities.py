"""Owns what a unit can make of a product in a year, dated: 生产能力."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """Per year, in `uom`, from `valid_from` until the next row; 0: shut down."""

    unit: str
    product: str
    capacity: float
    uom: str
    valid_from: date
    source: str


@dataclass(frozen=True, slots=True)
class Capacity:
    """The capacity of a unit that is in force on a day."""

    unit: str
    unit_name: str
    region: str
    product: str
    capacity: float
    uom: str


async def list_in_force(
    connection: Connection, scope: Scope, *, region_prefix: str, on: date
) -> list[Capacity]:
    """Return the capacities on a day, by product and unit; not those that are shut down."""
    rows = await connection.fetch(
        """
        WITH newest AS (
            SELECT DISTINCT ON (unit_id, product)
                   unit, name AS unit_name, region, product, capacity, uom
              FROM capacities
              JOIN visible_units($1, $2) USING (unit_id)
             WHERE region LIKE $3 || '%'
               AND valid_from <= $4
             ORDER BY unit_id, product, valid_from DESC
        )
        SELECT unit, unit_name, region, product, capacity, uom
          FROM newest
         WHERE capacity > 0
         ORDER BY product, unit
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        on,
    )
    return [Capacity(**row) for row in rows]


async def list_by_unit(connection: Connection, units: Sequence[str]) -> list[CapacityRow]:
    rows = await connection.fetch(
        """
        SELECT unit, product, capacity, uom, valid_from, source
          FROM capacities
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, product, valid_from
        """,
        units,
    )
    return [CapacityRow(**row) for row in rows]


async def upsert(connection: Connection, rows: Sequence[CapacityRow]) -> None:
    await connection.execute(
        """
        INSERT INTO capacities (unit_id, product, capacity, uom, valid_from, source)
        SELECT unit_id, product, capacity, uom, valid_from, source
          FROM unnest($1::text[], $2::text[], $3::double precision[], $4::text[], $5::date[],
                      $6::text[])
               AS given (unit, product, capacity, uom, valid_from, source)
          JOIN units USING (unit)
            ON CONFLICT (unit_id, product, valid_from)
            DO UPDATE SET capacity = excluded.capacity,
                          uom = excluded.uom,
                          source = excluded.source
        """,
        [row.unit for row in rows],
        [row.product for row in rows],
        [row.capacity for row in rows],
        [row.uom for row in rows],
        [row.valid_from for row in rows],
        [row.source for row in rows],
    )
