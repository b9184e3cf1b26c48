"""Owns the flush: what a run of deliveries comes to, ready to be stored in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import msgspec

from db.intake import QuarantineRow, ReadingRow, StaleRow, Totals
from db.metering import UnitEntry
from ingest import payload, receipts, topics, validate
from ingest.acks import Delivery
from ingest.payload import Batch, Reason, Rejection
from ingest.receipts import Tally
from ingest.topics import Address, Leaf
from ingest.validate import Validator

HOUR_S = 3600
CLOCK_ERROR_MAX = timedelta(days=1)
STALE_RUN_GAP_HOURS = 24
"""Stale hours of a meter closer than this become one range: few rows, little work in vain."""


class Status(msgspec.Struct, frozen=True):
    """What a gateway, or its last will, says of its connection."""

    state: str
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    firmware: Annotated[str, msgspec.Meta(max_length=100)] | None = None

    def reported_at(self, received_at: datetime) -> datetime:
        """Return what the gateway says, if its clock can be believed, else `received_at`."""
        if self.at is None or abs(received_at - self.at) > CLOCK_ERROR_MAX:
            return received_at
        return self.at


@dataclass(slots=True)
class Piece:
    """One delivery of a flush: its readings are `rows[first:last]` of the flush."""

    delivery: Delivery
    address: Address
    batch: str | None
    tally: Tally
    rejections: list[Rejection]
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class Flush:
    """Deliveries that are stored, receipted and acknowledged together."""

    deliveries: Sequence[Delivery]
    name: UUID = field(default_factory=uuid4)
    rows: list[ReadingRow] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    statuses: list[tuple[int, Status]] = field(default_factory=list)
    gateway_ids: set[int] = field(default_factory=set)
    stale_hours: dict[tuple[int, int], set[int]] = field(default_factory=dict)

    def totals(self) -> Totals:
        """Return the sum over all deliveries; received = stored + duplicate + … holds."""
        tallies = [piece.tally for piece in self.pieces]
        return Totals(
            sum(tally.received for tally in tallies),
            sum(tally.stored for tally in tallies),
            sum(tally.duplicate for tally in tallies),
            sum(tally.conflicting for tally in tallies),
            sum(tally.rejected for tally in tallies),
        )

    def stale_rows(self) -> list[StaleRow]:
        return [
            (unit_id, meter_id, _instant(first), _instant(last + 1))
            for (unit_id, meter_id), hours in self.stale_hours.items()
            for first, last in _runs(hours)
        ]

    def quarantined(self) -> Iterator[tuple[bytes, Piece]]:
        """Yield the pieces with rejections and the hash under which their message is kept."""
        for piece in self.pieces:
            if piece.rejections:
                message = piece.delivery.topic.encode() + b"\n" + piece.delivery.payload
                yield hashlib.sha256(message).digest(), piece

    def quarantine_rows(self) -> list[QuarantineRow]:
        return [
            (
                sha256,
                rejection.index,
                piece.batch,
                rejection.meter,
                rejection.reason,
                rejection.detail,
                rejection.count,
                piece.delivery.received_at,
            )
            for sha256, piece in self.quarantined()
            for rejection in piece.rejections
        ]


def decode(deliveries: Iterable[Delivery]) -> list[tuple[Delivery, Address, Batch | Status]]:
    """Return what the deliveries say; one on a topic that is not ours cannot come here."""
    decoded: list[tuple[Delivery, Address, Batch | Status]] = []
    for delivery in deliveries:
        parsed = topics.parse(delivery.topic)
        assert parsed is not None, delivery.topic
        address, leaf = parsed
        said: Batch | Status
        if leaf is Leaf.STATUS:
            said = _status(delivery.payload)
        else:
            said = payload.decode(delivery.payload)
        decoded.append((delivery, address, said))
    return decoded


def missing_units(
    decoded: Iterable[tuple[Delivery, Address, Batch | Status]], units: Mapping[str, UnitEntry]
) -> set[str]:
    """Return the units whose entry does not explain what was said: load them, then assemble."""
    missing = set()
    for _, address, said in decoded:
        unit = units.get(address.unit)
        if unit is None or address.gateway not in unit.gateways or unit.city != address.city:
            missing.add(address.unit)
        elif isinstance(said, Batch):
            known = unit.meters
            if any(reading.meter not in known for _, reading in said.readings):
                missing.add(address.unit)
    return missing


def assemble(
    decoded: Sequence[tuple[Delivery, Address, Batch | Status]],
    units: Mapping[str, UnitEntry],
    validator: Validator,
) -> Flush:
    """Return the flush of `decoded`: every reading is a row or a rejection."""
    flush = Flush([delivery for delivery, _, _ in decoded])
    for delivery, address, said in decoded:
        fault = validate.address_fault(address, units)
        if fault is None:
            gateway_id = units[address.unit].gateways[address.gateway]
            flush.gateway_ids.add(gateway_id)
            if isinstance(said, Status):
                flush.statuses.append((gateway_id, said))
        if isinstance(said, Batch):
            piece = Piece(delivery, address, said.batch, Tally(), list(said.rejections))
            if fault is None:
                _let_in(flush, piece, said, units[address.unit], validator)
            else:
                _turn_away(piece, said, fault)
            _count(piece)
            flush.pieces.append(piece)
    return flush


def _let_in(flush: Flush, piece: Piece, said: Batch, unit: UnitEntry, validator: Validator) -> None:
    """Append the readings of `said` that may be stored to the flush, in their order."""
    rows, meters, received_at = flush.rows, unit.meters, piece.delivery.received_at
    piece.first = len(rows)
    for index, reading in said.readings:
        meter = meters.get(reading.meter)
        if meter is None:
            piece.rejections.append(validate.unknown_meter(index, reading.meter, unit.unit))
            continue
        fault = validator.fault(meter, reading, received_at)
        if fault is not None:
            piece.rejections.append(Rejection(index, reading.meter, *fault))
            continue
        rows.append((meter.meter_id, reading.time, reading.value, reading.quality, received_at))
        hours = flush.stale_hours.setdefault((unit.unit_id, meter.meter_id), set())
        hours.add(int(reading.time.timestamp()) // HOUR_S)
    piece.last = len(rows)


def _turn_away(piece: Piece, said: Batch, fault: tuple[Reason, str]) -> None:
    """Reject a whole message for its address, counted as all the readings it holds."""
    count = len(said.readings) + sum(rejection.count for rejection in said.rejections)
    piece.rejections = [Rejection(None, None, *fault, count=max(count, 1))]


def _count(piece: Piece) -> None:
    """Tally the rejections; what was let in counts as stored until the database says otherwise."""
    piece.rejections.sort(key=lambda rejection: rejection.index or 0)
    tally = piece.tally
    tally.rejected = sum(rejection.count for rejection in piece.rejections)
    tally.stored = piece.last - piece.first
    tally.received = tally.stored + tally.rejected


def recount(flush: Flush, stored: set[int], conflicting: set[int]) -> None:
    """Tally again after the database said which rows it `stored` and which are `conflicting`."""
    for piece in flush.pieces:
        ordinals = range(piece.first, piece.last)
        piece.tally.stored = sum(ordinal in stored for ordinal in ordinals)
        piece.tally.conflicting = sum(ordinal in conflicting for ordinal in ordinals)
        piece.tally.duplicate = len(ordinals) - piece.tally.stored - piece.tally.conflicting


def encode_receipt(piece: Piece, committed_at: datetime) -> bytes:
    return receipts.encode(piece.batch, piece.tally, piece.rejections, committed_at)


def _status(message: bytes) -> Status:
    """Return what a status says; one that cannot be read says nothing, as offline would."""
    try:
        return msgspec.json.decode(message, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Status("offline")


def _runs(hours: set[int]) -> Iterator[tuple[int, int]]:
    ordered = sorted(hours)
    first = previous = ordered[0]
    for hour in ordered[1:]:
        if hour - previous > STALE_RUN_GAP_HOURS:
            yield first, previous
            first = hour
        previous = hour
    yield first, previous


def _instant(hour: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
