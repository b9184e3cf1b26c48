"""Owns what the statistics offices publish for a region: growth figures, and its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection
from db.scope import Scope
from energy.assessment import Figures
from energy.indicators import Growth, Indicator
from energy.targets import Target, TargetKind


@dataclass(frozen=True, slots=True)
class FigureRow:
    """January..`through_month` against the same months a year before, as shares (0.06).

    Output at constant prices; `energy_tce` is the energy of those months. None: not published; a
    level needs all that its indicator is made of.
    """

    region: str
    year: int
    through_month: int
    energy_growth: float | None
    gdp_growth: float | None
    source: str
    industrial_energy_growth: float | None = None
    value_added_growth: float | None = None
    carbon_growth: float | None = None
    energy_tce: float | None = None

    def figures(self) -> Figures:
        growth = {one: getattr(self, one) for one in Growth}
        return Figures(self.year, self.through_month, growth, self.energy_tce)


@dataclass(frozen=True, slots=True)
class TargetRow:
    """What a region is to reach from `year` through `through_year`.

    `required_rate` is the change over the period, as in -0.02747 for a year; a total has a cap,
    `amount_tce`, instead. `rule_set` None: not stated.
    """

    region: str
    year: int
    required_rate: float | None
    source: str
    through_year: int
    indicator: Indicator = Indicator.ENERGY_PER_GDP
    kind: TargetKind = TargetKind.BASE
    amount_tce: float | None = None
    rule_set: str | None = None

    def target(self) -> Target:
        return Target(
            self.indicator,
            self.kind,
            self.year,
            self.through_year,
            self.required_rate,
            self.amount_tce,
            self.rule_set,
            self.source,
        )


@dataclass(frozen=True, slots=True)
class RegionName:
    region: str
    name: str
    tier: str


async def list_figures(connection: Connection) -> list[FigureRow]:
    rows = await connection.fetch(
        """
        SELECT region, year, through_month, energy_growth, gdp_growth, source,
               industrial_energy_growth, value_added_growth, carbon_growth, energy_tce
          FROM region_figures
         ORDER BY region, year, through_month
        """
    )
    return [FigureRow(**row) for row in rows]


async def upsert_figures(connection: Connection, figures: Sequence[FigureRow]) -> None:
    await connection.execute(
        """
        INSERT INTO region_figures (region, year, through_month, energy_growth, gdp_growth, source,
                                    industrial_energy_growth, value_added_growth, carbon_growth,
                                    energy_tce)
        SELECT *
          FROM unnest($1::text[], $2::integer[], $3::integer[], $4::double precision[],
                      $5::double precision[], $6::text[], $7::double precision[],
                      $8::double precision[], $9::double precision[], $10::double precision[])
            ON CONFLICT (region, year, through_month)
            DO UPDATE SET energy_growth = excluded.energy_growth,
                          gdp_growth = excluded.gdp_growth,
                          source = excluded.source,
                          industrial_energy_growth = excluded.industrial_energy_growth,
                          value_added_growth = excluded.value_added_growth,
                          carbon_growth = excluded.carbon_growth,
                          energy_tce = excluded.energy_tce
        """,
        [row.region for row in figures],
        [row.year for row in figures],
        [row.through_month for row in figures],
        [row.energy_growth for row in figures],
        [row.gdp_growth for row in figures],
        [row.source for row in figures],
        [row.industrial_energy_growth for row in figures],
        [row.value_added_growth for row in figures],
        [row.carbon_growth for row in figures],
        [row.energy_tce for row in figures],
    )


async def list_targets(connection: Connection) -> list[TargetRow]:
    rows = await connection.fetch(
        """
        SELECT region, year, required_rate, source, year + years - 1 AS through_year, indicator,
               kind, amount_tce, rule_set
          FROM region_targets
         ORDER BY region, year, years, indicator, kind
        """
    )
    return [
        TargetRow(
            region=row["region"],
            year=row["year"],
            required_rate=row["required_rate"],
            source=row["source"],
            through_year=row["through_year"],
            indicator=Indicator(row["indicator"]),
            kind=TargetKind(row["kind"]),
            amount_tce=row["amount_tce"],
            rule_set=row["rule_set"],
        )
        for row in rows
    ]


async def upsert_targets(connection: Connection, targets: Sequence[TargetRow]) -> None:
    await connection.execute(
        """
        INSERT INTO region_targets (region, year, required_rate, source, years, indicator, kind,
                                    amount_tce, rule_set)
        SELECT *
          FROM unnest($1::text[], $2::integer[], $3::double precision[], $4::text[],
                      $5::integer[], $6::text[], $7::text[], $8::double precision[], $9::text[])
            ON CONFLICT (region, year, years, indicator, kind)
            DO UPDATE SET required_rate = excluded.required_rate,
                          source = excluded.source,
                          amount_tce = excluded.amount_tce,
                          rule_set = excluded.rule_set
        """,
        [row.region for row in targets],
        [row.year for row in targets],
        [row.required_rate for row in targets],
        [row.source for row in targets],
        [row.through_year - row.year + 1 for row in targets],
        [row.indicator for row in targets],
        [row.kind for row in targets],
        [row.amount_tce for row in targets],
        [row.rule_set for row in targets],
    )


async def list_regions(
    connection: Connection, scope: Scope, *, region_prefix: str
) -> list[RegionName]:
    """Return the regions whose figures may be seen; for an enterprise those it lies in."""
    rows = await connection.fetch(
        """
        SELECT region, name, tier
          FROM visible_regions($1, $2)
         WHERE region LIKE $3 || '%'
         ORDER BY region
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
    )
    return [RegionName(**row) for row in rows]
