"""Owns what a meter's readings say was used between them.

Energy is conserved: the advances between two readings of one register sum to its difference,
whatever lies between. What cannot be explained is held for review, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

WRAP_SHARE_MAX = 0.5
"""A fall is credible as a wrap only if the implied use is below this share of the rollover."""


class Kind(StrEnum):
    """What a value of a meter means."""

    REGISTER = "register"
    INTERVAL = "interval"
    GAUGE = "gauge"


class EpochReason(StrEnum):
    """Why an epoch of a meter began."""

    INSTALLED = "installed"
    REPLACED = "replaced"
    MULTIPLIER = "multiplier"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as it arrived, in the meter's unit of measure, before the multiplier."""

    read_at: datetime
    raw_value: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """A span in which a register counts on without a break (计量段), until the next one starts.

    `multiplier` is CT × PT. `rollover` is the value at which the register wraps. `first_value` is
    what it showed at `starts_at`, `previous_last_value` what the former register showed then.
    """

    starts_at: datetime
    reason: EpochReason
    multiplier: float = 1.0
    rollover: float | None = None
    first_value: float | None = None
    previous_last_value: float | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """What was used in `[starts_at, ends_at)`, in the meter's unit, multiplier applied.

    `quantity` is None where the step is held for review.
    """

    starts_at: datetime
    ends_at: datetime
    quantity: float | None


def step(before: float, after: float, rollover: float | None) -> float | None:
    """Return how far a register went from `before` to `after`, or None if that is not credible.

    >>> step(999984.0625, 20.0, 1_000_000.0)
    35.9375
    >>> step(100.0, 90.0, None) is None
    True
    """
    forward = after - before
    if forward >= 0:
        return forward
    if rollover is None:
        return None
    wrapped = forward + rollover
    return wrapped if 0 <= wrapped < rollover * WRAP_SHARE_MAX else None


def register_advances(readings: Sequence[Reading], epochs: Sequence[Epoch]) -> Iterator[Advance]:
    """Yield what a cumulative register used between its readings, in order of time.

    A value below its predecessor that is neither a wrap nor the start of an epoch is passed over
    until the register is back above where it was; if it never is, the span is held.
    """
    anchor: Reading | None = None
    for reading in readings:
        if anchor is None:
            anchor = reading
            continue
        pieces = list(_between(anchor, reading, epochs))
        if any(piece.quantity is None for piece in pieces) and not _crosses(
            anchor, reading, epochs
        ):
            continue
        yield from pieces
        anchor = reading
    if anchor is not None and readings[-1] is not anchor:
        yield Advance(anchor.read_at, readings[-1].read_at, None)


def interval_advances(
    readings: Sequence[Reading], epochs: Sequence[Epoch], interval_s: float
) -> Iterator[Advance]:
    """Yield what an interval meter says: each value is the use of the interval it starts."""
    for starts_at, ends_at, value, epoch in _held_values(readings, epochs, interval_s):
        yield Advance(starts_at, ends_at, value * epoch.multiplier)


def gauge_advances(
    readings: Sequence[Reading], epochs: Sequence[Epoch], interval_s: float
) -> Iterator[Advance]:
    """Yield the integral of an hourly rate: a value holds until the next, at most an interval."""
    for starts_at, ends_at, value, epoch in _held_values(readings, epochs, interval_s):
        hours = (ends_at - starts_at).total_seconds() / 3600
        yield Advance(starts_at, ends_at, value * epoch.multiplier * hours)


def advances(
    kind: Kind, readings: Sequence[Reading], epochs: Sequence[Epoch], interval_s: float
) -> Iterator[Advance]:
    """Yield what `readings`, in order of time, say was used; `epochs` likewise in order."""
    match kind:
        case Kind.REGISTER:
            return register_advances(readings, epochs)
        case Kind.INTERVAL:
            return interval_advances(readings, epochs, interval_s)
        case Kind.GAUGE:
            return gauge_advances(readings, epochs, interval_s)


def _between(before: Reading, after: Reading, epochs: Sequence[Epoch]) -> Iterator[Advance]:
    """Yield the pieces from `before` to `after`, cut where an epoch begins."""
    epoch = epoch_at(epochs, before.read_at)
    starts_at = before.read_at
    value: float | None = before.raw_value
    for following in _begun_between(before, after, epochs):
        last, first = _values_at(following, before, after)
        yield _advance(starts_at, following.starts_at, value, last, epoch)
        starts_at, value, epoch = following.starts_at, first, following
    yield _advance(starts_at, after.read_at, value, after.raw_value, epoch)


def _advance(
    starts_at: datetime, ends_at: datetime, before: float | None, after: float | None, epoch: Epoch
) -> Advance:
    if before is None or after is None:
        return Advance(starts_at, ends_at, None)
    forward = step(before, after, epoch.rollover)
    return Advance(starts_at, ends_at, None if forward is None else forward * epoch.multiplier)


def _values_at(epoch: Epoch, before: Reading, after: Reading) -> tuple[float | None, float | None]:
    """Return what the old register showed last and the new one first when `epoch` began."""
    if epoch.reason is not EpochReason.MULTIPLIER:
        return epoch.previous_last_value, epoch.first_value
    if epoch.first_value is not None:
        return epoch.first_value, epoch.first_value
    share = (epoch.starts_at - before.read_at) / (after.read_at - before.read_at)
    showed = before.raw_value + (after.raw_value - before.raw_value) * share
    return showed, showed


def epoch_at(epochs: Sequence[Epoch], instant: datetime) -> Epoch:
    """Return the epoch in force at `instant`; the first one reaches back to any time before it."""
    found = epochs[0]
    for epoch in epochs:
        if epoch.starts_at > instant:
            break
        found = epoch
    return found


def _begun_between(before: Reading, after: Reading, epochs: Sequence[Epoch]) -> list[Epoch]:
    return [
        epoch
        for epoch in epochs
        if epoch.reason is not EpochReason.INSTALLED
        and before.read_at < epoch.starts_at <= after.read_at
    ]


def _crosses(before: Reading, after: Reading, epochs: Sequence[Epoch]) -> bool:
    return bool(_begun_between(before, after, epochs))


def _held_values(
    readings: Sequence[Reading], epochs: Sequence[Epoch], interval_s: float
) -> Iterator[tuple[datetime, datetime, float, Epoch]]:
    interval = timedelta(seconds=interval_s)
    for reading, following in pairwise([*readings, None]):
        assert reading is not None
        ends_at = reading.read_at + interval
        if following is not None:
            ends_at = min(ends_at, following.read_at)
        yield reading.read_at, ends_at, reading.raw_value, epoch_at(epochs, reading.read_at)
