"""Owns the flush: what a run of deliveries comes to, ready to be stored in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from db import reading_rows
from db.collectors import Arrival
from db.intake import QuarantineRow, StaleRow, Totals
from db.links import ReadingLink
from db.metering import UnitEntry
from db.reading_rows import MIDDLE, VALUE_BYTES
from energy import instants
from ingest import decoding, files, linking, payload, receipts, stale_runs, validate
from ingest.acks import Delivery
from ingest.decoding import NOBODY, Status, Told
from ingest.linking import Week
from ingest.payload import Batch, Reason, Rejection
from ingest.receipts import Tally
from ingest.sparkplug import readings
from ingest.sparkplug.edge_node import Event, Outcome, Rebirth
from ingest.topics import Address
from ingest.validate import Fault, Meter, Validator

NO_HOUR = -(2**63)


@dataclass(slots=True)
class Piece:
    """One delivery of a flush: its readings are `rows[first:last]` of the flush.

    `number` is (gateway_id, boot, seq) where the gateway counts its batches. Sparkplug knows no
    receipts: there `is_receipted` is false. `conflicting` are rows, counted from `first`.
    """

    delivery: Delivery
    address: Address
    said: Batch
    rejections: list[Rejection]
    tally: Tally = field(default_factory=Tally)
    first: int = 0
    last: int = 0
    number: tuple[int, str, int] | None = None
    is_receipted: bool = True
    gateway_id: int | None = None
    conflicting: list[int] = field(default_factory=list)
    _hash: bytes = b""
    _said_hash: bytes = b""

    @property
    def batch(self) -> str | None:
        return self.said.batch

    def places(self) -> list[int]:
        """Return for each row of it which of the readings that were said it is."""
        rejected = {rejection.index for rejection in self.rejections}
        return [n for n, index in enumerate(self.said.indexes) if index not in rejected]

    def sha256(self) -> bytes:
        """Return the hash under which the message is kept: of topic, newline, payload."""
        if not self._hash:
            self._hash = self._sha256(self.delivery.payload)
        return self._hash

    def said_sha256(self) -> bytes:
        """Return the hash of what the message says, whenever it was sent."""
        if not self._said_hash:
            self._said_hash = self._sha256(payload.but_for_sent_at(self.delivery.payload))
        return self._said_hash

    def _sha256(self, said: bytes) -> bytes:
        return hashlib.sha256(self.delivery.topic.encode() + b"\n" + said).digest()


@dataclass(frozen=True, slots=True)
class Life:
    """What a Sparkplug message did to the births of a gateway."""

    gateway_id: int
    device: str
    event: Event
    delivery: Delivery


@dataclass(slots=True, eq=False)
class Flush:
    """Deliveries that are stored, receipted and acknowledged together.

    `rows` are readings as `db.reading_rows` makes them, `weeks` the same in order. `doubtful` are
    units whose entry in memory does not explain what was said: read them again, then assemble
    again. `unborn` are Sparkplug edge nodes (unit, gateway) to be born again, and why. `links`
    vouch for what is stored of it, as of the last try. `stood` is where the newest readings of its
    meters were before; `turned_away` are units of which something was let in first.
    """

    deliveries: Sequence[Delivery]
    name: UUID = field(default_factory=uuid4)
    rows: list[bytes] = field(default_factory=list)
    weeks: list[Week] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    statuses: list[tuple[int, Status, Delivery]] = field(default_factory=list)
    gateway_ids: set[int] = field(default_factory=set)
    stale_hours: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    lives: list[Life] = field(default_factory=list)
    links: list[ReadingLink] = field(default_factory=list)
    unborn: dict[tuple[str, str], Rebirth] = field(default_factory=dict)
    stood: list[tuple[Meter, int, float]] = field(default_factory=list)
    turned_away: set[str] = field(default_factory=set)

    @property
    def received_at(self) -> datetime:
        return self.deliveries[-1].received_at

    def forget(self) -> None:
        """Let the meters stand where they stood: this flush will be judged once more."""
        for meter, newest_at, newest_value in self.stood:
            meter.newest_at, meter.newest_value = newest_at, newest_value

    def totals(self) -> Totals:
        """Return the sum over all deliveries; received = stored + duplicate + … holds."""
        tallies = [piece.tally for piece in self.pieces]
        return Totals(
            sum(tally.received for tally in tallies),
            sum(tally.stored for tally in tallies),
            sum(tally.duplicate for tally in tallies),
            sum(tally.conflicting for tally in tallies),
            sum(tally.rejected for tally in tallies),
            sum(tally.is_repeated for tally in tallies),
        )

    def arrivals(self) -> list[Arrival]:
        """Return the messages of which readings were let in: who sent what when, and how much.

        Of a part of a file nobody sent it: who handed the file in is in the ledger.
        """
        return [
            (
                piece.gateway_id,
                piece.delivery.received_at,
                piece.sha256(),
                None if piece.batch is None else payload.legible(piece.batch),
                piece.tally.stored,
            )
            for piece in self.pieces
            if piece.last > piece.first
        ]

    def stale_rows(self) -> list[StaleRow]:
        return [
            (unit_id, meter_id, starts_at, ends_at)
            for (unit_id, meter_id), hours in self.stale_hours.items()
            for starts_at, ends_at in stale_runs.spans(hours)
        ]

    def quarantined(self) -> Iterator[tuple[bytes, Piece]]:
        """Yield the pieces with rejections and the hash under which their message is kept."""
        for piece in self.pieces:
            if piece.rejections:
                yield piece.sha256(), piece

    def quarantine_rows(self) -> list[QuarantineRow]:
        return [
            (
                sha256,
                rejection.index,
                None if piece.batch is None else payload.legible(piece.batch),
                rejection.meter,
                rejection.reason,
                rejection.detail,
                rejection.count,
                piece.delivery.received_at,
            )
            for sha256, piece in self.quarantined()
            for rejection in piece.rejections
        ]


def add(
    flush: Flush, told: Iterable[Told], units: Mapping[str, UnitEntry], validator: Validator
) -> None:
    """Add what was `told` to the flush: every reading becomes a row or a rejection."""
    for delivery, address, said in told:
        rows = len(flush.rows)
        try:
            if isinstance(said, Outcome):
                _take_sparkplug(flush, delivery, address, said, units, validator)
            else:
                _take(flush, delivery, address, said, units, validator)
        except Exception as error:
            del flush.rows[rows:]
            refused = decoding.not_understood(delivery, error)
            piece = Piece(
                delivery, address, refused, list(refused.rejections), first=rows, last=rows
            )
            _count(piece)
            flush.pieces.append(piece)


def _take(
    flush: Flush,
    delivery: Delivery,
    address: Address,
    said: Batch | Status,
    units: Mapping[str, UnitEntry],
    validator: Validator,
) -> None:
    """Add what a message of ours says, or a part of a file: that has no gateway to be asked of."""
    is_file = files.is_ours(delivery.topic)
    judge = validate.unit_fault if is_file else validate.address_fault
    fault = judge(address, units)
    if fault is not None:
        flush.doubtful.add(address.unit)
    if isinstance(said, Batch):
        known = address is not NOBODY and not is_file
        piece = Piece(delivery, address, said, list(said.rejections), is_receipted=known)
        if fault is None and is_file:
            _let_in(flush, piece, said, units[address.unit], validator)
        elif fault is None:
            _judge(flush, piece, said, units[address.unit], validator)
        else:
            _turn_away(piece, said, fault)
        _count(piece)
        flush.pieces.append(piece)
    elif fault is None:
        gateway = units[address.unit].gateways[address.gateway]
        flush.gateway_ids.add(gateway.gateway_id)
        flush.statuses.append((gateway.gateway_id, said, delivery))


def _take_sparkplug(
    flush: Flush,
    delivery: Delivery,
    nameless: Address,
    outcome: Outcome,
    units: Mapping[str, UnitEntry],
    validator: Validator,
) -> None:
    """Add what a Sparkplug message says; the registry knows the city of its unit."""
    unit = units.get(nameless.unit)
    address = replace(nameless, city="" if unit is None else unit.city)
    fault = validate.address_fault(address, units)
    meters = {} if unit is None else validator.meters(unit)
    said = readings.batch(outcome, meters)
    piece = Piece(delivery, address, said, list(said.rejections), is_receipted=False)
    if unit is None or fault is not None:
        flush.doubtful.add(address.unit)
        assert fault is not None
        _turn_away(piece, said, fault)
    else:
        if any(each.reason is Reason.UNKNOWN_METER for each in said.rejections):
            flush.doubtful.add(unit.unit)
        if _judge(flush, piece, said, unit, validator):
            gateway_id = unit.gateways[address.gateway].gateway_id
            flush.lives.append(Life(gateway_id, outcome.device, outcome.event, delivery))
            if outcome.rebirth is not None:
                flush.unborn[address.unit, address.gateway] = outcome.rebirth
    if outcome.samples or outcome.fault is not None:
        _count(piece)
        flush.pieces.append(piece)


def _judge(flush: Flush, piece: Piece, said: Batch, unit: UnitEntry, validator: Validator) -> bool:
    """Judge a message whose address is right: its signature first, then its readings.

    Return whether the signature holds.
    """
    gateway, delivery = unit.gateways[piece.address.gateway], piece.delivery
    fault = validate.signature_fault(
        delivery.signature,
        delivery.topic,
        delivery.payload,
        gateway,
        is_required=unit.signature_required,
    )
    if fault is not None:
        flush.doubtful.add(unit.unit)
        _turn_away(piece, said, fault)
        return False
    piece.gateway_id = gateway.gateway_id
    flush.gateway_ids.add(gateway.gateway_id)
    if said.seq is not None:
        piece.number = (gateway.gateway_id, said.boot, said.seq)
    _let_in(flush, piece, said, unit, validator)
    return True


def _let_in(flush: Flush, piece: Piece, said: Batch, unit: UnitEntry, validator: Validator) -> None:
    """Append the readings of `said` that may be stored to the flush, in their order."""
    rows, name, meters = flush.rows, flush.name, validator.meters(unit)
    received_at = instants.of(piece.delivery.received_at)
    window = validator.window(piece.delivery.received_at)
    good = reading_rows.tail(payload.Quality.GOOD, received_at)
    pack, hour_long = MIDDLE.pack, instants.HOUR
    piece.first = len(rows)
    for index, reading, instant in zip(said.indexes, said.readings, said.instants, strict=True):
        meter = meters.get(reading.meter)
        if meter is None:
            flush.doubtful.add(unit.unit)
            piece.rejections.append(validate.unknown_meter(index, reading.meter, unit.unit))
            continue
        value, quality = reading.value, reading.quality
        if meter.judged_in is not name:
            meter.judged_in, meter.hour = name, NO_HOUR
            flush.stood.append((meter, meter.newest_at, meter.newest_value))
        fault = meter.fault(instant, value, quality, window)
        if fault is not None:
            piece.rejections.append(Rejection(index, reading.meter, *fault))
            continue
        tail = good if quality is msgspec.UNSET else reading_rows.tail(quality, received_at)
        rows.append(pack(meter.row_head, instant, VALUE_BYTES, value) + tail)
        hour = instant // hour_long
        if meter.hour != hour:
            meter.hour = hour
            key = (meter.unit_id, meter.entry.meter_id)
            flush.stale_hours.setdefault(key, set()).add(hour)
    piece.last = len(rows)


def _turn_away(piece: Piece, said: Batch, fault: Fault) -> None:
    """Reject a whole message, counted as all the readings it holds."""
    count = len(said.readings) + sum(rejection.count for rejection in said.rejections)
    piece.rejections = [Rejection(None, None, *fault, count=max(count, 1))]


def _count(piece: Piece) -> None:
    """Tally the rejections; what was let in counts as stored until the database says otherwise."""
    tally = piece.tally
    if piece.rejections:
        piece.rejections.sort(key=lambda rejection: rejection.index or 0)
        tally.rejected = sum(rejection.count for rejection in piece.rejections)
    tally.stored = piece.last - piece.first
    tally.received = tally.stored + tally.rejected


def take_out(flush: Flush, pieces: Iterable[Piece], fault: Fault) -> None:
    """Reject all rows of `pieces` after all: each message counts as one rejection."""
    taken = set(map(id, pieces))
    for piece in flush.pieces:
        if id(piece) in taken:
            count = max(piece.tally.received, 1)  # the message itself, if it holds nothing
            piece.rejections = [Rejection(None, None, *fault, count=count)]
            piece.number = None
            flush.turned_away.add(piece.address.unit)
    _rebuild(flush, lambda piece, _: id(piece) not in taken)


def take_out_row(flush: Flush, ordinal: int, fault: Fault) -> None:
    """Reject one row after all."""
    piece = next(each for each in flush.pieces if each.first <= ordinal < each.last)
    number = piece.places()[ordinal - piece.first]
    flush.turned_away.add(piece.address.unit)
    meter = payload.legible(piece.said.readings[number].meter)
    piece.rejections.append(Rejection(piece.said.indexes[number], meter, *fault))
    _rebuild(flush, lambda _, each: each != ordinal)


def _rebuild(flush: Flush, stays: Callable[[Piece, int], bool]) -> None:
    rows: list[bytes] = []
    for piece in flush.pieces:
        first = len(rows)
        rows += [flush.rows[n] for n in range(piece.first, piece.last) if stays(piece, n)]
        piece.first, piece.last = first, len(rows)
        _count(piece)
    flush.rows = rows
    put_in_order(flush)


def put_in_order(flush: Flush) -> None:
    """Sort the rows of a flush by week, for the table and for the links."""
    flush.weeks = linking.weeks(flush.rows, flush.stale_hours)


def recount(flush: Flush, stored: set[int], conflicting: set[int]) -> None:
    """Tally again after the database said which rows it `stored` and which are `conflicting`."""
    for piece in flush.pieces:
        ordinals = range(piece.first, piece.last)
        piece.tally.stored = sum(ordinal in stored for ordinal in ordinals)
        piece.conflicting = [row for row, each in enumerate(ordinals) if each in conflicting]
        piece.tally.conflicting = len(piece.conflicting)
        piece.tally.duplicate = len(ordinals) - piece.tally.stored - piece.tally.conflicting


def recount_all_stored(flush: Flush) -> None:
    """Tally again after the database stored every row."""
    for piece in flush.pieces:
        piece.tally.stored = piece.last - piece.first
        piece.tally.duplicate = piece.tally.conflicting = 0
        piece.conflicting = []


def encode_receipt(piece: Piece, committed_at: datetime) -> bytes:
    return receipts.encode(piece.batch, piece.tally, piece.rejections, committed_at)
