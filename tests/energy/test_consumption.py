"""Hours: gaps are estimates with a flag, absent is not zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from energy import consumption, courses, instants, intervals
from energy.consumption import Hour
from energy.periods import Span
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
