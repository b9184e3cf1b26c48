"""Owns the datatypes of Sparkplug B: which are numbers, and how a field holds one.

Signed integers travel in unsigned fields. Encoders differ in how wide they make a negative one
(8 bits, or extended to 32 or 64): all of these are read, and nothing else is.
"""

from __future__ import annotations

import math
from enum import IntEnum

from ingest.payload import Reason
from ingest.sparkplug.wire import Fault, Metric

INTEGER_FIELDS = {"int_value", "long_value"}
FLOATING_FIELDS = {"float_value", "double_value"}
SIGN_EXTENSIONS = (32, 64)


class Datatype(IntEnum):
    """The numbers of the specification, 6.4.16."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


SIGNED_BITS = {Datatype.INT8: 8, Datatype.INT16: 16, Datatype.INT32: 32, Datatype.INT64: 64}
UNSIGNED_BITS = {Datatype.UINT8: 8, Datatype.UINT16: 16, Datatype.UINT32: 32, Datatype.UINT64: 64}
FLOATING = {Datatype.FLOAT, Datatype.DOUBLE}


def number(metric: Metric, datatype: int | None) -> float | Fault:
    """Return the finite number that `metric` holds as a `datatype`, or why there is none.

    Without a datatype only a floating field is clear: an integer may be negative or large.
    """
    if metric.is_null or metric.field is None:
        return Fault(Reason.INVALID_FIELD, "the metric is null or has no value")
    raw = metric.number
    if not datatype:
        if metric.field not in FLOATING_FIELDS:
            detail = f"a {metric.field} without a datatype, here or in the birth"
            return Fault(Reason.INVALID_FIELD, detail)
    elif datatype in SIGNED_BITS or datatype in UNSIGNED_BITS:
        if metric.field not in INTEGER_FIELDS or not isinstance(raw, int):
            return _mismatch(metric, datatype)
        return _integer(raw, Datatype(datatype))
    elif datatype not in FLOATING:
        detail = f"datatype {_label(datatype)} is not a number"
        return Fault(Reason.INVALID_FIELD, detail)
    elif metric.field not in FLOATING_FIELDS:
        return _mismatch(metric, datatype)
    assert raw is not None  # a floating field holds a number
    if not math.isfinite(raw):
        return Fault(Reason.VALUE_NOT_FINITE, f"value is {raw}")
    return float(raw)


def _integer(raw: int, datatype: Datatype) -> float | Fault:
    """Return the integer behind the unsigned `raw`.

    >>> _integer(0xFE, Datatype.INT8), _integer(0xFFFF_FFFE, Datatype.INT8)
    (-2.0, -2.0)
    """
    bits = SIGNED_BITS.get(datatype)
    if bits is None:
        if raw >> UNSIGNED_BITS[datatype]:
            return _overflow(raw, datatype)
        return float(raw)
    low = raw & ((1 << bits) - 1)
    if not low >> (bits - 1):
        return float(low) if raw == low else _overflow(raw, datatype)
    signed = low - (1 << bits)
    if raw == low or any(raw == signed + (1 << wide) for wide in SIGN_EXTENSIONS):
        return float(signed)
    return _overflow(raw, datatype)


def _overflow(raw: int, datatype: Datatype) -> Fault:
    return Fault(Reason.INVALID_FIELD, f"{raw} is no {datatype.name}")


def _mismatch(metric: Metric, datatype: int) -> Fault:
    return Fault(Reason.INVALID_FIELD, f"a {metric.field} is no {_label(datatype)}")


def _label(datatype: int) -> str:
    return Datatype(datatype).name if datatype in set(Datatype) else str(datatype)
