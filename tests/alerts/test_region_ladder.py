"""The ladder of regions: worked rows, other indicators, other schemes, and the total."""

from __future__ import annotations

from dataclasses import replace

import pytest

import db.levels
from alerts.kinds.region_level import verdict
from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.verdicts import State, Verdict
from db.pool import Connection
from energy.indicators import Indicator
from energy.levels import Scheme
from tests.alerts.conftest import Works
from tests.alerts.test_value_intensity import rule

REQUIRED = -0.02747
GROWTH = RegionFacts("450200", "柳州市", 2026, 9, 0.03, 0.06, REQUIRED)
WORKED = [(0.03, -0.0283, 3), (0.04, -0.01887, 2), (0.06, 0.0, 2), (0.07, 0.00943, 1)]
"""DOMAIN 3.1: growth of energy at 6 % growth of GDP, the change of energy per GDP, the level."""

CITIES = [f"45{number:02}00" for number in range(1, 15)]


@pytest.fixture
async def schemes(connection: Connection) -> dict[str, Scheme]:
    return db.levels.schemes(await db.levels.list_bands(connection))


@pytest.fixture
async def province(works: Works) -> Works:
    """All 14 cities, of which each requires the same, at the growth of one of the worked rows."""
    for number, city in enumerate(CITIES):
        await works.pool.execute(
            "INSERT INTO region_targets VALUES ($1, 2026, $2, 'test')", city, REQUIRED
        )
        await figures(works, city, WORKED[number % 4][0])
    await works.pool.execute("UPDATE rule_versions SET parameters = NULL WHERE rule_id = 2")
    return works


async def figures(works: Works, city: str, energy: float, year: int = 2026, month: int = 9) -> None:
    await works.pool.execute(
        """
        INSERT INTO region_figures (region, year, through_month, energy_growth, gdp_growth, source,
                                    carbon_growth, energy_tce)
        VALUES ($1, $2, $3, $4, 0.06, 'test', 0.08, 1000000)
            ON CONFLICT (region, year, through_month)
            DO UPDATE SET energy_growth = excluded.energy_growth
        """,
        city,
        year,
        month,
        energy,
    )


async def levels(works: Works) -> dict[str, tuple[int, float]]:
    """Return level and measured value of each alert, by region."""
    rows = await works.pool.fetch("SELECT region, level, measured FROM alerts ORDER BY region")
    return {row["region"]: (row["level"], round(row["measured"], 5)) for row in rows}


async def test_each_worked_row_becomes_its_level_in_each_of_14_cities(province: Works) -> None:
    await rule(province, '{"letters_from_level": 2}', kind="region_level")
    await province.evaluate()
    expected = {
        city: (level, rate)
        for number, city in enumerate(CITIES)
        for _, rate, level in [WORKED[number % 4]]
        if level < 3
    }
    assert await levels(province) == expected
    assert len(expected) == 10


async def test_a_rule_on_carbon_goes_by_the_growth_of_carbon(province: Works) -> None:
    await rule(province, '{"indicator": "carbon_per_gdp"}', kind="region_level")
    await province.pool.execute(
        """
        INSERT INTO region_targets (region, year, indicator, required_rate, source)
        VALUES ('450100', 2026, 'carbon_per_gdp', -0.038, 'test')
        """
    )
    await province.evaluate()
    assert await levels(province) == {"450100": (1, 0.01887)}


async def test_a_total_is_held_against_its_cap_unless_the_incentive_is_reached(
    province: Works,
) -> None:
    await rule(
        province, '{"indicator": "total_energy", "letters_from_level": 2}', kind="region_level"
    )
    for city in CITIES[:5]:
        await figures(province, city, 0.01, 2025, 12)
        await province.pool.execute(
            """
            INSERT INTO region_targets (region, year, indicator, amount_tce, source)
            VALUES ($1, 2026, 'total_energy', 1035000, 'test')
            """,
            city,
        )
    await province.pool.execute(
        """
        INSERT INTO region_targets (region, year, kind, required_rate, source)
        VALUES ('450200', 2026, 'incentive', -0.018, 'test')
        """
    )
    await province.evaluate()
    found = await levels(province)
    assert found == {"450300": (2, 102.41546), "450400": (1, 103.38164)}


def judge(facts: RegionFacts, from_level: int = 1) -> Verdict:
    return verdict.region(facts, RegionLevel(letters_from_level=from_level))


def test_a_colour_is_as_severe_as_its_scheme_says(schemes: dict[str, Scheme]) -> None:
    lights = replace(GROWTH, scheme=schemes["municipal_lights"], energy_growth=0.07)
    shares = replace(GROWTH, scheme=schemes["municipal_shares"], energy_growth=0.0325)
    assert (judge(lights).state, judge(lights).level) == (State.FIRING, 1)
    assert judge(shares).level == 3  # 2.59 of 2.747 %: yellow of four
    assert [judge(shares, level).state for level in (2, 3)] == [State.OK, State.FIRING]
    assert judge(shares, 2).threshold == pytest.approx(0.9 * REQUIRED)


def test_the_best_level_is_never_an_alert() -> None:
    assert judge(GROWTH, 3).state is State.OK
    assert judge(replace(GROWTH, energy_growth=0.04), 3).state is State.FIRING


def test_what_the_year_must_not_exceed_is_told_with_the_level(schemes: dict[str, Scheme]) -> None:
    total = replace(
        GROWTH,
        indicator=Indicator.TOTAL_ENERGY,
        scheme=schemes["total_default"],
        gdp_growth=None,
        required_rate=None,
        base_year_tce=1_000_000.0,
        cap_tce=990_000.0,
    )
    found = judge(total)
    assert (found.state, found.level, found.uom) == (State.FIRING, 1, "%")
    assert found.measured == pytest.approx(104.04, abs=0.005)
    assert found.threshold == pytest.approx(103.0)
    assert found.reason == (
        "total energy consumption comes to 104.04% of the cap of 990,000 tce, over_cap (level 1)"
    )
    assert judge(replace(total, is_exempt=True)).state is State.OK
    for lacking in (
        replace(total, base_year_tce=None),
        replace(total, cap_tce=None),
        replace(total, energy_growth=None),
        replace(total, scheme=None),
    ):
        assert judge(lacking).state is State.UNKNOWN
