"""A register neither creates nor loses energy, whatever happens to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import consumption, courses, instants, intervals
from energy.periods import HOUR, Span
from energy.registers import (
    RESOLUTION,
    Advance,
    Course,
    Doubt,
    Epoch,
    EpochReason,
    Kind,
    Reading,
    Side,
)

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


@pytest.mark.parametrize("first", [None, 5.0])
def test_a_register_put_in_as_it_is_read_says_nothing_of_the_time_after(
    first: float | None,
) -> None:
    changed = Epoch(
        START + QUARTER, EpochReason.REPLACED, first_value=first, previous_last_value=first
    )
    (advance,) = courses.register_course(history(0, 5), [*PLAIN, changed]).advances
    assert (advance.ends_at, advance.quantity) == (instants.of(START + QUARTER), first)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("limit", [3_900.0, 14_000.0, 86_600.0])
def test_a_last_digit_of_a_megawatt_hour_does_not_exceed_the_rated_power(
    limit: float, side: Side
) -> None:
    """The CT and PT of DOMAIN 5.2: 5000/5 and 10000/100, under nearly all their power."""
    scale = 100_000.0
    digits = [int((1234.5 + limit * 0.99 * n / 4 / scale) / RESOLUTION) for n in range(192)]
    readings = history(*(n * RESOLUTION * (scale if side is Side.PRIMARY else 1) for n in digits))
    epochs = [Epoch(START, EpochReason.INSTALLED, scale, side=side, rate_max=limit)]
    assert not courses.register_course(readings, epochs).doubts
    used = (digits[-1] - digits[0]) * RESOLUTION * scale
    assert total(readings, epochs) == pytest.approx(used)
    readings[100] = Reading(readings[100].read_at, readings[-1].raw_value * 2)
    assert courses.register_course(readings, epochs).doubts


@dataclass(frozen=True)
class Life:
    """What a register showed, what it really counted by then, and its epochs."""

    readings: list[tuple[int, float]]
    counted: list[float]
    epochs: list[Epoch]

    @property
    def end(self) -> datetime:
        return instants.moment(self.readings[-1][0])


ROLLOVER = 1_000_000.0
PACE = 300
"""The most that a register counts in a quarter, as a rule; `limit` is above it. [raw values]"""

AT_LIMIT = (PACE - RESOLUTION) * 4
"""A limit that lies below what a quarter at full load shows, by no more than the last digit."""

EVENTS = ["none"] * 8 + [
    "rise", "wrap", "replaced", "multiplier", "unread", "reset", "outage", "dip", "zeros", "spike",
]  # fmt: skip
OFF_COURSE = ("dip", "zeros", "spike")
SHARES = st.just(1.0) | st.floats(0.01, 0.99)
"""Of a quarter, what is left when an epoch begins: 1, at the instant of a reading."""


def upto(most: float) -> st.SearchStrategy[float]:
    """Draw what a register can show: whole 64ths, which floats add without a rest."""
    return st.integers(0, int(most * 64)).map(lambda count: count / 64)


class _Living:
    """A register to which all happens that can be explained, reading after reading."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.at, self.scale, self.sum = draw, START, 1.0, 0.0
        self.limit = draw(st.sampled_from([None, 2000.0, AT_LIMIT]))  # raw values an hour
        near_top = upto(900).map(lambda below: ROLLOVER - 1 - below)
        self.shown = draw(upto(900_000) | near_top)
        self.readings: list[tuple[int, float]] = []
        self.counted: list[float] = []
        self.epochs: list[Epoch] = []
        self.is_back = False
        self.begin(START, EpochReason.INSTALLED, None, None)
        self.read()

    def begin(
        self, at: datetime, reason: EpochReason, first: float | None, last: float | None
    ) -> None:
        rate_max = None if self.limit is None else self.limit * self.scale
        self.epochs.append(Epoch(at, reason, self.scale, ROLLOVER, first, last, rate_max=rate_max))

    def count(self, used: float) -> None:
        self.shown = (self.shown + used) % ROLLOVER
        self.sum += used * self.scale

    def read(self, value: float | None = None) -> None:
        """Read what the register shows, or something else that it does not."""
        self.readings.append((instants.of(self.at), self.shown if value is None else value))
        self.counted.append(self.sum if value is None else nan)

    def go_on(self, event: str) -> None:
        if self.shown == 0:
            event = "none"  # whether it wrapped to zero shows next time
        quarters = self.draw(st.integers(2, 40)) if event == "outage" else 1
        self.at += QUARTER * quarters
        if event in ("replaced", "multiplier", "unread", "reset"):
            self.change(event)
        elif event == "rise" and self.limit is None:
            self.rise()
        elif event == "wrap" and self.limit is None:
            self.count(self.draw(upto(49_000)))
        else:
            at_limit = self.limit == AT_LIMIT and self.draw(st.booleans())
            self.count(PACE if at_limit else self.draw(upto(PACE)))
        if event in OFF_COURSE:
            self.stray(event)
        self.is_back = event in OFF_COURSE
        self.read()

    def rise(self) -> None:
        """Come near to the top, in steps of less than half the range."""
        goal = ROLLOVER - 1 - self.draw(upto(600))
        while goal - self.shown > 499_000:
            self.count(499_000)
            self.read()
            self.at += QUARTER
        self.count(max(0.0, goal - self.shown))

    def change(self, event: str) -> None:
        share = self.draw(SHARES)
        if share == 1 and event != "multiplier" and (self.is_back or len(self.readings) == 1):
            share = 0.5  # what it showed is not told from what the old register showed
        begins_at, old = self.at - QUARTER * share, self.scale
        before = int(self.draw(upto(PACE)) * (1 - share) * 64) / 64
        after = int(self.draw(upto(PACE)) * share * 64) / 64
        self.count(before)
        last = self.shown
        if event != "reset":
            self.scale = self.draw(st.sampled_from([1.0, 20.0, 100_000.0]))
        if event == "unread":
            self.begin(begins_at, EpochReason.MULTIPLIER, None, None)
            part = 1 - (self.at - begins_at) / QUARTER
            self.sum += (before + after) * part * (old - self.scale) - before * (old - self.scale)
        else:
            if event == "replaced":
                self.shown = self.draw(upto(900_000))
            elif event == "reset":
                self.shown = 0.0
            self.begin(begins_at, EpochReason(event), self.shown, last)
        self.count(after)

    def stray(self, event: str) -> None:
        """Read some values off the course."""
        last = self.readings[-1][1]
        if last == 0 or (event == "spike" and (self.limit is None or last > 900_000)):
            return
        low = last * self.draw(st.floats(0.06, 0.99))
        value = {"dip": low, "zeros": 0.0, "spike": last + 50_000}[event]
        for _ in range(self.draw(st.integers(1, 12 if event == "zeros" else 3))):
            self.read(value)
            self.at += QUARTER


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Draw the life of a register to which all happens that can be explained."""
    register = _Living(draw)
    for event in draw(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=30)):
        register.go_on(event)
    register.at += QUARTER
    register.count(1.0 if register.shown + 1 < ROLLOVER else 2.0)  # not zero: that waits
    register.read()
    return Life(register.readings, register.counted, register.epochs)


@given(lives())
def test_no_explained_event_creates_or_loses_energy(life: Life) -> None:
    course = courses.register_course(life.readings, life.epochs)
    assert not any(advance.quantity is None for advance in course.advances)
    total_ = sum(advance.quantity or 0 for advance in course.advances)
    assert total_ == pytest.approx(life.counted[-1], rel=1e-9, abs=1e-4)


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
    assert sum(parts) == pytest.approx(life.counted[-1], rel=1e-9, abs=1e-4)


VALUES = st.lists(
    st.one_of(
        st.floats(0, 1000),
        st.just(0.0),
        st.floats(0, 1_000_000, exclude_max=True),
        st.floats(960_000, 1_000_000, exclude_max=True),
    ),
    min_size=2,
    max_size=40,
)
LIMITS = st.sampled_from([None, 200.0, 5000.0])
ROLLOVERS = st.sampled_from([None, 1_000_000.0])


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
            assert limit is None or each.quantity <= limit * hours + RESOLUTION * 1.01


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
