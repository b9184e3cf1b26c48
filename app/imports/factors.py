"""Owns the `factors` file: coal equivalent factors, dated, for everyone or declared by a unit.

A range is refused: a unit declares one value and says which basis it stands on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

import db.factors
import db.registry
from app import revaluation
from app.imports.fields import Code, CreditCode, Day, Line, Source
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Key, Sheet
from app.imports.validities import Validities
from app.revaluation import Affected
from app.tables import Row
from db.factors import CarrierRow, FactorRow
from db.pool import Connection
from energy import factors, validity
from energy.carriers import Nature
from energy.factors import Basis, FactorRange
from energy.validity import Days

EVERYONE = "everyone"
"""What the key says where no unit is named."""

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_RANGE = re.compile(rf"\s*{_NUMBER}\s*(?:[-–—−~～〜…至到]|\.\.+|to)\s*{_NUMBER}\s*")
_YES = frozenset({"true", "yes", "1", "是"})
_NO = frozenset({"false", "no", "0", "否"})


def parse_factor(text: object) -> object:
    """Refuse a range with what to do about it; numbers are left to the next check."""
    if isinstance(text, str) and _RANGE.fullmatch(text):
        raise ValueError(
            "is a range, and a range is not a factor: declare one value, and name in source the "
            "basis it stands on (a laboratory, the supplier, a contract)"
        )
    return text


def parse_truth(text: object) -> bool:
    """Return what a cell says.

    >>> parse_truth("yes"), parse_truth("否")
    (True, False)
    """
    word = str(text).casefold()
    if word not in _YES | _NO:
        raise ValueError("is neither true nor false")
    return word in _YES


class FactorLine(Line):
    carrier: Code
    basis: Basis
    kgce_per_uom: Annotated[float, BeforeValidator(parse_factor), Field(gt=0, allow_inf_nan=False)]
    valid_from: Day
    valid_to: Day | None = None
    edition: Code
    source: Source
    verified: Annotated[bool, BeforeValidator(parse_truth)]
    unit: CreditCode | None = None
    note: Source | None = None


class FactorSheet(Sheet[FactorLine, FactorRow]):
    """Factors by carrier, basis, unit and the day from which they hold."""

    kind = Kind.FACTORS
    key = ("carrier", "basis", "unit", "valid_from")
    line = FactorLine

    def __init__(
        self,
        carriers: Mapping[str, CarrierRow],
        units: Collection[str],
        ranges: Mapping[str, FactorRange],
    ) -> None:
        self._carriers = carriers
        self._units = frozenset(units)
        self._ranges = ranges
        self._validities: Validities[FactorRow] = Validities(self.key_of, _alike)

    def key_of(self, record: FactorRow) -> Key:
        unit = EVERYONE if record.unit is None else record.unit
        return record.carrier, record.basis, unit, record.valid_from.isoformat()

    def record(self, line: FactorLine, row: Row, findings: Findings) -> FactorRow:
        if line.carrier not in self._carriers:
            findings.problem(row, "carrier", "is not a known energy carrier")
        if line.unit is not None and line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        if line.valid_to is not None and line.valid_to <= line.valid_from:
            findings.problem(
                row, "valid_to", "must be after valid_from: it is the first day without it"
            )
        objection = factors.objection(line.carrier, line.basis, line.kgce_per_uom)
        if objection is not None:
            findings.problem(row, "kgce_per_uom", objection)
        self._note_range(line, row, findings)
        record = FactorRow(
            carrier=line.carrier,
            basis=line.basis.value,
            unit=line.unit,
            kgce_per_uom=line.kgce_per_uom,
            valid_from=line.valid_from,
            valid_to=line.valid_to,
            edition=line.edition,
            source=line.source,
            verified=line.verified,
            note=line.note,
        )
        self._validities.remember(record, row)
        return record

    def _note_range(self, line: FactorLine, row: Row, findings: Findings) -> None:
        given = self._ranges.get(line.carrier)
        if given is None:
            return
        if line.unit is None:
            findings.note(
                row, "unit", f"{given.edition} gives a range, so each unit should declare its own"
            )
        if not given.low <= line.kgce_per_uom <= given.high:
            text = f"lies outside the {given.low:g} to {given.high:g} of {given.edition}"
            findings.note(row, "kgce_per_uom", text)

    async def stored(self, connection: Connection, records: Sequence[FactorRow]) -> list[FactorRow]:
        carriers = sorted({each.carrier for each in records})
        rows = await db.factors.list_factor_rows(connection, carriers)
        self._validities.compare(records, rows)
        return rows

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[FactorRow]:
        return await db.factors.list_factor_rows(connection, sorted(self._carriers))

    async def review(
        self, connection: Connection, changes: Sequence[Change[FactorRow]], findings: Findings
    ) -> None:
        after = self._validities.review(changes, findings)
        for record, row in self._validities.added.values():
            carrier = self._carriers[record.carrier]
            if carrier.nature is Nature.FUEL and not _has_twin(record, after):
                text = "a fuel is worth the same on both bases: give the row of the other one too"
                findings.note(row, "basis", text)

    async def withdraw(self, connection: Connection, record: FactorRow) -> None:
        await db.factors.lock_for_changing(connection)
        await super().withdraw(connection, record)
        days = Days(record.valid_from, record.valid_to)
        await revaluation.mark(connection, [Affected(record.carrier, record.unit, days)])

    async def store(
        self,
        connection: Connection,
        new: Sequence[FactorRow],
        changes: Sequence[Change[FactorRow]],
    ) -> None:
        await db.factors.lock_for_changing(connection)
        await db.factors.upsert_factors(connection, [*new, *(change.new for change in changes)])
        pairs = [(None, row) for row in new] + [(change.old, change.new) for change in changes]
        await revaluation.mark(
            connection,
            [
                Affected(row.carrier, row.unit, days)
                for old, row in pairs
                for days in validity.changed_days(old, row, same_meaning=_is_same(old, row))
            ],
        )


def _alike(record: FactorRow) -> Key:
    return record.carrier, record.basis, record.unit or EVERYONE


def _is_same(old: FactorRow | None, new: FactorRow) -> bool:
    """Return whether both come to the same figures; unverified ones may be refused."""
    if old is None:
        return False
    return (old.kgce_per_uom, old.verified) == (new.kgce_per_uom, new.verified)


def _has_twin(record: FactorRow, rows: Sequence[FactorRow]) -> bool:
    """Return whether the other basis has the same value from the same day."""
    return any(
        (row.carrier, row.unit, row.valid_from, row.valid_to, row.kgce_per_uom)
        == (record.carrier, record.unit, record.valid_from, record.valid_to, record.kgce_per_uom)
        and row.basis != record.basis
        for row in rows
    )


async def sheet(connection: Connection) -> FactorSheet:
    carriers = await db.factors.list_carriers(connection)
    ranges = await db.factors.list_ranges(connection)
    return FactorSheet(
        {carrier.carrier: carrier for carrier in carriers},
        await db.registry.list_unit_codes(connection),
        {each.carrier: each for each in ranges},
    )
