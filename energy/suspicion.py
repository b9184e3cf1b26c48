"""Owns the suspicion checks: what in a meter's readings calls for a look (anti-fraud practice).

A suspicion is not a verdict. It names what was seen, where, in which span, with the numbers that
show it and how sure it is; nothing is held back for it. DOMAIN §6, automatable checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from energy import registers
from energy.periods import Span
from energy.registers import Kind

FLAT_INTERVALS = 8
"""A meter of the whole unit is flat after so many equal values: 2 h at 15 min."""

FLAT_PART_INTERVALS = 96
"""A meter of a part of the unit, which may stand still: a day at 15 min."""

STEPS_EXPECTED = 10.0
"""Steps of the last digit a flat span should have shown. By chance none of 10: 5 in 100,000."""

CURVE_SHARE_MIN = 0.9
CURVE_DISTINCT_MIN = 6
"""A curve is compared if it is nearly whole and not a mere pattern: a register whose last digit is
1,000 kWh draws the same few steps on many days (CT × PT of 100,000)."""

BOUNDARY_ACCURACY = 0.02
"""What boundary and sub-meters may differ by for their accuracy classes. [share]"""

_DECIMALS = 6


class Suspicion(StrEnum):
    """What was seen."""

    FLAT_LINE = "flat_line"
    COPIED_CURVE = "copied_curve"
    SUBS_ABOVE_BOUNDARY = "subs_above_boundary"
    LATE_EDIT = "late_edit"
    CLOCK_OFFSET = "clock_offset"
    CLOCK_ZONE = "clock_zone"
    SAME_VALUES = "same_values"


class Sureness(StrEnum):
    """How sure a suspicion is: `possible` has an innocent reading, `likely` hardly one."""

    POSSIBLE = "possible"
    LIKELY = "likely"


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading that is looked at, in the meter's unit of measure, before the multiplier."""

    read_at: datetime
    raw_value: float


@dataclass(frozen=True, slots=True)
class Flat:
    """A span of `intervals` intervals in which nothing moved.

    `expected_steps` of the last digit were due at the meter's usual rate.
    """

    span: Span
    intervals: int
    value: float
    expected_steps: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The course of a meter over a day: how many points, how many different, and their print."""

    points: int
    distinct: int
    digest: bytes


def flat_lines(
    kind: Kind,
    readings: Sequence[Sample],
    interval_s: int,
    *,
    usual_per_interval: float | None,
    is_part: bool,
    producing: Sequence[Span],
) -> list[Flat]:
    """Return the spans in which a meter stood still while its unit produced.

    `usual_per_interval` is what a register usually advances in an interval. [uom, no multiplier]
    A register that turns slowly, as behind CT × PT of 100,000, stands still between the steps of
    its last digit; it is flat only if at its usual rate at least `STEPS_EXPECTED` steps were due.
    Where the usual rate or the production is unknown, nothing is said. Interval meters and gauges
    are flat where one value other than 0 repeats, if they are not always like that.
    """
    resolution = _resolution(kind, readings)
    shortest = FLAT_PART_INTERVALS if is_part else FLAT_INTERVALS
    found = []
    for run in _runs(readings):
        span = timedelta(seconds=interval_s) * shortest
        lasted = run[-1].read_at - run[0].read_at
        if lasted < span or len(run) <= shortest * CURVE_SHARE_MIN:
            continue
        expected = _steps_expected(kind, readings, run, interval_s, resolution, usual_per_interval)
        within = Span(run[0].read_at, run[-1].read_at)
        if expected >= STEPS_EXPECTED and _covered(within, producing):
            intervals = round(lasted.total_seconds() / interval_s)
            found.append(Flat(within, intervals, run[0].raw_value, expected))
    return found


def curve(kind: Kind, readings: Sequence[Sample], interval_s: int, day: Span) -> Curve | None:
    """Return the course of a day: a register's advances, or the values of the others.

    None: too few of the points are there, or too few different ones, for a likeness to mean
    anything. `readings` of a register begin with the one that opens the day.
    """
    values: list[tuple[int, float]] = []
    if kind is Kind.REGISTER:
        for before, after in pairwise(readings):
            if day.starts_at <= before.read_at < day.ends_at:
                values.append((_slot(before, interval_s, day), after.raw_value - before.raw_value))
    else:
        values = [
            (_slot(one, interval_s, day), one.raw_value)
            for one in readings
            if day.starts_at <= one.read_at < day.ends_at
        ]
    rounded = [(slot, round(value, _DECIMALS)) for slot, value in values]
    distinct = len({value for _, value in rounded if value != 0})
    due = (day.ends_at - day.starts_at).total_seconds() / interval_s
    if len(rounded) < due * CURVE_SHARE_MIN or distinct < CURVE_DISTINCT_MIN:
        return None
    text = ";".join(f"{slot}:{value:.{_DECIMALS}f}" for slot, value in rounded)
    return Curve(len(rounded), distinct, hashlib.sha256(text.encode()).digest()[:16])


@dataclass(frozen=True, slots=True)
class Excess:
    """By how much sub-meters are above what the unit took in. [reference unit of the carrier]"""

    subs: float
    supply: float
    tolerance: float


def subs_above_boundary(
    boundary: Sequence[float | None],
    subs: Sequence[float | None],
    *,
    produced: float = 0.0,
    resolution: float = 0.0,
) -> Excess | None:
    """Return by how much sub-meters of a carrier exceed its boundary in a day; None: not at all.

    What the unit `produced` itself counts as taken in. The accuracy of the meters and the last
    digits (`resolution`, summed) are allowed for. Unknown boundary meters make it unknown; a
    sub-meter that is unknown adds nothing.
    """
    known = [one for one in boundary if one is not None]
    if not known or len(known) < len(boundary):
        return None
    supply = sum(known) + produced
    used = sum(one for one in subs if one is not None)
    tolerance = abs(supply) * BOUNDARY_ACCURACY + resolution
    return Excess(used, supply, tolerance) if used > supply + tolerance else None


def _resolution(kind: Kind, readings: Sequence[Sample]) -> float:
    """Return the smallest step that is seen; of a register that never moves, its last digit."""
    if kind is not Kind.REGISTER:
        return 0.0
    steps = [
        step
        for before, after in pairwise(readings)
        if (step := round(after.raw_value - before.raw_value, _DECIMALS)) > 0
    ]
    return max(min(steps, default=0.0), registers.RESOLUTION)


def _runs(readings: Sequence[Sample]) -> list[list[Sample]]:
    """Return the runs of equal values."""
    runs: list[list[Sample]] = []
    for reading in readings:
        if runs and runs[-1][-1].raw_value == reading.raw_value:
            runs[-1].append(reading)
        else:
            runs.append([reading])
    return runs


def _steps_expected(
    kind: Kind,
    readings: Sequence[Sample],
    run: Sequence[Sample],
    interval_s: int,
    resolution: float,
    usual: float | None,
) -> float:
    if kind is Kind.REGISTER:
        intervals = (run[-1].read_at - run[0].read_at).total_seconds() / interval_s
        return 0.0 if usual is None else usual * intervals / resolution
    if run[0].raw_value == 0:
        return 0.0
    inside = run[0].read_at, run[-1].read_at
    others = [one for one in readings if not inside[0] <= one.read_at <= inside[1]]
    moved = sum(before.raw_value != after.raw_value for before, after in pairwise(others))
    usually = moved / (len(others) - 1) if len(others) > 1 else 0.0
    return usually * len(run)


def _covered(span: Span, producing: Sequence[Span]) -> bool:
    """Return whether the unit produced in most of `span`."""
    covered = timedelta(0)
    for one in producing:
        inside = min(one.ends_at, span.ends_at) - max(one.starts_at, span.starts_at)
        covered += max(inside, timedelta(0))
    return covered >= (span.ends_at - span.starts_at) / 2


def _slot(reading: Sample, interval_s: int, day: Span) -> int:
    return round((reading.read_at - day.starts_at).total_seconds() / interval_s)
