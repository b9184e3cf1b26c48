"""The share of capacity at the benchmark: by capacity, and what is unknown stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests import cast
from tests.app import works
from tests.app.conftest import Stage

pytestmark = pytest.mark.puts_in("capacities")

SEPTEMBER = datetime(2026, 8, 31, 16, tzinfo=UTC)
PRODUCT = "cement_clinker"
UNITS = (cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT)


@pytest.fixture(autouse=True)
async def province(stage: Stage) -> None:
    """Three cement works of 100, 300 and 600 kt a year; benchmark 100 kgce/t, baseline 117."""
    await works.may_state(stage)
    for unit, tons in zip(UNITS, (100_000, 300_000, 600_000), strict=True):
        await capacity(stage, unit, tons)


async def capacity(
    stage: Stage, unit: str, tons: float, product: str = PRODUCT, on: str = "2015-01-01"
) -> None:
    await stage.pool.execute(
        "INSERT INTO capacities VALUES ($1, $2, $3, 't', $4::text::date, 'test')",
        await works.unit_id(stage, unit), product, tons, on,
    )  # fmt: skip


async def run(stage: Stage, unit: str, kgce_per_ton: float) -> None:
    """Let `unit` make 1,000 t in October with so much energy."""
    await works.use(stage, unit, kgce_per_ton)
    await works.state(stage, "zhao", unit, PRODUCT, quantity=1_000.0, uom="t")


async def ask(stage: Stage, name: str = "zhao", **query: str | int) -> dict[str, Any]:
    (row,) = await stage.items(name, "/v1/benchmark_shares", year=2026, **query)
    return row


async def test_the_share_is_that_of_capacity_and_not_of_plants(stage: Stage) -> None:
    for unit, intensity in zip(UNITS, (99.0, 100.0, 101.0), strict=True):
        await run(stage, unit, intensity)
    row = await ask(stage)
    assert (row["share"], row["capacity_at_benchmark"]) == (pytest.approx(0.4), 400_000)
    assert (row["required_share"], row["is_reached"]) == (0.3, True)
    assert [unit["grade"] for unit in row["units"]] == ["benchmark", "benchmark", "between"]
    assert (row["product_name"], row["verified"]) == ("水泥熟料", False)


async def test_a_unit_without_a_figure_is_unknown_and_not_failing(stage: Stage) -> None:
    await run(stage, cast.QIANS_UNIT, 99.0)
    await run(stage, cast.SUNS_UNIT, 130.0)
    row = await ask(stage)
    assert (row["share"], row["is_reached"]) == (None, None)
    assert (row["share_at_least"], row["share_at_most"]) == (0.1, pytest.approx(0.4))
    assert row["capacity_unknown"] == 300_000
    (unknown,) = [unit for unit in row["units"] if unit["is_at_benchmark"] is None]
    assert (unknown["unit"], unknown["reason"]) == (cast.QIANS_OTHER_UNIT, "energy_missing")


async def test_a_share_is_reached_whatever_the_unknown_comes_to(stage: Stage) -> None:
    await run(stage, cast.SUNS_UNIT, 99.0)
    row = await ask(stage)
    assert (row["share"], row["is_reached"]) == (None, True)


async def test_a_share_is_missed_whatever_the_unknown_comes_to(stage: Stage) -> None:
    await run(stage, cast.QIANS_OTHER_UNIT, 130.0)
    await run(stage, cast.SUNS_UNIT, 101.0)
    row = await ask(stage)
    assert (row["share"], row["share_at_most"], row["is_reached"]) == (None, 0.1, False)


async def test_energy_counts_only_with_the_output_of_its_month(stage: Stage) -> None:
    await run(stage, cast.QIANS_UNIT, 99.0)
    await works.use(stage, cast.QIANS_UNIT, 500.0, month=SEPTEMBER)
    (unit,) = (await ask(stage, "li"))["units"]
    assert (unit["intensity"], unit["months"]) == (pytest.approx(99), 1)
    await works.state(
        stage, "zhao", cast.QIANS_UNIT, PRODUCT, quantity=5_000.0, uom="t", month=SEPTEMBER
    )
    (unit,) = (await ask(stage, "li"))["units"]
    assert (unit["intensity"], unit["months"]) == (pytest.approx(599 / 6), 2)


async def test_a_unit_that_makes_several_products_is_unknown(stage: Stage) -> None:
    await run(stage, cast.QIANS_UNIT, 99.0)
    await works.output_meter(stage, cast.QIANS_UNIT, "sanitary_ware")
    (unit,) = (await ask(stage, "li"))["units"]
    assert (unit["is_at_benchmark"], unit["reason"]) == (None, "several_products")


async def test_metered_output_places_a_unit_too(stage: Stage) -> None:
    meter_id = await works.output_meter(stage, cast.QIANS_UNIT, PRODUCT, "kg")
    await works.use(stage, cast.QIANS_UNIT, 99.0)
    await works.make(stage, meter_id, 1_000_000)
    (unit,) = (await ask(stage, "li"))["units"]
    assert (unit["intensity"], unit["state"]) == (pytest.approx(99), "provisional")


async def test_aluminium_is_placed_by_its_electricity(stage: Stage) -> None:
    await stage.pool.execute("DELETE FROM capacities")
    await capacity(stage, cast.QIANS_UNIT, 1_000, "electrolytic_aluminium")
    await works.use(stage, cast.QIANS_UNIT, 1.6, kwh=13_000.0)
    await works.state(stage, "li", cast.QIANS_UNIT, "electrolytic_aluminium", quantity=1.0, uom="t")
    row = await ask(stage, "li")
    assert (row["share"], row["benchmark_uom"]) == (1.0, "kWh/t")
    assert row["units"][0]["intensity"] == 13_000


async def test_alumina_must_reach_a_share_of_a_benchmark_that_nobody_set(stage: Stage) -> None:
    await stage.pool.execute("DELETE FROM capacities")
    await capacity(stage, cast.QIANS_UNIT, 1_000, "alumina")
    row = await ask(stage)
    assert (row["required_share"], row["share"], row["is_reached"]) == (0.3, None, None)
    assert (row["units"][0]["reason"], row["edition"]) == ("no_benchmark", None)


async def test_an_unverified_benchmark_is_marked(stage: Stage) -> None:
    await stage.pool.execute("DELETE FROM capacities")
    await capacity(stage, cast.QIANS_UNIT, 1_000, "blast_furnace_iron")
    answer = (await stage.get("zhao", "/v1/benchmark_shares", year=2026)).json()
    assert answer["items"][0]["verified"] is False
    assert [note["code"] for note in answer["notes"]] == ["unverified_limit"]


async def test_capacity_is_that_of_the_year_and_what_is_shut_down_is_gone(stage: Stage) -> None:
    await capacity(stage, cast.SUNS_UNIT, 0, on="2026-06-01")
    assert (await ask(stage))["capacity"] == 400_000
    (earlier,) = await stage.items("zhao", "/v1/benchmark_shares", year=2025)
    assert earlier["capacity"] == 1_000_000
    assert await stage.items("zhao", "/v1/benchmark_shares", year=2027) == []


async def test_a_region_is_what_is_within(stage: Stage) -> None:
    assert (await ask(stage, region="450200"))["capacity"] == 400_000
    assert (await ask(stage, "sun"))["capacity"] == 600_000
