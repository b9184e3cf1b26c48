"""GET /v1/carbon: by the factors of fuels and grids, each named; a missing one leaves no sum."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast, factories
from tests.app.conftest import Stage
from tests.app.test_factors_call import INSERT_MEASURED

MEASURED = "carbon_not_by_measured_value"
OCTOBER = {"from_": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}


async def use(
    stage: Stage, carrier: str, quantity: float, month: str = "2026-10", unit: str = cast.QIANS_UNIT
) -> None:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval("SELECT unit_id FROM units WHERE unit = $1", unit)
        if carrier != "electricity" and not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM meters WHERE unit_id = $1 AND carrier = $2)",
            unit_id,
            carrier,
        ):
            await factories.meter(
                connection, unit_id, f"C-{carrier}"[:32], carrier=carrier, uom="kg"
            )
        await connection.execute(
            """
            INSERT INTO unit_consumption
            VALUES ($1, $2, 'month', $3::text::timestamptz, $4, 0, 2976, false, 1.5, 2)
            """,
            unit_id,
            carrier,
            f"{month}-01 00:00+08",
            quantity,
        )


async def ask(stage: Stage, name: str = "qian", **query: str) -> dict[str, Any]:
    (row,) = await stage.items(name, "/v1/carbon", **{**OCTOBER, **query})
    return row


async def test_each_carrier_names_the_factor_it_was_reckoned_by(stage: Stage) -> None:
    await use(stage, "electricity", 1_000_000)
    await use(stage, "diesel", 10_000)
    row = await ask(stage)
    assert row["carbon_t"] == pytest.approx(404.2 + 30.959)
    assert (row["energy_tce"], row["reason"]) == (3, None)
    parts = {part["energy"]: part for part in row["carriers"]}
    assert (parts["electricity"]["factor"]["grid"], parts["electricity"]["uom"]) == (
        "southern",
        "kWh",
    )
    assert parts["diesel"]["carbon_t"] == pytest.approx(30.959)


async def test_a_missing_factor_leaves_no_sum(stage: Stage) -> None:
    await use(stage, "electricity", 1_000_000)
    await use(stage, "oxygen", 5)
    row = await ask(stage)
    assert (row["carbon_t"], row["reason"]) == (None, "carbon_factor_missing")
    assert (row["carbon_known_t"], row["carbon_left_out"]) == (pytest.approx(404.2), ["oxygen"])


async def test_what_is_not_known_is_not_zero(stage: Stage) -> None:
    row = await ask(stage, name="li")
    assert (row["carbon_t"], row["reason"], row["coverage"]) == (None, "quantity_missing", 0)


async def test_a_city_that_chose_another_grid_has_its_factor(stage: Stage) -> None:
    await stage.pool.execute(
        "INSERT INTO grid_choices VALUES ('450300', '2026-01-01', 'national', 'test')"
    )
    await use(stage, "electricity", 1_000_000)
    await use(stage, "electricity", 1_000_000, unit=cast.SUNS_UNIT)
    rows = await stage.items("zhao", "/v1/carbon", group_by="region", **OCTOBER)
    assert {row["region"]: row["carbon_t"] for row in rows} == {
        "450200": pytest.approx(404.2),
        "450300": pytest.approx(530.6),
    }
    total = await ask(stage, name="zhao")
    assert total["carbon_t"] == pytest.approx(934.8)
    grids = {part["factor"]["grid"]: part["carbon_t"] for part in total["carriers"]}
    assert grids == {"southern": pytest.approx(404.2), "national": pytest.approx(530.6)}


async def test_a_year_takes_the_factor_of_each_of_its_months(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO carbon_factors (carrier, grid, kgco2_per_uom, valid_from, year, edition, source,
                                    verified)
        VALUES ('electricity', 'southern', 0.4, '2026-10-01', 2026, 'test', 'test', true)
        """
    )
    await use(stage, "electricity", 1_000_000, "2026-09")
    await use(stage, "electricity", 1_000_000, "2026-10")
    year = {"from_": "2026-01-01T00:00:00+08:00", "to": "2027-01-01T00:00:00+08:00"}
    (row,) = await stage.items("qian", "/v1/carbon", bucket="year", **year)
    assert row["carbon_t"] == pytest.approx(404.2 + 400)
    assert [part["factor"]["kgco2_per_uom"] for part in row["carriers"]] == [0.4042, 0.4]


async def test_factors_nobody_verified_or_of_another_year_are_said_to_be(stage: Stage) -> None:
    await use(stage, "electricity", 1)
    await use(stage, "natural_gas", 1)
    answer = (await stage.get("qian", "/v1/carbon", **OCTOBER)).json()
    codes = {(note["code"], note["energy"]) for note in answer["notes"]}
    assert ("unverified_carbon_factor", "natural_gas") in codes
    assert ("carbon_factor_of_another_year", "electricity") in codes


async def test_coal_that_was_measured_emits_by_a_reference_value_and_says_so(stage: Stage) -> None:
    await use(stage, "raw_coal", 1)
    await use(stage, "raw_coal", 1, unit=cast.SUNS_UNIT)
    await stage.pool.execute(INSERT_MEASURED, cast.QIANS_UNIT)
    told = {}
    for name in ("qian", "sun"):
        notes = (await stage.get(name, "/v1/carbon", **OCTOBER)).json()["notes"]
        told[name] = {note["energy"] for note in notes if note["code"] == MEASURED}
    assert told == {"qian": {"raw_coal"}, "sun": set()}


@pytest.mark.parametrize("query", [{"group_by": "meter"}, {"bucket": "hour"}])
async def test_what_carbon_is_not_kept_by_is_refused(stage: Stage, query: dict[str, str]) -> None:
    assert (await stage.code("qian", "/v1/carbon", **OCTOBER, **query))[0] == 422


async def test_by_energy_each_carrier_is_a_row(stage: Stage) -> None:
    await use(stage, "electricity", 1_000_000)
    await use(stage, "diesel", 10_000)
    rows = await stage.items("li", "/v1/carbon", group_by="energy,unit", **OCTOBER)
    assert {(row["unit"], row["energy"]): row["carbon_t"] for row in rows} == {
        (cast.QIANS_UNIT, "electricity"): pytest.approx(404.2),
        (cast.QIANS_UNIT, "diesel"): pytest.approx(30.959),
    }
