"""How often a meter is due is judged by the interval of then, before a change and after it."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from energy import consumption, courses, coverage, instants, intervals
from energy.consumption import Hour
from energy.coverage import Calendar, Due
from energy.intervals import EVER, Interval, Intervals
from energy.periods import HOUR, Span
from energy.registers import Epoch, EpochReason, Kind
from tests.energy.test_coverage import HOURS, KINDS, START

SECONDS = st.sampled_from([300, 900, 1800, 3600])
FULL_HOURS = st.integers(1, 47)
NOW = HOURS[-1].ends_at


@st.composite
def dated(draw: st.DrawFn) -> Intervals:
    """Draw the intervals of a meter that changed on full hours, where all of them are over."""
    changes = sorted(draw(st.sets(FULL_HOURS, max_size=3)))
    later = [Interval(START + hour * HOUR, draw(SECONDS)) for hour in changes]
    return [Interval(EVER, draw(SECONDS)), *later]


@given(KINDS, dated(), st.integers(-3600, 48 * 3600))
def test_the_hours_of_a_span_owe_what_the_span_owes(
    kind: Kind, due: Intervals, offset_s: int
) -> None:
    now = START + timedelta(seconds=offset_s)
    whole = Span(HOURS[0].starts_at, HOURS[-1].ends_at)
    parts = sum(coverage.due_of(kind, due, hour, now) for hour in HOURS)
    assert parts == coverage.due_of(kind, due, whole, now)


@given(st.lists(st.tuples(KINDS, dated(), st.integers(-7200, 48 * 3600)), max_size=4))
def test_a_group_owes_what_its_meters_owe(meters: list[tuple[Kind, Intervals, int]]) -> None:
    due, expected = Due(Calendar(HOURS, NOW)), [0] * len(HOURS)
    for kind, each, installed_s in meters:
        installed_at = START + timedelta(seconds=installed_s)
        for interval_s, starts_at, ends_at in intervals.stretches(each):
            if installed_at < ends_at:
                due.add(kind, interval_s, max(starts_at, installed_at), 1, ends_at=ends_at)
        for index, hour in enumerate(HOURS):
            if installed_at < hour.ends_at:
                active = Span(max(hour.starts_at, installed_at), hour.ends_at)
                expected[index] += coverage.due_of(kind, each, active, NOW)
    assert due.counts() == expected


def read(kind: Kind, every: Intervals) -> list[tuple[int, float]]:
    """Return a meter that is read whenever it is due, and counts on."""
    shown, at = list[datetime](), START
    while at <= NOW:
        shown.append(at)
        step = timedelta(seconds=intervals.at(every, at))
        at = START + ((at - START) // step + 1) * step
        later = [each.starts_at for each in every if shown[-1] < each.starts_at < at]
        at = min([at, *later])
    return [(instants.of(moment), float(number)) for number, moment in enumerate(shown)]


def hours(kind: Kind, history: list[tuple[int, float]], due: Intervals) -> list[Hour]:
    epochs = [
        Epoch(START, EpochReason.INSTALLED),
        *(
            Epoch(each.starts_at, EpochReason.INTERVAL, interval_s=each.interval_s)
            for each in due[1:]
        ),
    ]
    course = courses.course(kind, history, epochs, due)
    return consumption.hours(kind, history, course, due, Span(START, NOW))


@given(st.sampled_from([Kind.REGISTER, Kind.INTERVAL]), dated(), st.integers(-60, 60))
def test_who_is_read_whenever_it_is_due_lacks_nothing(
    kind: Kind, due: Intervals, clock_s: int
) -> None:
    shown = [(at + clock_s * instants.SECOND, value) for at, value in read(kind, due)]
    found = hours(kind, shown, due)
    present = sum(hour.readings_present for hour in found)
    owed = coverage.due_of(kind, due, Span(START, NOW), NOW)
    assert owed <= present <= owed + 1  # the last reading of an interval meter may be early
    assert clock_s or all(hour.estimated_quantity == 0 for hour in found)


@given(KINDS, SECONDS, SECONDS, FULL_HOURS, st.sets(st.integers(0, 96), min_size=2))
def test_another_interval_says_nothing_else_of_the_hours_before_it(
    kind: Kind, first: int, second: int, hour: int, quarters: set[int]
) -> None:
    history = [(instants.of(START + timedelta(minutes=30 * n)), float(n)) for n in sorted(quarters)]
    at = START + hour * HOUR
    changed = [Interval(EVER, first), Interval(at, second)]
    reach = instants.moment(max([0, *(t for t, _ in history if t <= instants.of(at))]))
    before = [each for each in hours(kind, history, changed) if each.starts_at + HOUR <= reach]
    plain = hours(kind, history, intervals.plain(first))
    assert before == [each for each in plain if each.starts_at + HOUR <= reach]


@given(dated(), st.sets(st.integers(0, 96), min_size=2))
def test_energy_is_conserved_whatever_the_intervals_are(due: Intervals, quarters: set[int]) -> None:
    history = [(instants.of(START + timedelta(minutes=30 * n)), float(n)) for n in sorted(quarters)]
    found = hours(Kind.REGISTER, history, due)
    whole = sum(hour.quantity or 0 for hour in found)
    assert abs(whole - (history[-1][1] - history[0][1])) < 1e-9


def test_the_reading_at_a_change_closes_the_interval_that_ends() -> None:
    """From 10:15 on the register is read at full hours: 10:15 is the last of its quarters."""
    at = START + 10 * HOUR + timedelta(minutes=15)
    due = [Interval(EVER, 900), Interval(at, 3600)]
    times = [START + timedelta(minutes=15 * n) for n in range(42)]
    times += [START + n * HOUR for n in range(11, 49)]
    history = [(instants.of(time), float(n)) for n, time in enumerate(times)]
    found = {each.starts_at: each.readings_present for each in hours(Kind.REGISTER, history, due)}
    assert [found[START + n * HOUR] for n in (9, 10, 11)] == [4, 2, 1]  # 10:15 and 11:00


def test_a_step_across_a_change_may_be_as_long_as_the_longer_interval_allows() -> None:
    at = START + 2 * HOUR
    history = [
        (instants.of(START + timedelta(minutes=minute)), float(minute))
        for minute in (*range(0, 106, 15), 165)
    ]
    for due in (
        [Interval(EVER, 900), Interval(at, 3600)],
        [Interval(EVER, 3600), Interval(at, 900)],
    ):
        found = hours(Kind.REGISTER, history, due)
        assert sum(hour.estimated_quantity for hour in found) == 0
    plain = hours(Kind.REGISTER, history, intervals.plain(900))
    assert sum(hour.estimated_quantity for hour in plain) == 60
