"""Owns what the statistics offices publish for a region: growth figures, and its yearly target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class FigureRow:
    """January..`through_month` against the same months a year before, as shares (0.06).

    GDP at constant prices. None: not published; a level needs both.
    """

    region: str
    year: int
    through_month: int
    energy_growth: float | None
    gdp_growth: float | None
    source: str


@dataclass(frozen=True, slots=True)
class TargetRow:
    """`required_rate` is the required change of energy per GDP in the year, as in -0.02747."""

    region: str
    year: int
    required_rate: float
    source: str


async def list_figures(connection: Connection) -> list[FigureRow]:
    rows = await connection.fetch(
        """
        SELECT region, year, through_month, energy_growth, gdp_growth, source
          FROM region_figures
         ORDER BY region, year, through_month
        """
    )
    return [FigureRow(**row) for row in rows]


async def upsert_figures(connection: Connection, figures: Sequence[FigureRow]) -> None:
    await connection.execute(
        """
        INSERT INTO region_figures (region, year, through_month, energy_growth, gdp_growth, source)
        SELECT *
          FROM unnest($1::text[], $2::integer[], $3::integer[], $4::double precision[],
                      $5::double precision[], $6::text[])
            ON CONFLICT (region, year, through_month)
            DO UPDATE SET energy_growth = excluded.energy_growth,
                          gdp_growth = excluded.gdp_growth,
                          source = excluded.source
        """,
        [row.region for row in figures],
        [row.year for row in figures],
        [row.through_month for row in figures],
        [row.energy_growth for row in figures],
        [row.gdp_growth for row in figures],
        [row.source for row in figures],
    )


async def list_targets(connection: Connection) -> list[TargetRow]:
    rows = await connection.fetch(
        """
        SELECT region, year, required_rate, source
          FROM region_targets
         ORDER BY region, year
        """
    )
    return [TargetRow(**row) for row in rows]


async def upsert_targets(connection: Connection, targets: Sequence[TargetRow]) -> None:
    await connection.execute(
        """
        INSERT INTO region_targets (region, year, required_rate, source)
        SELECT *
          FROM unnest($1::text[], $2::integer[], $3::double precision[], $4::text[])
            ON CONFLICT (region, year)
            DO UPDATE SET required_rate = excluded.required_rate, source = excluded.source
        """,
        [row.region for row in targets],
        [row.year for row in targets],
        [row.required_rate for row in targets],
        [row.source for row in targets],
    )
