"""Owns whether a decoded reading may be stored: identity, time and value against the registry."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from uuid import UUID

from db import reading_rows
from db.metering import GatewayEntry, MeterEntry, UnitEntry
from energy import instants, registers, values
from energy.periods import EARLIEST
from energy.registers import EpochReason, Kind
from energy.values import VALUE_MAX
from ingest import payload
from ingest.payload import Quality, Reason, Rejection
from ingest.topics import Address

FUTURE_MAX = timedelta(minutes=5)

NEW_REGISTER = (EpochReason.REPLACED, EpochReason.RESET)
BY_HAND = timedelta(days=1)
"""A replacement or reset is written down by hand, and may be told by so much too early."""

Fault = tuple[Reason, str]
_NEVER = -(2**63)


@dataclass(frozen=True, slots=True)
class Window:
    """The instants a message received at `received_at` may carry."""

    received_at: datetime
    earliest: int
    latest: int


class Meter:
    """A meter as the hot path sees it: what its rows begin with, and its newest reading let in.

    Only readings newer than the newest are judged as steps of a register: what arrives late is
    judged by settlement, which knows both neighbours.
    """

    __slots__ = ("entry", "epochs", "hour", "installed_at", "is_register", "judged_in", "newest_at",
                 "newest_value", "rate", "row_head", "stored_at", "top", "unit_id")  # fmt: skip

    def __init__(self, entry: MeterEntry) -> None:
        self.entry = entry
        self.unit_id = entry.unit_id
        self.row_head = reading_rows.head(entry.meter_id)
        self.installed_at = instants.of(max(entry.installed_at, EARLIEST))
        self.is_register = entry.kind is Kind.REGISTER
        self.epochs = registers.of_register(entry.epochs)
        self.top = -inf if len(self.epochs) > 1 else min(VALUE_MAX, self.epochs[0].rollover or inf)
        newest = self.epochs[-1]
        self.rate = newest.rate  # a step up to it needs no other look; `most` allows a little more
        self.stored_at = _NEVER if entry.stored_at is None else instants.of(entry.stored_at)
        self.newest_at, self.newest_value = _NEVER, 0.0
        if entry.latest_at is not None and entry.latest_value is not None:
            self.newest_at, self.newest_value = instants.of(entry.latest_at), entry.latest_value
        self.judged_in: UUID | None = None
        """Name of the flush in which it was judged last; not the flush: it is big."""
        self.hour = 0
        """The hour last marked stale in that flush."""

    def fault(self, instant: int, value: float, quality: object, window: Window) -> Fault | None:
        """Return why a reading is rejected, or None; then it counts as let in."""
        if not window.earliest <= instant <= window.latest or instant < self.installed_at:
            return self._time_fault(instant, window)
        if not self.is_register:
            return None if -VALUE_MAX < value < VALUE_MAX else self._range_fault(instant, value)
        if not 0 <= value < self.top:
            fault = self._range_fault(instant, value)
            if fault is not None:
                return fault
        if quality is Quality.BAD or instant <= self.newest_at:
            return None  # a bad one is evidence, not energy: settlement leaves it out
        if self.newest_at != _NEVER and (
            value < self.newest_value
            or (
                self.rate is not None
                and value - self.newest_value > self.rate * (instant - self.newest_at)
            )
        ):
            fault = self._step_fault(instant, value)
            if fault is not None:
                return fault
        self.newest_at, self.newest_value = instant, value
        return None

    def _time_fault(self, instant: int, window: Window) -> Fault:
        read_at = instants.moment(instant)
        if instant > window.latest:
            ahead = read_at - window.received_at
            return Reason.TIME_IN_FUTURE, f"{ahead} ahead of the platform; check the clock"
        installed_at = self.entry.installed_at
        if read_at < installed_at:
            return Reason.TIME_TOO_OLD, f"before the meter was installed, {installed_at}"
        if read_at < EARLIEST:
            return Reason.TIME_TOO_OLD, f"before {EARLIEST.year}, when nothing was connected"
        oldest = window.received_at - instants.moment(window.earliest)
        return Reason.TIME_TOO_OLD, f"older than {oldest.days} days"

    def _range_fault(self, instant: int, value: float) -> Fault | None:
        fault = values.fault(value)
        if fault is None:
            fault = registers.range_fault(self.epochs, value, instants.moment(instant))
        return None if fault is None else (Reason.VALUE_OUT_OF_RANGE, fault)

    def _step_fault(self, instant: int, value: float) -> Fault | None:
        epoch = registers.epoch_at(self.epochs, instants.moment(instant))
        newest_at = instants.moment(self.newest_at)
        if epoch.starts_at >= newest_at or (
            epoch.reason in NEW_REGISTER and epoch.starts_at >= newest_at - BY_HAND
        ):
            return None  # the newest may be of the register before: settlement tells
        if epoch.credible(self.newest_value, value, instant - self.newest_at) is not None:
            return None
        if value >= self.newest_value:
            if self.newest_value == 0 or epoch.rate_max is None:
                return None  # settlement holds it: a zero may be what was wrong
            return Reason.VALUE_OUT_OF_RANGE, (
                f"the register rose from {self.newest_value} to {value}, more than its rate_max "
                f"of {epoch.rate_max} an hour allows; mend the rate_max or the register"
            )
        missing = "rollover" if epoch.rollover is None or epoch.rate_max is not None else "rate_max"
        return Reason.VALUE_OUT_OF_RANGE, (
            f"the register fell from {self.newest_value} to {value}; "
            f"register its {missing} or the replacement of the meter, then send it again"
        )


class Validator:
    """Knows the units it was taught, and the newest reading of each of their meters."""

    def __init__(self, oldest: timedelta) -> None:
        self._oldest = oldest
        self._meters: dict[int, dict[str, Meter]] = {}

    def learn(self, unit: UnitEntry) -> None:
        """Take what the registry and the stored readings say of the meters of `unit`.

        What is stored is known as it counts now: a person may have corrected it, or set it aside.
        Only what was let in and is not stored yet is known from here alone.
        """
        known = self._meters.get(unit.unit_id, {})
        taught = {code: Meter(entry) for code, entry in unit.meters.items()}
        for code, meter in taught.items():
            before = known.get(code)
            if before is not None and before.newest_at > max(meter.stored_at, meter.newest_at):
                meter.newest_at, meter.newest_value = before.newest_at, before.newest_value
        self._meters[unit.unit_id] = taught

    def forget(self, unit_id: int) -> None:
        """Forget where the meters of a unit stand: what they said last was not stored."""
        for meter in self._meters[unit_id].values():
            meter.newest_at = _NEVER

    def meters(self, unit: UnitEntry) -> Mapping[str, Meter]:
        return self._meters[unit.unit_id]

    def window(self, received_at: datetime) -> Window:
        earliest = instants.of(received_at - self._oldest)
        return Window(received_at, earliest, instants.of(received_at + FUTURE_MAX))


def address_fault(address: Address, units: Mapping[str, UnitEntry]) -> Fault | None:
    """Return why nothing from `address` can be stored, or None."""
    fault = unit_fault(address, units)
    if fault is not None:
        return fault
    unit = units[address.unit]
    if unit.city != address.city:
        return Reason.WRONG_CITY, f"unit {address.unit} lies in {unit.city}, not {address.city}"
    if address.gateway not in unit.gateways:
        detail = f"gateway {address.gateway} of unit {address.unit} is not enrolled"
        return Reason.NOT_THIS_GATEWAY, detail
    return None


def unit_fault(address: Address, units: Mapping[str, UnitEntry]) -> Fault | None:
    """Return why nothing of the unit of `address` can be stored, or None."""
    if address.unit in units:
        return None
    return Reason.UNKNOWN_UNIT, f"unit {address.unit} is not registered"


def signature_fault(
    signature: str | None, topic: str, message: bytes, gateway: GatewayEntry, *, is_required: bool
) -> Fault | None:
    """Return why the signature of a message does not hold, or None.

    HMAC-SHA-256 in hex, with a key of the gateway, over topic, newline, payload.
    """
    if signature is None:
        detail = "this unit's batches must be signed: user property sig, or Nenghao-Signature"
        return (Reason.BAD_SIGNATURE, detail) if is_required else None
    given = signature.lower().encode()  # as text, it must be ASCII to be compared
    made = signatures(topic, message, gateway.keys)
    if any(hmac.compare_digest(given, one.encode()) for one in made):
        return None
    if not gateway.keys:
        return Reason.BAD_SIGNATURE, "the gateway has no key; enrol it again to get one"
    return Reason.BAD_SIGNATURE, "it was not made with this gateway's key over topic and payload"


def signatures(topic: str, message: bytes, keys: Iterable[bytes]) -> list[str]:
    """Return what a message may be signed with, one for each key."""
    signed = topic.encode() + b"\n" + message
    return [hmac.digest(key, signed, "sha256").hex() for key in keys]


def unknown_meter(index: int, meter: str, unit: str) -> Rejection:
    named = payload.legible(meter)
    detail = f"unit {unit} has no meter {named}; register it"
    return Rejection(index, named, Reason.UNKNOWN_METER, detail)
