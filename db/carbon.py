"""Owns dated carbon factors of fuels and grids, and which grid holds where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.consumption import Selection
from db.pool import Connection
from db.scope import Scope
from energy.carbon import CarbonFactor, GridChoice


@dataclass(frozen=True, slots=True)
class Grid:
    grid: str
    name_zh: str
    name_en: str


async def list_grids(connection: Connection) -> list[Grid]:
    rows = await connection.fetch("SELECT grid, name_zh, name_en FROM grids ORDER BY grid")
    return [Grid(**row) for row in rows]


async def list_factors(connection: Connection) -> list[CarbonFactor]:
    rows = await connection.fetch(
        """
        SELECT carrier, grid, kgco2_per_uom, valid_from, valid_to, year, edition, source, verified
          FROM carbon_factors
         ORDER BY carrier, grid NULLS FIRST, valid_from
        """
    )
    return [CarbonFactor(**row) for row in rows]


async def list_measured(connection: Connection, scope: Scope, selection: Selection) -> list[str]:
    """Return the carriers of which a unit asked for had its own calorific value in that time."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT carrier
          FROM dated_factors
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE batch IS NOT NULL
           AND region LIKE $3 || '%'
           AND ($4::text IS NULL OR unit = $4)
           AND industry LIKE $5 || '%'
           AND validity && daterange(($6::timestamptz AT TIME ZONE 'Asia/Shanghai')::date,
                                     ($7::timestamptz AT TIME ZONE 'Asia/Shanghai')::date)
         ORDER BY carrier
        """,
        scope.region_prefix,
        scope.unit,
        selection.region_prefix,
        selection.unit,
        selection.industry,
        selection.span.starts_at,
        selection.span.ends_at,
    )
    return [row["carrier"] for row in rows]


async def upsert_factors(connection: Connection, factors: Sequence[CarbonFactor]) -> None:
    await connection.executemany(
        """
        INSERT INTO carbon_factors (carrier, grid, kgco2_per_uom, valid_from, valid_to, year,
                                    edition, source, verified)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (carrier, grid, valid_from)
            DO UPDATE SET kgco2_per_uom = excluded.kgco2_per_uom,
                          valid_to = excluded.valid_to,
                          year = excluded.year,
                          edition = excluded.edition,
                          source = excluded.source,
                          verified = excluded.verified
        """,
        [
            (row.carrier, row.grid, row.kgco2_per_uom, row.valid_from, row.valid_to, row.year,
             row.edition, row.source, row.verified)
            for row in factors
        ],
    )  # fmt: skip


async def list_choices(connection: Connection) -> list[GridChoice]:
    rows = await connection.fetch(
        """
        SELECT region, grid, valid_from, source
          FROM grid_choices
         ORDER BY region, valid_from
        """
    )
    return [GridChoice(**row) for row in rows]


async def upsert_choices(connection: Connection, choices: Sequence[GridChoice]) -> None:
    await connection.executemany(
        """
        INSERT INTO grid_choices (region, valid_from, grid, source)
        VALUES ($1, $2, $3, $4)
            ON CONFLICT (region, valid_from)
            DO UPDATE SET grid = excluded.grid, source = excluded.source
        """,
        [(row.region, row.valid_from, row.grid, row.source) for row in choices],
    )
