"""Days in force: two rows that hold on one day are found, and the days a change concerns."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import validity
from energy.validity import Days

FIRST = date(2026, 1, 1)
HORIZON = [FIRST + timedelta(days=days) for days in range(100)]
DAYS = st.builds(
    lambda start, length: Days(HORIZON[start], length and HORIZON[start] + timedelta(length)),
    st.integers(0, 50),
    st.none() | st.integers(1, 40),
)


@given(st.lists(DAYS, max_size=6))
def test_an_overlap_is_found_if_and_only_if_two_hold_on_one_day(rows: list[Days]) -> None:
    crowded = any(sum(validity.holds_on(row, day) for row in rows) > 1 for day in HORIZON)
    assert (validity.first_overlap(rows) is not None) == crowded


@given(st.none() | DAYS, st.none() | DAYS, st.booleans())
def test_a_change_concerns_the_days_on_which_something_else_holds(
    old: Days | None, new: Days | None, same_meaning: bool
) -> None:
    changed = validity.changed_days(old, new, same_meaning=same_meaning)
    for day in HORIZON:
        before = old is not None and validity.holds_on(old, day)
        after = new is not None and validity.holds_on(new, day)
        expected = before != after if same_meaning else before or after
        assert any(validity.holds_on(days, day) for days in changed) == expected


@pytest.mark.parametrize(
    ("day", "holds"), [(FIRST, True), (date(2026, 1, 31), True), (date(2026, 2, 1), False)]
)
def test_the_first_day_counts_and_the_day_of_the_end_does_not(day: date, holds: bool) -> None:
    assert validity.holds_on(Days(FIRST, date(2026, 2, 1)), day) is holds
