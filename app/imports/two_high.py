"""Owns the `two_high` file: projects of high energy use and high emission (两高)."""

from __future__ import annotations

from collections.abc import Sequence

import db.two_high
from app.imports import places
from app.imports.fields import Code, Flag, Line, Name, NotNegative, RegionCode, Source
from app.imports.kinds import Kind
from app.imports.places import PLANTS, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.pool import Connection
from db.two_high import TwoHighRow
from energy.two_high import ProjectState


class TwoHighLine(Line):
    project: Code
    name: Name
    owner_name: Name
    region: RegionCode
    state: ProjectState
    annual_tce: NotNegative
    national: Flag = False
    source: Source


class TwoHighSheet(Sheet[TwoHighLine, TwoHighRow]):
    """Two-high projects by code."""

    kind = Kind.TWO_HIGH
    key = ("project",)
    line = TwoHighLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: TwoHighLine, row: Row, findings: Findings) -> TwoHighRow:
        return TwoHighRow(
            project=line.project,
            name=line.name,
            owner_name=line.owner_name,
            region=self._regions.resolve(line.region, row, findings, PLANTS),
            state=line.state,
            annual_tce=line.annual_tce,
            national=line.national,
            source=line.source,
        )

    async def stored(
        self, connection: Connection, records: Sequence[TwoHighRow]
    ) -> list[TwoHighRow]:
        return await db.two_high.list_all(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[TwoHighRow],
        changes: Sequence[Change[TwoHighRow]],
    ) -> None:
        await db.two_high.upsert(connection, [*new, *(change.new for change in changes)])


async def sheet(connection: Connection) -> TwoHighSheet:
    return TwoHighSheet(await places.fetch(connection))
