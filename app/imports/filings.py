"""Owns the `monthly_filings` file: monthly figures as filed, which daily ones are held against."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator

import db.filings
import db.registry
from app.imports import quantities
from app.imports.fields import Code, CreditCode, Day, Line, NotNegative, Source, Uom
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.filings import FilingRow
from db.pool import Connection
from energy import agreement, carriers

_MONTH = re.compile("20[0-9]{2}-(0[1-9]|1[0-2])")


def _month(text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise ValueError("is not a month, as in 2026-11")
    return text


class FilingLine(Line):
    unit: CreditCode
    carrier: Code
    month: Annotated[str, AfterValidator(_month)]
    quantity: NotNegative
    uom: Uom
    starts_on: Day | None = None
    ends_on: Day | None = None
    source: Source


class FilingSheet(Sheet[FilingLine, FilingRow]):
    """Figures by unit, carrier and month; the days they are of are the month's, if not given."""

    kind = Kind.MONTHLY_FILINGS
    key = ("unit", "carrier", "month")
    line = FilingLine

    def __init__(self, units: Collection[str], reference_uoms: Mapping[str, str]) -> None:
        self._units = frozenset(units)
        self._reference_uoms = reference_uoms

    def record(self, line: FilingLine, row: Row, findings: Findings) -> FilingRow:
        if line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        first = date.fromisoformat(f"{line.month}-01")
        following = (first + timedelta(days=31)).replace(day=1)
        starts_on, ends_on = line.starts_on or first, line.ends_on or following
        for column, day, month in (
            ("starts_on", starts_on, first),
            ("ends_on", ends_on, following),
        ):
            if not agreement.begins_the_month(day, month):
                reason = f"a month begins within a day of {month}; this one is filed and flagged"
                findings.note(row, column, reason)
        if ends_on <= starts_on:
            findings.problem(row, "ends_on", f"is not after starts_on, {starts_on}")
        return FilingRow(
            unit=line.unit,
            carrier=line.carrier,
            month=line.month,
            quantity=line.quantity,
            uom=self._uom(line, row, findings),
            starts_on=starts_on,
            ends_on=ends_on,
            source=line.source,
        )

    def _uom(self, line: FilingLine, row: Row, findings: Findings) -> str:
        return quantities.uom(
            line.carrier,
            line.uom,
            self._reference_uoms,
            row,
            findings,
            otherwise="a month has a quantity, not a rate",
        )

    async def stored(self, connection: Connection, records: Sequence[FilingRow]) -> list[FilingRow]:
        return await db.filings.list_filings(
            connection, sorted({record.unit for record in records})
        )

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[FilingRow]:
        return await db.filings.list_filings(connection, units)

    async def store(
        self,
        connection: Connection,
        new: Sequence[FilingRow],
        changes: Sequence[Change[FilingRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        quantities = [
            row.quantity * carriers.conversion(row.uom, self._reference_uoms[row.carrier])
            for row in rows
        ]
        await db.filings.upsert_filings(connection, rows, quantities)


async def sheet(connection: Connection) -> FilingSheet:
    return FilingSheet(
        await db.registry.list_unit_codes(connection),
        await db.registry.list_reference_uoms(connection),
    )
