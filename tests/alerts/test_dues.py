"""By when an alert is to be taken care of, in working days; what stops that clock, and for long."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from alerts import dues, tasks
from alerts.dues import CONTEST_STOPS_FOR, Turn
from alerts.kinds.kind import Parameters
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.tasks import TaskTurn
from db.alert_cases import Case, Dates
from db.figures import FigureRow
from energy import workdays
from energy.indicators import Indicator
from energy.periods import LOCAL
from energy.workdays import NoDeadline

FRIDAY = datetime(2026, 11, 20, 16, tzinfo=LOCAL)
LATE = datetime(2026, 12, 30, 9, tzinfo=LOCAL)
"""Two working days are left of the year whose days off are the last that are known."""

NAMES = {"450000": "广西", "450200": "柳州市", "450300": "桂林市", "450400": "梧州市", "450202": ""}


def case(at: datetime = FRIDAY, *, region: str = "450202", rule_region: str = "450000") -> Case:
    dates = dues.dated(region, rule_region, acknowledge=2, remedy=5, at=at)
    return Case(1, region, rule_region, 2, 5, dates, stopped_at=None, raised_to=None)


def day(due_at: datetime | None) -> date | None:
    return None if due_at is None else workdays.last_day(due_at)


def test_due_dates_are_working_days_after_the_day_it_fired() -> None:
    dates = case().dates
    assert day(dates.acknowledge_by) == day(dates.raise_at) == date(2026, 11, 24)
    assert day(dates.remedy_by) == date(2026, 11, 27)


def test_a_year_whose_days_off_are_not_known_has_no_due_date_and_says_so() -> None:
    dates = dues.dated("450202", "450000", acknowledge=1, remedy=20, at=LATE)
    assert (day(dates.acknowledge_by), dates.remedy_by) == (date(2026, 12, 31), None)
    assert dates.undated is NoDeadline.CALENDAR_UNKNOWN


def test_what_can_be_dated_is_raised_though_another_date_is_not_known() -> None:
    dates = dues.dated("450202", "450000", acknowledge=1, remedy=20, at=LATE)
    one = replace(case(), acknowledge_workdays=1, remedy_workdays=20, dates=dates)
    assert dues.next_step(one, datetime(2026, 12, 31, 23, tzinfo=LOCAL)) is None
    step = dues.next_step(one, datetime(2027, 1, 1, tzinfo=LOCAL))
    assert step is not None
    assert (step.turn, step.raised_to) == (Turn.RAISED_TO, "450200")
    assert step.dates.undated is NoDeadline.CALENDAR_UNKNOWN


def test_a_rule_that_asks_for_no_dates_raises_nothing() -> None:
    dates = dues.dated("450202", "450000", acknowledge=None, remedy=None, at=FRIDAY)
    assert dates == Dates(FRIDAY, FRIDAY)


def test_it_is_raised_county_to_city_to_province_and_each_has_as_long() -> None:
    one, told = case(), list[tuple[Turn, list[str], date | None]]()
    now = FRIDAY
    while now < FRIDAY + timedelta(days=30):
        if (step := dues.next_step(one, now)) is not None:
            told.append((step.turn, dues.written_to(one, step), day(now - timedelta(hours=1))))
            one = replace(
                one,
                dates=step.dates,
                raised_to=step.raised_to,
                remedy_raised_to=step.remedy_raised_to,
            )
        now += timedelta(hours=1)
    assert told == [
        (Turn.RAISED_TO, ["450200"], date(2026, 11, 24)),
        (Turn.RAISED_TO, ["450000"], date(2026, 11, 27)),
        (Turn.REMEDY_OVERDUE, ["450202", "450200"], date(2026, 11, 27)),
        (Turn.REMEDY_OVERDUE, ["450000"], date(2026, 12, 4)),
    ]


def test_a_region_without_contacts_costs_no_step_where_one_above_has_some() -> None:
    late, up = FRIDAY + timedelta(days=30), {"450000"}
    raised = dues.next_step(case(), late, up)
    told = dues.next_step(replace(case(), is_acknowledged=True), late, up)
    task = tasks.next_step(tasks.clock("450202", "450000", FRIDAY), late, up)
    assert raised is not None
    assert told is not None
    assert task is not None
    assert (raised.raised_to, told.remedy_raised_to, task.to) == ("450000",) * 3
    assert raised.dates.raise_at is told.dates.remedy_raise_at is task.clock.raise_at is None


def test_nobody_says_that_it_is_not_remedied_where_that_is_not_known() -> None:
    one = replace(case(), is_acknowledged=True, is_over=False)
    assert dues.next_step(one, FRIDAY + timedelta(days=30)) is None


def test_what_is_not_remedied_goes_up_though_the_days_off_to_come_are_not_known() -> None:
    one = replace(case(), is_acknowledged=True)
    now = datetime(2026, 12, 31, 12, tzinfo=LOCAL)
    step = dues.next_step(one, now)
    assert step is not None
    assert (step.dates.remedy_raise_at, step.dates.undated) == (now + dues.UNDATED_STEP, None)


@pytest.mark.parametrize(("rule_region", "raised"), [("450202", False), ("450200", True)])
def test_it_is_raised_as_far_as_the_rule_reaches(rule_region: str, raised: bool) -> None:
    one = case(rule_region=rule_region)
    step = dues.next_step(one, FRIDAY + timedelta(days=30))
    assert step is not None
    assert (step.turn is Turn.RAISED_TO) == raised
    if raised:
        assert (step.raised_to, step.dates.raise_at) == ("450200", None)
    else:
        assert dues.written_to(one, step) == ["450202"]


def test_a_contest_stops_the_clock_and_the_days_that_were_left_go_on() -> None:
    monday, thursday = FRIDAY + timedelta(days=3), FRIDAY + timedelta(days=6)
    one = replace(case(), stopped_at=monday)
    assert dues.next_step(one, FRIDAY + timedelta(days=10)) is None
    dates = dues.resumed(one, thursday)
    assert day(dates.acknowledge_by) == day(dates.raise_at) == date(2026, 11, 27)
    assert day(dates.remedy_by) == date(2026, 12, 2)


def test_what_was_over_before_the_contest_stays_over() -> None:
    one = replace(case(), stopped_at=FRIDAY + timedelta(days=5))
    dates = dues.resumed(one, FRIDAY + timedelta(days=10))
    assert dates.acknowledge_by == one.dates.acknowledge_by
    assert day(dates.remedy_by) == date(2026, 12, 2)


def test_a_contest_that_nobody_decides_stops_the_clock_for_so_long_and_no_longer() -> None:
    one = replace(case(), stopped_at=FRIDAY)
    assert dues.next_step(one, FRIDAY + CONTEST_STOPS_FOR - timedelta(seconds=1)) is None
    step = dues.next_step(one, FRIDAY + CONTEST_STOPS_FOR + timedelta(days=9))
    assert step is not None
    assert (step.turn, day(step.dates.raise_at)) == (Turn.CLOCK_RESUMED, date(2026, 12, 8))


def test_where_a_date_is_not_known_after_a_contest_all_count_anew() -> None:
    one = replace(case(LATE - timedelta(days=2)), stopped_at=LATE - timedelta(days=1))
    dates = dues.resumed(one, LATE)
    assert (dates.dated_at, dates.undated) == (LATE, NoDeadline.CALENDAR_UNKNOWN)
    assert dues.next_step(replace(one, stopped_at=None, dates=dates), LATE) is None


@pytest.mark.parametrize(
    ("parameters", "level", "measured", "is_asked"),
    [
        (RegionLevel(), 1, 0.009, True),
        (RegionLevel(), 1, 0.0, False),
        (RegionLevel(), 2, -0.01, False),
        (RegionLevel(indicator=Indicator.CARBON_PER_GDP), 1, 0.009, False),
        (ProductIntensity(), 1, 140.0, False),
    ],
)
def test_a_task_is_of_energy_per_gdp_that_rose_and_of_nothing_else(
    parameters: Parameters, level: int, measured: float, is_asked: bool
) -> None:
    assert (tasks.asked(parameters, level, measured) is not None) == is_asked


def test_a_task_is_due_in_twenty_working_days_and_its_region_is_reminded_before() -> None:
    clock = tasks.clock("450200", "450000", FRIDAY)
    assert (day(clock.due_at), day(clock.remind_at)) == (date(2026, 12, 18), date(2026, 12, 11))
    assert clock.remind_at is not None
    step = tasks.next_step(clock, clock.remind_at)
    assert step is not None
    assert (step.turn, step.to) == (TaskTurn.TASK_REMINDER, "450200")
    assert tasks.next_step(step.clock, clock.remind_at) is None


def test_a_task_that_is_overdue_goes_to_the_next_region_up_and_then_is_at_the_top() -> None:
    clock = tasks.clock("450202", "450000", FRIDAY)
    first = tasks.next_step(clock, datetime(2026, 12, 19, tzinfo=LOCAL))
    assert first is not None
    assert (first.turn, first.to) == (TaskTurn.TASK_OVERDUE, "450200")
    assert day(first.clock.raise_at) == date(2026, 12, 25)
    second = tasks.next_step(first.clock, datetime(2026, 12, 26, tzinfo=LOCAL))
    assert second is not None
    assert (second.to, second.clock.raise_at) == ("450000", None)


def test_the_province_itself_is_written_to_where_nobody_is_above_it() -> None:
    clock = tasks.clock("450000", "450000", FRIDAY)
    step = tasks.next_step(clock, datetime(2026, 12, 19, tzinfo=LOCAL))
    assert step is not None
    assert (step.to, step.clock.raised_to, step.clock.raise_at) == ("450000", None, None)


def test_a_task_that_reaches_into_an_unknown_year_is_not_due_yet() -> None:
    clock = tasks.clock("450200", "450000", LATE)
    assert (clock.due_at, clock.remind_at, clock.undated) == (
        None,
        None,
        NoDeadline.CALENDAR_UNKNOWN,
    )
    assert tasks.next_step(clock, LATE + timedelta(days=99)) is None


def test_of_a_province_the_cities_that_rose_are_named_and_those_nobody_knows_of_apart() -> None:
    figures = [
        FigureRow("450200", 2026, 8, 0.07, 0.06, "s"),
        FigureRow("450200", 2026, 9, 0.05, 0.06, "s"),
        FigureRow("450300", 2026, 9, 0.07, 0.06, "s"),
        FigureRow("450400", 2025, 9, 0.07, 0.06, "s"),
        FigureRow("450400", 2026, 9, None, 0.06, "s"),
    ]
    found = tasks.concerned("450000", 2026, figures, NAMES)
    assert (found.rose, found.untold) == (["450300"], ["450400"])
    assert tasks.concerned("450200", 2026, figures, NAMES).rose == ["450200"]
