"""Owns the `levels` file (schemes of warning levels) and `schemes` (which of them holds where)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field

import db.levels
from app.imports import places
from app.imports.fields import Finite, Line, Name, RegionCode, Source
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.levels import BandRow, ChoiceRow, schemes
from db.pool import Connection
from energy.indicators import Indicator
from energy.levels import Measure, SchemeError

SchemeCode = Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")]
LevelCode = Annotated[str, Field(pattern="^[a-z0-9_]{1,20}$")]
Colour = Annotated[str, Field(pattern="^[a-z]{1,20}$")]


class BandLine(Line):
    scheme: SchemeCode
    level: LevelCode
    severity: Annotated[int, Field(ge=1, le=20)]
    bound: Finite | None = None
    holds_at_bound: bool = True
    name_zh: Name
    name_en: Name
    colour: Colour | None = None
    measure: Measure
    scheme_zh: Name
    scheme_en: Name
    source: Source
    verified: bool = False


class ChoiceLine(Line):
    region: RegionCode
    indicator: Indicator
    scheme: SchemeCode
    source: Source


class BandSheet(Sheet[BandLine, BandRow]):
    """Levels by scheme and code. A file may change a level only if its scheme still is one."""

    kind = Kind.LEVELS
    key = ("scheme", "level")
    line = BandLine

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._bands: dict[tuple[str, ...], BandRow] = {}

    def record(self, line: BandLine, row: Row, findings: Findings) -> BandRow:
        made = BandRow(**line.model_dump())
        self._rows.setdefault(made.scheme, row)
        self._bands[self.key_of(made)] = made
        return made

    async def stored(self, connection: Connection, records: Sequence[BandRow]) -> list[BandRow]:
        bands = await db.levels.list_bands(connection)
        self._bands = {self.key_of(band): band for band in bands} | self._bands
        return bands

    async def review(
        self, connection: Connection, changes: Sequence[Change[BandRow]], findings: Findings
    ) -> None:
        """Refuse levels that together are no scheme: ties, gaps, bounds out of order."""
        for scheme, row in self._rows.items():
            try:
                schemes([band for band in self._bands.values() if band.scheme == scheme])
            except SchemeError as error:
                findings.problem(row, "severity", str(error))

    async def store(
        self, connection: Connection, new: Sequence[BandRow], changes: Sequence[Change[BandRow]]
    ) -> None:
        await db.levels.upsert_bands(connection, [*new, *(change.new for change in changes)])


class ChoiceSheet(Sheet[ChoiceLine, ChoiceRow]):
    """Choices of a scheme by region and indicator."""

    kind = Kind.SCHEMES
    key = ("region", "indicator")
    line = ChoiceLine

    def __init__(self, regions: Places, bands: Collection[BandRow]) -> None:
        self._regions = regions
        self._measures = {band.scheme: band.measure for band in bands}

    def record(self, line: ChoiceLine, row: Row, findings: Findings) -> ChoiceRow:
        is_total = line.indicator is Indicator.TOTAL_ENERGY
        wanted = Measure.CAP_SHARE if is_total else Measure.REDUCTION_SHARE
        measure = self._measures.get(line.scheme)
        if measure is None:
            findings.problem(row, "scheme", "is not known; import its levels first")
        elif measure is not wanted:
            findings.problem(row, "scheme", f"is one of {measure}; {line.indicator} needs {wanted}")
        region = self._regions.resolve(line.region, row, findings, ANYWHERE)
        return ChoiceRow(region, line.indicator, line.scheme, line.source)

    async def stored(self, connection: Connection, records: Sequence[ChoiceRow]) -> list[ChoiceRow]:
        return await db.levels.list_choices(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[ChoiceRow],
        changes: Sequence[Change[ChoiceRow]],
    ) -> None:
        await db.levels.upsert_choices(connection, [*new, *(change.new for change in changes)])


async def choice_sheet(connection: Connection) -> ChoiceSheet:
    return ChoiceSheet(await places.fetch(connection), await db.levels.list_bands(connection))
