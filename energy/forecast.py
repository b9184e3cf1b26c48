"""Owns the forecast of daily energy and the day a budget runs out: a naive model anyone can check.

The model, in words. A coming day uses what days of its kind used of late: the mean of the last
`SAME_DAYS` known days of the same kind. Kinds are the seven ordinary weekdays; a public holiday
(no workday, Monday to Friday) is forecast from past holidays, without any from Sundays; a weekend
day that is worked (调休) from past ones, without any from all ordinary workdays. Where a kind has
no day at all, the mean of all known days stands in. There is no trend and no weather.

The band is what the model has missed by: of the last whole weeks, each as a ratio of what it used
to what the model says for its days, the lowest and the highest. Where readings are missing, its
upper side also assumes that the missing ones went at the pace of those that are there. A past day
of which nothing is known counts as forecast, on the lower side as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import accumulate
from math import fsum

SAME_DAYS = 4
"""How many of the last days of a kind the forecast is the mean of."""

WEEKS_BACK = 8
"""How many weeks of history the model looks at, and the band is taken from."""

DAYS_MIN = 14
"""Known days without which there is no forecast: two of each weekday."""

SATURDAY = 5
SUNDAY = 6
HOLIDAY = 7
WORKED_WEEKEND = 8
ORDINARY_WORKDAYS = range(SATURDAY)

DAY = timedelta(days=1)
IsWorkday = Callable[[date], bool]


class Outlook(StrEnum):
    """What becomes of a budget."""

    EXHAUSTED = "exhausted"
    """It is used up already."""

    RUNS_OUT = "runs_out"
    """It ends before its period does, at today's pattern."""

    MAY_RUN_OUT = "may_run_out"
    """It lasts at today's pattern, and does not at the upper side of the band."""

    LASTS = "lasts"


@dataclass(frozen=True, slots=True)
class Used:
    """What a day used; `tce` None: not known, which is not 0. `coverage` None: nothing was due."""

    on: date
    tce: float | None
    coverage: float | None = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """What a day of each kind is expected to use [tce], and the band as ratios (≤ 1, ≥ 1)."""

    by_kind: dict[int, float]
    mean_tce: float
    low_ratio: float
    high_ratio: float
    days: int
    """Known days the model rests on."""

    def expected(self, on: date, is_workday: IsWorkday) -> float:
        """Return what the model expects of a day. [tce]"""
        return self.by_kind.get(kind_of(on, is_workday), self.mean_tce)


@dataclass(frozen=True, slots=True)
class Projection:
    """What a budget comes to at the end of its period [tce], and the day it runs out.

    The dates are the days in which it is used up; None: not within the period. `earliest_on` and
    `latest_on` are the band of `runs_out_on`.
    """

    outlook: Outlook
    expected_tce: float
    low_tce: float
    high_tce: float
    runs_out_on: date | None
    earliest_on: date | None
    latest_on: date | None


def monday_to_friday(on: date) -> bool:
    """Return whether a day is a workday where no calendar of holidays is known.

    >>> monday_to_friday(date(2026, 11, 23)), monday_to_friday(date(2026, 11, 22))
    (True, False)
    """
    return on.weekday() < SATURDAY


def kind_of(on: date, is_workday: IsWorkday) -> int:
    """Return the kind of a day: 0–6 an ordinary weekday, 7 a holiday, 8 a worked weekend.

    >>> kind_of(date(2026, 11, 23), monday_to_friday), kind_of(date(2026, 11, 23), lambda on: False)
    (0, 7)
    """
    weekday = on.weekday()
    if weekday < SATURDAY:
        return weekday if is_workday(on) else HOLIDAY
    return WORKED_WEEKEND if is_workday(on) else weekday


def model(
    history: Sequence[Used], is_workday: IsWorkday, *, coverage_floor: float = 0.0
) -> Model | None:
    """Return the model of the last weeks of `history`; None: fewer than `DAYS_MIN` known days.

    `history` is in order of time, at most one entry a day; days that are not there, or below the
    coverage floor, are not known. A constant history has that constant as its forecast, and no
    band.
    """
    if not history:
        return None
    first = history[-1].on - timedelta(weeks=WEEKS_BACK) + DAY
    known = {
        day.on: day.tce
        for day in history
        if day.tce is not None and day.on >= first and (day.coverage or 0.0) >= coverage_floor
    }
    if len(known) < DAYS_MIN:
        return None
    by_kind = _means(known, is_workday)
    made = Model(by_kind, _mean(list(known.values())), 1.0, 1.0, len(known))
    ratios = [1.0, *_ratios(known, history[-1].on, made, is_workday)]
    return Model(by_kind, made.mean_tce, min(ratios), max(ratios), len(known))


def project(
    amount_tce: float,
    used: Sequence[Used],
    made: Model,
    ends_on: date,
    is_workday: IsWorkday,
) -> Projection:
    """Return what becomes of a budget of `amount_tce` whose period ends before `ends_on`.

    `used` are the days of the period so far, the last one being the day before the forecast
    begins. A greater budget never runs out earlier, and the day lies within its band.
    """
    middle, low, high = _courses(used, made, ends_on, is_workday)
    ends = (middle[-1][1], low[-1][1], high[-1][1])
    past = _first(amount_tce, _totals(used))
    if past is not None:
        return Projection(Outlook.EXHAUSTED, *ends, past, past, past)
    runs_out_on, earliest_on = _first(amount_tce, middle), _first(amount_tce, high)
    outlook = Outlook.LASTS if earliest_on is None else Outlook.MAY_RUN_OUT
    if runs_out_on is not None:
        outlook = Outlook.RUNS_OUT
    return Projection(outlook, *ends, runs_out_on, earliest_on, _first(amount_tce, low))


def _means(known: dict[date, float], is_workday: IsWorkday) -> dict[int, float]:
    """Return what each kind of day used of late. [tce]"""
    by_kind: dict[int, list[float]] = {}
    for on in sorted(known, reverse=True):
        by_kind.setdefault(kind_of(on, is_workday), []).append(known[on])
    means = {kind: _mean(values[:SAME_DAYS]) for kind, values in by_kind.items()}
    if SUNDAY in means:
        means.setdefault(HOLIDAY, means[SUNDAY])
    workdays = [means[kind] for kind in ORDINARY_WORKDAYS if kind in means]
    if workdays:
        means.setdefault(WORKED_WEEKEND, _mean(workdays))
    return means


def _ratios(
    known: dict[date, float], last: date, made: Model, is_workday: IsWorkday
) -> Iterator[float]:
    """Yield what each whole known week used as a ratio of what the model says, newest first."""
    for week in range(WEEKS_BACK):
        days = [last - timedelta(days=7 * week + back) for back in range(7)]
        if all(day in known for day in days):
            expected = fsum(made.expected(day, is_workday) for day in days)
            if expected > 0:
                yield max(0.0, fsum(known[day] for day in days) / expected)


def _courses(
    used: Sequence[Used], made: Model, ends_on: date, is_workday: IsWorkday
) -> tuple[list[tuple[date, float]], ...]:
    """Return the running totals from the last day on: middle, low and high. [tce]"""
    on = used[-1].on
    past = [_bounds(day, made, is_workday) for day in used]
    courses = tuple([(on, fsum(side))] for side in zip(*past, strict=True))
    while (on := on + DAY) < ends_on:
        coming = _bounds(Used(on, None), made, is_workday, is_past=False)
        for course, step in zip(courses, coming, strict=True):
            course.append((on, course[-1][1] + step))
    return courses


def _bounds(
    day: Used, made: Model, is_workday: IsWorkday, *, is_past: bool = True
) -> tuple[float, float, float]:
    """Return what a day used or will use: middle, low and high. [tce]"""
    if day.tce is not None:
        made_up = day.tce / day.coverage if day.coverage else day.tce
        return day.tce, day.tce, max(day.tce, made_up)
    expected = made.expected(day.on, is_workday)
    sides = (expected, expected * made.low_ratio, expected * made.high_ratio)
    return expected, min(0.0, *sides) if is_past else min(sides), max(sides)


def _totals(used: Sequence[Used]) -> list[tuple[date, float]]:
    """Return the running totals of what is known. [tce]"""
    sums = accumulate(day.tce or 0.0 for day in used)
    return [(day.on, total) for day, total in zip(used, sums, strict=True)]


def _first(amount_tce: float, course: Sequence[tuple[date, float]]) -> date | None:
    """Return the first day on which a running total has reached the budget."""
    return next((on for on, total in course if total >= amount_tce), None)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)
