"""Which factor values a quantity on a day, whose it is, and why a carrier has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from energy.factors import Unverified
from tests import cast, factories
from tests.app.conftest import Stage, staged
from tests.app.test_consumption_call import FIRST_DAY

INSERT_OWN = """
    INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, edition, source,
                         verified)
    SELECT $2, 'calorific', unit_id, $3, '2026-01-01', 'declared', 'contract', $4
      FROM units WHERE unit = $1
"""
INSERT_MEASURED = """
    INSERT INTO calorific_values (unit_id, carrier, batch, valid_from, valid_to,
                                  net_calorific_value, uom, kgce_per_uom, source)
    SELECT unit_id, 'raw_coal', 'B1', '2026-10-01', '2026-11-02', 22150, 'kJ/kg', 0.7558, 'lab'
      FROM units WHERE unit = $1
"""


async def ask(stage: Stage, name: str = "li", **query: str) -> dict[str, Any]:
    answer = await stage.get(name, "/v1/factors", **query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def refusing(database_url: str) -> AsyncIterator[Stage]:
    """A stage of a platform that refuses unverified factors."""
    async with staged(database_url, unverified=Unverified.REFUSE) as made:
        yield made


async def test_a_factor_says_edition_basis_source_and_days(shown_stage: Stage) -> None:
    body = await ask(shown_stage, carrier="raw_coal", basis="calorific", on="2026-11-01")
    (item,) = body["items"]
    assert (item["kgce_per_uom"], item["uom"], item["carrier_name"]) == (0.7143, "kg", "原煤")
    assert (item["edition"], item["valid_from"], item["valid_to"]) == (
        "GB/T 2589-2020",
        "2021-04-01",
        None,
    )
    assert (item["origin"], item["is_used"], item["verified"]) == ("reference", True, False)
    assert item["source"] == "GB/T 2589-2020 综合能耗计算通则"
    assert item["note"]


async def test_the_day_decides_which_row_holds(shown_stage: Stage) -> None:
    found = {}
    for day in ("2021-03-31", "2021-04-01"):
        (item,) = (await ask(shown_stage, carrier="new_water", basis="calorific", on=day))["items"]
        found[day] = item["kgce_per_uom"]
    assert found == {"2021-03-31": 0.0857, "2021-04-01": 0.2571}


async def test_without_a_day_it_is_today(shown_stage: Stage) -> None:
    assert (await ask(shown_stage, carrier="raw_coal"))["on"] == "2026-11-23"


async def test_a_range_is_missing_with_what_to_do(shown_stage: Stage) -> None:
    body = await ask(shown_stage, carrier="natural_gas", basis="calorific")
    assert body["items"] == []
    (missing,) = body["missing"]
    assert missing["reason"] == "range_only"
    assert "1.1 to 1.33 kgce" in missing["detail"]
    assert "declare its own value" in missing["detail"]


async def test_the_own_factors_of_a_unit_come_first(stage: Stage) -> None:
    await stage.pool.execute(INSERT_OWN, cast.QIANS_UNIT, "raw_coal", 0.7, True)
    await stage.pool.execute(INSERT_MEASURED, cast.QIANS_UNIT)
    query = {"carrier": "raw_coal", "basis": "calorific", "unit": cast.QIANS_UNIT}
    items = (await ask(stage, **query, on="2026-11-01"))["items"]
    assert [(item["origin"], item["is_used"], item["batch"]) for item in items] == [
        ("measured", True, "B1"),
        ("declared", False, None),
        ("reference", False, None),
    ]
    assert [item["unit"] for item in items] == [cast.QIANS_UNIT, cast.QIANS_UNIT, None]
    later = (await ask(stage, **query, on="2026-11-02"))["items"]
    assert [(item["origin"], item["is_used"]) for item in later] == [
        ("declared", True),
        ("reference", False),
    ]


async def test_the_own_factors_of_a_unit_are_shown_to_those_who_may_see_it(stage: Stage) -> None:
    await stage.pool.execute(INSERT_OWN, cast.QIANS_UNIT, "raw_coal", 0.7, True)
    everyones = (await ask(stage, "qian", carrier="raw_coal", basis="calorific"))["items"]
    assert [item["origin"] for item in everyones] == ["reference"]
    foreign = await stage.code("sun", "/v1/factors", unit=cast.QIANS_UNIT)
    missing = await stage.code("sun", "/v1/factors", unit=factories.unit_code(99))
    assert foreign == missing == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"carrier": "plutonium"},
        {"on": "2026-02-30"},
        {"on": "1793462400"},
        {"on": "1999-01-01"},
        {"basis": "both"},
        {"day": "2026-11-01"},
    ],
)
async def test_what_cannot_be_asked_is_refused(shown_stage: Stage, query: dict[str, str]) -> None:
    status, _ = await shown_stage.code("li", "/v1/factors", **query)
    assert status == 422


async def test_a_platform_that_refuses_unverified_factors_says_so(refusing: Stage) -> None:
    body = await ask(refusing, carrier="electricity", basis="equivalent", on="2026-11-01")
    (item,) = body["items"]
    assert (item["verified"], item["is_used"]) == (False, False)
    assert [missing["reason"] for missing in body["missing"]] == ["unverified_refused"]
    await refusing.pool.execute(
        "INSERT INTO unit_consumption SELECT unit_id, 'electricity', 'day', "
        "'2026-11-01 00:00+08', 10, 0, 96, false, 0.001229, NULL FROM units"
    )
    answer = await refusing.get(
        "li", "/v1/consumption", **FIRST_DAY, bucket="day", basis="equivalent"
    )
    (row,) = answer.json()["items"]
    assert row["left_out_reasons"] == {"electricity": ["unverified_refused"]}
    assert [note["code"] for note in answer.json()["notes"]] == [
        "unverified_refused",
        "unverified_factor_refused",
    ]


async def test_the_intensity_says_why_its_energy_is_not_known(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.meter(
            connection, unit_id, "P01", kind="interval", role="output", uom="t", product="steel"
        )
    await stage.pool.execute(
        "INSERT INTO unit_consumption SELECT unit_id, 'natural_gas', 'day', "
        "'2026-11-01 00:00+08', 10, 0, 96, false, NULL, NULL FROM units WHERE unit = $1",
        cast.QIANS_UNIT,
    )
    query = {"unit": cast.QIANS_UNIT, "product": "steel", "bucket": "day"}
    answer = (await stage.get("li", "/v1/intensity", **FIRST_DAY, **query)).json()
    (row,) = answer["items"]
    assert (row["intensity"], row["reason"]) == (None, "factor_missing")
    assert row["left_out_reasons"] == {"natural_gas": ["range_only"]}
    assert [note["code"] for note in answer["notes"]] == ["range_only"]
