"""Owns taking a figure apart: what of a course lies in a span, its gaps, its factors by day.

The parts sum to the whole: what lies inside a span and what the hours of it come to are the same
energy, and so are the hours and what they are worth factor by factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum

from energy import factors, instants, periods
from energy.consumption import Hour, is_longer
from energy.factors import Basis, Factor, FactorTable, MissingFactor
from energy.intervals import Intervals
from energy.periods import Span
from energy.registers import Advance, Course

BAD = "bad"
"""Quality that a gateway gives to readings which are not accounted for."""

TOLERANCE = 1e-9
"""Relative: sums of doubles in another order differ in the last of their sixteen digits."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What holds in place of a reading; `value` None: the reading is set aside."""

    value: float | None


@dataclass(frozen=True, slots=True)
class Valued:
    """What was used from `first_day` to `last_day` (Asia/Shanghai), both included, at one factor.

    `quantity` in the reference unit of the carrier; `factor` None: `missing` says why, and
    `energy_tce` is None too. [tce]
    """

    first_day: date
    last_day: date
    quantity: float
    factor: Factor | None
    missing: MissingFactor | None
    energy_tce: float | None


def counted(raw_value: float, quality: str, correction: Correction | None) -> float | None:
    """Return what is reckoned with in place of a reading, or None: it does not count.

    A correction holds whatever the quality; without one a reading that its gateway calls bad stays
    as evidence only. [in the meter's unit of measure, before its multiplier]

    >>> counted(5.0, "bad", None) is None, counted(5.0, "bad", Correction(4.0))
    (True, 4.0)
    """
    if correction is not None:
        return correction.value
    return None if quality == BAD else raw_value


def inside(advance: Advance, within: Span) -> float:
    """Return the part of an advance that lies in `within`, in proportion to time; held: 0.

    An advance without length lies where it starts. [in the meter's unit, multiplier applied]
    """
    if advance.quantity is None:
        return 0.0
    first, last = instants.of(within.starts_at), instants.of(within.ends_at)
    if advance.starts_at == advance.ends_at:
        return advance.quantity if first <= advance.starts_at < last else 0.0
    shared = min(last, advance.ends_at) - max(first, advance.starts_at)
    return advance.quantity * max(0, shared) / (advance.ends_at - advance.starts_at)


def total(course: Course, within: Span) -> float:
    """Return what a course says was used in `within`: the sum of its hours, to rounding."""
    return fsum(inside(advance, within) for advance in course.advances)


def gaps(course: Course, due: Intervals, within: Span) -> list[Advance]:
    """Return the advances that reach into `within` and are spread by estimate, or held.

    Their sum is known (unless held), how it divides into hours is not: they are longer than the
    interval of then allows (`is_longer`), or an epoch began in them that nobody read.
    """
    first, last = instants.of(within.starts_at), instants.of(within.ends_at)
    return [
        advance
        for advance in course.advances
        if advance.starts_at < last
        and max(advance.ends_at, advance.starts_at + 1) > first
        and _is_gap(advance, due)
    ]


def _is_gap(advance: Advance, due: Intervals) -> bool:
    if advance.quantity is None or advance.is_estimate:
        return True
    one_hour = advance.starts_at // instants.HOUR == (advance.ends_at - 1) // instants.HOUR
    return not one_hour and is_longer(advance.starts_at, advance.ends_at, due)


def valued(
    hours: Iterable[Hour],
    conversion: float,
    table: FactorTable,
    carrier: str,
    basis: Basis,
    unit_id: int | None,
) -> list[Valued]:
    """Return what the known ones of `hours` are worth, a row for each factor in force. [tce]

    GB/T 2589-2020: quantity × factor, day by day of Asia/Shanghai. `conversion` leads from the
    meter's unit to the reference unit of the carrier. A day without a factor has no value.
    """
    by_day: dict[int, list[float]] = {}
    for hour in hours:
        if hour.quantity is not None:
            day = periods.local_ordinal(hour.starts_at)
            by_day.setdefault(day, []).append(hour.quantity * conversion)
    days = [
        (date.fromordinal(day), table.look_up(carrier, basis, unit_id, date.fromordinal(day)), used)
        for day, used in sorted(by_day.items())
    ]
    return list(_merged(days))


def _merged(
    days: Sequence[tuple[date, Factor | MissingFactor, list[float]]],
) -> Iterator[Valued]:
    run: list[tuple[date, Factor | MissingFactor, list[float]]] = []
    for day in days:
        if run and day[1] != run[-1][1]:
            yield _valued(run)
            run = []
        run.append(day)
    if run:
        yield _valued(run)


def _valued(run: Sequence[tuple[date, Factor | MissingFactor, list[float]]]) -> Valued:
    quantity = fsum(used for _, _, hours in run for used in hours)
    found = run[0][1]
    factor = found if isinstance(found, Factor) else None
    return Valued(
        run[0][0],
        run[-1][0],
        quantity,
        factor,
        None if isinstance(found, Factor) else found,
        factors.coal_equivalent(quantity, factor),
    )


def known_sum(parts: Iterable[float | None]) -> float | None:
    """Return the sum of what is known; None where nothing is: unknown is not zero.

    >>> known_sum([1.0, None, 2.0]), known_sum([None]) is None
    (3.0, True)
    """
    known = [part for part in parts if part is not None]
    return fsum(known) if known else None


def agrees(one: float | None, other: float | None) -> bool:
    """Return whether two figures are the same to rounding; unknown agrees with unknown only.

    >>> agrees(0.1 + 0.2, 0.3), agrees(None, 0.0), agrees(None, None)
    (True, False, True)
    """
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE * max(1.0, abs(one), abs(other))
