"""Owns the `units` file: who is watched, where, and in which industry."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import db.registry
import db.rollups
from app.imports import places
from app.imports.fields import (
    CreditCode,
    Day,
    Email,
    Flag,
    IndustryCode,
    Line,
    Name,
    NotNegative,
    RegionCode,
)
from app.imports.kinds import Kind
from app.imports.places import PLANTS, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.pool import Connection
from db.registry import UnitRow

AREA_COLUMNS = frozenset({"region", "industry"})
"""What says in which area a unit is added up: the former one and the new one change with it."""


class UnitLine(Line):
    unit: CreditCode
    name: Name
    region: RegionCode
    industry: IndustryCode
    annual_tce: NotNegative | None = None
    commissioned_on: Day | None = None
    contact_email: Email | None = None
    signature_required: Flag | None = None


class UnitSheet(Sheet[UnitLine, UnitRow]):
    """Units by credit code. An empty `signature_required` leaves what holds."""

    kind = Kind.UNITS
    key = ("unit",)
    line = UnitLine

    def __init__(
        self, regions: Places, divisions: Collection[str], signing: Collection[str]
    ) -> None:
        self._regions = regions
        self._divisions = frozenset(divisions)
        self._signing = frozenset(signing)

    def record(self, line: UnitLine, row: Row, findings: Findings) -> UnitRow:
        if line.industry[:3] not in self._divisions:
            findings.problem(row, "industry", f"division {line.industry[:3]} is not known")
        return UnitRow(
            unit=line.unit,
            name=line.name,
            region=self._regions.resolve(line.region, row, findings, PLANTS),
            industry=line.industry,
            annual_tce=line.annual_tce,
            commissioned_on=line.commissioned_on,
            contact_email=line.contact_email,
            signature_required=(
                line.unit in self._signing
                if line.signature_required is None
                else line.signature_required
            ),
        )

    async def stored(self, connection: Connection, records: Sequence[UnitRow]) -> list[UnitRow]:
        return await db.registry.list_units_by_code(connection, [row.unit for row in records])

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[UnitRow]:
        return await db.registry.list_units_by_code(connection, units)

    async def review(
        self, connection: Connection, changes: Sequence[Change[UnitRow]], findings: Findings
    ) -> None:
        for change in changes:
            if change.old.region[:4] != change.new.region[:4]:
                text = "another city: the topics of its gateways change, enrol them again"
                findings.note(change.row, "region", text)

    async def store(
        self, connection: Connection, new: Sequence[UnitRow], changes: Sequence[Change[UnitRow]]
    ) -> None:
        moved = [change.new.unit for change in changes if change.columns & AREA_COLUMNS]
        if moved:
            await db.rollups.lock_units(connection, moved)
            await db.rollups.mark_areas_of(connection, moved)
        await db.registry.upsert_units(connection, [*new, *(change.new for change in changes)])
        if moved:
            await db.rollups.mark_areas_of(connection, moved)


async def sheet(connection: Connection) -> UnitSheet:
    return UnitSheet(
        await places.fetch(connection),
        await db.registry.list_divisions(connection),
        await db.registry.list_signing_units(connection),
    )
