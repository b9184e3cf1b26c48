"""Periods are compared with their like, and what would mislead has a reason and no figure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import comparison, periods, workdays
from energy.comparison import SPRING_FESTIVALS, Calendar, Compare, NoChange, Rule, Side
from energy.periods import LOCAL, Span, Step

YOY, MOM = Compare.YOY, Compare.MOM
PLAIN, ADJUSTED = Calendar.PLAIN, Calendar.ADJUSTED
DAY = timedelta(days=1)


def bucket(day: date, step: Step, hour: int = 0) -> Span:
    """Return the bucket in which a local time lies."""
    starts_at = periods.floor(datetime.combine(day, time(hour), LOCAL), step)
    return Span(starts_at, periods.following(starts_at, step))


def compared(
    day: date, step: Step, compare: Compare, calendar: Calendar, hour: int = 0
) -> tuple[Rule, str, str]:
    """Return the rule, and the first and the last local day (or hour) of the other period."""
    found = comparison.other(bucket(day, step, hour), step, compare, calendar)
    assert found.span is not None
    starts_at = found.span.starts_at.astimezone(LOCAL)
    ends_at = found.span.ends_at.astimezone(LOCAL)
    if step is Step.HOUR:
        return found.rule, starts_at.isoformat(" ")[:13], ends_at.isoformat(" ")[:13]
    return found.rule, starts_at.date().isoformat(), (ends_at - DAY).date().isoformat()


@pytest.mark.parametrize(
    ("day", "step", "compare", "expected"),
    [
        (date(2026, 11, 23), Step.DAY, YOY, (Rule.SAME_DATE, "2025-11-23", "2025-11-23")),
        (date(2024, 2, 10), Step.MONTH, YOY, (Rule.SAME_DATE, "2023-02-01", "2023-02-28")),
        (date(2025, 2, 10), Step.MONTH, YOY, (Rule.SAME_DATE, "2024-02-01", "2024-02-29")),
        (date(2026, 5, 1), Step.YEAR, YOY, (Rule.SAME_DATE, "2025-01-01", "2025-12-31")),
        (date(2026, 3, 1), Step.DAY, MOM, (Rule.PRECEDING, "2026-02-28", "2026-02-28")),
        (date(2026, 1, 1), Step.MONTH, MOM, (Rule.PRECEDING, "2025-12-01", "2025-12-31")),
        (date(2026, 1, 1), Step.YEAR, MOM, (Rule.PRECEDING, "2025-01-01", "2025-12-31")),
    ],
)
def test_a_plain_period_is_compared_by_date(
    day: date, step: Step, compare: Compare, expected: tuple[Rule, str, str]
) -> None:
    assert compared(day, step, compare, PLAIN) == expected


def test_an_hour_is_compared_with_the_same_hour_or_the_one_before() -> None:
    midnight = date(2026, 1, 1)
    assert compared(midnight, Step.HOUR, YOY, PLAIN)[1] == "2025-01-01 00"
    assert compared(midnight, Step.HOUR, MOM, PLAIN)[1] == "2025-12-31 23"


@pytest.mark.parametrize("step", [Step.HOUR, Step.DAY])
def test_29_february_has_no_day_a_year_before(step: Step) -> None:
    found = comparison.other(bucket(date(2024, 2, 29), step), step, YOY, PLAIN)
    assert (found.span, found.reason) == (None, NoChange.NO_SUCH_DAY)


@pytest.mark.parametrize(
    ("day", "then"),
    [
        (date(2026, 2, 17), date(2025, 1, 29)),  # the festival itself
        (date(2025, 1, 29), date(2024, 2, 10)),
        (date(2026, 2, 16), date(2025, 1, 28)),  # its eve
        (date(2025, 2, 12), date(2024, 2, 24)),  # the Feast of Lanterns
        (date(2026, 2, 2), date(2025, 1, 14)),  # the season begins
        (date(2026, 3, 13), date(2025, 2, 22)),  # and ends
        (date(2026, 1, 20), date(2025, 1, 1)),  # 21 January 2025 was in the season
        (date(2025, 3, 4), date(2024, 3, 15)),  # and so was 5 March 2024
        (date(2024, 2, 29), date(2023, 2, 10)),
    ],
)
def test_a_day_in_the_season_is_as_far_from_the_festival(day: date, then: date) -> None:
    expected = (Rule.SPRING_FESTIVAL, then.isoformat(), then.isoformat())
    assert compared(day, Step.DAY, YOY, ADJUSTED) == expected


@pytest.mark.parametrize(
    ("day", "then"),
    [
        (date(2026, 11, 23), "2025-11-24"),  # a Monday each
        (date(2026, 3, 14), "2025-03-15"),  # the day after the season, Saturdays
        (date(2025, 3, 5), "2024-03-06"),  # the day after the season of 2024
        (date(2024, 12, 31), "2024-01-02"),
    ],
)
def test_another_day_is_compared_with_its_weekday(day: date, then: str) -> None:
    assert compared(day, Step.DAY, YOY, ADJUSTED) == (Rule.SAME_WEEKDAY, then, then)


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        # The festivals of 2026 and 2025 are 384 days apart, those of 2025 and 2024 354 days.
        (date(2026, 1, 1), (Rule.SPRING_FESTIVAL, "2024-12-13", "2025-01-12")),
        (date(2026, 2, 1), (Rule.SPRING_FESTIVAL, "2025-01-13", "2025-02-09")),
        (date(2026, 3, 1), (Rule.SPRING_FESTIVAL, "2025-02-10", "2025-03-12")),
        (date(2026, 4, 1), (Rule.SAME_DATE, "2025-04-01", "2025-04-30")),
        (date(2025, 2, 1), (Rule.SPRING_FESTIVAL, "2024-02-13", "2024-03-11")),
        (date(2025, 12, 1), (Rule.SAME_DATE, "2024-12-01", "2024-12-31")),
    ],
)
def test_a_month_that_touches_the_season_is_compared_day_by_day(
    month: date, expected: tuple[Rule, str, str]
) -> None:
    assert compared(month, Step.MONTH, YOY, ADJUSTED) == expected


@pytest.mark.parametrize(
    ("day", "then"),
    [
        (date(2026, 11, 23), "2026-11-20"),  # a Monday with the Friday
        (date(2026, 11, 21), "2026-11-15"),  # a Saturday with the Sunday
        (date(2026, 2, 14), "2026-02-13"),  # a Saturday that was worked with the Friday
        (date(2026, 2, 24), "2026-02-14"),  # the first working day after the festival
        (date(2026, 2, 15), "2026-02-08"),  # the first day off
    ],
)
def test_working_days_are_compared_with_working_days(day: date, then: str) -> None:
    assert compared(day, Step.DAY, MOM, ADJUSTED) == (Rule.SAME_KIND_OF_DAY, then, then)


@pytest.mark.parametrize(
    ("day", "step", "compare"),
    [
        (date(2040, 2, 1), Step.MONTH, YOY),
        (date(2040, 2, 1), Step.DAY, YOY),
        (date(2040, 7, 2), Step.DAY, MOM),
    ],
)
def test_a_calendar_that_is_not_published_is_not_guessed(
    day: date, step: Step, compare: Compare
) -> None:
    found = comparison.other(bucket(day, step), step, compare, ADJUSTED)
    assert (found.span, found.reason) == (None, NoChange.CALENDAR_UNKNOWN)


def test_each_festival_is_one_of_the_holiday_calendar() -> None:
    held = [day for day in SPRING_FESTIVALS.values() if workdays.is_workday(day) is not None]
    named = [chinese_calendar.get_holiday_detail(day) for day in held]
    assert named == [(True, "Spring Festival")] * len(held)
    eves = [chinese_calendar.is_holiday(day + DAY) for day in held]
    assert all(eves)


def test_every_year_of_the_holiday_calendar_has_its_festival() -> None:
    known = [y for y in range(2014, 2040) if workdays.is_workday(date(y, 1, 1)) is not None]
    assert set(known) <= SPRING_FESTIVALS.keys()


SOME_DAY = st.dates(date(2016, 1, 1), date(2026, 12, 31))


@given(SOME_DAY, st.sampled_from(Compare), st.sampled_from(Calendar))
def test_the_other_period_of_a_day_is_a_day_before_it(
    day: date, compare: Compare, calendar: Calendar
) -> None:
    this = bucket(day, Step.DAY)
    found = comparison.other(this, Step.DAY, compare, calendar)
    if found.span is None:
        assert found.reason is NoChange.NO_SUCH_DAY
        return
    assert found.span.ends_at - found.span.starts_at == DAY
    assert found.span.ends_at <= this.starts_at
    assert periods.floor(found.span.starts_at, Step.DAY) == found.span.starts_at


@given(SOME_DAY, st.sampled_from([YOY, MOM]))
def test_an_adjusted_month_is_compared_with_as_many_days_unless_by_name(
    day: date, compare: Compare
) -> None:
    this = bucket(day, Step.MONTH)
    found = comparison.other(this, Step.MONTH, compare, ADJUSTED)
    assert found.span is not None
    alike = found.span.ends_at - found.span.starts_at == this.ends_at - this.starts_at
    assert alike or found.rule in (Rule.SAME_DATE, Rule.PRECEDING)


SIDE = Side(100.0)


@pytest.mark.parametrize(
    ("now", "then", "is_over", "reason"),
    [
        (SIDE, SIDE, False, NoChange.NOT_OVER),
        (SIDE, None, True, NoChange.NOT_METERED_THEN),
        (SIDE, Side(None), True, NoChange.UNKNOWN_THEN),
        (Side(None), SIDE, True, NoChange.UNKNOWN),
        (Side(90.0, is_held=True), SIDE, True, NoChange.HELD),
        (SIDE, Side(None, is_held=True), True, NoChange.HELD),
        (SIDE, Side(90.0, lacks_factor=True), True, NoChange.FACTOR_MISSING),
    ],
)
def test_what_would_mislead_has_a_reason_and_no_figure(
    now: Side, then: Side | None, is_over: bool, reason: NoChange
) -> None:
    found = comparison.change(now, then, is_over=is_over)
    assert (found.amount, found.percent, found.reason) == (None, None, reason)


def test_nothing_is_known_and_zero_are_not_the_same() -> None:
    found = comparison.change(Side(5.0), Side(0.0), is_over=True)
    assert (found.amount, found.percent, found.reason) == (5.0, None, NoChange.NOT_POSITIVE_THEN)


def test_working_days_divide_either_side() -> None:
    total = comparison.change(Side(210.0), Side(180.0), is_over=True)
    found = comparison.change_per_workday(total, 210.0, 180.0, workdays_now=21, workdays_then=18)
    assert total.percent == pytest.approx(100 / 6)
    assert found.percent == 0


@pytest.mark.parametrize(
    ("days", "reason"),
    [((21, None), NoChange.CALENDAR_UNKNOWN), ((0, 1), NoChange.NO_WORKDAYS)],
)
def test_without_working_days_nothing_is_per_working_day(
    days: tuple[int, int | None], reason: NoChange
) -> None:
    total = comparison.change(Side(2.0), Side(1.0), is_over=True)
    found = comparison.change_per_workday(
        total, 2.0, 1.0, workdays_now=days[0], workdays_then=days[1]
    )
    assert (found.percent, found.reason) == (None, reason)


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        (date(2026, 2, 1), 16),  # 20 weekdays, less 16 to 20 and 23, and two Saturdays were worked
        (date(2025, 2, 1), 19),  # 20 weekdays, less 3 and 4, and Saturday 8 was worked
        (date(2026, 10, 1), 18),  # 22 weekdays, less 1, 2, 5, 6, 7, and Saturday 10 was worked
        (date(2050, 1, 1), None),
    ],
)
def test_the_working_days_of_a_month_are_counted(month: date, expected: int | None) -> None:
    assert workdays.count(bucket(month, Step.MONTH)) == expected


def test_instants_of_either_offset_are_the_same_period() -> None:
    utc = Span(datetime(2026, 2, 16, 16, tzinfo=UTC), datetime(2026, 2, 17, 16, tzinfo=UTC))
    local = Span(utc.starts_at.astimezone(LOCAL), utc.ends_at.astimezone(LOCAL))
    found = [comparison.other(each, Step.DAY, YOY, ADJUSTED) for each in (utc, local)]
    assert found[0] == found[1]
