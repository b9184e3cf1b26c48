"""Owns the `calorific_values` file: net calorific values that units had measured, by batch.

A measured value takes precedence over what the unit declared and over the reference factor, on
both bases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import db.factors
import db.registry
from app import revaluation
from app.imports.fields import Code, CreditCode, Day, Line, Positive, Source
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Key, Sheet
from app.imports.validities import Validities
from app.revaluation import Affected
from app.tables import Row
from db.factors import CalorificValueRow, CarrierRow
from db.pool import Connection
from energy import calorific, validity
from energy.calorific import CalorificUom
from energy.carriers import Nature
from energy.validity import Days


class CalorificValueLine(Line):
    unit: CreditCode
    carrier: Code
    batch: Code
    valid_from: Day
    valid_to: Day | None = None
    net_calorific_value: Positive
    uom: CalorificUom
    source: Source


class CalorificValueSheet(Sheet[CalorificValueLine, CalorificValueRow]):
    """Measured values by unit, carrier and batch."""

    kind = Kind.CALORIFIC_VALUES
    key = ("unit", "carrier", "batch")
    line = CalorificValueLine

    def __init__(self, carriers: Mapping[str, CarrierRow], units: Collection[str]) -> None:
        self._carriers = carriers
        self._units = frozenset(units)
        self._validities: Validities[CalorificValueRow] = Validities(self.key_of, _alike)

    def record(self, line: CalorificValueLine, row: Row, findings: Findings) -> CalorificValueRow:
        if line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        if line.valid_to is not None and line.valid_to <= line.valid_from:
            findings.problem(
                row, "valid_to", "must be after valid_from: it is the first day without it"
            )
        kgce_per_uom = calorific.factor_of(line.net_calorific_value, line.uom)
        self._check_value(line, kgce_per_uom, row, findings)
        record = CalorificValueRow(
            unit=line.unit,
            carrier=line.carrier,
            batch=line.batch,
            valid_from=line.valid_from,
            valid_to=line.valid_to,
            net_calorific_value=line.net_calorific_value,
            uom=line.uom.value,
            kgce_per_uom=kgce_per_uom,
            source=line.source,
        )
        self._validities.remember(record, row)
        return record

    def _check_value(
        self, line: CalorificValueLine, kgce_per_uom: float, row: Row, findings: Findings
    ) -> None:
        carrier = self._carriers.get(line.carrier)
        if carrier is None:
            findings.problem(row, "carrier", "is not a known energy carrier")
        elif carrier.nature is not Nature.FUEL:
            findings.problem(row, "carrier", "is no fuel: it has no net calorific value")
        elif carrier.reference_uom != line.uom.reference_uom:
            reason = f"is per {line.uom.reference_uom}; {line.carrier} is accounted in "
            findings.problem(row, "uom", reason + carrier.reference_uom)
        elif not calorific.is_plausible(kgce_per_uom):
            reason = f"comes to {kgce_per_uom:.4g} kgce/{carrier.reference_uom}, which no fuel has"
            findings.problem(row, "net_calorific_value", f"{reason}; is it in {line.uom}?")

    async def stored(
        self, connection: Connection, records: Sequence[CalorificValueRow]
    ) -> list[CalorificValueRow]:
        rows = await self.standing(connection, sorted({each.unit for each in records}))
        self._validities.compare(records, rows)
        return rows

    async def standing(
        self, connection: Connection, units: Sequence[str]
    ) -> list[CalorificValueRow]:
        return await db.factors.list_calorific_values(connection, units)

    async def review(
        self,
        connection: Connection,
        changes: Sequence[Change[CalorificValueRow]],
        findings: Findings,
    ) -> None:
        self._validities.review(changes, findings)

    async def withdraw(self, connection: Connection, record: CalorificValueRow) -> None:
        await db.factors.lock_for_changing(connection)
        await super().withdraw(connection, record)
        days = Days(record.valid_from, record.valid_to)
        await revaluation.mark(connection, [Affected(record.carrier, record.unit, days)])

    async def store(
        self,
        connection: Connection,
        new: Sequence[CalorificValueRow],
        changes: Sequence[Change[CalorificValueRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        await db.factors.lock_for_changing(connection)
        await db.factors.upsert_calorific_values(connection, rows)
        pairs = [(None, row) for row in new] + [(change.old, change.new) for change in changes]
        await revaluation.mark(
            connection,
            [
                Affected(row.carrier, row.unit, days)
                for old, row in pairs
                for days in validity.changed_days(old, row, same_meaning=_is_same(old, row))
            ],
        )


def _alike(record: CalorificValueRow) -> Key:
    return record.unit, record.carrier


def _is_same(old: CalorificValueRow | None, new: CalorificValueRow) -> bool:
    return old is not None and old.kgce_per_uom == new.kgce_per_uom


async def sheet(connection: Connection) -> CalorificValueSheet:
    carriers = await db.factors.list_carriers(connection)
    return CalorificValueSheet(
        {carrier.carrier: carrier for carrier in carriers},
        await db.registry.list_unit_codes(connection),
    )
