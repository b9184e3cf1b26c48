"""The clock of a fault: since when, how long, and where it stands."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from energy import repairs, workdays
from energy.periods import LOCAL, Span
from energy.repairs import Day, Fault, Found, State, Subject
from energy.workdays import Deadline, NoDeadline

OPENED = datetime(2026, 2, 13, 10, tzinfo=LOCAL)
DUE = datetime(2026, 2, 26, tzinfo=LOCAL)
MOMENT = timedelta(microseconds=1)
E01 = Subject("E01", Fault.SILENCE)


def day(number: int, present: int, due: int = 100) -> Day:
    starts_at = datetime(2026, 11, number, tzinfo=LOCAL)
    return Day(starts_at, starts_at + timedelta(days=1), due, present)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(OPENED, State.OPEN), (DUE - MOMENT, State.OPEN), (DUE, State.OVERDUE)],
)
def test_a_fault_before_the_spring_festival_is_overdue_after_its_third_working_day(
    now: datetime, expected: State
) -> None:
    deadline = workdays.deadline(OPENED)
    assert deadline.due_at == DUE
    assert repairs.state(deadline, None, None, now) is expected


def test_a_filed_fault_is_not_overdue_and_a_repaired_one_is_over() -> None:
    deadline = workdays.deadline(OPENED)
    later = DUE + timedelta(days=9)
    assert repairs.state(deadline, DUE, None, later) is State.FILED
    assert repairs.state(deadline, DUE, later, later) is State.REPAIRED


def test_without_a_deadline_nothing_is_overdue() -> None:
    unknown = Deadline(None, NoDeadline.CALENDAR_UNKNOWN)
    assert repairs.state(unknown, None, None, DUE + timedelta(days=900)) is State.OPEN


@pytest.mark.parametrize(
    ("interval_s", "quiet", "is_silent"),
    [
        (900, timedelta(minutes=60), False),
        (900, timedelta(minutes=60) + MOMENT, True),
        (60, timedelta(minutes=60), False),
        (3600, timedelta(hours=4), False),
        (3600, timedelta(hours=4) + MOMENT, True),
    ],
)
def test_a_meter_is_silent_after_four_intervals_and_an_hour(
    interval_s: int, quiet: timedelta, is_silent: bool
) -> None:
    since = repairs.silent_since(OPENED, interval_s, OPENED + quiet)
    assert since == (OPENED + timedelta(seconds=interval_s) if is_silent else None)


def test_a_gap_begins_with_the_first_of_the_newest_days_that_fail() -> None:
    days = [day(1, 10), day(2, 90), day(3, 89), day(4, 0)]
    assert repairs.gap_since(days, 0.9) == day(3, 0).starts_at
    assert repairs.gap_since(days[:2], 0.9) is None


def test_a_meter_that_was_connected_lately_has_no_gap_from_before() -> None:
    assert repairs.gap_since([day(1, 0), day(2, 0), day(3, 30)], 0.9) is None
    since = repairs.gap_since([day(1, 0), day(2, 0), day(3, 30), day(4, 80)], 0.9)
    assert since == day(4, 0).starts_at


def test_the_days_of_a_silence_start_no_second_clock() -> None:
    silence = Span(day(3, 0).starts_at + timedelta(hours=9), day(4, 0).starts_at)
    assert repairs.gap_since([day(2, 100), day(3, 40)], 0.9, [silence]) is None


def test_a_fault_that_stands_keeps_its_clock() -> None:
    again = Found(E01, OPENED + timedelta(days=1))
    steps = repairs.reconcile([E01], [again])
    assert (steps.opened, steps.repaired) == ([], [])


def test_a_fault_that_is_gone_is_repaired_unless_nothing_is_known() -> None:
    assert repairs.reconcile([E01], []).repaired == [E01]
    assert repairs.reconcile([E01], [], unknown=[E01]).repaired == []
