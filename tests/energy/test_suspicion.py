"""Each suspicion is raised by its golden history, and not by the near miss beside it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import suspicion
from energy.periods import LOCAL, Span
from energy.registers import Kind
from energy.suspicion import Flat, Sample

GOLDEN = Path(__file__).parent.parent / "golden" / "suspicions"
START = datetime(2026, 11, 21, tzinfo=LOCAL)
FIRST = Span(START, START + timedelta(days=1))
SECOND = Span(FIRST.ends_at, FIRST.ends_at + timedelta(days=1))
BOTH = [Span(FIRST.starts_at, SECOND.ends_at)]


def golden(name: str) -> list[Sample]:
    with (GOLDEN / f"{name}.csv").open(encoding="utf-8") as file:
        return [
            Sample(START + timedelta(minutes=int(row["minute"])), float(row["value"]))
            for row in csv.DictReader(file)
        ]


def flat(
    readings: list[Sample],
    *,
    usual: float | None,
    kind: Kind = Kind.REGISTER,
    is_part: bool = False,
    producing: list[Span] = BOTH,
) -> list[Flat]:
    return suspicion.flat_lines(
        kind, readings, 900, usual_per_interval=usual, is_part=is_part, producing=producing
    )


def values(*shown: float) -> list[Sample]:
    return [Sample(START + timedelta(minutes=15) * n, value) for n, value in enumerate(shown)]


# -- flat lines ------------------------------------------------------------------------------------


def test_a_register_that_sticks_while_the_unit_produces_is_flat() -> None:
    (found,) = flat(golden("register_stuck"), usual=0.2)
    assert found.span == Span(
        SECOND.starts_at + timedelta(hours=10), SECOND.starts_at + timedelta(hours=14)
    )
    assert found.intervals == 16
    assert found.expected_steps == pytest.approx(16 * 0.2 / 0.1, rel=0.5)


def test_a_register_that_moves_is_not_flat() -> None:
    assert flat(golden("register_two_days"), usual=0.2) == []


def test_a_multiplier_of_100000_is_not_flat_between_its_steps() -> None:
    assert flat(golden("register_times_100000"), usual=0.0013) == []


def test_a_multiplier_of_100000_is_flat_when_steps_fail_to_come() -> None:
    (found,) = flat(golden("register_times_100000_stuck"), usual=0.004)
    assert found.span.ends_at == SECOND.ends_at
    assert found.expected_steps == pytest.approx(38.4, rel=0.1)


def test_nothing_is_said_of_a_flat_line_while_the_unit_stands() -> None:
    before = [FIRST]
    assert flat(golden("register_stuck"), usual=0.2, producing=before) == []


def test_nothing_is_said_of_a_meter_whose_usual_rate_is_unknown() -> None:
    assert flat(golden("register_stuck"), usual=None) == []


def test_a_part_of_the_unit_may_stand_for_hours() -> None:
    assert flat(golden("register_stuck"), usual=0.2, is_part=True) == []
    assert flat(golden("register_times_100000_stuck"), usual=0.004, is_part=True)


@pytest.mark.parametrize(("repeated", "count"), [(9, 0), (12, 1)])
def test_an_interval_meter_is_flat_when_one_value_repeats(repeated: int, count: int) -> None:
    varied = [12.5 + number % 7 for number in range(96)]
    shown = values(*varied, *[13.25] * repeated, *varied)
    assert len(flat(shown, usual=None, kind=Kind.INTERVAL)) == count


def test_an_interval_meter_at_zero_stands_still_and_is_not_flat() -> None:
    varied = [12.5 + number % 7 for number in range(96)]
    assert flat(values(*varied, *[0.0] * 20), usual=None, kind=Kind.INTERVAL) == []


def test_a_gauge_that_is_always_the_same_is_not_suspicious() -> None:
    assert flat(values(*[5.0] * 60, *[6.0] * 60), usual=None, kind=Kind.GAUGE) == []


@given(
    rate=st.floats(0.0001, 0.00099),
    phase=st.floats(0, 0.01),
)
def test_a_slow_register_with_a_steady_load_is_never_flat(rate: float, phase: float) -> None:
    """Up to 99 kWh an interval behind 100,000: less than one step of 1,000 kWh in 10 intervals."""
    shown = values(*(int((phase + rate * number) / 0.01) / 100 for number in range(193)))
    assert flat(shown, usual=rate) == []


# -- curves ----------------------------------------------------------------------------------------


def drawn(name: str, day: Span) -> bytes:
    found = suspicion.curve(Kind.REGISTER, golden(name), 900, day)
    assert found is not None
    assert found.points == 96
    return found.digest


def test_a_day_that_repeats_the_one_before_has_its_print() -> None:
    assert drawn("register_copied", FIRST) == drawn("register_copied", SECOND)


@pytest.mark.parametrize("name", ["register_two_days", "register_almost_copied"])
def test_a_day_that_differs_in_one_digit_has_another(name: str) -> None:
    assert drawn(name, FIRST) != drawn(name, SECOND)


def test_the_same_advances_from_another_value_have_the_same_print() -> None:
    moved = [Sample(one.read_at, one.raw_value + 777.7) for one in golden("register_copied")]
    found = suspicion.curve(Kind.REGISTER, moved, 900, FIRST)
    assert found is not None
    assert found.digest == drawn("register_copied", FIRST)


def test_the_few_steps_of_a_slow_register_are_no_curve() -> None:
    slow = golden("register_times_100000")
    assert suspicion.curve(Kind.REGISTER, slow, 900, FIRST) is None


@pytest.mark.parametrize(("missing", "is_curve"), [(9, True), (10, False)])
def test_a_curve_needs_nine_tenths_of_its_points(missing: int, is_curve: bool) -> None:
    shown = values(*(number + 0.5 for number in range(96)))[missing:]
    found = suspicion.curve(Kind.INTERVAL, shown, 900, FIRST)
    assert (found is not None) is is_curve


# -- sub-meters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subs", "found"), [(102.0, False), (102.01, True), (90.0, False)])
def test_subs_may_exceed_the_boundary_by_the_accuracy(subs: float, found: bool) -> None:
    excess = suspicion.subs_above_boundary([60.0, 40.0], [subs / 2, subs / 2])
    assert (excess is not None) is found


def test_what_the_unit_produces_itself_counts_as_taken_in() -> None:
    assert suspicion.subs_above_boundary([100.0], [140.0], produced=40.0) is None
    assert suspicion.subs_above_boundary([100.0], [140.0]) is not None


def test_the_last_digit_of_a_slow_register_is_allowed_for() -> None:
    assert suspicion.subs_above_boundary([9000.0], [10000.0], resolution=1000.0) is None


@pytest.mark.parametrize("boundary", [[100.0, None], [], [None]])
def test_an_unknown_boundary_is_not_exceeded(boundary: list[float | None]) -> None:
    assert suspicion.subs_above_boundary(boundary, [500.0]) is None


def test_an_unknown_sub_adds_nothing() -> None:
    assert suspicion.subs_above_boundary([100.0], [90.0, None]) is None


def test_instants_may_be_in_any_zone() -> None:
    utc = [Sample(one.read_at.astimezone(UTC), one.raw_value) for one in golden("register_copied")]
    found = suspicion.curve(Kind.REGISTER, utc, 900, FIRST)
    assert found is not None
    assert found.digest == drawn("register_copied", FIRST)
