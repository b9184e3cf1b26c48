"""Owns what is known of a meter: its epochs, its readings, and how far a register can go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import NamedTuple

from energy import instants

RESOLUTION = 0.01
"""The last digit of an electricity register (DL/T 645-2007: two decimals), before the multiplier.
[uom of the meter]"""

LAST_DIGIT_SLACK = 1e-3
"""Decimals are not exact in doubles: a step of this much more than a last digit is one, too.
[share of a last digit]"""

STEP_SHARE_MAX = 0.5
"""Where no `rate_max` is known, a rise is credible up to this share of the rollover."""

WRAP_SHARE_MAX = 0.05
"""The same for a wrap, and for a rise from zero: a meter without voltage shows zeros too."""


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
    INTERVAL = "interval"
    """It is read at another interval; the register counts on, as it did."""


class Side(StrEnum):
    """Of which side of its transformers a meter's value is: the multiplier is in it, or not."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


class DoubtReason(StrEnum):
    """Why a step of a register is passed over or held."""

    FELL = "fell"
    """It fell, and neither a wrap nor an epoch explains it."""

    TOO_FAST = "too_fast"
    """It rose by more than the meter can count in that time."""

    LASTED = "lasted"
    """It came back to its course after more than a dip."""

    VALUES_MISSING = "values_missing"
    """An epoch began, and what the old or the new register showed then is not known."""


class Reading(NamedTuple):
    """A value as it arrived, in the meter's unit of measure. `read_at` in µs since 2000."""

    read_at: int
    raw_value: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """A span in which a register counts on without a break (计量段), until the next one starts.

    `multiplier` is CT × PT; it is in the values already where their `side` is the primary one.
    `rollover` is the value at which the register wraps. `first_value` is what it showed at
    `starts_at`, `previous_last_value` what the former register showed then. `rate_max` is the most
    it can count in an hour: rated power, in the meter's unit of measure, multiplier applied.
    `interval_s` is how often it is due to be read from then on, None: as before. An epoch of the
    reason `interval` says nothing else.
    """

    starts_at: datetime
    reason: EpochReason
    multiplier: float = 1.0
    rollover: float | None = None
    first_value: float | None = None
    previous_last_value: float | None = None
    side: Side = Side.SECONDARY
    rate_max: float | None = None
    interval_s: int | None = None

    @property
    def scale(self) -> float:
        """Return what the register's differences are multiplied by."""
        return 1.0 if self.side is Side.PRIMARY else self.multiplier

    @property
    def rate(self) -> float | None:
        """Return what `rate_max` comes to. [raw values per µs]"""
        return None if self.rate_max is None else self.rate_max / self.scale / instants.HOUR

    @property
    def last_digit(self) -> float:
        """Return the smallest step that the register can show. [raw values]

        >>> kv10 = Epoch(datetime(2026, 1, 1), EpochReason.INSTALLED, 100_000.0, side=Side.PRIMARY)
        >>> kv10.last_digit
        1000.0
        """
        return RESOLUTION * (self.multiplier / self.scale)

    def most(self, elapsed: int, share: float) -> float:
        """Return the greatest credible difference of the register in `elapsed` µs. [raw values]

        What a register shows is cut off at its last digit: what was below it before is shown with
        what came since, so that one last digit more than `rate_max` allows is credible. `share` of
        the rollover where there is no `rate_max`.
        """
        if self.rate is not None:
            return self.rate * elapsed + self.last_digit * (1 + LAST_DIGIT_SLACK)
        return inf if self.rollover is None else self.rollover * share

    def credible(self, before: float, after: float, elapsed: int) -> float | None:
        """Return how far the register went in `elapsed` µs, or None if it cannot. [raw values]

        >>> wraps = Epoch(datetime(2026, 1, 1), EpochReason.INSTALLED, rollover=1_000_000.0)
        >>> wraps.credible(999984.0625, 20.0, instants.HOUR)
        35.9375
        >>> wraps.credible(600_010.0, 0.0, instants.HOUR) is None
        True
        """
        forward = step(before, after, self.rollover)
        if elapsed == 0:  # whatever a register counts, it counts in time
            return forward if forward == 0 else None
        share = WRAP_SHARE_MAX if after < before else STEP_SHARE_MAX
        if forward is None or forward > self.most(elapsed, share):
            return None
        return forward


class Advance(NamedTuple):
    """What was used in `[starts_at, ends_at)`, in the meter's unit, multiplier applied.

    `quantity` is None where the step is held for review. `is_estimate`: how it divides at an
    epoch is not known, only its sum.
    """

    starts_at: int
    ends_at: int
    quantity: float | None
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """Readings that are off the course of their register, from the first to the last of them.

    `readings` 0: it is the step between the two instants that is in doubt. `is_held`: what was
    used meanwhile is not known; otherwise the register came back, and nothing is lost.
    """

    reason: DoubtReason
    first_at: int
    last_at: int
    readings: int
    is_held: bool


@dataclass(slots=True)
class Course:
    """What readings say, in order of time. `is_open`: the last of them is in doubt."""

    advances: list[Advance] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    is_open: bool = False


def step(before: float, after: float, rollover: float | None) -> float | None:
    """Return how far a register went from `before` to `after`, once past its rollover at most.

    None: it fell, and has no rollover.

    >>> step(999984.0625, 20.0, 1_000_000.0)
    35.9375
    >>> step(100.0, 90.0, None) is None
    True
    """
    forward = after - before
    if forward < 0 and rollover is not None:
        forward += rollover
    return forward if forward >= 0 else None


def range_fault(epochs: Sequence[Epoch], value: float, instant: datetime) -> str | None:
    """Return why a register cannot have shown `value` at `instant`, or None.

    >>> meter = [Epoch(datetime(2020, 1, 1), EpochReason.INSTALLED, rollover=1000.0)]
    >>> range_fault(meter, -5.0, datetime(2026, 1, 1))
    'a register cannot show less than zero'
    >>> range_fault(meter, 1000.0, datetime(2026, 1, 1))
    'the register wraps at 1000.0'
    """
    if value < 0:
        return "a register cannot show less than zero"
    rollover = epoch_at(epochs, instant).rollover
    if rollover is not None and value >= rollover:
        return f"the register wraps at {rollover}"
    return None


def of_register(epochs: Iterable[Epoch]) -> list[Epoch]:
    """Return the epochs that say something of the register, in order."""
    return [epoch for epoch in epochs if epoch.reason is not EpochReason.INTERVAL]


def epoch_at(epochs: Sequence[Epoch], instant: datetime) -> Epoch:
    """Return the epoch in force at `instant`; the first one reaches back to any time before it."""
    found = epochs[0]
    for epoch in epochs:
        if epoch.starts_at > instant:
            break
        found = epoch
    return found
