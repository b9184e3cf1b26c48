"""Owns the `meters` file: what each meter measures and how its values are to be read.

What past readings mean is never rewritten by an import: once a meter has readings, only what
leaves their meaning alone may change. What a meter began with is stated here, and what each later
epoch says with that epoch: neither is a copy of the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import db.epochs
import db.factors
import db.registry
from app.imports import quantities
from app.imports.fields import (
    Code,
    CreditCode,
    DataCode,
    Instant,
    IntervalS,
    Line,
    MeterCode,
    Name,
    Positive,
    Uom,
)
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Key, Sheet
from app.tables import Row
from db.pool import Connection
from db.registry import MeterRow, StoredMeter
from energy.periods import EARLIEST
from energy.registers import Kind as MeterKind
from energy.registers import Side
from energy.roles import Role

INTERVAL_S = 900
METERS_NAMED = 3
OUTPUT = "output"

OF_REGISTER = frozenset({"multiplier", "rollover", "side", "rate_max"})
"""What each epoch of a register says for itself."""

EPOCH_COLUMNS = OF_REGISTER | {"interval_s", "installed_at"}
"""What lives in the epochs of a meter, and changes by a new one: `nenghao import epochs`."""

HARMLESS_COLUMNS = frozenset({"name", "data_code", "rate_max"})
"""What may change although there are readings; `rate_max` only where no later epoch has its own."""


class MeterLine(Line):
    unit: CreditCode
    meter: MeterCode
    name: Name
    carrier: Code | None = None
    kind: MeterKind
    uom: Uom
    multiplier: Positive = 1.0
    rollover: Positive | None = None
    side: Side = Side.SECONDARY
    rate_max: Positive | None = None
    interval_s: IntervalS = INTERVAL_S
    role: Role
    product: Code | None = None
    data_code: DataCode | None = None
    installed_at: Instant


class MeterSheet(Sheet[MeterLine, MeterRow]):
    """Meters by unit and meter code."""

    kind = Kind.METERS
    key = ("unit", "meter")
    line = MeterLine

    def __init__(self, units: Collection[str], reference_uoms: Mapping[str, str]) -> None:
        self._units = frozenset(units)
        self._reference_uoms = reference_uoms
        self._stored: dict[Key, StoredMeter] = {}
        self._begun: dict[Key, MeterRow] = {}

    def record(self, line: MeterLine, row: Row, findings: Findings) -> MeterRow:
        if line.unit not in self._units:
            findings.problem(row, "unit", "is not registered; import the unit first")
        if line.rollover is not None and line.kind is not MeterKind.REGISTER:
            findings.problem(row, "rollover", f"only a register wraps, this is {_article(line)}")
        check = self._output_uom if line.role == OUTPUT else self._energy_uom
        return MeterRow(
            unit=line.unit,
            meter=line.meter,
            name=line.name,
            carrier=line.carrier,
            kind=line.kind.value,
            uom=check(line, row, findings),
            multiplier=line.multiplier,
            rollover=line.rollover,
            side=line.side.value,
            rate_max=line.rate_max,
            interval_s=line.interval_s,
            role=line.role,
            product=line.product,
            data_code=line.data_code,
            installed_at=line.installed_at,
        )

    def _output_uom(self, line: MeterLine, row: Row, findings: Findings) -> str:
        if line.product is None:
            findings.problem(row, "product", "is required of an output meter")
        if line.carrier is not None:
            findings.problem(row, "carrier", "an output meter measures a product, not a carrier")
        if line.kind is MeterKind.GAUGE:
            findings.problem(row, "kind", "output is counted: register or interval, not a rate")
        return line.uom

    def _energy_uom(self, line: MeterLine, row: Row, findings: Findings) -> str:
        """Return the unit of measure as `energy.carriers` writes it."""
        if line.product is not None:
            findings.problem(row, "product", "only an output meter has a product")
        if line.carrier is None:
            findings.problem(row, "carrier", "is required of every meter but output meters")
            return line.uom
        is_gauge = line.kind is MeterKind.GAUGE
        return quantities.uom(
            line.carrier,
            line.uom,
            self._reference_uoms,
            row,
            findings,
            is_rate=is_gauge,
            otherwise=f"{_article(line)} shows "
            + ("a rate, as in kW or t/h" if is_gauge else "a quantity"),
        )

    def remark(self, taken: Sequence[tuple[Row, MeterRow]], findings: Findings) -> None:
        """Name the registers that can hardly be judged: once, however many they are."""
        unbounded = [(row, meter) for row, meter in taken if _is_unbounded(meter)]
        if unbounded:
            meters = [meter for _, meter in unbounded]
            findings.note(unbounded[0][0], "rate_max", unbounded_note(meters))

    async def stored(self, connection: Connection, records: Sequence[MeterRow]) -> list[MeterRow]:
        units = sorted({record.unit for record in records})
        meters = await db.registry.list_meters_by_unit(connection, units)
        self._stored = {self.key_of(meter.row): meter for meter in meters}
        begun = await db.registry.list_meters_as_begun(connection, units)
        self._begun = {self.key_of(row): row for row in begun}
        return [meter.row for meter in meters]

    async def standing(self, connection: Connection, units: Sequence[str]) -> list[MeterRow]:
        return await db.registry.list_meters_as_begun(connection, units)

    def stated(self, record: MeterRow) -> MeterRow:
        """Return a meter as it began: a file says what holds now, and epochs state that."""
        key = self.key_of(record)
        stored, begun = self._stored.get(key), self._begun.get(key)
        if stored is None or begun is None:
            return record
        same = [
            column
            for column in (*OF_REGISTER, "interval_s")
            if getattr(record, column) == getattr(stored.row, column)
        ]
        return replace(record, **{column: getattr(begun, column) for column in same})

    async def review(
        self, connection: Connection, changes: Sequence[Change[MeterRow]], findings: Findings
    ) -> None:
        """Refuse what would change the meaning of readings that are already stored."""
        grave = [change for change in changes if self._grave_columns(change)]
        with_readings = await db.registry.list_meters_with_readings(
            connection, [change.new for change in grave]
        )
        for change in grave:
            if self._has_history(change) or self.key_of(change.new) in with_readings:
                for column in sorted(self._grave_columns(change)):
                    findings.problem(change.row, column, _refusal(change, column))

    def _has_history(self, change: Change[MeterRow]) -> bool:
        return self._stored[self.key_of(change.new)].has_history

    def _grave_columns(self, change: Change[MeterRow]) -> frozenset[str]:
        """Return the columns of `change` that would give stored readings another meaning.

        An earlier installation only lets in readings that were refused as too old.
        """
        grave = change.columns - HARMLESS_COLUMNS
        if self._stored[self.key_of(change.new)].registers > 1:
            grave |= change.columns & {"rate_max"}
        earlier = change.new.installed_at < change.old.installed_at
        if earlier and not self._has_history(change):
            grave -= {"installed_at"}
        return grave

    async def store(
        self, connection: Connection, new: Sequence[MeterRow], changes: Sequence[Change[MeterRow]]
    ) -> None:
        await db.registry.upsert_meters(connection, [*new, *(change.new for change in changes)])
        moved = [change.new for change in changes if change.columns & EPOCH_COLUMNS]
        await db.registry.replace_first_epochs(connection, [*new, *moved])
        retimed = [change.new for change in changes if "interval_s" in change.columns]
        await db.registry.retime(connection, retimed)
        for limited in (change.new for change in changes if "rate_max" in change.columns):
            meter_id = await db.epochs.fetch_meter_id(connection, limited.unit, limited.meter)
            await db.factors.mark_stale(connection, [meter_id], EARLIEST, None)


def _is_unbounded(meter: MeterRow) -> bool:
    is_register = meter.kind == MeterKind.REGISTER
    return is_register and meter.rollover is None and meter.rate_max is None


def unbounded_note(meters: Sequence[MeterRow]) -> str:
    """Return how many of the registers `meters` have no bounds, which, and what to write.

    What cannot be told without: decisions 0009 and 0016.
    """
    named = ", ".join(f"{meter.unit} {meter.meter}" for meter in meters[:METERS_NAMED])
    rest = len(meters) - METERS_NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    have = "register has" if len(meters) == 1 else "registers have"
    return (
        f"{len(meters):,} {have} neither rollover nor rate_max ({named}{more}): any rise counts "
        f"as energy, that from a first zero or to two wrong high values too, and each wrap waits "
        f"for review; write rollover (six digits wrap at 1000000) and rate_max: rated power, in "
        f"uom per hour (kW for kWh) with the multiplier in it"
    )


def _refusal(change: Change[MeterRow], column: str) -> str:
    old = getattr(change.old, column)
    was = f"the meter has a history with {'none' if old is None else old}"
    if column == "interval_s":
        return (
            f"{was}: an import of meters would rewrite the past; since when it is read every "
            f"{change.new.interval_s} s is for `nenghao import epochs`, with the reason interval"
        )
    if column == "rate_max":
        return (
            f"{was}: each epoch has its own; import the epoch again, with the {column} that is to "
            f"hold from its day on: `nenghao import epochs`"
        )
    if column in EPOCH_COLUMNS:
        return (
            f"{was}: an import of meters would rewrite the past; a new {column} is an event with "
            f"a date, for `nenghao import epochs`"
        )
    return f"{was}; register a new meter instead: an import would rewrite the past"


def _article(line: MeterLine) -> str:
    return "an interval meter" if line.kind is MeterKind.INTERVAL else f"a {line.kind.value}"


async def sheet(connection: Connection) -> MeterSheet:
    return MeterSheet(
        await db.registry.list_unit_codes(connection),
        await db.registry.list_reference_uoms(connection),
    )
