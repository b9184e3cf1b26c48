"""Owns the bytes of a batch: decoding them, and naming what cannot be decoded.

The whole message is decoded by its type at once; only when that fails is each reading looked at
alone, so that one bad reading does not cost the others. A key that is given twice makes a reading
ambiguous; every parser keeps the last one without a word, so texts are counted.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from ingest import instants, wording
from ingest.instants import InstantError

PAYLOAD_BYTES_MAX = 256 * 1024
READINGS_MAX = 5_000
DETAIL_LENGTH_MAX = 200
BATCH_LENGTH_MAX = 64
BATCH_TEXTS = 3
"""Texts of every batch: the keys batch and readings, and what the batch is called."""

BEYOND = "value is beyond a double"

READING_TEXTS = 5
"""Texts of every reading: the keys meter, time and value, and which meter and time."""


class Reason(StrEnum):
    """Why a reading, or a whole message, was rejected."""

    MALFORMED_JSON = "malformed_json"
    TOO_LARGE = "too_large"
    BAD_SIGNATURE = "bad_signature"
    REPLAYED = "replayed"
    UNKNOWN_UNIT = "unknown_unit"
    UNKNOWN_METER = "unknown_meter"
    WRONG_CITY = "wrong_city"
    NOT_THIS_GATEWAY = "not_this_gateway"
    TIME_WITHOUT_OFFSET = "time_without_offset"
    TIME_IN_FUTURE = "time_in_future"
    TIME_TOO_OLD = "time_too_old"
    VALUE_NOT_FINITE = "value_not_finite"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    INVALID_FIELD = "invalid_field"


class Quality(StrEnum):
    """What the gateway says of a reading."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    SUBSTITUTED = "substituted"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a reading was rejected. `index` None: the whole message, counted as `count` readings."""

    index: int | None
    meter: str | None
    reason: Reason
    detail: str
    count: int = 1


class WireReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A reading as it is on the wire."""

    meter: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    time: str
    value: float
    quality: Quality | msgspec.UnsetType = msgspec.UNSET


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    batch: Annotated[str, msgspec.Meta(min_length=1, max_length=BATCH_LENGTH_MAX)]
    sent_at: str | msgspec.UnsetType = msgspec.UNSET
    boot: Annotated[str, msgspec.Meta(max_length=64)] | msgspec.UnsetType = msgspec.UNSET
    seq: Annotated[int, msgspec.Meta(ge=0, lt=2**63 - 1)] | msgspec.UnsetType = msgspec.UNSET


class _WireBatch(_Envelope, frozen=True, kw_only=True):
    readings: Annotated[list[WireReading], msgspec.Meta(max_length=READINGS_MAX)]


class _LooseBatch(_Envelope, frozen=True, kw_only=True):
    readings: list[object]


class Batch(msgspec.Struct, frozen=True):
    """A decoded message.

    `readings` with their `instants` (see `ingest.instants`) and `indexes` in the message;
    `rejections` name those left out. `boot` and `seq` number the message where its gateway counts.
    """

    batch: str | None
    readings: Sequence[WireReading]
    instants: Sequence[int]
    indexes: Sequence[int]
    rejections: list[Rejection]
    boot: str = ""
    seq: int | None = None


class _Twice(dict[str, object]):
    """An object with a key that was given twice."""


_decoder = msgspec.json.Decoder(_WireBatch)


def legible(text: str) -> str:
    """Return `text` fit to be stored and sent: no NUL, no half of a surrogate pair.

    >>> legible("a\\x00b")
    'a\ufffdb'
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def decode(payload: bytes) -> Batch:
    """Return what is in `payload`; never raises. A message nobody can read is one rejection."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        detail = f"{len(payload)} bytes; send at most {PAYLOAD_BYTES_MAX} in one message"
        return refused(None, Reason.TOO_LARGE, detail)
    try:
        wire = _decoder.decode(payload)
        moments = instants.parse_all([reading.time for reading in wire.readings])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InstantError):
        return _decode_one_by_one(payload)
    if b"\\" in payload or payload.count(b'"') != 2 * _texts(wire):
        return _decode_one_by_one(payload)
    readings = wire.readings
    return Batch(wire.batch, readings, moments, range(len(readings)), [], *_number(wire))


def _texts(wire: _WireBatch) -> int:
    """Return how many texts, keys and values, a message has that says this, each key once.

    A key more is two quotes more, however it is spaced; a colon may stand apart.
    """
    unset = msgspec.UNSET
    optional = 2 * (wire.sent_at is not unset) + 2 * (wire.boot is not unset)
    optional += wire.seq is not unset
    qualities = sum(reading.quality is not unset for reading in wire.readings)
    return BATCH_TEXTS + optional + READING_TEXTS * len(wire.readings) + 2 * qualities


def _number(envelope: _Envelope) -> tuple[str, int | None]:
    boot = "" if envelope.boot is msgspec.UNSET else legible(envelope.boot)
    return boot, None if envelope.seq is msgspec.UNSET else envelope.seq


def _decode_one_by_one(payload: bytes) -> Batch:
    try:
        told = json.loads(payload, object_pairs_hook=_object)
        loose = msgspec.convert(told, _LooseBatch)
    except msgspec.ValidationError as error:
        return refused(_name(told), Reason.INVALID_FIELD, wording.of_field(error, wording.BATCH))
    except (ValueError, RecursionError) as error:
        return refused(None, Reason.MALFORMED_JSON, wording.of_json(error))
    name = legible(loose.batch)
    if isinstance(told, _Twice):
        return refused(name, Reason.INVALID_FIELD, "a key of the batch is given twice")
    if len(loose.readings) > READINGS_MAX:
        detail = f"{len(loose.readings)} readings; send at most {READINGS_MAX} in one message"
        return refused(name, Reason.TOO_LARGE, detail)
    rejections, kept = [], []
    for index, item in enumerate(loose.readings):
        rejection = _fault(index, item)
        if rejection is None:
            kept.append((index, msgspec.convert(item, WireReading)))
        else:
            rejections.append(rejection)
    readings = [reading for _, reading in kept]
    moments = instants.parse_all([reading.time for reading in readings])
    return Batch(name, readings, moments, [i for i, _ in kept], rejections, *_number(loose))


def _name(told: object) -> str | None:
    """Return what a batch calls itself, so that its gateway knows the receipt, or None."""
    name = told.get("batch") if isinstance(told, dict) else None
    return legible(name) if isinstance(name, str) and 1 <= len(name) <= BATCH_LENGTH_MAX else None


def but_for_sent_at(message: bytes) -> bytes:
    """Return what a batch says, however it is spaced, without the time at which it was sent.

    What cannot be read is returned as it is. All else counts: order, keys given twice, digits.

    >>> but_for_sent_at(b'{"batch": "1", "sent_at": "…"}') == but_for_sent_at(b'{"batch":"1"}')
    True
    """
    try:
        told = json.loads(message, object_pairs_hook=lambda pairs: {"": pairs})
        return json.dumps([pair for pair in told[""] if pair[0] != "sent_at"]).encode()
    except (ValueError, TypeError, LookupError, RecursionError):
        return message


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    return read if len(read) == len(pairs) else _Twice(read)


def refused(batch: str | None, reason: Reason, detail: str) -> Batch:
    """Return a message of which nothing could be read, as one rejection."""
    rejection = Rejection(None, None, reason, legible(detail[:DETAIL_LENGTH_MAX]))
    return Batch(batch, [], [], [], [rejection])


def _fault(index: int, item: object) -> Rejection | None:
    """Return why `item` is not a reading, or None if it is one."""
    fields = item if isinstance(item, dict) else {}
    meter = fields.get("meter")
    named = legible(meter[:32]) if isinstance(meter, str) else None
    value = fields.get("value")
    if isinstance(item, _Twice):
        return Rejection(index, named, Reason.INVALID_FIELD, "a key is given twice")
    if isinstance(value, float) and not math.isfinite(value):
        return Rejection(index, named, Reason.VALUE_NOT_FINITE, f"value is {value}")
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return Rejection(index, named, Reason.VALUE_NOT_FINITE, BEYOND)
    try:
        reading = msgspec.convert(item, WireReading)
        instants.parse(reading.time)
    except msgspec.ValidationError as error:
        detail = legible(wording.of_field(error, wording.READING)[:DETAIL_LENGTH_MAX])
        return Rejection(index, named, Reason.INVALID_FIELD, detail)
    except InstantError as error:
        reason = Reason.TIME_WITHOUT_OFFSET if error.is_naive else Reason.INVALID_FIELD
        return Rejection(index, named, reason, f"time {legible(reading.time[:40])!r} {error}")
    if not math.isfinite(reading.value):
        return Rejection(index, named, Reason.VALUE_NOT_FINITE, BEYOND)
    return None
