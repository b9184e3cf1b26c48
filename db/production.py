"""Owns what people state of output and its value, as it is known now.

How it came to that is in the ledger of changes, under NOUN and `subject`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope
from energy.periods import LOCAL, Span

NOUN = "production"


@dataclass(frozen=True, slots=True)
class ProductionRow:
    """What a unit made of a product in `[starts_at, ends_at)`. None: not stated, not zero."""

    unit: str
    product: str
    starts_at: datetime
    ends_at: datetime
    quantity: float | None
    uom: str | None
    output_value_cny: float | None
    value_added_cny: float | None

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells a statement from others; its subject in the ledger is made of it."""
        return self.unit, self.product, self.starts_at.astimezone(LOCAL).isoformat()


async def list_visible_units(
    connection: Connection, scope: Scope, units: Sequence[str]
) -> set[str]:
    """Return those of `units` that the caller may see."""
    rows = await connection.fetch(
        """
        SELECT unit
          FROM visible_units($1, $2)
         WHERE unit = ANY ($3)
         ORDER BY unit
        """,
        scope.region_prefix,
        scope.unit,
        units,
    )
    return {row["unit"] for row in rows}


async def list_statements(
    connection: Connection,
    scope: Scope,
    *,
    span: Span,
    region_prefix: str = "",
    industry: str = "",
    unit: str | None = None,
) -> list[ProductionRow]:
    """Return what was stated for any part of `span`, by unit, product and time."""
    rows = await connection.fetch(
        """
        SELECT unit, product, starts_at, ends_at, quantity, uom, output_value_cny,
               value_added_cny
          FROM production
          JOIN visible_units_of($1, $2) USING (unit_id)
         WHERE region LIKE $3 || '%'
           AND industry LIKE $4 || '%'
           AND ($5::text IS NULL OR unit = $5)
           AND starts_at < $7
           AND ends_at > $6
         ORDER BY unit, product, starts_at
        """,
        scope.region_prefix,
        scope.units,
        region_prefix,
        industry,
        unit,
        span.starts_at,
        span.ends_at,
    )
    return [ProductionRow(**row) for row in rows]


async def list_by_unit(connection: Connection, units: Sequence[str]) -> list[ProductionRow]:
    """Return all that was stated of `units`, for whoever is about to state more."""
    rows = await connection.fetch(
        """
        SELECT unit, product, starts_at, ends_at, quantity, uom, output_value_cny,
               value_added_cny
          FROM production
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, product, starts_at
        """,
        units,
    )
    return [ProductionRow(**row) for row in rows]


async def upsert(connection: Connection, rows: Sequence[ProductionRow]) -> None:
    await connection.execute(
        """
        INSERT INTO production (unit_id, product, starts_at, ends_at, quantity, uom,
                                output_value_cny, value_added_cny)
        SELECT unit_id, product, starts_at, ends_at, quantity, uom, output_value_cny,
               value_added_cny
          FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[],
                      $5::double precision[], $6::text[], $7::double precision[],
                      $8::double precision[])
               AS given (unit, product, starts_at, ends_at, quantity, uom, output_value_cny,
                         value_added_cny)
          JOIN units USING (unit)
            ON CONFLICT (unit_id, product, starts_at)
            DO UPDATE SET ends_at = excluded.ends_at,
                          quantity = excluded.quantity,
                          uom = excluded.uom,
                          output_value_cny = excluded.output_value_cny,
                          value_added_cny = excluded.value_added_cny
        """,
        [row.unit for row in rows],
        [row.product for row in rows],
        [row.starts_at for row in rows],
        [row.ends_at for row in rows],
        [row.quantity for row in rows],
        [row.uom for row in rows],
        [row.output_value_cny for row in rows],
        [row.value_added_cny for row in rows],
    )
