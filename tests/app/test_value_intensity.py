"""Energy of some is divided by the value of the same units, and the others are named."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast
from tests.app import works
from tests.app.conftest import Stage

QUERY = {"from_": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}


@pytest.fixture(autouse=True)
async def province(stage: Stage) -> None:
    """Three units used 5, 7 and 11 tce in October; two of them are in Liuzhou."""
    await works.may_state(stage)
    await works.use(stage, cast.QIANS_UNIT, 5.0)
    await works.use(stage, cast.QIANS_OTHER_UNIT, 7.0)
    await works.use(stage, cast.SUNS_UNIT, 11.0)


async def value(stage: Stage, unit: str, cny: float | None, added: float | None = None) -> None:
    await works.state(stage, "zhao", unit, "all", output_value_cny=cny, value_added_cny=added)


async def ask(stage: Stage, name: str = "zhao", **query: str) -> list[dict[str, Any]]:
    return await stage.items(name, "/v1/value_intensity", **QUERY, **query)


async def test_a_sum_holds_those_of_whom_both_are_known(stage: Stage) -> None:
    await value(stage, cast.QIANS_UNIT, 20_000, 10_000)
    await value(stage, cast.SUNS_UNIT, 30_000)
    (row,) = await ask(stage)
    found = row["per_output_value"]
    assert (found["energy_tce"], found["value_cny"], found["units"]) == (16, 50_000, 2)
    assert found["intensity"] == pytest.approx(16 / 5)
    assert found["energy_share"] == pytest.approx(16 / 23)
    assert found["left_out"] == [
        {"unit": cast.QIANS_OTHER_UNIT, "unit_name": "450203 测试厂", "reason": "output_missing"}
    ]
    assert (row["per_value_added"]["intensity"], row["per_value_added"]["units"]) == (5, 1)


async def test_it_is_provisional_while_one_is_left_out_and_final_then(stage: Stage) -> None:
    await value(stage, cast.QIANS_UNIT, 20_000)
    (row,) = await ask(stage, "qian")
    found = row["per_output_value"]
    assert (found["state"], found["waits_for"]) == ("provisional", ["not_stated"])
    await value(stage, cast.QIANS_OTHER_UNIT, 40_000)
    (row,) = await ask(stage, "qian")
    assert (row["per_output_value"]["state"], row["per_output_value"]["intensity"]) == ("final", 2)


async def test_a_sum_with_a_restated_value_is_restated(stage: Stage) -> None:
    await value(stage, cast.QIANS_UNIT, 20_000, 1_000)
    await value(stage, cast.QIANS_UNIT, 25_000, 1_000)
    (row,) = await ask(stage, "li")
    states = [row[name]["state"] for name in ("per_output_value", "per_value_added")]
    assert states == ["restated", "final"]


async def test_rows_are_grouped_by_region_industry_and_unit(stage: Stage) -> None:
    for unit in (cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT):
        await value(stage, unit, 10_000)
    by_region = {row["region"]: row for row in await ask(stage, group_by="region")}
    assert {region: row["per_output_value"]["energy_tce"] for region, row in by_region.items()} == {
        "450200": 12,
        "450300": 11,
    }
    assert by_region["450200"]["region_name"] == "柳州市"
    assert len(await ask(stage, group_by="region", region_level="county")) == 3
    (steel,) = await ask(stage, group_by="industry")
    assert (steel["industry"], steel["per_output_value"]["units"]) == ("C31", 3)
    assert len(await ask(stage, group_by="unit,region")) == 3


async def test_everybody_sums_what_they_may_see(stage: Stage) -> None:
    for unit in (cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT):
        await value(stage, unit, 10_000)
    sums = {}
    for name in ("zhao", "qian", "sun", "li"):
        (row,) = await ask(stage, name)
        sums[name] = row["per_output_value"]["energy_tce"]
    assert sums == {"zhao": 23, "qian": 12, "sun": 11, "li": 5}


async def test_a_unit_that_made_nothing_is_in_the_sum_with_its_energy(stage: Stage) -> None:
    await value(stage, cast.QIANS_UNIT, 20_000)
    await value(stage, cast.QIANS_OTHER_UNIT, 0)
    (row,) = await ask(stage, "qian")
    assert row["per_output_value"]["intensity"] == pytest.approx(12 / 2)


async def test_a_silent_meter_takes_its_unit_out_of_the_sum(stage: Stage) -> None:
    await value(stage, cast.QIANS_UNIT, 20_000)
    await stage.pool.execute("DELETE FROM meter_consumption")
    (row,) = await ask(stage, "li")
    found = row["per_output_value"]
    assert (found["intensity"], found["reason"]) == (None, "energy_missing")
    assert found["left_out"][0]["reason"] == "meter_silent"


async def test_a_unit_that_states_and_meters_nothing_is_named(stage: Stage) -> None:
    await value(stage, cast.QIANS_UNIT, 20_000)
    await stage.pool.execute("DELETE FROM meter_epochs")
    for table in ("unit_consumption", "meter_consumption", "meters"):
        await stage.pool.execute({
            "unit_consumption": "DELETE FROM unit_consumption",
            "meter_consumption": "DELETE FROM meter_consumption",
            "meters": "DELETE FROM meters",
        }[table])  # fmt: skip
    (row,) = await ask(stage, "li")
    assert row["per_output_value"]["left_out"][0]["reason"] == "energy_missing"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"group_by": "energy"}, "invalid_parameter"),
        ({"group_by": "meter"}, "invalid_parameter"),
        ({"energy": "electricity"}, "unknown_parameter"),
        ({"bucket": "15m"}, "invalid_parameter"),
    ],
)
async def test_what_cannot_be_divided_is_refused(
    stage: Stage, query: dict[str, str], code: str
) -> None:
    assert await stage.code("zhao", "/v1/value_intensity", **QUERY, **query) == (422, code)
