"""Owns the `corrections` file: what is to hold in place of readings, or that they are set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator

import db.corrections
from app import correcting, foreseen
from app.imports.fields import CreditCode, Finite, Instant, Line, MeterCode
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Key, Sheet
from app.tables import Row
from db.corrections import CorrectionRow, Target
from db.pool import Connection

ASIDE = "aside"


def _value(text: object) -> object:
    """Return None for a reading that is set aside: an empty cell would be too easily left so."""
    return None if text == ASIDE else text


class CorrectionLine(Line):
    unit: CreditCode
    meter: MeterCode
    time: Instant
    value: Annotated[Finite | None, BeforeValidator(_value)]


class CorrectionSheet(Sheet[CorrectionLine, CorrectionRow]):
    """Corrections by unit, meter and the time of the reading, which must be stored."""

    kind = Kind.CORRECTIONS
    key = ("unit", "meter", "time")
    line = CorrectionLine

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Row, CorrectionRow]] = {}
        self._targets: dict[str, Target] = {}

    def key_of(self, record: CorrectionRow) -> Key:
        return record.unit, record.meter, record.time.isoformat()

    def record(self, line: CorrectionLine, row: Row, findings: Findings) -> CorrectionRow:
        record = CorrectionRow(line.unit, line.meter, line.time, line.value)
        self._rows.setdefault(record.subject, (row, record))
        return record

    async def stored(
        self, connection: Connection, records: Sequence[CorrectionRow]
    ) -> list[CorrectionRow]:
        self._targets = await db.corrections.list_targets(connection, records)
        return await db.corrections.list_standing(connection, {row.unit for row in records})

    async def review(
        self,
        connection: Connection,
        changes: Sequence[Change[CorrectionRow]],
        findings: Findings,
    ) -> None:
        aimed = [
            (record, self._targets[subject])
            for subject, (_, record) in self._rows.items()
            if subject in self._targets
        ]
        faults = await correcting.range_faults(connection, aimed)
        for subject, (row, _) in self._rows.items():
            if subject not in self._targets:
                findings.problem(row, "time", "the meter has no reading at this time")
            elif fault := faults.get(subject):
                findings.problem(row, "value", f"value_out_of_range: {fault}")
        if not findings.problems:
            await self._foresee(connection, aimed, findings)

    async def _foresee(
        self,
        connection: Connection,
        aimed: Sequence[tuple[CorrectionRow, Target]],
        findings: Findings,
    ) -> None:
        """Say what will be held, beside the first of the corrections of a meter."""
        rows = {(record.unit, record.meter): row for row, record in reversed(self._rows.values())}
        for held in await foreseen.list_held(connection, aimed):
            findings.note(rows[held.unit, held.meter], "value", str(held))

    async def withdraw(self, connection: Connection, record: CorrectionRow) -> None:
        targets = await db.corrections.list_targets(connection, [record])
        await db.corrections.delete(connection, targets[record.subject])

    async def store(
        self,
        connection: Connection,
        new: Sequence[CorrectionRow],
        changes: Sequence[Change[CorrectionRow]],
    ) -> None:
        rows = [*new, *(change.new for change in changes)]
        await db.corrections.upsert(
            connection, [(self._targets[row.subject], row.value) for row in rows]
        )
