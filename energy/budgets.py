"""Owns how an energy budget (用能预算) stands: what is used of it, and whether it will last.

桂政发〔2022〕24号, 四(一): budgets of cities, parks and units. There is no forecast on figures that
are known to be incomplete: the reason says what to mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from math import fsum

from energy import forecast
from energy.forecast import IsWorkday, Projection, Used

PACE_DAYS = 7
"""Today's rate is the mean of so many last days that are known."""


class OwnerKind(StrEnum):
    """Whose budget it is."""

    CITY = "city"
    PARK = "park"
    UNIT = "unit"


class Obstacle(StrEnum):
    """Why there is no forecast."""

    NOT_STARTED = "not_started"
    NO_DATA = "no_data"
    FACTOR_MISSING = "factor_missing"
    HELD = "held"
    COVERAGE_TOO_LOW = "coverage_too_low"
    TOO_FEW_DAYS = "too_few_days"


@dataclass(frozen=True, slots=True)
class DayUse:
    """What a day used. `tce` None: nothing is known, which is not 0.

    `estimated_tce` is the estimated part of `absolute_tce`, both without signs; `left_out` are the
    carriers of which some has no factor; `held`: a register step waits for review.
    """

    on: date
    tce: float | None
    estimated_tce: float
    absolute_tce: float
    readings_present: int
    readings_due: int
    held: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def coverage(self) -> float | None:
        """Return the share of the readings due that are there; None: none was due. [0–1]"""
        if self.readings_due == 0:
            return None
        return min(1.0, self.readings_present / self.readings_due)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands after the whole days of its period before `through_on` and with it.

    `used_tce` is what is known [tce]; None: nothing. `used_share` of the budget; `pace_tce` a day
    at today's rate. `projection` None: `obstacle` says why.
    """

    through_on: date | None
    used_tce: float | None
    used_share: float | None
    coverage: float | None
    estimated_share: float | None
    held: bool
    left_out: tuple[str, ...]
    pace_tce: float | None
    obstacle: Obstacle | None
    projection: Projection | None


def standing(
    amount_tce: float,
    starts_on: date,
    ends_on: date,
    days: Sequence[DayUse],
    *,
    coverage_floor: float,
    is_workday: IsWorkday,
) -> Standing:
    """Return how a budget for `[starts_on, ends_on)` stands.

    `days` are whole days in order without a gap, the last one being yesterday; those before the
    period teach the forecast the week. Days after the period are left alone.
    """
    inside = [day for day in days if starts_on <= day.on < ends_on]
    until = [day for day in days if day.on < ends_on]
    known = [day.tce for day in inside if day.tce is not None]
    used_tce = fsum(known) if known else None
    recent = [day.tce for day in until[-PACE_DAYS:] if day.tce is not None]
    obstacle = _obstacle(starts_on, days, inside, coverage_floor)
    projection = None
    if obstacle is None:
        made = forecast.model(_whole(until), is_workday, coverage_floor=coverage_floor)
        if made is None:
            obstacle = Obstacle.TOO_FEW_DAYS
        else:
            projection = forecast.project(amount_tce, _used(inside), made, ends_on, is_workday)
    return Standing(
        through_on=inside[-1].on if inside else None,
        used_tce=used_tce,
        used_share=None if used_tce is None else used_tce / amount_tce,
        coverage=_coverage(inside),
        estimated_share=_estimated_share(inside),
        held=any(day.held for day in inside),
        left_out=tuple(sorted({carrier for day in inside for carrier in day.left_out})),
        pace_tce=fsum(recent) / len(recent) if recent else None,
        obstacle=obstacle,
        projection=projection,
    )


def history_starts_on(starts_on: date, through_on: date) -> date:
    """Return the first day that `standing` wants to know: weeks before, also of a young period."""
    weeks = timedelta(weeks=forecast.WEEKS_BACK)
    return min(starts_on, through_on - weeks)


def _obstacle(
    starts_on: date, days: Sequence[DayUse], inside: Sequence[DayUse], coverage_floor: float
) -> Obstacle | None:
    """Return why there is no forecast, the cause a user can mend first."""
    if not days or days[-1].on < starts_on:
        return Obstacle.NOT_STARTED
    if all(day.tce is None and not day.left_out for day in inside):
        return Obstacle.NO_DATA
    if any(day.left_out for day in inside):
        return Obstacle.FACTOR_MISSING
    if any(day.held for day in inside):
        return Obstacle.HELD
    coverage = _coverage(inside)
    if coverage is None or coverage < coverage_floor:
        return Obstacle.COVERAGE_TOO_LOW
    return None


def _coverage(days: Sequence[DayUse]) -> float | None:
    due = sum(day.readings_due for day in days)
    present = sum(min(day.readings_present, day.readings_due) for day in days)
    return present / due if due else None


def _estimated_share(days: Sequence[DayUse]) -> float | None:
    """Return the estimated share of what is known; None: nothing is. [0–1]"""
    whole = fsum(day.absolute_tce for day in days)
    if all(day.tce is None for day in days):
        return None
    return min(1.0, fsum(day.estimated_tce for day in days) / whole) if whole else 0.0


def _used(days: Sequence[DayUse]) -> list[Used]:
    return [Used(day.on, day.tce, day.coverage) for day in days]


def _whole(days: Sequence[DayUse]) -> list[Used]:
    """Return the days as a model may learn from them: one that lacks something is not known."""
    return [
        Used(day.on, None if day.held or day.left_out else day.tce, day.coverage) for day in days
    ]
