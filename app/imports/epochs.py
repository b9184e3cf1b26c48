"""Owns the `epochs` file: when a meter was replaced or reset, its transformers exchanged, or it
began to be read at another interval.

What is counted before and after is settled anew; the readings stay as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import db.epochs
import db.factors
from app.imports.fields import (
    CreditCode,
    Instant,
    IntervalS,
    Line,
    MeterCode,
    NotNegative,
    Positive,
)
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.epochs import EpochMeter, EpochRow
from db.pool import Connection
from energy.registers import EpochReason, Side
from energy.registers import Kind as MeterKind

REPLAY = "rejected readings of this meter can come in now: `nenghao quarantine replay`"


ANOTHER_REGISTER = {EpochReason.REPLACED, EpochReason.RESET}
OF_REGISTER = {
    "multiplier", "side", "rollover", "rate_max", "first_value", "previous_last_value",
}  # fmt: skip


class EpochLine(Line):
    unit: CreditCode
    meter: MeterCode
    starts_at: Instant
    reason: EpochReason
    multiplier: Positive | None = None
    side: Side = Side.SECONDARY
    rollover: Positive | None = None
    rate_max: Positive | None = None
    first_value: NotNegative | None = None
    previous_last_value: NotNegative | None = None
    interval_s: IntervalS | None = None


class EpochSheet(Sheet[EpochLine, EpochRow]):
    """Epochs by meter and the instant they begin."""

    kind = Kind.EPOCHS
    key = ("unit", "meter", "starts_at")
    line = EpochLine

    def __init__(self, meters: Mapping[tuple[str, str], EpochMeter]) -> None:
        self._meters = meters

    def record(self, line: EpochLine, row: Row, findings: Findings) -> EpochRow:
        meter = self._meters.get((line.unit, line.meter))
        if meter is None:
            findings.problem(row, "meter", "is not registered; import the meter first")
        elif line.starts_at <= meter.installed_at:
            findings.problem(
                row, "starts_at", f"is not after the meter began, {meter.installed_at}"
            )
        elif meter.kind != MeterKind.REGISTER and line.reason in ANOTHER_REGISTER:
            findings.problem(row, "reason", f"an {meter.kind} meter has no register to replace")
        if line.reason is EpochReason.INSTALLED:
            findings.problem(
                row,
                "reason",
                "stands in the meters file; here: replaced, multiplier, reset, interval",
            )
        elif line.reason in ANOTHER_REGISTER:
            for column in ("first_value", "previous_last_value"):
                if getattr(line, column) is None:
                    findings.note(row, column, "is not known: the step across the change is held")
            findings.note(row, "starts_at", REPLAY)
        _check_columns(line, row, findings)
        for column in ("first_value", "previous_last_value"):
            shown = getattr(line, column)
            if line.rollover is not None and shown is not None and shown >= line.rollover:
                findings.problem(row, column, "is not below the rollover")
        return EpochRow(
            line.unit,
            line.meter,
            line.starts_at,
            line.reason.value,
            line.multiplier,
            line.side.value,
            line.rollover,
            line.rate_max,
            line.first_value,
            line.previous_last_value,
            line.interval_s,
        )

    async def stored(self, connection: Connection, records: Sequence[EpochRow]) -> list[EpochRow]:
        return await db.epochs.list_epochs(connection, sorted({row.unit for row in records}))

    async def withdraw(self, connection: Connection, record: EpochRow) -> None:
        await _mark_stale(connection, record)
        await super().withdraw(connection, record)
        await _mark_stale(connection, record)

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[EpochRow]:
        return await db.epochs.list_epochs(connection, units)

    async def store(
        self, connection: Connection, new: Sequence[EpochRow], changes: Sequence[Change[EpochRow]]
    ) -> None:
        for change in changes:
            await _mark_stale(connection, change.old)
        rows = [*new, *(change.new for change in changes)]
        for meter_id, starts_at in await db.epochs.upsert(connection, rows):
            await db.factors.mark_stale(connection, [meter_id], starts_at, None)


async def _mark_stale(connection: Connection, row: EpochRow) -> None:
    """Mark what is counted in an epoch: before it is changed and after, as the interval, for which
    the newest value holds, may become shorter or longer."""
    meter_id = await db.epochs.fetch_meter_id(connection, row.unit, row.meter)
    await db.factors.mark_stale(connection, [meter_id], row.starts_at, None)


def _check_columns(line: EpochLine, row: Row, findings: Findings) -> None:
    """Let an epoch of the interval say nothing of the register, and the others its multiplier."""
    if line.reason is not EpochReason.INTERVAL:
        if line.multiplier is None:
            findings.problem(row, "multiplier", "is required")
        return
    if line.interval_s is None:
        findings.problem(row, "interval_s", "is required: how often is it read from then on?")
    for column in OF_REGISTER & row.cells.keys():
        if row.cells[column]:
            findings.problem(
                row, column, "stays as it is at another interval; record its change by itself"
            )


async def sheet(connection: Connection) -> EpochSheet:
    meters = await db.epochs.list_meters(connection)
    return EpochSheet({(meter.unit, meter.meter): meter for meter in meters})
