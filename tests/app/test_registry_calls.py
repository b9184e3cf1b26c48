"""Lists are filtered, paged and the same on every page."""

from __future__ import annotations

import pytest

import db.gateways
from app import gateways
from tests import cast, factories
from tests.app.conftest import Stage


async def codes_of(stage: Stage, path: str, **query: str | int) -> list[str]:
    return [item["unit"] for item in await stage.items("zhao", path, **query)]


@pytest.mark.parametrize(
    ("region", "count"),
    [("450000", 3), ("450200", 2), ("450203", 1), ("450100", 0), ("450221", 0)],
)
async def test_a_region_is_what_lies_within(stage: Stage, region: str, count: int) -> None:
    assert len(await codes_of(stage, "/v1/units", region=region)) == count
    assert len(await codes_of(stage, "/v1/meters", region=region)) == count


@pytest.mark.parametrize(("industry", "count"), [("C", 3), ("c31", 3), ("C3120", 3), ("B", 0)])
async def test_an_industry_is_what_begins_with_it(stage: Stage, industry: str, count: int) -> None:
    assert len(await codes_of(stage, "/v1/units", industry=industry)) == count


async def test_units_are_found_by_the_energy_they_use(stage: Stage) -> None:
    unit_id = await stage.pool.fetchval(
        "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
    )
    async with stage.pool.acquire() as connection:
        await factories.meter(connection, unit_id, "C01", carrier="raw_coal", uom="t")
    assert await codes_of(stage, "/v1/units", energy="raw_coal") == [cast.QIANS_UNIT]
    (unit,) = await stage.items("zhao", "/v1/units", energy="raw_coal")
    assert unit["energies"] == ["electricity", "raw_coal"]
    regions = await stage.items("zhao", "/v1/regions", energy="raw_coal")
    assert [region["region"] for region in regions] == ["450000", "450200", "450202"]


@pytest.mark.parametrize(
    ("q", "count"),
    [("测试", 3), ("450203", 1), (cast.SUNS_UNIT[-6:].lower(), 1), ("%", 0), ("_", 0), ("'", 0)],
)
async def test_q_is_part_of_a_name_or_code_and_nothing_more(
    stage: Stage, q: str, count: int
) -> None:
    assert len(await codes_of(stage, "/v1/units", q=q)) == count


@pytest.mark.parametrize("path", ["/v1/regions", "/v1/units", "/v1/meters"])
async def test_pages_joined_are_the_whole_list(stage: Stage, path: str) -> None:
    whole = await stage.items("zhao", path, limit=1000)
    pages, cursor = [], None
    while True:
        query = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
        page = (await stage.get("zhao", path, **query)).json()
        pages += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["items"]) == 2
    assert pages == whole


async def test_regions_count_the_units_one_may_see(stage: Stage) -> None:
    counts = {r["region"]: r["unit_count"] for r in await stage.items("qian", "/v1/regions")}
    assert (counts["450200"], counts["450202"], counts["450204"]) == (2, 1, 0)
    assert "450000" not in counts
    of_li = await stage.items("li", "/v1/regions")
    assert [region["region"] for region in of_li] == ["450200", "450202"]


async def test_a_unit_shows_its_gateways(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.gateway(connection, unit_id, "gw1")
    unit = (await stage.get("li", f"/v1/units/{cast.QIANS_UNIT}")).json()
    assert unit["region_name"] == "城中区"
    assert unit["industry_name"] == "黑色金属冶炼和压延加工业"
    (gateway,) = unit["gateways"]
    assert (gateway["gateway"], gateway["connection"], gateway["revoked"]) == ("gw1", None, False)


async def test_it_is_shown_of_which_units_the_gateways_must_sign(stage: Stage) -> None:
    await stage.pool.execute(
        "UPDATE units SET signature_required = true WHERE unit = $1", cast.QIANS_UNIT
    )
    shown = {u["unit"]: u["signature_required"] for u in await stage.items("zhao", "/v1/units")}
    assert [unit for unit, required in shown.items() if required] == [cast.QIANS_UNIT]
    unit = (await stage.get("li", f"/v1/units/{cast.QIANS_UNIT}")).json()
    assert unit["signature_required"] is True
    async with stage.pool.acquire() as connection:
        for code in shown:
            await db.gateways.enrol(connection, code, "gw1")
        listed = gateways.table(await db.gateways.list_all(connection))
    columns = {str(column.header): list(column.cells) for column in listed.columns}
    required = dict(zip(columns["unit"], columns["signature required"], strict=True))
    assert required == {unit: "yes" if must else "no" for unit, must in shown.items()}


async def test_meters_can_be_those_of_one_unit(stage: Stage) -> None:
    (meter,) = await stage.items("qian", "/v1/meters", unit=cast.QIANS_UNIT)
    assert (meter["meter"], meter["energy"], meter["uom"]) == ("E01", "electricity", "kWh")
    assert meter["installed_at"] == "2020-01-01T08:00:00+08:00"
