"""The forecast of daily energy: a constant stays one, a week has its shape, a band has its day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from energy import forecast
from energy.forecast import IsWorkday, Model, Outlook, Used, monday_to_friday

FIRST = date(2026, 9, 7)
"""A Monday."""

uses = st.floats(min_value=0, max_value=1e4)


def days(values: Sequence[float | None], first: date = FIRST, coverage: float = 1.0) -> list[Used]:
    return [Used(first + timedelta(days=n), tce, coverage) for n, tce in enumerate(values)]


def model(history: list[Used], is_workday: IsWorkday = monday_to_friday) -> Model:
    made = forecast.model(history, is_workday)
    assert made is not None
    return made


def after(history: list[Used], more: int) -> date:
    """Return the end of a period that goes on for `more` days."""
    return history[-1].on + timedelta(days=1 + more)


@given(value=uses, length=st.integers(forecast.DAYS_MIN, 80), ahead=st.integers(1, 120))
def test_the_forecast_of_a_constant_is_that_constant(value: float, length: int, ahead: int) -> None:
    history = days([value] * length)
    made = model(history)
    on = history[-1].on + timedelta(days=ahead)
    assert made.expected(on, monday_to_friday) == pytest.approx(value, rel=1e-12)
    assert [made.low_ratio, made.high_ratio] == pytest.approx([1, 1])


@given(
    values=st.lists(st.none() | uses, min_size=20, max_size=40),
    coverage=st.floats(0.5, 1),
    budgets=st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)),
    ahead=st.integers(0, 40),
)
def test_a_greater_budget_never_runs_out_earlier_and_the_day_lies_within_its_band(
    values: list[float | None], coverage: float, budgets: tuple[float, float], ahead: int
) -> None:
    history = days(values, coverage=coverage)
    made = forecast.model(history, monday_to_friday)
    assume(made is not None)
    assert made is not None
    end = after(history, ahead)
    less, more = (
        forecast.project(amount, history, made, end, monday_to_friday) for amount in sorted(budgets)
    )
    for found in (less, more):
        assert found.low_tce <= found.expected_tce <= found.high_tce
        in_order = [found.earliest_on, found.runs_out_on, found.latest_on]
        assert [on or date.max for on in in_order] == sorted(on or date.max for on in in_order)
    for name in ("earliest_on", "runs_out_on", "latest_on"):
        assert (getattr(less, name) or date.max) <= (getattr(more, name) or date.max)


def test_a_week_keeps_its_shape() -> None:
    history = days([100.0, 100, 100, 100, 100, 40, 20] * 4)
    coming = [history[-1].on + timedelta(days=n) for n in range(1, 8)]
    made = model(history)
    assert [made.expected(on, monday_to_friday) for on in coming] == [100] * 5 + [40, 20]
    assert (made.low_ratio, made.high_ratio) == (1, 1)


def test_a_holiday_is_forecast_from_holidays_and_before_there_were_any_from_sundays() -> None:
    holidays = {date(2026, 9, 25), date(2026, 10, 5)}
    history = days([100.0, 100, 100, 100, 100, 40, 20] * 4)

    def is_workday(on: date) -> bool:
        return monday_to_friday(on) and on not in holidays

    monday = date(2026, 10, 5)
    assert model(history[:14]).expected(monday, is_workday) == 20
    quiet = [Used(day.on, 30.0) if day.on in holidays else day for day in history]
    assert model(quiet, is_workday).expected(monday, is_workday) == 30


def test_a_weekend_that_is_worked_is_forecast_as_a_workday() -> None:
    worked = date(2026, 10, 10)
    history = days([100.0, 100, 100, 100, 100, 40, 20] * 4)

    def is_workday(on: date) -> bool:
        return monday_to_friday(on) or on == worked

    assert model(history, is_workday).expected(worked, is_workday) == 100


def test_thirteen_days_are_no_history() -> None:
    assert forecast.model(days([1.0] * 13), monday_to_friday) is None
    assert forecast.model(days([1.0] * 13 + [None]), monday_to_friday) is None
    assert forecast.model([], monday_to_friday) is None


def test_days_below_the_coverage_floor_teach_nothing() -> None:
    history = days([100.0] * 14) + days([1.0] * 7, FIRST + timedelta(days=14), coverage=0.2)
    made = forecast.model(history, monday_to_friday, coverage_floor=0.75)
    assert made is not None
    assert (made.days, made.mean_tce) == (14, 100)


def test_the_day_of_running_out_is_the_day_the_total_reaches_the_budget() -> None:
    history = days([10.0] * 20)
    made = model(history)
    end = after(history, 30)
    found = forecast.project(255.0, history, made, end, monday_to_friday)
    assert found.outlook is Outlook.RUNS_OUT
    assert found.runs_out_on == history[-1].on + timedelta(days=6)
    exact = forecast.project(250.0, history, made, end, monday_to_friday)
    assert exact.runs_out_on == history[-1].on + timedelta(days=5)
    assert found.expected_tce == pytest.approx(500)


def test_a_budget_that_is_used_up_names_the_day_and_has_no_band() -> None:
    history = days([10.0] * 20)
    end = after(history, 30)
    found = forecast.project(95.0, history, model(history), end, monday_to_friday)
    tenth = FIRST + timedelta(days=9)
    assert found.outlook is Outlook.EXHAUSTED
    assert (found.earliest_on, found.runs_out_on, found.latest_on) == (tenth, tenth, tenth)


def test_uneven_weeks_give_a_band() -> None:
    history = days([10.0] * 7 + [12.0] * 7 + [8.0] * 7 + [10.0] * 7)
    found = forecast.project(500.0, history, model(history), after(history, 60), monday_to_friday)
    assert found.earliest_on is not None
    assert found.runs_out_on is not None
    assert found.latest_on is not None
    assert found.earliest_on < found.runs_out_on < found.latest_on


def test_a_budget_that_lasts_only_without_bad_luck_may_run_out() -> None:
    history = days([10.0] * 7 + [12.0] * 7 + [8.0] * 7 + [10.0] * 7)
    made, end = model(history), after(history, 10)
    assert forecast.project(385.0, history, made, end, monday_to_friday).outlook is (
        Outlook.MAY_RUN_OUT
    )
    assert forecast.project(900.0, history, made, end, monday_to_friday).outlook is Outlook.LASTS


def test_a_past_day_of_which_nothing_is_known_does_not_count_as_nothing() -> None:
    history = days([10.0] * 19 + [None])
    found = forecast.project(1e6, history, model(history), after(history, 0), monday_to_friday)
    assert (found.low_tce, found.expected_tce, found.high_tce) == pytest.approx((190, 200, 200))


def test_missing_readings_widen_the_band_upwards() -> None:
    history = days([10.0] * 20, coverage=0.8)
    found = forecast.project(1e6, history, model(history), after(history, 0), monday_to_friday)
    assert (found.low_tce, found.expected_tce, found.high_tce) == pytest.approx((200, 200, 250))
