"""How a budget stands: on incomplete figures there is no forecast, and the reason is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from energy import budgets
from energy.budgets import DayUse, Obstacle, Standing
from energy.forecast import Outlook, monday_to_friday

STARTS_ON = date(2026, 11, 1)
ENDS_ON = date(2026, 12, 1)


def day(on: date, tce: float | None = 10.0, present: int = 96) -> DayUse:
    weight = abs(tce or 0.0)
    return DayUse(on, tce, weight / 10, weight, present, 96)


HISTORY = [day(date(2026, 10, 1) + timedelta(days=n)) for n in range(41)]
"""To the tenth of November."""


def standing(days: list[DayUse], amount_tce: float = 250.0) -> Standing:
    return budgets.standing(
        amount_tce, STARTS_ON, ENDS_ON, days, coverage_floor=0.75, is_workday=monday_to_friday
    )


def changed(on: date, **fields: object) -> list[DayUse]:
    return [replace(one, **fields) if one.on == on else one for one in HISTORY]  # type: ignore[arg-type]  # the fields of a test


def test_a_young_budget_learns_from_the_weeks_before_it() -> None:
    found = standing(HISTORY)
    assert found.through_on == date(2026, 11, 10)
    assert (found.used_tce, found.used_share, found.pace_tce) == (100, 0.4, 10)
    assert [found.coverage, found.estimated_share] == pytest.approx([1, 0.1])
    assert found.projection is not None
    assert found.projection.outlook is Outlook.RUNS_OUT
    assert found.projection.runs_out_on == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("days", "obstacle"),
    [
        ([], Obstacle.NOT_STARTED),
        (HISTORY[:31], Obstacle.NOT_STARTED),
        (HISTORY[28:], Obstacle.TOO_FEW_DAYS),
        ([day(one.on, None, 0) for one in HISTORY], Obstacle.NO_DATA),
        ([day(one.on, one.tce, 60) for one in HISTORY], Obstacle.COVERAGE_TOO_LOW),
        (changed(date(2026, 11, 3), held=True), Obstacle.HELD),
        (changed(date(2026, 11, 3), left_out=("natural_gas",)), Obstacle.FACTOR_MISSING),
    ],
)
def test_there_is_no_forecast_on_figures_that_lack_something(
    days: list[DayUse], obstacle: Obstacle
) -> None:
    found = standing(days)
    assert (found.obstacle, found.projection) == (obstacle, None)


def test_what_was_held_before_the_period_teaches_nothing_and_stops_nothing() -> None:
    odd = changed(date(2026, 10, 20), held=True, tce=1e6)
    found = standing(odd)
    assert found.projection is not None
    assert found.projection.expected_tce == pytest.approx(300)


def test_a_silent_day_is_not_a_day_of_zero() -> None:
    silent = [day(one.on, None, 0) if one.on == date(2026, 11, 5) else one for one in HISTORY]
    found = standing(silent)
    assert found.used_tce == 90
    assert found.coverage == pytest.approx(0.9)
    assert found.projection is not None
    assert found.projection.expected_tce == pytest.approx(300)
    assert found.projection.low_tce == pytest.approx(290)


def test_readings_too_many_on_one_day_do_not_make_up_for_another() -> None:
    days = [*HISTORY[:-2], day(HISTORY[-2].on, 10.0, 192), day(HISTORY[-1].on, None, 0)]
    assert standing(days).coverage == pytest.approx(0.9)


def test_a_period_that_is_over_stands_as_it_ended() -> None:
    later = [day(STARTS_ON + timedelta(days=n)) for n in range(60)]
    found = standing(later, 299.0)
    assert found.through_on == date(2026, 11, 30)
    assert found.used_tce == 300
    assert found.projection is not None
    assert found.projection.runs_out_on == date(2026, 11, 30)


def test_nothing_known_is_none_and_not_zero() -> None:
    found = standing([day(one.on, None, 0) for one in HISTORY])
    assert (found.used_tce, found.used_share, found.pace_tce) == (None, None, None)
    assert found.estimated_share is None
