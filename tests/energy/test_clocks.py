"""A gateway's clock is measured by its messages: offset within 5 s, a zone error within 3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import clocks
from energy.clocks import Arrival, Clock, ClockError

START = datetime(2026, 11, 23, tzinfo=UTC)
SLOT = timedelta(minutes=15)


def messages(
    offset_s: float, *, delays_s: list[float], drift_s_per_hour: float = 0.0
) -> list[Arrival]:
    """Return a message each 15 min of a clock that reads `offset_s` more than ours at START."""
    arrivals = []
    for number, delay_s in enumerate(delays_s):
        truly = START + SLOT * number
        off_s = offset_s + drift_s_per_hour * (truly - START).total_seconds() / 3600
        arrivals.append(
            Arrival(truly + timedelta(seconds=delay_s), truly + timedelta(seconds=off_s))
        )
    return arrivals


def measured(arrivals: list[Arrival]) -> Clock:
    found = clocks.measure(arrivals)
    assert found is not None
    return found


def test_seven_minutes_ahead_with_a_drift_is_estimated_within_five_seconds() -> None:
    delays = [1.2, 0.8, 2.4, 1.0, 0.9, 3.1, 1.1, 0.7, 2.2, 1.5]
    found = measured(messages(420, delays_s=delays, drift_s_per_hour=2))
    now_s = 420 + 2 * 9 * 0.25
    assert abs(found.offset_s - now_s) < 5
    assert found.error is ClockError.OFFSET


@given(
    offset_s=st.floats(-7200, 7200),
    drift=st.floats(-2, 2),
    delays_s=st.lists(st.floats(0, 3), min_size=3, max_size=30),
)
def test_any_offset_with_any_such_drift_is_estimated_within_five_seconds(
    offset_s: float, drift: float, delays_s: list[float]
) -> None:
    arrivals = messages(offset_s, delays_s=delays_s, drift_s_per_hour=drift)
    truly_s = offset_s + drift * 0.25 * (len(delays_s) - 1)
    assert abs(measured(arrivals).offset_s - truly_s) < 5


@pytest.mark.parametrize(
    ("hours", "error"), [(8, ClockError.ZONE_AHEAD), (-8, ClockError.ZONE_BEHIND)]
)
def test_a_zone_error_has_its_name_after_three_messages(hours: int, error: ClockError) -> None:
    arrivals = messages(hours * 3600, delays_s=[2, 3, 4])
    assert measured(arrivals).error is error
    assert clocks.measure(arrivals[:2]) is None


@pytest.mark.parametrize(("offset_s", "is_off"), [(60, False), (61, True), (-60, False)])
def test_a_minute_is_in_order(offset_s: float, is_off: bool) -> None:
    assert (measured(messages(offset_s, delays_s=[0, 0, 0])).error is not None) is is_off


def test_one_message_that_waited_does_not_make_a_clock_slow() -> None:
    assert measured(messages(0, delays_s=[600, 2, 700])).error is None


def test_what_waited_eight_hours_and_comes_at_once_is_no_zone_error() -> None:
    late = [
        Arrival(START + timedelta(hours=8, seconds=number), START + SLOT * number)
        for number in range(3)
    ]
    assert measured(late).error is None
