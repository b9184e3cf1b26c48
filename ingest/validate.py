"""Owns whether a decoded reading may be stored: identity, time and value against the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db.metering import MeterEntry, UnitEntry
from energy import registers
from energy.registers import Kind
from ingest import payload
from ingest.payload import Quality, Reason, Rejection, WireReading
from ingest.topics import Address

FUTURE_MAX = timedelta(minutes=5)
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""The table of readings refuses what is older, so that a bad clock cannot scatter its chunks."""


@dataclass(slots=True)
class Watch:
    """The newest reading of a register that was let in, against which the next one is judged."""

    read_at: datetime
    raw_value: float


class Validator:
    """Judges readings. Remembers the newest value of each register, so that a fall is seen.

    Only readings newer than the newest are judged as steps: what arrives late is judged by
    settlement, which knows both neighbours.
    """

    def __init__(self, oldest: timedelta) -> None:
        self._oldest = oldest
        self._watches: dict[int, Watch] = {}

    def learn(self, unit: UnitEntry) -> None:
        """Take the newest stored readings of `unit` as what was let in last."""
        for meter in unit.meters.values():
            if meter.latest_at is not None and meter.latest_value is not None:
                self._watches[meter.meter_id] = Watch(meter.latest_at, meter.latest_value)

    def fault(
        self, meter: MeterEntry, reading: WireReading, received_at: datetime
    ) -> tuple[Reason, str] | None:
        """Return why `reading` of `meter` is rejected, or None; then it counts as let in."""
        if reading.time > received_at + FUTURE_MAX:
            ahead = reading.time - received_at
            return Reason.TIME_IN_FUTURE, f"{ahead} ahead of the platform; check the clock"
        if reading.time < meter.installed_at:
            return Reason.TIME_TOO_OLD, f"before the meter was installed, {meter.installed_at}"
        if reading.time < EARLIEST:
            return Reason.TIME_TOO_OLD, f"before {EARLIEST.year}, when nothing was connected"
        if reading.time < received_at - self._oldest:
            return Reason.TIME_TOO_OLD, f"older than {self._oldest.days} days"
        if meter.kind is Kind.REGISTER:
            return self._register_fault(meter, reading)
        return None

    def _register_fault(self, meter: MeterEntry, reading: WireReading) -> tuple[Reason, str] | None:
        epoch = registers.epoch_at(meter.epochs, reading.time)
        if reading.value < 0:
            return Reason.VALUE_OUT_OF_RANGE, "a register cannot show less than zero"
        if epoch.rollover is not None and reading.value >= epoch.rollover:
            return Reason.VALUE_OUT_OF_RANGE, f"the register wraps at {epoch.rollover}"
        if reading.quality is Quality.BAD:
            return None  # evidence, not energy: settlement leaves it out
        watch = self._watches.get(meter.meter_id)
        if watch is None:
            self._watches[meter.meter_id] = Watch(reading.time, reading.value)
            return None
        if reading.time <= watch.read_at:
            return None
        if (
            epoch.starts_at <= watch.read_at
            and registers.step(watch.raw_value, reading.value, epoch.rollover) is None
        ):
            detail = (
                f"the register fell from {watch.raw_value} to {reading.value}; "
                "register its rollover or the replacement of the meter, then send it again"
            )
            return Reason.VALUE_OUT_OF_RANGE, detail
        watch.read_at, watch.raw_value = reading.time, reading.value
        return None


def address_fault(address: Address, units: Mapping[str, UnitEntry]) -> tuple[Reason, str] | None:
    """Return why nothing from `address` can be stored, or None."""
    unit = units.get(address.unit)
    if unit is None:
        return Reason.UNKNOWN_UNIT, f"unit {address.unit} is not registered"
    if unit.city != address.city:
        return Reason.WRONG_CITY, f"unit {address.unit} lies in {unit.city}, not {address.city}"
    if address.gateway not in unit.gateways:
        detail = f"gateway {address.gateway} of unit {address.unit} is not enrolled"
        return Reason.NOT_THIS_GATEWAY, detail
    return None


def unknown_meter(index: int, meter: str, unit: str) -> Rejection:
    named = payload.legible(meter)
    detail = f"unit {unit} has no meter {named}; register it"
    return Rejection(index, named, Reason.UNKNOWN_METER, detail)
