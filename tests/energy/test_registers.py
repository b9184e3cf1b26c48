"""A register neither creates nor loses energy, whatever happens to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import consumption, instants, registers
from energy.periods import HOUR, Span
from energy.registers import Epoch, EpochReason, Kind, Reading

START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PLAIN = [Epoch(START, EpochReason.INSTALLED)]
WRAPPING = [Epoch(START, EpochReason.INSTALLED, rollover=1_000_000.0)]


def history(*values: float) -> list[Reading]:
    return [Reading(instants.of(START + n * QUARTER), value) for n, value in enumerate(values)]


def total(readings: list[Reading], epochs: list[Epoch]) -> float:
    advances = registers.register_course(readings, epochs).advances
    return sum(advance.quantity for advance in advances if advance.quantity is not None)


def is_held(readings: list[Reading], epochs: list[Epoch]) -> bool:
    return any(
        each.quantity is None for each in registers.register_course(readings, epochs).advances
    )


def test_a_register_counts_its_difference() -> None:
    assert total(history(38312088, 38315900), PLAIN) == 3812


def test_a_wrap_is_counted_across_the_rollover() -> None:
    assert total(history(999984.0625, 20), WRAPPING) == 35.9375


def test_a_transient_zero_creates_no_energy() -> None:
    assert total(history(1000, 0, 0, 1010), PLAIN) == 10
    assert total(history(1000, 0, 0, 1010), WRAPPING) == 10


def test_a_fall_that_nobody_explained_is_held() -> None:
    readings = history(1000, 3, 4)
    assert is_held(readings, PLAIN)
    assert total(readings, PLAIN) == 0


def test_a_replaced_meter_neither_creates_nor_loses_energy() -> None:
    replaced = Epoch(
        START + QUARTER * 1.5,
        EpochReason.REPLACED,
        first_value=40.0,
        previous_last_value=99_991.5,
    )
    readings = history(99_950, 99_980, 52)
    assert total(readings, [*PLAIN, replaced]) == pytest.approx(41.5 + 12)


def test_a_replacement_without_readings_at_the_change_is_held() -> None:
    replaced = Epoch(START + QUARTER * 1.5, EpochReason.REPLACED)
    assert is_held(history(99_950, 99_980, 52), [*PLAIN, replaced])


def test_a_new_multiplier_counts_from_its_instant() -> None:
    changed = Epoch(START + QUARTER, EpochReason.MULTIPLIER, multiplier=10.0)
    assert total(history(0, 5, 8), [*PLAIN, changed]) == 5 + 30


@given(
    steps=st.lists(st.integers(0, 400_000), min_size=1, max_size=60),
    gaps=st.lists(st.integers(1, 20_000), min_size=60, max_size=60),
    first=st.integers(0, 999_999),
)
def test_hours_sum_to_the_register(steps: list[int], gaps: list[int], first: int) -> None:
    at, count, readings = START, first, [Reading(instants.of(START), float(first))]
    for used, gap in zip(steps, gaps, strict=False):
        at += timedelta(seconds=gap)
        count += used
        readings.append(Reading(instants.of(at), float(count % 1_000_000)))
    course = registers.register_course(readings, WRAPPING)
    hours = consumption.hours(Kind.REGISTER, readings, course, 900, Span(START, at + HOUR))
    assert sum(hour.quantity or 0.0 for hour in hours) == pytest.approx(count - first, abs=1e-6)
