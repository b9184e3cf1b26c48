"""Warning levels: the worked rows of the national method, municipal schemes, and their order."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import levels
from energy.levels import Band, Measure, Reason, Scheme, SchemeError

REQUIRED = -0.02747
REFERENCE = Path(__file__).parent.parent.parent / "migrations" / "reference" / "level_bands.csv"


def reference() -> dict[str, Scheme]:
    """Return the schemes that a new database is given."""
    with REFERENCE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made = {}
    for row in rows:
        bands = [
            Band(
                one["level"],
                int(one["severity"]),
                float(one["bound"]) if one["bound"] else None,
                one["holds_at_bound"] == "true",
                one["name_zh"],
                one["name_en"],
                one["colour"] or None,
            )
            for one in rows
            if one["scheme"] == row["scheme"]
        ]
        made[row["scheme"]] = Scheme(
            row["scheme"],
            row["scheme_zh"],
            row["scheme_en"],
            Measure(row["measure"]),
            row["source"],
            row["verified"] == "true",
            tuple(bands),
        )
    return made


SCHEMES = reference()
OF_RATES = [one for one in SCHEMES.values() if one.measure is Measure.REDUCTION_SHARE]
OF_TOTALS = [one for one in SCHEMES.values() if one.measure is Measure.CAP_SHARE]
shares = st.floats(min_value=-0.9, max_value=0.9, allow_subnormal=False)


@pytest.mark.parametrize(
    ("energy_growth", "gdp_growth", "rate", "level"),
    [
        (0.03, 0.06, -0.02830, 3),
        (0.04, 0.06, -0.01887, 2),
        (0.06, 0.06, 0.0, 2),
        (0.07, 0.06, 0.00943, 1),
    ],
)
def test_a_level_follows_from_growth_of_energy_and_gdp(
    energy_growth: float, gdp_growth: float, rate: float, level: int
) -> None:
    found = levels.assess(energy_growth, gdp_growth, REQUIRED)
    assert found.rate == pytest.approx(rate, abs=5e-6)
    assert found.level == level


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ((None, 0.06, REQUIRED), Reason.ENERGY_GROWTH_MISSING),
        ((0.07, None, REQUIRED), Reason.GDP_GROWTH_MISSING),
        ((0.07, 0.06, None), Reason.TARGET_MISSING),
    ],
)
def test_there_is_no_level_when_an_input_is_missing(
    inputs: tuple[float | None, float | None, float | None], reason: Reason
) -> None:
    found = levels.assess(*inputs)
    assert (found.level, found.reason) == (None, reason)


def test_what_just_meets_the_requirement_is_on_track_whatever_floats_make_of_it() -> None:
    met = levels.assess(0.0282, 0.06, -0.03)
    assert (met.level, met.reason) == (3, Reason.ON_TRACK)
    assert levels.assess(0.0283, 0.06, -0.03).level == 2


@given(required=st.floats(-0.5, 0), near=st.sampled_from([-1e-12, 0.0, 1e-12]), rate=shares)
def test_the_reason_agrees_with_the_national_level_also_at_its_bounds(
    required: float, near: float, rate: float
) -> None:
    reasons = {"1": Reason.ROSE, "2": Reason.FELL_SHORT, "3": Reason.ON_TRACK}
    for one in (rate, near, required + near):
        level = levels.NATIONAL.level_of_rate(one, required).level
        assert levels.movement(one, required) is reasons[level]


def test_the_national_scheme_of_a_new_database_is_the_one_that_alerts_use() -> None:
    assert SCHEMES["national"].bands == levels.NATIONAL.bands


@pytest.mark.parametrize(
    ("scheme", "share", "level"),
    [
        ("national", -0.01, "1"),
        ("national", 0.0, "2"),
        ("national", 0.999, "2"),
        ("national", 1.0, "3"),
        ("municipal_lights", -0.01, "red"),
        ("municipal_lights", 0.0, "yellow"),
        ("municipal_lights", 1.0, "green"),
        ("municipal_shares", -0.2, "red"),
        ("municipal_shares", 0.5, "red"),
        ("municipal_shares", 0.501, "orange"),
        ("municipal_shares", 0.899, "orange"),
        ("municipal_shares", 0.9, "yellow"),
        ("municipal_shares", 0.999, "yellow"),
        ("municipal_shares", 1.0, "green"),
        ("municipal_shares", 1.4, "green"),
    ],
)
def test_a_level_begins_exactly_at_its_bound(scheme: str, share: float, level: str) -> None:
    assert SCHEMES[scheme].level_of_rate(share * REQUIRED, REQUIRED).level == level


@pytest.mark.parametrize(
    ("share", "level"), [(0.9, "3"), (1.0, "3"), (1.001, "2"), (1.03, "2"), (1.031, "1")]
)
def test_the_level_of_a_total_is_a_marked_suggestion(share: float, level: str) -> None:
    scheme = SCHEMES["total_default"]
    assert scheme.level_of_use(share).level == level
    assert not scheme.verified
    assert "suggestion" in scheme.source


@pytest.mark.parametrize("scheme", OF_RATES, ids=lambda scheme: scheme.scheme)
def test_where_nothing_is_required_only_a_rise_is_severe(scheme: Scheme) -> None:
    assert scheme.level_of_rate(0.0, 0.0) == scheme.bands[-1]
    assert scheme.level_of_rate(0.01, 0.0) == scheme.bands[0]
    assert scheme.level_of_rate(0.01, 0.02) == scheme.bands[0]


def test_what_is_worse_is_not_told_by_the_code_of_a_level() -> None:
    shares = SCHEMES["municipal_shares"]
    assert shares.find("red").severity < shares.find("orange").severity
    assert shares.find("yellow").severity < shares.find("green").severity
    assert levels.NATIONAL.find("1").severity < levels.NATIONAL.find("3").severity


@given(scheme=st.sampled_from(OF_RATES), rates=st.tuples(shares, shares), required=shares)
def test_a_higher_rate_never_has_a_milder_level(
    scheme: Scheme, rates: tuple[float, float], required: float
) -> None:
    low, high = sorted(rates)
    milder = scheme.level_of_rate(low, required)
    assert scheme.level_of_rate(high, required).severity <= milder.severity


@given(scheme=st.sampled_from(OF_TOTALS), uses=st.tuples(*[st.floats(0, 3)] * 2))
def test_a_higher_total_never_has_a_milder_level(scheme: Scheme, uses: tuple[float, float]) -> None:
    low, high = sorted(uses)
    assert scheme.level_of_use(high).severity <= scheme.level_of_use(low).severity


@given(
    measure=st.sampled_from(Measure),
    severities=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    bounds=st.lists(st.sampled_from([None, 0.0, 0.5, 0.9, 1.0, 1.2]), min_size=5, max_size=5),
)
def test_what_is_a_scheme_has_no_ties_and_no_gaps(
    measure: Measure, severities: list[int], bounds: list[float | None]
) -> None:
    bands = tuple(
        Band(f"l{index}", severity, bound, True, "", "", None)
        for index, (severity, bound) in enumerate(zip(severities, bounds, strict=False))
    )
    try:
        scheme = Scheme("any", "", "", measure, "", True, bands)
    except SchemeError:
        ordered = [None, *sorted({b for b in bounds if b is not None})]
        if measure is Measure.CAP_SHARE:
            ordered[1:] = reversed(ordered[1:])
        in_order = [ordered.index(band.bound) for band in bands]
        is_one = severities == list(range(1, len(bands) + 1)) and in_order == sorted(set(in_order))
        assert not (is_one and in_order[0] == 0)
    else:
        ranks = [band.severity for band in scheme.bands]
        assert ranks == list(range(1, len(ranks) + 1))
        assert len({band.bound for band in scheme.bands}) == len(ranks)


def test_a_level_that_is_there_twice_makes_no_scheme() -> None:
    national = levels.NATIONAL
    twice = (national.bands[0], replace(national.bands[1], level="1"), national.bands[2])
    with pytest.raises(SchemeError, match="twice"):
        replace(national, bands=twice)


def test_output_per_energy_is_the_inverse_view() -> None:
    rate = levels.intensity_rate(0.03, 0.06)
    assert levels.output_rate(rate) == pytest.approx(1.06 / 1.03 - 1)
