"""Hours: gaps are estimates with a flag, absent is not zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import consumption, courses, explanation, instants, intervals
from energy.consumption import Hour
from energy.periods import HOUR, Span
from energy.registers import Epoch, EpochReason, Kind, Reading

START = datetime(2026, 1, 1, 8, tzinfo=UTC)
EPOCHS = [Epoch(START, EpochReason.INSTALLED, multiplier=2.0)]
DUE = intervals.plain(900)
DAY = Span(START, START + timedelta(days=1))


def at(after: timedelta, value: float) -> Reading:
    return Reading(instants.of(START + after), value)


def hours(kind: Kind, *readings: tuple[int, float]) -> list[Hour]:
    """Return the hours of readings given as (minutes after the start, value)."""
    made = [at(timedelta(minutes=minute), value) for minute, value in readings]
    return consumption.hours(kind, made, courses.course(kind, made, EPOCHS, DUE), DUE, DAY)


def test_a_full_hour_has_four_readings_and_nothing_estimated() -> None:
    (hour,) = hours(Kind.REGISTER, (0, 0), (15, 1), (30, 2), (45, 3), (60, 4))
    assert (hour.quantity, hour.estimated_quantity, hour.readings_present) == (8.0, 0.0, 4)


def test_an_outage_is_spread_over_its_hours_and_flagged() -> None:
    spread = hours(Kind.REGISTER, (0, 0), (360, 3812))
    assert [hour.quantity for hour in spread] == pytest.approx([3812 * 2 / 6] * 6)
    assert all(hour.estimated_quantity == hour.quantity for hour in spread)
    assert [hour.readings_present for hour in spread] == [0, 0, 0, 0, 0, 1]


def test_a_clock_some_seconds_off_fills_its_own_slot() -> None:
    made = [at(timedelta(minutes=15 * n, seconds=3), 4.0 * n) for n in range(9)]
    course = courses.register_course(made, EPOCHS)
    found = consumption.hours(Kind.REGISTER, made, course, DUE, DAY)
    assert [hour.readings_present for hour in found[:2]] == [4, 4]
    assert found[0].estimated_quantity == 0


def test_an_interval_belongs_to_the_hour_it_starts_in() -> None:
    first, second = hours(Kind.INTERVAL, (45, 5.0), (60, 7.0))
    assert (first.quantity, second.quantity) == (10.0, 14.0)


def test_a_missing_interval_is_absent_and_not_zero() -> None:
    found = hours(Kind.INTERVAL, (0, 5.0), (120, 7.0))
    assert [hour.starts_at.hour for hour in found] == [8, 10]


def test_a_gauge_holds_for_one_interval_at_most() -> None:
    (hour,) = hours(Kind.GAUGE, (0, 100.0), (45, 100.0))
    assert hour.quantity == pytest.approx(2 * 100.0 * 0.5)


def test_held_hours_say_so() -> None:
    (hour,) = hours(Kind.REGISTER, (0, 100), (15, 3), (30, 4))
    assert hour.held
    assert hour.quantity is None


def quarters(kind: Kind, *readings: tuple[int, float], due: int = 900) -> list[Hour]:
    """Return the quarters of readings given as (minutes after the start, value)."""
    made = [at(timedelta(minutes=minute), value) for minute, value in readings]
    every = intervals.plain(due)
    course = courses.course(kind, made, EPOCHS, every)
    return consumption.quarters(kind, made, course, every, DAY)


def test_a_quarter_is_what_its_readings_say() -> None:
    found = quarters(Kind.REGISTER, (0, 0), (15, 1), (30, 3), (45, 3), (60, 4))
    assert [each.quantity for each in found] == [2.0, 4.0, 0.0, 2.0]
    assert {(each.estimated_quantity, each.readings_present) for each in found} == {(0.0, 1)}


def test_an_hour_that_is_read_once_has_estimated_quarters() -> None:
    found = quarters(Kind.REGISTER, (0, 0), (60, 4), due=3600)
    assert [each.quantity for each in found] == [2.0] * 4
    assert [each.estimated_quantity for each in found] == [2.0] * 4
    assert [each.readings_present for each in found] == [0, 0, 0, 1]


def test_a_reading_in_doubt_is_on_no_quarter() -> None:
    found = quarters(Kind.REGISTER, (0, 10), (15, 11), (30, 0), (45, 13), (60, 14))
    assert [each.quantity for each in found] == [2.0, 2.0, 2.0, 2.0]
    assert [each.estimated_quantity for each in found] == [0.0, 2.0, 2.0, 0.0]


def test_an_interval_is_its_quarter() -> None:
    found = quarters(Kind.INTERVAL, (45, 5.0), (60, 7.0))
    assert [(each.starts_at.hour, each.starts_at.minute) for each in found] == [(8, 45), (9, 0)]
    assert [each.quantity for each in found] == [10.0, 14.0]


LIFE = [
    Epoch(START, EpochReason.INSTALLED, multiplier=2.0, rollover=1000.0),
    Epoch(START + timedelta(hours=7, minutes=20), EpochReason.REPLACED, multiplier=3.0,
          rollover=1000.0, first_value=5.0, previous_last_value=800.0),
]  # fmt: skip
STEPS = st.lists(
    st.tuples(st.integers(1, 100), st.one_of(st.floats(0, 40), st.floats(-900, 900))), max_size=30
)


@given(kind=st.sampled_from(Kind), steps=STEPS, due=st.sampled_from([300, 900, 1800, 3600]))
def test_the_quarters_of_an_hour_are_the_hour(
    kind: Kind, steps: list[tuple[int, float]], due: int
) -> None:
    minute, shown, made = 0, 400.0, [at(timedelta(0), 400.0)]
    for later, rise in steps:
        minute, shown = minute + later, (shown + rise) % 1000
        made.append(at(timedelta(minutes=minute), shown))
    every = intervals.plain(due)
    course = courses.course(kind, made, LIFE, every)
    whole = consumption.hours(kind, made, course, every, DAY)
    parts = consumption.quarters(kind, made, course, every, DAY)
    for hour in whole:
        own = [each for each in parts if timedelta(0) <= each.starts_at - hour.starts_at < HOUR]
        assert explanation.agrees(
            explanation.known_sum(each.quantity for each in own), hour.quantity
        )
        assert any(each.held for each in own) == hour.held
        assert sum(each.readings_present for each in own) <= hour.readings_present
    assert {each.starts_at.replace(minute=0) for each in parts} == {h.starts_at for h in whole}
