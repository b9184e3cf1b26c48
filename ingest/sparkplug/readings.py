"""Owns which metric is a reading of which meter, and so what batch a message comes to."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime, timedelta

from energy import instants
from ingest.payload import DETAIL_LENGTH_MAX, Batch, Reason, Rejection, WireReading, legible
from ingest.sparkplug import datatypes
from ingest.sparkplug.edge_node import Outcome, Sample
from ingest.sparkplug.wire import Fault

VALUE_NAMES = {"value", "reading"}
"""Metrics, in any case of letters, that are the value of their device: its code is the meter's."""

METER_LENGTH_MAX = 32
NAME_SHOWN_MAX = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_MS_MAX = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def batch(outcome: Outcome, meters: Container[str]) -> Batch:
    """Return the readings of `outcome`, given the codes of the unit's `meters`.

    A message that was refused is one rejection, counted as the readings it would have held.
    """
    if outcome.fault is not None:
        reason, detail = outcome.fault.reason, outcome.fault.detail
        count = max(len(outcome.samples), 1)
        return Batch(outcome.batch, [], [], [], [Rejection(None, None, reason, detail, count)])
    readings, moments, indexes, rejections = [], [], [], []
    for sample in outcome.samples:
        judged = _reading(sample, meters)
        if isinstance(judged, Rejection):
            rejections.append(judged)
        else:
            reading, instant = judged
            readings.append(reading)
            moments.append(instant)
            indexes.append(sample.index)
    return Batch(outcome.batch, readings, moments, indexes, rejections)


def candidates(device: str, name: str) -> list[str]:
    """Return the meter codes a metric may stand for; the first that is registered is meant.

    >>> candidates("E01", "value"), candidates("", "E01")
    (['E01.value', 'value', 'E01'], ['E01'])
    """
    if not device:
        return [name]
    codes = [f"{device}.{name}", name]
    return [*codes, device] if name.lower() in VALUE_NAMES else codes


def _reading(sample: Sample, meters: Container[str]) -> tuple[WireReading, int] | Rejection:
    metric = sample.metric
    if sample.name is None:
        of = f"alias {metric.alias}" if metric.alias is not None else "a metric without a name"
        detail = f"{of} is in no birth of {sample.device or 'the edge node'}"
        if sample.is_before_birth and metric.alias is not None:
            detail = f"{of} may be of an earlier birth: the payload was not sent after the newest"
        return _rejection(sample, None, Reason.INVALID_FIELD, detail)
    codes = candidates(sample.device, sample.name)
    meter = next((code for code in codes if code in meters), None)
    value = datatypes.number(metric, sample.datatype)
    if isinstance(value, Fault):
        return _rejection(sample, meter or codes[0], value.reason, value.detail)
    if metric.at_ms is None or metric.at_ms > AT_MS_MAX:
        detail = "neither the metric nor the payload has a time [ms since 1970]"
        if metric.at_ms is not None:
            detail = f"time {metric.at_ms} is after 9999; send milliseconds since 1970"
        return _rejection(sample, meter or codes[0], Reason.INVALID_FIELD, detail)
    if meter is None:
        detail = f"no meter {' or '.join(code[:NAME_SHOWN_MAX] for code in codes)}; register one"
        return _rejection(sample, codes[0], Reason.UNKNOWN_METER, detail)
    read_at = EPOCH + timedelta(milliseconds=metric.at_ms)
    reading = WireReading(meter, read_at.isoformat(), value, metric.quality)
    return reading, instants.of(read_at)


def _rejection(sample: Sample, meter: str | None, reason: Reason, detail: str) -> Rejection:
    named = legible(meter[:METER_LENGTH_MAX]) if meter is not None else None
    return Rejection(sample.index, named, reason, legible(detail[:DETAIL_LENGTH_MAX]))
