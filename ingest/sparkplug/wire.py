"""Owns the bytes of a Sparkplug payload: decoding them into values, never raising."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ingest.payload import (
    DETAIL_LENGTH_MAX,
    PAYLOAD_BYTES_MAX,
    READINGS_MAX,
    Quality,
    Reason,
    legible,
)
from ingest.sparkplug import sparkplug_b_pb2

METRICS_MAX = READINGS_MAX
COMPRESSED = "SPBV1.0_COMPRESSED"
QUALITY = "Quality"
QUALITIES = {192: Quality.GOOD, 0: Quality.BAD, 500: Quality.UNCERTAIN}
"""Good, bad and stale; any other code is not known to be good, hence uncertain."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a payload, or a metric of it, is no reading."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it is on the wire. `field` names the value field in use, None: there is none.

    `number` is what a numeric field holds, still unsigned for integers; None for any other field.
    `at_ms` is the metric's own time or the payload's, since 1970; None: neither has one.
    """

    name: str | None
    alias: int | None
    at_ms: int | None
    datatype: int | None
    is_null: bool
    field: str | None
    number: int | float | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded payload. `seq` is 0 where it is left out, as encoders that omit zeros do.

    `sent_ms` is when it was sent, since 1970; None: it does not say.
    """

    seq: int
    metrics: list[Metric]
    sent_ms: int | None

    def bd_seq(self) -> int | None:
        """Return the number of the session that a birth or a death belongs to, if it says so."""
        for metric in self.metrics:
            if metric.name == "bdSeq" and isinstance(metric.number, int):
                return metric.number
        return None


def decode(payload: bytes) -> Message | Fault:
    """Return what is in `payload`, or why nobody can read it."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        detail = f"{len(payload)} bytes; send at most {PAYLOAD_BYTES_MAX} in one message"
        return Fault(Reason.TOO_LARGE, detail)
    try:
        wire = sparkplug_b_pb2.Payload.FromString(payload)
    except (DecodeError, ValueError, RecursionError) as error:
        detail = f"not a Sparkplug B payload: {error}"
        return Fault(Reason.INVALID_FIELD, legible(detail[:DETAIL_LENGTH_MAX]))
    if len(wire.metrics) > METRICS_MAX:
        detail = f"{len(wire.metrics)} metrics; send at most {METRICS_MAX} in one message"
        return Fault(Reason.TOO_LARGE, detail)
    if _text(wire.uuid) == COMPRESSED:
        return Fault(Reason.INVALID_FIELD, "the payload is compressed; send it plain")
    sent_ms = wire.timestamp if wire.HasField("timestamp") else None
    return Message(wire.seq, [_metric(metric, sent_ms) for metric in wire.metrics], sent_ms)


def _metric(wire: sparkplug_b_pb2.Metric, sent_ms: int | None) -> Metric:
    field = wire.WhichOneof("value")
    value = getattr(wire, field) if field else None
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Metric(
        name=_text(wire.name) or None,
        alias=wire.alias if wire.HasField("alias") else None,
        at_ms=wire.timestamp if wire.HasField("timestamp") else sent_ms,
        datatype=wire.datatype if wire.HasField("datatype") else None,
        is_null=wire.is_null,
        field=field,
        number=value if numeric else None,
        quality=_quality(wire.properties) if wire.HasField("properties") else Quality.GOOD,
    )


def _quality(properties: sparkplug_b_pb2.PropertySet) -> Quality:
    """Return what the property "Quality" says; without it a value is good (specification 6.4)."""
    for key, value in zip(properties.keys, properties.values, strict=False):
        if _text(key) == QUALITY:
            field = value.WhichOneof("value")
            if field == "int_value" or field == "long_value":
                return QUALITIES.get(getattr(value, field), Quality.UNCERTAIN)
            return Quality.UNCERTAIN
    return Quality.GOOD


def _text(text: object) -> str:
    """Return `text` legible: protobuf hands over bytes where they are not UTF-8."""
    if isinstance(text, bytes):
        return legible(text.decode("utf-8", "replace"))
    return legible(str(text))
