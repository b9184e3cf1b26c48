"""Three working days are those of China: holidays off, some Saturdays and Sundays worked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import workdays
from energy.periods import LOCAL
from energy.workdays import NoDeadline

FIRST = datetime(2004, 1, 1, tzinfo=UTC)
KNOWN = st.timedeltas(timedelta(0), datetime(2026, 12, 20, tzinfo=UTC) - FIRST).map(
    lambda since: FIRST + since
)


def due(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> str:
    """Return the first instant that is too late for a fault."""
    found = workdays.deadline(datetime(year, month, day, hour, minute, tzinfo=LOCAL)).due_at
    assert found is not None
    return found.astimezone(LOCAL).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ((2026, 11, 23, 8), "2026-11-27T00:00+08:00"),  # Monday: Tuesday to Thursday
        ((2026, 11, 20, 23), "2026-11-26T00:00+08:00"),  # Friday: over the weekend
        ((2026, 11, 21, 8), "2026-11-26T00:00+08:00"),  # Saturday: as if on Friday
        ((2026, 2, 12, 10), "2026-02-25T00:00+08:00"),  # 13, worked Saturday 14, then 24 February
        ((2026, 2, 13, 10), "2026-02-26T00:00+08:00"),  # worked Saturday 14, then 24 and 25
        ((2026, 2, 18, 10), "2026-02-27T00:00+08:00"),  # in the Spring Festival: 24, 25, 26
        ((2026, 2, 26, 10), "2026-03-03T00:00+08:00"),  # 27, worked Saturday 28, Monday 2 March
        ((2026, 9, 18, 10), "2026-09-23T00:00+08:00"),  # worked Sunday 20, then 21 and 22
    ],
)
def test_a_deadline_knows_festivals_and_worked_weekends(
    opened: tuple[int, ...], expected: str
) -> None:
    assert due(*opened) == expected


def test_the_day_of_a_fault_is_that_of_shanghai() -> None:
    assert due(2026, 11, 24, 0, 0) == "2026-11-28T00:00+08:00"
    assert due(2026, 11, 23, 23, 59) == "2026-11-27T00:00+08:00"


def test_a_year_that_is_not_published_is_not_guessed() -> None:
    last = workdays.deadline(datetime(2050, 1, 3, tzinfo=UTC))
    assert (last.due_at, last.reason) == (None, NoDeadline.CALENDAR_UNKNOWN)
    assert workdays.is_workday(date(2050, 1, 3)) is None


def test_a_deadline_that_reaches_into_an_unknown_year_is_unknown() -> None:
    newest = max(
        year for year in range(2026, 2050) if workdays.is_workday(date(year, 1, 1)) is not None
    )
    assert workdays.deadline(datetime(newest, 12, 31, 12, tzinfo=LOCAL)).due_at is None


@given(opened_at=KNOWN, count=st.integers(1, 5))
def test_a_deadline_is_the_end_of_a_working_day_and_never_early(
    opened_at: datetime, count: int
) -> None:
    found = workdays.deadline(opened_at, count)
    assert found.due_at is not None
    last = (found.due_at - timedelta(seconds=1)).astimezone(LOCAL)
    assert workdays.is_workday(last.date())
    assert (last.hour, last.minute) == (23, 59)
    days = (last.date() - opened_at.astimezone(LOCAL).date()).days
    worked = [
        workdays.is_workday(opened_at.astimezone(LOCAL).date() + timedelta(days=day))
        for day in range(1, days + 1)
    ]
    assert worked.count(True) == count


@given(first=KNOWN, later=st.timedeltas(timedelta(0), timedelta(days=4)))
def test_a_later_fault_is_never_due_earlier(first: datetime, later: timedelta) -> None:
    one, other = workdays.deadline(first).due_at, workdays.deadline(first + later).due_at
    assert one is not None
    assert other is not None
    assert one <= other
