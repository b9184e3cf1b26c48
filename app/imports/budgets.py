"""Owns the `budgets` file: how much energy a city, park or unit may use in whole months."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from pydantic import Field

import db.budgets
import db.parks
import db.regions
import db.registry
from app.imports.fields import Code, Day, Line, Positive, Source
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.budgets import BudgetRow
from db.pool import Connection
from energy import codes
from energy.budgets import OwnerKind
from energy.factors import Basis

MONTHS_MAX = 12


UNKNOWN = {
    OwnerKind.CITY: "is not the GB/T 2260 code of a prefecture-level city, as in 450200",
    OwnerKind.PARK: "is not the code of a registered park; import parks first",
    OwnerKind.UNIT: "is not the code of a registered unit; import units first",
}


class BudgetLine(Line):
    owner_kind: OwnerKind
    owner: Code
    from_: Day = Field(alias="from")
    to: Day
    amount_tce: Positive
    basis: Basis
    source: Source


class BudgetSheet(Sheet[BudgetLine, BudgetRow]):
    """Budgets by owner and period; one of a month may stand beside one of its year."""

    kind = Kind.BUDGETS
    key = ("owner_kind", "owner", "starts_on", "ends_on")
    line = BudgetLine

    def __init__(self, owners: Mapping[OwnerKind, Collection[str]]) -> None:
        self._owners = owners

    def record(self, line: BudgetLine, row: Row, findings: Findings) -> BudgetRow:
        owner = codes.normalised(line.owner) if line.owner_kind is OwnerKind.UNIT else line.owner
        if owner not in self._owners[line.owner_kind]:
            findings.problem(row, "owner", UNKNOWN[line.owner_kind])
        for column, day in (("from", line.from_), ("to", line.to)):
            if day.day != 1:
                reason = "is not the first day of a month; the day `to` is no longer included"
                findings.problem(row, column, reason)
        if not 0 < _months(line.from_, line.to) <= MONTHS_MAX:
            findings.problem(row, "to", f"must be 1 to {MONTHS_MAX} months after from")
        return BudgetRow(
            line.owner_kind, owner, line.from_, line.to, line.amount_tce, line.basis, line.source
        )

    async def stored(self, connection: Connection, records: Sequence[BudgetRow]) -> list[BudgetRow]:
        return await db.budgets.list_all(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[BudgetRow],
        changes: Sequence[Change[BudgetRow]],
    ) -> None:
        await db.budgets.upsert_budgets(connection, [*new, *(change.new for change in changes)])


def _months(start: date, end: date) -> int:
    return 12 * (end.year - start.year) + end.month - start.month


async def sheet(connection: Connection) -> BudgetSheet:
    regions = await db.regions.list_regions(connection)
    return BudgetSheet(
        {
            OwnerKind.CITY: {region.region for region in regions if region.tier == "city"},
            OwnerKind.PARK: {park.park for park in await db.parks.list_parks(connection)},
            OwnerKind.UNIT: set(await db.registry.list_unit_codes(connection)),
        }
    )
