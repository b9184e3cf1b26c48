"""What a figure is taken apart into sums to it, whatever the history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import consumption, courses, explanation, instants, intervals
from energy.factors import Basis, Factor, FactorTable, MissingFactor
from energy.periods import Span
from energy.registers import Advance, Course, Epoch, EpochReason, Kind

START = datetime(2026, 10, 30, 16, tzinfo=UTC)
EPOCH = (Epoch(START - timedelta(days=9), EpochReason.INSTALLED, 2.0, 10_000.0),)
WITHIN = Span(START, START + timedelta(days=2))
DUE = intervals.plain(900)

steps = st.lists(
    st.tuples(
        st.sampled_from([7, 15, 15, 15, 20, 60, 300]),
        st.one_of(st.floats(0, 90), st.just(-400.0), st.just(9_000.0)),
    ),
    min_size=2,
    max_size=60,
)


def readings(told: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return register readings from minutes and rises, from a little before START on."""
    at, shown, found = START - timedelta(minutes=130), 9_500.0, []
    for minutes, rise in told:
        at += timedelta(minutes=minutes)
        shown = (shown + rise) % 10_000
        found.append((instants.of(at), shown))
    return found


def moment(at: datetime) -> int:
    return instants.of(at)


@given(steps, st.integers(0, 20), st.integers(1, 28))
def test_what_lies_inside_a_span_is_what_its_hours_come_to(
    told: list[tuple[int, float]], skipped: int, hours: int
) -> None:
    history = readings(told)
    first = START + timedelta(hours=skipped)
    within = Span(first, first + timedelta(hours=hours))
    course = courses.course(Kind.REGISTER, history, EPOCH, DUE)
    found = consumption.hours(Kind.REGISTER, history, course, DUE, within)
    used = fsum(hour.quantity for hour in found if hour.quantity is not None)
    assert explanation.total(course, within) == pytest.approx(used, abs=1e-6)
    estimated = fsum(hour.estimated_quantity for hour in found)
    spread = fsum(explanation.inside(gap, within) for gap in explanation.gaps(course, DUE, within))
    assert spread == pytest.approx(estimated, abs=1e-6)


@given(steps, st.lists(st.floats(0.01, 3), min_size=1, max_size=4))
def test_factor_by_factor_the_hours_are_worth_what_they_are_one_by_one(
    told: list[tuple[int, float]], worth: list[float]
) -> None:
    first = date(2026, 10, 30)
    table = FactorTable(
        Factor("coal", Basis.CALORIFIC, None, kgce, first + timedelta(days=n), None)
        for n, kgce in enumerate(worth)
    )
    history = readings(told)
    course = courses.course(Kind.REGISTER, history, EPOCH, DUE)
    hours = consumption.hours(Kind.REGISTER, history, course, DUE, WITHIN)
    rows = explanation.valued(hours, 0.5, table, "coal", Basis.CALORIFIC, None)
    tce = fsum(row.energy_tce for row in rows if row.energy_tce is not None)
    one_by_one = fsum(
        hour.quantity * 0.5 * factor.kgce_per_uom / 1000
        for hour in hours
        if hour.quantity is not None
        and (factor := table.find("coal", Basis.CALORIFIC, None, local(hour.starts_at)))
    )
    assert tce == pytest.approx(one_by_one, abs=1e-9)
    assert [row.first_day for row in rows] == sorted(row.first_day for row in rows)


def local(at: datetime) -> date:
    return (at + timedelta(hours=8)).date()


def test_a_day_without_a_factor_has_a_quantity_and_no_value() -> None:
    table = FactorTable([Factor("coal", Basis.CALORIFIC, None, 0.7, date(2026, 11, 1), None)])
    hours = [
        consumption.Hour(START + timedelta(hours=n), 1.0, 0.0, 4, held=False) for n in range(48)
    ]
    first, second = explanation.valued(hours, 1.0, table, "coal", Basis.CALORIFIC, None)
    assert (first.quantity, first.energy_tce, first.missing) == (
        24.0,
        None,
        MissingFactor.NOT_YET_VALID,
    )
    assert second.first_day == date(2026, 11, 1)
    assert second.energy_tce == pytest.approx(24 * 0.7e-3)


def test_an_advance_without_length_lies_where_it_starts() -> None:
    at = moment(START)
    assert explanation.inside(Advance(at, at, 5.0), WITHIN) == 5.0
    assert explanation.inside(Advance(at - 1, at - 1, 5.0), WITHIN) == 0.0


def test_what_is_held_is_a_gap_without_a_quantity() -> None:
    held = Advance(moment(START), moment(START) + 60_000_000, None)
    assert explanation.gaps(Course([held]), DUE, WITHIN) == [held]
    assert explanation.total(Course([held]), WITHIN) == 0.0


@pytest.mark.parametrize(
    ("quality", "correction", "value"),
    [
        ("good", None, 5.0),
        ("uncertain", None, 5.0),
        ("bad", None, None),
        ("bad", explanation.Correction(4.0), 4.0),
        ("good", explanation.Correction(None), None),
    ],
)
def test_a_correction_holds_whatever_the_quality(
    quality: str, correction: explanation.Correction | None, value: float | None
) -> None:
    assert explanation.counted(5.0, quality, correction) == value
