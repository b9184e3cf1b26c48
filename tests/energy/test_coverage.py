"""Coverage is measured against what was due, and no meter owes what is not over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from energy.coverage import Calendar, Due, readings_due
from energy.periods import HOUR, Span
from energy.registers import Kind

START = datetime(2026, 11, 23, tzinfo=UTC)
HOURS = [Span(START + n * HOUR, START + (n + 1) * HOUR) for n in range(48)]
KINDS = st.sampled_from(list(Kind))
INTERVALS = st.sampled_from([1, 60, 900, 3600, 7200, 86400])
OFFSETS = st.integers(-7200, 48 * 3600)


@given(KINDS, INTERVALS, OFFSETS)
def test_the_hours_of_a_span_owe_what_the_span_owes(
    kind: Kind, interval_s: int, offset_s: int
) -> None:
    now = START + timedelta(seconds=offset_s)
    whole = Span(HOURS[0].starts_at, HOURS[-1].ends_at)
    parts = sum(readings_due(kind, interval_s, hour, now) for hour in HOURS)
    assert parts == readings_due(kind, interval_s, whole, now)


@given(st.lists(st.tuples(KINDS, INTERVALS, OFFSETS, st.integers(1, 3)), max_size=5), OFFSETS)
def test_a_group_owes_what_its_meters_owe(
    meters: list[tuple[Kind, int, int, int]], offset_s: int
) -> None:
    now = START + timedelta(seconds=offset_s)
    due = Due(Calendar(HOURS, now))
    expected = [0] * len(HOURS)
    for kind, interval_s, installed_s, count in meters:
        installed_at = START + timedelta(seconds=installed_s)
        due.add(kind, interval_s, installed_at, count)
        for index, hour in enumerate(HOURS):
            if installed_at < hour.ends_at:
                active = Span(max(hour.starts_at, installed_at), hour.ends_at)
                expected[index] += count * readings_due(kind, interval_s, active, now)
    assert due.counts() == expected


def test_a_daily_meter_owes_one_reading_a_day() -> None:
    day = Span(START, START + timedelta(days=1))
    for kind in Kind:
        assert readings_due(kind, 86400, day, START + timedelta(days=3)) == 1


def test_nothing_is_due_of_the_future() -> None:
    assert readings_due(Kind.REGISTER, 900, HOURS[5], START) == 0
