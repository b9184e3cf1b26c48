"""Owns the `carbon_factors` file, and `grids`: whose factor the electricity of a region takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import db.carbon
import db.registry
from app.imports import places
from app.imports.fields import Code, Day, Line, Name, NotNegative, RegionCode, Source, Year
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Key, Sheet
from app.tables import Row
from db.pool import Connection
from energy.carbon import CarbonFactor, GridChoice
from energy.carriers import ELECTRICITY


class FactorLine(Line):
    carrier: Code
    grid: Code | None = None
    kgco2_per_uom: NotNegative
    valid_from: Day
    valid_to: Day | None = None
    year: Year | None = None
    edition: Name
    source: Source
    verified: bool = False


class ChoiceLine(Line):
    region: RegionCode
    valid_from: Day
    grid: Code
    source: Source


class FactorSheet(Sheet[FactorLine, CarbonFactor]):
    """Carbon factors by carrier, grid (of electricity) and the month from which they hold."""

    kind = Kind.CARBON_FACTORS
    key = ("carrier", "grid", "valid_from")
    line = FactorLine

    def __init__(self, carriers: Collection[str], grids: Collection[str]) -> None:
        self._carriers = frozenset(carriers)
        self._grids = frozenset(grids)

    def record(self, line: FactorLine, row: Row, findings: Findings) -> CarbonFactor:
        if line.carrier not in self._carriers:
            findings.problem(row, "carrier", "is not a known energy carrier")
        if (line.carrier == ELECTRICITY) != (line.grid is not None):
            findings.problem(row, "grid", "is required of electricity, and of nothing else")
        elif line.grid is not None and line.grid not in self._grids:
            findings.problem(row, "grid", f"is none of {', '.join(sorted(self._grids))}")
        for column, day in (("valid_from", line.valid_from), ("valid_to", line.valid_to)):
            if day is not None and day.day != 1:
                findings.problem(row, column, "is not the first day of a month")
        if line.valid_to is not None and line.valid_to <= line.valid_from:
            findings.problem(row, "valid_to", "must be after valid_from")
        return CarbonFactor(**line.model_dump())

    def key_of(self, record: CarbonFactor) -> Key:
        return (record.carrier, record.grid or "", record.valid_from.isoformat())

    async def stored(
        self, connection: Connection, records: Sequence[CarbonFactor]
    ) -> list[CarbonFactor]:
        return await db.carbon.list_factors(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[CarbonFactor],
        changes: Sequence[Change[CarbonFactor]],
    ) -> None:
        await db.carbon.upsert_factors(connection, [*new, *(change.new for change in changes)])


class ChoiceSheet(Sheet[ChoiceLine, GridChoice]):
    """Choices of a grid by region and the day from which they hold."""

    kind = Kind.GRIDS
    key = ("region", "valid_from")
    line = ChoiceLine

    def __init__(self, regions: Places, grids: Collection[str]) -> None:
        self._regions = regions
        self._grids = frozenset(grids)

    def record(self, line: ChoiceLine, row: Row, findings: Findings) -> GridChoice:
        if line.grid not in self._grids:
            findings.problem(row, "grid", f"is none of {', '.join(sorted(self._grids))}")
        region = self._regions.resolve(line.region, row, findings, ANYWHERE)
        return GridChoice(region, line.grid, line.valid_from, line.source)

    async def stored(
        self, connection: Connection, records: Sequence[GridChoice]
    ) -> list[GridChoice]:
        return await db.carbon.list_choices(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[GridChoice],
        changes: Sequence[Change[GridChoice]],
    ) -> None:
        await db.carbon.upsert_choices(connection, [*new, *(change.new for change in changes)])


async def _grids(connection: Connection) -> list[str]:
    return [grid.grid for grid in await db.carbon.list_grids(connection)]


async def factor_sheet(connection: Connection) -> FactorSheet:
    carriers = await db.registry.list_reference_uoms(connection)
    return FactorSheet(carriers, await _grids(connection))


async def choice_sheet(connection: Connection) -> ChoiceSheet:
    return ChoiceSheet(await places.fetch(connection), await _grids(connection))
