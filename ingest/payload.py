"""Owns the bytes of a batch: decoding them, and naming what cannot be decoded.

The whole message is decoded by its type at once; only when that fails is each reading looked at
alone, so that one bad reading does not cost the others.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

PAYLOAD_BYTES_MAX = 256 * 1024
READINGS_MAX = 5_000
DETAIL_LENGTH_MAX = 200


class Reason(StrEnum):
    """Why a reading, or a whole message, was rejected."""

    MALFORMED_JSON = "malformed_json"
    TOO_LARGE = "too_large"
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
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    value: float
    quality: Quality = Quality.GOOD


class _Envelope(msgspec.Struct, frozen=True):
    batch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    sent_at: str | None = None
    boot: str | None = None
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None


class _WireBatch(_Envelope, frozen=True):
    readings: Annotated[list[WireReading], msgspec.Meta(max_length=READINGS_MAX)] = []


class _LooseBatch(_Envelope, frozen=True):
    readings: list[object] = []


@dataclass(frozen=True, slots=True)
class Batch:
    """A decoded message. `readings` are (index, reading); `rejections` name those left out."""

    batch: str | None
    readings: list[tuple[int, WireReading]]
    rejections: list[Rejection]


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
        return _refused(None, Reason.TOO_LARGE, detail)
    try:
        wire = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_one_by_one(payload)
    return Batch(legible(wire.batch), list(enumerate(wire.readings)), [])


def _decode_one_by_one(payload: bytes) -> Batch:
    try:
        loose = msgspec.convert(json.loads(payload), _LooseBatch)
    except msgspec.ValidationError as error:
        return _refused(None, Reason.INVALID_FIELD, str(error))
    except (ValueError, RecursionError) as error:
        return _refused(None, Reason.MALFORMED_JSON, str(error))
    if len(loose.readings) > READINGS_MAX:
        detail = f"{len(loose.readings)} readings; send at most {READINGS_MAX} in one message"
        return _refused(legible(loose.batch), Reason.TOO_LARGE, detail)
    batch = Batch(legible(loose.batch), [], [])
    for index, item in enumerate(loose.readings):
        rejection = _fault(index, item)
        if rejection is None:
            batch.readings.append((index, msgspec.convert(item, WireReading)))
        else:
            batch.rejections.append(rejection)
    return batch


def _refused(batch: str | None, reason: Reason, detail: str) -> Batch:
    return Batch(batch, [], [Rejection(None, None, reason, legible(detail[:DETAIL_LENGTH_MAX]))])


def _fault(index: int, item: object) -> Rejection | None:
    """Return why `item` is not a reading, or None if it is one."""
    fields = item if isinstance(item, dict) else {}
    meter = fields.get("meter")
    named = legible(meter[:32]) if isinstance(meter, str) else None
    value, time = fields.get("value"), fields.get("time")
    if isinstance(value, float) and not math.isfinite(value):
        return Rejection(index, named, Reason.VALUE_NOT_FINITE, f"value is {value}")
    if isinstance(time, str) and _is_naive(time):
        detail = f"time {legible(time[:40])!r} has no offset; write +08:00 behind it"
        return Rejection(index, named, Reason.TIME_WITHOUT_OFFSET, detail)
    try:
        reading = msgspec.convert(item, WireReading)
    except msgspec.ValidationError as error:
        return Rejection(
            index, named, Reason.INVALID_FIELD, legible(str(error)[:DETAIL_LENGTH_MAX])
        )
    if not math.isfinite(reading.value):
        return Rejection(index, named, Reason.VALUE_NOT_FINITE, "value is beyond a double")
    return None


def _is_naive(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False
