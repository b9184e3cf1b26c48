"""GET /v1/warnings: levels with everything they rest on, and a reason where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.conftest import Stage

LIUZHOU = "450200"
FIGURES = "INSERT INTO region_figures (region, year, through_month, source"
TARGETS = "INSERT INTO region_targets (region, year, source"


async def figure(stage: Stage, region: str, year: int, month: int, **values: float | None) -> None:
    columns = "".join(f", {name}" for name in values)
    holders = "".join(f", ${number}" for number in range(4, 4 + len(values)))
    await stage.pool.execute(
        f"{FIGURES}{columns}) VALUES ($1, $2, $3, 'statistics'{holders})",
        region,
        year,
        month,
        *values.values(),
    )


async def target(stage: Stage, region: str, year: int, **values: str | float) -> None:
    columns = "".join(f", {name}" for name in values)
    holders = "".join(f", ${number}" for number in range(3, 3 + len(values)))
    await stage.pool.execute(
        f"{TARGETS}{columns}) VALUES ($1, $2, 'filed'{holders})", region, year, *values.values()
    )


@pytest.fixture
async def filed(stage: Stage) -> Stage:
    """Liuzhou with an annual base and incentive target and figures through September."""
    await target(stage, LIUZHOU, 2026, required_rate=-0.02747)
    await target(stage, LIUZHOU, 2026, required_rate=-0.03, kind="incentive")
    await figure(stage, LIUZHOU, 2026, 9, energy_growth=0.07, gdp_growth=0.06)
    return stage


async def ask(stage: Stage, indicator: str = "energy_per_gdp", **query: str) -> dict[str, Any]:
    asked = {"region": LIUZHOU, **query}
    rows = await stage.items("qian", "/v1/warnings", indicator=indicator, **asked)
    return next(row for row in rows if row["region"] == asked["region"])


async def test_a_level_shows_all_it_rests_on(filed: Stage) -> None:
    row = await ask(filed)
    assert row["rate"] == pytest.approx(0.00943, abs=5e-6)
    assert (row["level"]["level"], row["level"]["severity"], row["reason"]) == ("1", 1, "rose")
    assert (row["level"]["name_zh"], row["level"]["verified"]) == ("一级（十分严峻）", True)
    assert (row["base"]["rate"], row["base"]["path"]) == (-0.02747, "filed")
    assert row["incentive"]["rate"] == -0.03
    assert [(one["figure"], one["value"], one["source"]) for one in row["figures"]] == [
        ("energy_growth", 0.07, "statistics"),
        ("gdp_growth", 0.06, "statistics"),
    ]
    assert row["output_rate"] == pytest.approx(1.06 / 1.07 - 1)


async def test_the_path_of_a_plan_is_marked_as_a_default_until_the_year_is_filed(
    stage: Stage,
) -> None:
    await target(stage, LIUZHOU, 2026, years=5, required_rate=-0.13, rule_set="2024")
    await figure(stage, LIUZHOU, 2026, 9, energy_growth=0.03, gdp_growth=0.06)
    row = await ask(stage)
    assert row["base"]["path"] == "geometric_default"
    assert row["base"]["rate"] == pytest.approx(-0.02747, abs=5e-6)
    assert (row["base"]["target_period"], row["base"]["rule_set"]) == ("2026-2030", "2024")
    assert row["level"]["level"] == "3"
    assert row["plan"]["reached_rate"] == pytest.approx(-0.0283, abs=5e-6)
    await target(stage, LIUZHOU, 2026, required_rate=-0.029)
    row = await ask(stage)
    assert (row["base"]["path"], row["level"]["level"]) == ("filed", "2")


async def test_reaching_the_incentive_exempts_the_total(filed: Stage) -> None:
    await target(filed, LIUZHOU, 2026, indicator="total_energy", amount_tce=20e6)
    await figure(filed, LIUZHOU, 2025, 12, energy_tce=20e6)
    over = await ask(filed, "total_energy")
    assert (over["level"]["level"], over["cap_share"]) == ("1", pytest.approx(1.07))
    assert (over["exempt"], over["exemption"]) == (False, "incentive_not_reached")
    assert not over["level"]["verified"]
    await figure(filed, LIUZHOU, 2026, 10, energy_growth=0.02, gdp_growth=0.06)
    better = await ask(filed, "total_energy")
    assert (better["exempt"], better["exemption"]) == (True, "incentive_reached")


async def test_without_an_input_there_is_no_level_and_its_name_is_given(filed: Stage) -> None:
    rows = await filed.items("qian", "/v1/warnings", region=LIUZHOU)
    reasons = {row["indicator"]: (row["level"] is None, row["reason"]) for row in rows}
    assert reasons == {
        "energy_per_gdp": (False, "rose"),
        "energy_per_industrial_value_added": (True, "industrial_energy_growth_missing"),
        "total_energy": (True, "base_year_total_missing"),
        "carbon_per_gdp": (True, "carbon_growth_missing"),
    }


async def test_a_period_is_a_year_or_january_to_a_month(filed: Stage) -> None:
    await figure(filed, LIUZHOU, 2026, 6, energy_growth=0.03, gdp_growth=0.06)
    assert (await ask(filed))["through_month"] == 9
    assert (await ask(filed, period="2026-06"))["level"]["level"] == "3"
    assert (await ask(filed, period="2026"))["through_month"] == 9
    unpublished = await ask(filed, period="2026-03")
    assert (unpublished["through_month"], unpublished["reason"]) == (None, "energy_growth_missing")
    assert (await filed.code("qian", "/v1/warnings", period="2026-13"))[0] == 422


async def test_a_scheme_chosen_for_a_city_holds_in_its_counties(filed: Stage) -> None:
    await filed.pool.execute(
        "INSERT INTO scheme_choices VALUES ($1, 'energy_per_gdp', 'municipal_lights', 'test')",
        LIUZHOU,
    )
    await target(filed, "450202", 2026, required_rate=-0.02747)
    await figure(filed, "450202", 2026, 9, energy_growth=0.04, gdp_growth=0.06)
    rows = await filed.items("qian", "/v1/warnings", region=LIUZHOU, indicator="energy_per_gdp")
    assert [(row["region"], row["level"]["level"], row["level"]["severity"]) for row in rows] == [
        ("450200", "red", 1),
        ("450202", "yellow", 2),
    ]


async def test_a_foreign_region_is_not_found(filed: Stage) -> None:
    assert await filed.code("sun", "/v1/warnings", region=LIUZHOU) == (404, "not_found")
    assert await filed.items("sun", "/v1/warnings") == []
    assert await filed.code("li", "/v1/warnings", region="450203") == (404, "not_found")


async def test_a_unit_sees_the_regions_it_lies_in(filed: Stage) -> None:
    rows = await filed.items("li", "/v1/warnings", indicator="energy_per_gdp")
    assert [row["region"] for row in rows] == [LIUZHOU]


async def test_everything_that_may_be_seen_is_listed_without_a_region(filed: Stage) -> None:
    await figure(filed, "450300", 2026, 9, energy_growth=0.01, gdp_growth=0.05)
    rows = await filed.items("zhao", "/v1/warnings", indicator="energy_per_gdp")
    assert [(row["region"], row["reason"]) for row in rows] == [
        ("450200", "rose"),
        ("450300", "target_missing"),
    ]
