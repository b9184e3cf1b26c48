"""Owns the `figures` and `targets` files: what a region's warning level is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

import db.figures
from app.imports import places
from app.imports.fields import Code, Line, Positive, RegionCode, Share, Source, Year
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Key, Sheet
from app.tables import Row
from db.figures import FigureRow, TargetRow
from db.pool import Connection
from energy.indicators import Growth, Indicator
from energy.targets import TargetKind

YEARS_MAX = 10


def _reduction(rate: float) -> float:
    if rate > 0:
        raise ValueError("a required reduction is negative, as in -0.02747 for 2.747 % less")
    return rate


class FigureLine(Line):
    region: RegionCode
    year: Year
    through_month: Annotated[int, Field(ge=1, le=12)]
    energy_growth: Share | None = None
    gdp_growth: Share | None = None
    industrial_energy_growth: Share | None = None
    value_added_growth: Share | None = None
    carbon_growth: Share | None = None
    energy_tce: Positive | None = None
    source: Source


class TargetLine(Line):
    region: RegionCode
    year: Year
    through_year: Year | None = None
    indicator: Indicator = Indicator.ENERGY_PER_GDP
    kind: TargetKind = TargetKind.BASE
    required_rate: Annotated[Share, AfterValidator(_reduction)] | None = None
    amount_tce: Positive | None = None
    rule_set: Code | None = None
    source: Source


FIGURES = (*Growth, "energy_tce")


class FigureSheet(Sheet[FigureLine, FigureRow]):
    """Growth figures by region, year and the last of their months."""

    kind = Kind.FIGURES
    key = ("region", "year", "through_month")
    line = FigureLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: FigureLine, row: Row, findings: Findings) -> FigureRow:
        if all(getattr(line, name) is None for name in FIGURES):
            findings.problem(row, "energy_growth", f"give at least one of {', '.join(FIGURES)}")
        return FigureRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            year=line.year,
            through_month=line.through_month,
            energy_growth=line.energy_growth,
            gdp_growth=line.gdp_growth,
            source=line.source,
            industrial_energy_growth=line.industrial_energy_growth,
            value_added_growth=line.value_added_growth,
            carbon_growth=line.carbon_growth,
            energy_tce=line.energy_tce,
        )

    async def stored(self, connection: Connection, records: Sequence[FigureRow]) -> list[FigureRow]:
        return await db.figures.list_figures(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[FigureRow],
        changes: Sequence[Change[FigureRow]],
    ) -> None:
        await db.figures.upsert_figures(connection, [*new, *(change.new for change in changes)])


class TargetSheet(Sheet[TargetLine, TargetRow]):
    """Targets by region, period, indicator and kind; without these a year's base of energy/GDP."""

    kind = Kind.TARGETS
    key = ("region", "year", "through_year", "indicator", "kind")
    line = TargetLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: TargetLine, row: Row, findings: Findings) -> TargetRow:
        through_year = line.year if line.through_year is None else line.through_year
        if not 0 <= through_year - line.year < YEARS_MAX:
            reason = f"a period has 1 to {YEARS_MAX} years; it began in {line.year}"
            findings.problem(row, "through_year", reason)
        is_total = line.indicator is Indicator.TOTAL_ENERGY
        if (line.amount_tce is not None) != is_total:
            wanted = "a total has a cap" if is_total else "only total_energy has a cap"
            findings.problem(row, "amount_tce", wanted)
        if (line.required_rate is None) != is_total:
            wanted = "a total has a cap, amount_tce, instead" if is_total else "is required"
            findings.problem(row, "required_rate", wanted)
        return TargetRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            year=line.year,
            required_rate=line.required_rate,
            source=line.source,
            through_year=through_year,
            indicator=line.indicator,
            kind=line.kind,
            amount_tce=line.amount_tce,
            rule_set=line.rule_set,
        )

    def key_of(self, record: TargetRow) -> Key:
        """Return the key; that of a year's base target of energy per GDP is as it always was."""
        years = {record.year, record.through_year}
        key = (record.region, "-".join(str(year) for year in sorted(years)))
        named = (record.indicator, record.kind)
        is_first = named == (Indicator.ENERGY_PER_GDP, TargetKind.BASE)
        return key if is_first else (*key, *named)

    async def stored(self, connection: Connection, records: Sequence[TargetRow]) -> list[TargetRow]:
        return await db.figures.list_targets(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[TargetRow],
        changes: Sequence[Change[TargetRow]],
    ) -> None:
        await db.figures.upsert_targets(connection, [*new, *(change.new for change in changes)])


async def figure_sheet(connection: Connection) -> FigureSheet:
    return FigureSheet(await places.fetch(connection))


async def target_sheet(connection: Connection) -> TargetSheet:
    return TargetSheet(await places.fetch(connection))
