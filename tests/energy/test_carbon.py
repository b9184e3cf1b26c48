"""Carbon by dated factors: the grid is chosen by data, and a missing factor never reads as zero."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.carbon import CarbonFactor, CarbonTable, GridChoice, Obstacle
from energy.factors import Unverified

CITY = "450200"


def factor(
    carrier: str, value: float, *, grid: str | None = None, year: int | None = None
) -> CarbonFactor:
    start = date(year or 2015, 1, 1)
    return CarbonFactor(carrier, grid, value, start, None, year, "edition", "test", True)


SOUTHERN = factor("electricity", 0.4042, grid="southern", year=2023)
NATIONAL = factor("electricity", 0.5306, grid="national", year=2023)
DIESEL = factor("diesel", 3.0959)
GUANGXI = GridChoice("450000", "southern", date(2023, 1, 1), "test")
TABLE = CarbonTable([SOUTHERN, NATIONAL, DIESEL], [GUANGXI])


def test_electricity_takes_the_factor_of_the_grid_of_its_region() -> None:
    found = TABLE.emission("electricity", 1e6, CITY, date(2026, 11, 1))
    assert found.carbon_t == pytest.approx(404.2)
    assert found.factor is SOUTHERN


def test_a_city_may_choose_another_grid_and_a_county_follows_its_city() -> None:
    own = GridChoice(CITY, "national", date(2026, 1, 1), "test")
    table = CarbonTable([SOUTHERN, NATIONAL], [GUANGXI, own])
    assert table.grid_of("450202", date(2026, 1, 1)) == "national"
    assert table.grid_of("450202", date(2025, 12, 31)) == "southern"
    assert table.grid_of("450302", date(2026, 1, 1)) == "southern"


@pytest.mark.parametrize(
    ("carrier", "quantity", "region", "on", "obstacle"),
    [
        ("diesel", None, CITY, date(2026, 1, 1), Obstacle.QUANTITY_MISSING),
        ("oxygen", 1.0, CITY, date(2026, 1, 1), Obstacle.CARBON_FACTOR_MISSING),
        ("electricity", 1.0, "440100", date(2026, 1, 1), Obstacle.GRID_NOT_CHOSEN),
        ("electricity", 1.0, CITY, date(2022, 12, 31), Obstacle.GRID_NOT_CHOSEN),
        ("diesel", 1.0, CITY, date(2014, 12, 31), Obstacle.CARBON_FACTOR_MISSING),
    ],
)
def test_what_has_no_carbon_has_a_reason(
    carrier: str, quantity: float | None, region: str, on: date, obstacle: Obstacle
) -> None:
    found = TABLE.emission(carrier, quantity, region, on)
    assert (found.carbon_t, found.factor, found.obstacle) == (None, None, obstacle)


def test_the_newest_factor_of_a_day_holds_and_says_which_year_it_describes() -> None:
    newer = factor("electricity", 0.39, grid="southern", year=2024)
    table = CarbonTable([newer, SOUTHERN], [GUANGXI])
    assert table.emission("electricity", 1.0, CITY, date(2023, 12, 1)).factor is SOUTHERN
    assert table.emission("electricity", 1.0, CITY, date(2024, 1, 1)).factor is newer
    assert newer.is_carried_on(date(2026, 1, 1))
    assert not newer.is_carried_on(date(2024, 12, 31))
    assert not DIESEL.is_carried_on(date(2026, 1, 1))


def test_a_platform_that_refuses_unverified_factors_does_without_them_and_says_so() -> None:
    doubtful = replace(DIESEL, verified=False, valid_from=date(2020, 1, 1))
    on = date(2026, 1, 1)
    refusing = CarbonTable([doubtful], [], Unverified.REFUSE).emission("diesel", 1.0, CITY, on)
    assert (refusing.carbon_t, refusing.obstacle) == (None, Obstacle.CARBON_FACTOR_UNVERIFIED)
    noting = CarbonTable([doubtful, DIESEL], [], Unverified.NOTE)
    assert noting.emission("diesel", 1.0, CITY, on).factor is doubtful
    older = CarbonTable([doubtful, DIESEL], [], Unverified.REFUSE)
    assert older.emission("diesel", 1.0, CITY, on).factor is DIESEL


def test_energy_that_is_given_away_is_emitted_for_others() -> None:
    assert TABLE.emission("diesel", -1000.0, CITY, date(2026, 1, 1)).carbon_t == pytest.approx(
        -3.0959
    )


@given(
    parts=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20),
    carrier=st.sampled_from(["electricity", "diesel"]),
)
def test_carbon_of_parts_adds_up_to_carbon_of_the_whole(parts: list[float], carrier: str) -> None:
    on = date(2026, 11, 1)
    found = [TABLE.emission(carrier, part, CITY, on).carbon_t for part in parts]
    whole = TABLE.emission(carrier, sum(parts), CITY, on).carbon_t
    assert whole == pytest.approx(sum(one for one in found if one is not None), abs=1e-3)
