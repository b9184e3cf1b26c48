"""Indices are shares of counts: sums over meters, units, regions; unknown is not zero."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import agreement, quality, verification
from energy.agreement import Agreement, NotComparable
from energy.quality import Index, Scheme, Tally, Unscored
from energy.verification import Certificate, Irregularity, Verification

WHOLE = Tally(
    meter_days=1, due=96, present=96, arrived=96, on_time=96, traceable=96, valid=96, verified=1,
    verification_known=1, normative=1, opened=1, on_boundary=1,
)  # fmt: skip


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    """A tally as counting makes them: no part is more than its whole."""

    def part(whole: int) -> int:
        return draw(st.integers(0, whole))

    meter_days = draw(st.integers(0, 50))
    due = draw(st.integers(0, 96 * 50)) if meter_days else 0
    arrived = draw(st.integers(0, 5000)) if meter_days else 0
    known = part(meter_days)
    opened = part(meter_days)
    return Tally(
        meter_days, due, part(due), arrived, part(arrived), part(arrived), part(arrived),
        part(known), known, part(meter_days), opened, part(opened),
    )  # fmt: skip


schemes = st.builds(
    Scheme,
    weights=st.fixed_dictionaries({index: st.floats(0, 10) for index in Index}),
)


@given(tally=tallies(), scheme=schemes)
def test_an_index_is_a_share_or_has_a_reason(tally: Tally, scheme: Scheme) -> None:
    found = quality.scores(tally)
    for score in found.values():
        assert (score.value is None) == (score.reason is not None)
        assert score.value is None or 0 <= score.value <= 1
    whole = quality.composite(found, scheme)
    assert (whole.value is None) == (whole.reason is not None)
    assert whole.value is None or 0 <= whole.value <= 1


@given(units=st.lists(st.lists(tallies(), max_size=2), max_size=3))
def test_a_region_is_its_units_pooled_and_a_unit_its_meters(units: list[list[Tally]]) -> None:
    region = quality.pooled(quality.pooled(meters) for meters in units)
    flat = [meter for meters in units for meter in meters]
    assert region == quality.pooled(flat)
    for index, score in quality.scores(region).items():
        parts = [quality.scores(meter)[index] for meter in flat]
        assert score.numerator == sum(part.numerator for part in parts)
        assert score.denominator == sum(part.denominator for part in parts)


@given(tally=tallies())
def test_a_perfect_meter_never_lowers_an_index(tally: Tally) -> None:
    before, after = quality.scores(tally), quality.scores(tally + WHOLE)
    for index in Index:
        worse, better = before[index].value, after[index].value
        assert better is not None
        assert worse is None or better >= worse


@given(tally=tallies(), scheme=schemes)
def test_a_composite_lies_between_its_indices(tally: Tally, scheme: Scheme) -> None:
    found = quality.scores(tally)
    whole = quality.composite(found, scheme).value
    if whole is not None:
        counted = [found[index].value or 0 for index in Index if scheme.weights[index] > 0]
        assert min(counted) - 1e-9 <= whole <= max(counted) + 1e-9


@pytest.mark.parametrize(("present", "passes"), [(900, True), (899, False), (1000, True)])
def test_ninety_percent_passes_and_less_does_not(present: int, passes: bool) -> None:
    score = quality.scores(Tally(meter_days=1, due=1000, present=present))[Index.COMPLETENESS]
    assert quality.passes(score, Scheme()) is passes


def test_a_meter_that_was_never_verified_is_unknown_until_another_is() -> None:
    unknown = Tally(meter_days=1)
    alone = quality.scores(unknown)[Index.ACCURACY]
    assert (alone.value, alone.reason) == (None, Unscored.VERIFICATION_UNKNOWN)
    assert quality.scores(unknown + WHOLE)[Index.ACCURACY].value == 0.5


def test_nothing_measured_is_not_a_zero() -> None:
    for score in quality.scores(Tally()).values():
        assert (score.value, score.reason) == (None, Unscored.NOT_MEASURED)


def test_an_unknown_index_makes_the_composite_unknown_unless_it_weighs_nothing() -> None:
    silent = quality.scores(Tally(meter_days=1, due=96, verification_known=1))
    found = quality.composite(silent, Scheme())
    assert (found.value, found.reason) == (None, Unscored.INDEX_MISSING)
    assert found.missing == (Index.TIMELINESS, Index.VERIFIABILITY, Index.VALIDITY)
    only = Scheme(weights={**dict.fromkeys(Index, 0.0), Index.COMPLETENESS: 3.0})
    assert quality.composite(silent, only).value == 0


def test_weights_are_relative() -> None:
    half = quality.scores(WHOLE + Tally(meter_days=0, due=96))
    weights = {**dict.fromkeys(Index, 0.0), Index.COMPLETENESS: 3.0, Index.ACCURACY: 1.0}
    assert quality.composite(half, Scheme(weights=weights)).value == (3 * 0.5 + 1) / 4


def test_the_default_scheme_does_not_pass_for_official() -> None:
    assert not Scheme().is_official
    assert len(set(Scheme().weights.values())) == 1


def test_tallies_add_up_field_by_field() -> None:
    twice = WHOLE + WHOLE
    assert all(getattr(twice, f.name) == 2 * getattr(WHOLE, f.name) for f in fields(Tally))


# -- daily against monthly, where days and months begin --------------------------------------------


@pytest.mark.parametrize(
    ("summed", "expected"),
    [
        (105.0, Agreement.AGREES),
        (95.0, Agreement.AGREES),
        (105.001, Agreement.DISAGREES),
        (94.999, Agreement.DISAGREES),
    ],
)
def test_five_percent_agree_and_more_do_not(summed: float, expected: Agreement) -> None:
    assert agreement.compare([summed / 2, summed / 2], 100.0).agreement is expected


@given(
    days=st.lists(st.floats(0, 1e6), min_size=28, max_size=31),
    share=st.floats(-0.0499, 0.0499) | st.floats(0.0501, 1) | st.floats(-0.9, -0.0501),
)
def test_agreement_is_about_the_sum_whatever_the_days(days: list[float], share: float) -> None:
    filed = sum(days) / (1 + share)
    found = agreement.compare(days, filed)
    if filed > 0:
        assert (found.agreement is Agreement.AGREES) == (abs(share) <= 0.05)


def test_a_month_with_an_unknown_day_cannot_be_compared() -> None:
    found = agreement.compare([50.0, None, 50.0], 100.0)
    assert (found.agreement, found.reason) == (Agreement.UNKNOWN, NotComparable.DAYS_MISSING)
    assert found.summed is None


def test_against_a_filed_zero_only_nothing_agrees() -> None:
    assert agreement.compare([0.0], 0.0).agreement is Agreement.AGREES
    assert agreement.compare([0.1], 0.0).agreement is Agreement.DISAGREES


@pytest.mark.parametrize(
    ("day", "in_time"),
    [("2026-10-30", False), ("2026-10-31", True), ("2026-11-02", True), ("2026-11-03", False)],
)
def test_a_month_begins_within_a_day(day: str, in_time: bool) -> None:
    assert agreement.begins_the_month(date.fromisoformat(day), date(2026, 11, 1)) is in_time


def test_a_statement_is_late_after_the_deadline_day_of_shanghai() -> None:
    month = date(2026, 10, 1)
    last = datetime(2026, 11, 10, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    assert not agreement.is_late(last, month, 10)
    assert agreement.is_late(last + timedelta(minutes=1), month, 10)


# -- verification and registration -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-02-29", Verification.UNKNOWN),
        ("2024-03-01", Verification.IN_FORCE),
        ("2026-02-28", Verification.IN_FORCE),
        ("2026-03-01", Verification.EXPIRED),
        ("2026-03-10", Verification.IN_FORCE),
    ],
)
def test_a_verification_holds_from_its_day_to_its_last(day: str, expected: Verification) -> None:
    known = [
        Certificate(date(2024, 3, 1), date(2026, 2, 28)),
        Certificate(date(2026, 3, 10), date(2028, 3, 9)),
    ]
    assert verification.standing(known, date.fromisoformat(day)) is expected


@pytest.mark.parametrize(
    ("data_code", "uom", "is_energy", "expected"),
    [
        ("0000000002340080", "kWh", True, ()),
        (None, "kWh", True, (Irregularity.DATA_CODE_MISSING,)),
        ("0000000012340080", "kWh", True, (Irregularity.DATA_CODE_MALFORMED,)),  # class 12
        ("0000000002340080", "barrel", True, (Irregularity.UOM_UNKNOWN,)),
        ("0000000002340080", "pieces", False, ()),
    ],
)
def test_a_meter_is_registered_by_the_rules(
    data_code: str | None, uom: str, is_energy: bool, expected: tuple[Irregularity, ...]
) -> None:
    assert verification.irregularities(data_code, uom, is_energy=is_energy) == expected
