"""Owns settlement: stale ranges of a unit → hours of its meters → days, months, the unit.

Late, corrected and replayed readings repair every number above them by this same path. One
transaction per claim: if it fails, the stale ranges are there again.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog

import db.heartbeats
import db.patience
import db.settlement
from db.metering import MeterSpec, list_specs
from db.pool import Connection, Pool
from db.settlement import HourRow, Stale
from energy import carriers, consumption, factors, periods, roles
from energy.consumption import Hour
from energy.factors import Basis, FactorTable
from energy.periods import LOCAL, Span, Step
from energy.registers import Kind

RANGES_MAX = 1_000
"""Stale ranges settled in one transaction at most."""

HEARTBEAT_S = 5.0
ASIDE = timedelta(minutes=1)
"""How long a unit that could not be settled rests."""

log = structlog.get_logger("settle")


@dataclass(frozen=True, slots=True)
class Settled:
    """What one transaction settled."""

    unit_id: int
    ranges: int
    hours: int


class UnitError(Exception):
    """A unit cannot be settled as it is registered; the others must not wait for it."""

    def __init__(self, unit_id: int) -> None:
        super().__init__(f"unit {unit_id} cannot be settled")
        self.unit_id = unit_id


async def run(pool: Pool, instance: str, *, pause_s: float, clock: Callable[[], datetime]) -> None:
    """Settle until cancelled. A unit that fails rests for a while; its ranges stay stale."""
    beat_at: datetime | None = None
    aside: dict[int, datetime] = {}
    while True:
        now = clock()
        aside = {unit_id: at for unit_id, at in aside.items() if now - at < ASIDE}
        if beat_at is None or (now - beat_at).total_seconds() >= HEARTBEAT_S:
            await db.patience.patiently(
                pool, lambda connection: _beat(connection, instance, clock())
            )
            beat_at = now
        try:
            settled = await db.patience.patiently(
                pool, functools.partial(settle_one, without=aside)
            )
        except UnitError as error:
            log.error("unit_not_settled", unit_id=error.unit_id, error=repr(error.__cause__))
            aside[error.unit_id] = now
        else:
            if settled is None:
                await asyncio.sleep(pause_s)


async def settle_one(connection: Connection, *, without: Collection[int] = ()) -> Settled | None:
    """Settle what is stale of one unit; None: there was nothing, rest. Raises UnitError."""
    async with connection.transaction():
        unit_id = await db.settlement.claim_unit(connection, without)
        if unit_id is None:
            return None
        stale = await db.settlement.take_stale(connection, unit_id, RANGES_MAX)
        try:
            settled = await _settle_unit(connection, unit_id, stale)
        except Exception as error:
            if db.patience.is_retryable(error):
                raise
            raise UnitError(unit_id) from error
    log.info("settled", unit_id=unit_id, ranges=settled.ranges, hours=settled.hours)
    return settled


async def _settle_unit(connection: Connection, unit_id: int, stale: Sequence[Stale]) -> Settled:
    table = FactorTable(await db.settlement.list_factors(connection, unit_id))
    specs = {spec.meter_id: spec for spec in await list_specs(connection, unit_id)}
    by_meter: dict[int, list[Span]] = {}
    for one in stale:
        by_meter.setdefault(one.meter_id, []).append(one.span)
    touched: dict[str, list[Span]] = {}
    hours = 0
    for meter_id, spans in by_meter.items():
        spec = specs[meter_id]
        for span in await _reaches(connection, spec, spans):
            hours += await _settle_hours(connection, unit_id, spec, table, span)
            await _roll_up(connection, spec, span)
            if spec.carrier is not None and spec.role in roles.COUNTING:
                touched.setdefault(spec.carrier, []).append(span)
    for carrier, spans in touched.items():
        for span in periods.merged(spans):
            for step in (Step.HOUR, Step.DAY, Step.MONTH):
                await db.settlement.roll_up_unit(
                    connection, unit_id, carrier, _whole(span, step), step=step
                )
    return Settled(unit_id, len(stale), hours)


async def _reaches(connection: Connection, spec: MeterSpec, spans: Sequence[Span]) -> list[Span]:
    """Return the whole hours that change when the readings of `spans` did."""
    reaches = []
    for span in periods.merged(spans):
        if spec.kind is Kind.REGISTER:
            reach = await db.settlement.fetch_neighbours(connection, spec.meter_id, span)
        else:
            reach = Span(span.starts_at, span.ends_at + timedelta(seconds=spec.interval_s))
        reaches.append(
            _whole(
                Span(min(reach.starts_at, span.starts_at), max(reach.ends_at, span.ends_at)),
                Step.HOUR,
            )
        )
    return periods.merged(reaches)


async def _settle_hours(
    connection: Connection, unit_id: int, spec: MeterSpec, table: FactorTable, span: Span
) -> int:
    reading_span = span
    if spec.kind is not Kind.REGISTER:
        interval = timedelta(seconds=spec.interval_s)
        reading_span = Span(span.starts_at - interval, span.ends_at)
    readings = await db.settlement.list_readings(connection, spec.meter_id, reading_span)
    hours = consumption.hours(spec.kind, readings, spec.epochs, spec.interval_s, span)
    valuation = Valuation(unit_id, spec, table)
    await db.settlement.delete_hours(connection, spec.meter_id, span)
    await db.settlement.copy_hours(connection, [valuation.row(hour) for hour in hours])
    return len(hours)


async def _roll_up(connection: Connection, spec: MeterSpec, span: Span) -> None:
    for finer, coarser in ((Step.HOUR, Step.DAY), (Step.DAY, Step.MONTH)):
        await db.settlement.roll_up_meter(
            connection, spec.meter_id, _whole(span, coarser), finer=finer, coarser=coarser
        )


class Valuation:
    """Turns the hours of one meter into rows: reference unit of the carrier, both bases of tce."""

    def __init__(self, unit_id: int, spec: MeterSpec, table: FactorTable) -> None:
        self._unit_id = unit_id
        self._spec = spec
        self._table = table
        self._to_reference = _to_reference(spec)
        self._found: dict[tuple[Basis, date], factors.Factor | None] = {}

    def row(self, hour: Hour) -> HourRow:
        quantity = None if hour.quantity is None else hour.quantity * self._to_reference
        return (
            self._spec.meter_id,
            Step.HOUR,
            hour.starts_at,
            quantity,
            hour.estimated_quantity * self._to_reference,
            hour.readings_present,
            hour.held,
            self._tce(quantity, Basis.CALORIFIC, hour.starts_at),
            self._tce(quantity, Basis.EQUIVALENT, hour.starts_at),
        )

    def _tce(self, quantity: float | None, basis: Basis, starts_at: datetime) -> float | None:
        if quantity is None or self._spec.carrier is None:
            return None
        key = (basis, starts_at.astimezone(LOCAL).date())
        if key not in self._found:
            self._found[key] = self._table.find(self._spec.carrier, basis, self._unit_id, key[1])
        return factors.coal_equivalent(quantity, self._found[key])


def _to_reference(spec: MeterSpec) -> float:
    """Return by what the meter's quantities are multiplied; output meters keep their unit."""
    if spec.reference_uom is None:
        return 1.0
    return carriers.conversion(spec.uom, spec.reference_uom)


def _whole(span: Span, step: Step) -> Span:
    return Span(periods.floor(span.starts_at, step), periods.ceiling(span.ends_at, step))


async def _beat(connection: Connection, instance: str, now: datetime) -> None:
    await db.heartbeats.beat(connection, "settle", instance, now, "settling")
