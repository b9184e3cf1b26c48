"""Owns the `verifications` and `value_limits` files: of meters, and of what their items show."""

from __future__ import annotations

from collections.abc import Sequence

import db.metrology
from app.imports.fields import Code, CreditCode, Day, Finite, Line, MeterCode, Name, Source
from app.imports.kinds import Kind
from app.imports.meter_keys import MeterKeys
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.metrology import ValueLimitRow, VerificationRow
from db.pool import Connection


class VerificationLine(Line):
    unit: CreditCode
    meter: MeterCode
    verified_on: Day
    valid_until: Day
    body: Name
    certificate: Code


class ValueLimitLine(Line):
    unit: CreditCode
    meter: MeterCode
    value_min: Finite | None = None
    value_max: Finite | None = None
    source: Source


class VerificationSheet(Sheet[VerificationLine, VerificationRow]):
    """Verifications by meter and day; the last day they are valid is included."""

    kind = Kind.VERIFICATIONS
    key = ("unit", "meter", "verified_on")
    line = VerificationLine

    def __init__(self, meters: MeterKeys) -> None:
        self._meters = meters

    def record(self, line: VerificationLine, row: Row, findings: Findings) -> VerificationRow:
        self._meters.check(line.unit, line.meter, row, findings)
        if line.valid_until < line.verified_on:
            findings.problem(row, "valid_until", f"is before verified_on, {line.verified_on}")
        return VerificationRow(**line.model_dump())

    async def stored(
        self, connection: Connection, records: Sequence[VerificationRow]
    ) -> list[VerificationRow]:
        units = sorted({record.unit for record in records})
        return await db.metrology.list_verifications(connection, units)

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[VerificationRow]:
        return await db.metrology.list_verifications(connection, units)

    async def store(
        self,
        connection: Connection,
        new: Sequence[VerificationRow],
        changes: Sequence[Change[VerificationRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        await db.metrology.upsert_verifications(connection, rows)


class ValueLimitSheet(Sheet[ValueLimitLine, ValueLimitRow]):
    """What the values of a meter may be, as they are sent; what lies outside is flagged."""

    kind = Kind.VALUE_LIMITS
    key = ("unit", "meter")
    line = ValueLimitLine

    def __init__(self, meters: MeterKeys) -> None:
        self._meters = meters

    def record(self, line: ValueLimitLine, row: Row, findings: Findings) -> ValueLimitRow:
        self._meters.check(line.unit, line.meter, row, findings)
        if line.value_min is None and line.value_max is None:
            findings.problem(row, "value_min", "give value_min, value_max or both")
        elif None not in (line.value_min, line.value_max) and not _in_order(line):
            findings.problem(row, "value_min", f"is higher than value_max, {line.value_max:g}")
        return ValueLimitRow(**line.model_dump())

    async def stored(
        self, connection: Connection, records: Sequence[ValueLimitRow]
    ) -> list[ValueLimitRow]:
        units = sorted({record.unit for record in records})
        return await db.metrology.list_value_limits(connection, units)

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[ValueLimitRow]:
        return await db.metrology.list_value_limits(connection, units)

    async def store(
        self,
        connection: Connection,
        new: Sequence[ValueLimitRow],
        changes: Sequence[Change[ValueLimitRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        await db.metrology.upsert_value_limits(connection, rows)


def _in_order(line: ValueLimitLine) -> bool:
    assert line.value_min is not None
    assert line.value_max is not None
    return line.value_min <= line.value_max


async def _meters(connection: Connection) -> MeterKeys:
    return MeterKeys(await db.metrology.list_meter_codes(connection))


async def verification_sheet(connection: Connection) -> VerificationSheet:
    return VerificationSheet(await _meters(connection))


async def value_limit_sheet(connection: Connection) -> ValueLimitSheet:
    return ValueLimitSheet(await _meters(connection))
