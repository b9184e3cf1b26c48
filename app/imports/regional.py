"""Owns the `figures` and `targets` files: what a region's warning level is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

import db.figures
from app.imports import places
from app.imports.fields import Line, RegionCode, Share, Source, Year
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.figures import FigureRow, TargetRow
from db.pool import Connection


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
    source: Source


class TargetLine(Line):
    region: RegionCode
    year: Year
    required_rate: Annotated[Share, AfterValidator(_reduction)]
    source: Source


class FigureSheet(Sheet[FigureLine, FigureRow]):
    """Growth figures by region, year and the last of their months."""

    kind = Kind.FIGURES
    key = ("region", "year", "through_month")
    line = FigureLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: FigureLine, row: Row, findings: Findings) -> FigureRow:
        if line.energy_growth is None and line.gdp_growth is None:
            findings.problem(row, "energy_growth", "give energy_growth, gdp_growth or both")
        return FigureRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            year=line.year,
            through_month=line.through_month,
            energy_growth=line.energy_growth,
            gdp_growth=line.gdp_growth,
            source=line.source,
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
    """Targets by region and year."""

    kind = Kind.TARGETS
    key = ("region", "year")
    line = TargetLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: TargetLine, row: Row, findings: Findings) -> TargetRow:
        return TargetRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            year=line.year,
            required_rate=line.required_rate,
            source=line.source,
        )

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
