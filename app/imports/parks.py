"""Owns the `parks` file: which units a park (园区) is made of. A row has all of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field

import db.budgets
import db.parks
import db.registry
from app.imports.fields import Line, Name
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.parks import ParkRow
from db.pool import Connection
from db.withdrawals import StillNeededError
from energy import codes
from energy.budgets import OwnerKind

UNITS_LENGTH_MAX = 20_000
"""Characters of the cell `units`: about a thousand of them."""

ParkCode = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,32}$")]


class ParkLine(Line):
    park: ParkCode
    name: Name
    units: Annotated[str, Field(max_length=UNITS_LENGTH_MAX)]


class ParkSheet(Sheet[ParkLine, ParkRow]):
    """Parks by their code."""

    kind = Kind.PARKS
    key = ("park",)
    line = ParkLine

    def __init__(self, units: Collection[str]) -> None:
        self._units = frozenset(units)

    def record(self, line: ParkLine, row: Row, findings: Findings) -> ParkRow:
        units = {codes.normalised(text) for text in re.split(r"[\s,;，；、]+", line.units) if text}
        for unit in sorted(units - self._units):
            findings.problem(row, "units", f"{unit} is not registered; import the unit first")
        return ParkRow(line.park, line.name, " ".join(sorted(units)))

    async def stored(self, connection: Connection, records: Sequence[ParkRow]) -> list[ParkRow]:
        return await db.parks.list_parks(connection)

    async def withdraw(self, connection: Connection, record: ParkRow) -> None:
        budgets = await db.budgets.list_all(connection)
        if any((row.owner_kind, row.owner) == (OwnerKind.PARK, record.park) for row in budgets):
            raise StillNeededError("has an energy budget")
        await super().withdraw(connection, record)

    async def store(
        self, connection: Connection, new: Sequence[ParkRow], changes: Sequence[Change[ParkRow]]
    ) -> None:
        parks = [*new, *(change.new for change in changes)]
        await db.parks.upsert_parks(connection, parks)
        for park in parks:
            await db.parks.replace_units(connection, park.park, park.units.split())


async def sheet(connection: Connection) -> ParkSheet:
    return ParkSheet(await db.registry.list_unit_codes(connection))
