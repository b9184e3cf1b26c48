"""Regional warning levels: the worked rows of the national method. 1 is the worst."""

from __future__ import annotations

import pytest

from energy import levels
from energy.levels import Reason

REQUIRED = -0.02747


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
    assert levels.assess(0.0282, 0.06, -0.03).level == 3
    assert levels.assess(0.0283, 0.06, -0.03).level == 2


@pytest.mark.parametrize(
    ("five_years", "one_year", "cumulative"),
    [
        (0.13, 0.02747, (2.75, 5.42, 8.02, 10.54, 13.00)),
        (0.135, 0.02859, (2.86, 5.64, 8.33, 10.95, 13.50)),
        (0.158, 0.03381, (3.38, 6.65, 9.80, 12.85, 15.80)),
        (0.17, 0.03658, (3.66, 7.18, 10.58, 13.85, 17.00)),
    ],
)
def test_a_five_year_reduction_is_spread_geometrically(
    five_years: float, one_year: float, cumulative: tuple[float, ...]
) -> None:
    rate = levels.annual_rate(five_years)
    assert rate == pytest.approx(one_year, abs=5e-6)
    reached = [100 * (1 - (1 - rate) ** year) for year in range(1, 6)]
    assert reached == pytest.approx(cumulative, abs=0.005)


def test_a_reduction_written_as_a_change_keeps_its_sign() -> None:
    assert levels.annual_rate(-0.13) == -levels.annual_rate(0.13)
