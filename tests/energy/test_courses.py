"""A register neither creates nor loses energy, whatever happens to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import nan

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energy import consumption, courses, instants, intervals
from energy.periods import HOUR, Span
from energy.registers import Advance, Course, Doubt, Epoch, EpochReason, Kind, Reading

START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PLAIN = [Epoch(START, EpochReason.INSTALLED)]
WRAPPING = [Epoch(START, EpochReason.INSTALLED, rollover=1_000_000.0)]


def history(*values: float) -> list[Reading]:
    return [Reading(instants.of(START + n * QUARTER), value) for n, value in enumerate(values)]


def total(readings: list[Reading], epochs: list[Epoch]) -> float:
    advances = courses.register_course(readings, epochs).advances
    return sum(advance.quantity for advance in advances if advance.quantity is not None)


def is_held(readings: list[Reading], epochs: list[Epoch]) -> bool:
    return any(each.quantity is None for each in courses.register_course(readings, epochs).advances)


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


@dataclass(frozen=True)
class Life:
    """What a register showed, what it really counted by then, and its epochs."""

    readings: list[tuple[int, float]]
    counted: list[float]
    epochs: list[Epoch]

    @property
    def end(self) -> datetime:
        return instants.moment(self.readings[-1][0])


EVENTS = ["none"] * 8 + ["wrap", "replaced", "multiplier", "reset", "outage", "dip", "zeros"]


def upto(most: int) -> st.SearchStrategy[float]:
    """Draw what a register can show: whole 64ths, which floats add without a rest."""
    return st.integers(0, most * 64).map(lambda count: count / 64)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Draw the life of a register to which all happens that can be explained."""
    at, shown, scale, sum_ = START, draw(upto(900_000)), 1.0, 0.0
    epochs = [Epoch(START, EpochReason.INSTALLED, 1.0, 1_000_000.0)]
    readings, counted = [(instants.of(at), shown)], [0.0]

    def count(used: float) -> None:
        nonlocal shown, sum_
        shown = (shown + used) % 1_000_000
        sum_ += used * scale

    for event in draw(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=30)):
        at += QUARTER * (draw(st.integers(2, 40)) if event == "outage" else 1)
        count(draw(upto(300)))
        if event == "wrap":
            count(draw(upto(499_000)))
        elif event in ("replaced", "multiplier", "reset"):
            last = shown
            if event != "multiplier":
                shown = draw(upto(900_000)) if event == "replaced" else 0.0
            scale = draw(st.sampled_from([1.0, 20.0, 100_000.0])) if event != "reset" else scale
            begins_at = at - QUARTER * draw(st.floats(0.01, 0.99))
            reason = EpochReason(event)
            epochs.append(Epoch(begins_at, reason, scale, 1_000_000.0, shown, last))
            count(draw(upto(300)))
        elif event in ("dip", "zeros"):
            count_of = draw(st.integers(1, 3 if event == "dip" else 12))
            low = 0.0 if event == "zeros" else readings[-1][1] * 0.3
            assume(readings[-1][1] < 400_000)  # or the fall might be a wrap
            for _ in range(count_of):
                readings.append((instants.of(at), low if low < readings[-1][1] else 0.0))
                counted.append(nan)
                at += QUARTER
        readings.append((instants.of(at), shown))
        counted.append(sum_)
    return Life(readings, counted, epochs)


@settings(max_examples=1000)
@given(lives())
def test_no_explained_event_creates_or_loses_energy(life: Life) -> None:
    course = courses.register_course(life.readings, life.epochs)
    assert not any(advance.quantity is None for advance in course.advances)
    total_ = sum(advance.quantity or 0 for advance in course.advances)
    assert total_ == pytest.approx(life.counted[-1], rel=1e-9, abs=1e-6)


@settings(max_examples=1000)
@given(lives(), st.data())
def test_any_partition_of_time_sums_to_the_register(life: Life, data: st.DataObject) -> None:
    course = courses.register_course(life.readings, life.epochs)
    whole = Span(START, life.end + HOUR)
    count = int((whole.ends_at - whole.starts_at) / HOUR)
    cuts = sorted({0, count, *data.draw(st.lists(st.integers(0, count), max_size=5))})
    parts = [
        sum(
            hour.quantity or 0.0
            for hour in consumption.hours(
                Kind.REGISTER,
                life.readings,
                course,
                intervals.plain(900),
                Span(START + HOUR * first, START + HOUR * last),
            )
        )
        for first, last in pairwise(cuts)
    ]
    assert sum(parts) == pytest.approx(life.counted[-1], rel=1e-9, abs=1e-6)


VALUES = st.lists(
    st.one_of(st.floats(0, 1000), st.just(0.0), st.floats(0, 1_000_000)), min_size=2, max_size=40
)
LIMITS = st.sampled_from([None, 200.0, 5000.0])
ROLLOVERS = st.sampled_from([None, 1_000_000.0])


@settings(max_examples=1000)
@given(VALUES, LIMITS, ROLLOVERS)
def test_whatever_is_read_all_time_is_accounted_for_once(
    values: list[float], limit: float | None, rollover: float | None
) -> None:
    epochs = [Epoch(START, EpochReason.INSTALLED, 1.0, rollover, rate_max=limit)]
    readings = history(*values)
    course = courses.register_course(readings, epochs)
    edges = [(each.starts_at, each.ends_at) for each in course.advances]
    assert [edges[0][0], edges[-1][1]] == [readings[0].read_at, readings[-1].read_at]
    assert all(one[1] == other[0] for one, other in pairwise(edges))


@settings(max_examples=1000)
@given(VALUES, LIMITS, ROLLOVERS)
def test_what_is_counted_is_what_the_register_moved(
    values: list[float], limit: float | None, rollover: float | None
) -> None:
    """Nothing is guessed: each quantity is the difference of two readings, modulo the rollover."""
    epochs = [Epoch(START, EpochReason.INSTALLED, 1.0, rollover, rate_max=limit)]
    shown = {reading.read_at: reading.raw_value for reading in history(*values)}
    for each in courses.register_course(history(*values), epochs).advances:
        if each.quantity is not None:
            moved = shown[each.ends_at] - shown[each.starts_at]
            assert each.quantity == pytest.approx(moved if moved >= 0 else moved + (rollover or 0))
            hours = (each.ends_at - each.starts_at) / instants.HOUR
            assert limit is None or each.quantity <= limit * hours * (1 + 1e-12)


@settings(max_examples=1000)
@given(VALUES, LIMITS, ROLLOVERS, st.data())
def test_a_history_can_be_settled_anew_from_any_two_readings_on_its_course(
    values: list[float], limit: float | None, rollover: float | None, data: st.DataObject
) -> None:
    epochs = [Epoch(START, EpochReason.INSTALLED, 1.0, rollover, rate_max=limit)]
    readings = history(*values)
    whole = courses.register_course(readings, epochs)
    runs = [(doubt.first_at, doubt.last_at) for doubt in whole.doubts if doubt.readings]
    on_course = [
        number
        for number, reading in enumerate(readings)
        if not any(first <= reading.read_at <= last for first, last in runs)
    ]
    place = data.draw(st.integers(0, len(on_course) - 1))
    part = courses.register_course(readings[on_course[place] :], epochs)
    since = readings[on_course[min(place + 1, len(on_course) - 1)]].read_at

    def after(course: Course) -> tuple[list[Advance], list[Doubt]]:
        return (
            [each for each in course.advances if each.starts_at >= since],
            [each for each in course.doubts if each.first_at >= since and each.readings],
        )

    assert after(part) == after(whole)
