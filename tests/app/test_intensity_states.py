"""A figure is provisional until its output is stated, then final, and restated with a trace."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast, factories
from tests.app.conftest import Stage

pytestmark = pytest.mark.puts_in("limits")

MONTH = "2026-10-01 00:00+08"
STATED = {
    "unit": cast.QIANS_UNIT,
    "product": "steel",
    "from": "2026-10-01T00:00:00+08:00",
    "to": "2026-11-01T00:00:00+08:00",
    "quantity": 10.0,
    "uom": "t",
    "output_value_cny": 40_000.0,
    "value_added_cny": 10_000.0,
}


@pytest.fixture(autouse=True)
async def works(stage: Stage) -> None:
    """Li's unit used 5 tce and metered 9,800 kg of steel in October, with all readings there."""
    await stage.pool.execute("UPDATE api_keys SET may_state = true")
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.meter(
            connection, unit_id, "P01", role="output", kind="interval", uom="kg", product="steel"
        )
    for table in ("unit", "meter"):
        await use(stage, table)
    await stage.pool.execute(
        """
        INSERT INTO meter_consumption
        SELECT meter_id, 'month', $1::text::timestamptz, 9800, 0, 2976, false, NULL, NULL
          FROM meters
         WHERE role = 'output'
        """,
        MONTH,
    )


async def use(stage: Stage, table: str) -> None:
    statements = {
        "unit": """
            INSERT INTO unit_consumption
            SELECT unit_id, 'electricity', 'month', $2::text::timestamptz, 40000, 0, 2976, false, 5,
                   12
              FROM units
             WHERE unit = $1
            """,
        "meter": """
            INSERT INTO meter_consumption
            SELECT meter_id, 'month', $2::text::timestamptz, 40000, 0, 2976, false, 5, 12
              FROM meters
              JOIN units USING (unit_id)
             WHERE unit = $1
               AND role = 'boundary'
            """,
    }
    await stage.pool.execute(statements[table], cast.QIANS_UNIT, MONTH)


async def state(stage: Stage, reason: str = "盘点", **changes: Any) -> None:
    answer = await stage.client.post(
        "/v1/production",
        json={"items": [STATED | changes], "reason": reason},
        headers={"Authorization": f"Bearer {stage.cast.li}"},
    )
    assert answer.status_code == 200, answer.text


async def october(stage: Stage, product: str = "steel", **query: str) -> dict[str, Any]:
    (row,) = await stage.items(
        "li", "/v1/intensity", unit=cast.QIANS_UNIT, product=product,
        from_="2026-10-01T00:00:00+08:00", to="2026-11-01T00:00:00+08:00", **query,
    )  # fmt: skip
    return row


async def limit(stage: Stage, uom: str, **values: float) -> None:
    await stage.pool.execute(
        """
        INSERT INTO limits (product, uom, edition, limit_value, baseline, benchmark, valid_from,
                            source)
        VALUES ('steel', $1, $1, $2, $3, $4, '2020-01-01', 'test')
        """,
        uom, values.get("limit"), values.get("baseline"), values.get("benchmark"),
    )  # fmt: skip


async def test_metered_output_gives_a_provisional_figure(stage: Stage) -> None:
    row = await october(stage)
    assert (row["state"], row["waits_for"]) == ("provisional", ["not_stated"])
    assert (row["output_source"], row["output_quantity"]) == ("metered", 9_800)
    assert row["intensity"] == pytest.approx(5_000 / 9_800)


async def test_stated_output_makes_it_final_and_the_meter_checks_it(stage: Stage) -> None:
    await limit(stage, "kgce/t", baseline=510, benchmark=490)
    await state(stage)
    row = await october(stage)
    assert (row["state"], row["waits_for"], row["output_source"]) == ("final", [], "stated")
    assert (row["intensity"], row["grade"]) == (pytest.approx(500), "between")
    assert row["output_metered"] == pytest.approx(9.8)
    assert row["output_difference"] == pytest.approx(0.2)
    assert row["history"] == []


async def test_a_statement_that_its_own_meter_contradicts_is_not_final(stage: Stage) -> None:
    await state(stage, quantity=12.0)
    row = await october(stage)
    assert (row["state"], row["waits_for"]) == ("provisional", ["output_differs"])


async def test_a_changed_statement_restates_the_figure_with_its_trace(stage: Stage) -> None:
    await limit(stage, "kgce/t", limit=510)
    await state(stage, "first")
    await state(stage, "inventory", quantity=10.2)
    row = await october(stage)
    assert (row["state"], row["output_quantity"]) == ("restated", 10.2)
    trace = [(one["reason"], one["output_quantity"]) for one in row["history"]]
    assert trace == [("first", 10.0), ("inventory", 10.2)]
    assert row["history"][0]["intensity"] == pytest.approx(500)
    assert {one["actor"] for one in row["history"]} == {"li"}


async def test_a_changed_value_restates_the_value_and_not_the_product(stage: Stage) -> None:
    await state(stage)
    await state(stage, output_value_cny=50_000.0)
    row = await october(stage)
    assert (row["state"], row["per_output_value"]["state"]) == ("final", "restated")
    assert row["per_value_added"]["state"] == "final"
    assert row["per_output_value"]["intensity"] == pytest.approx(1.0)


async def test_energy_per_ten_thousand_yuan(stage: Stage) -> None:
    row = await october(stage)
    assert row["per_output_value"]["intensity"] is None
    assert row["per_output_value"]["waits_for"] == ["not_stated"]
    await state(stage)
    row = await october(stage)
    assert row["per_output_value"]["intensity"] == pytest.approx(5 / 4)
    assert row["per_value_added"]["intensity"] == pytest.approx(5)


async def test_energy_of_all_is_not_divided_by_the_value_of_some(stage: Stage) -> None:
    await state(stage)
    await state(stage, product="coke", output_value_cny=None, value_added_cny=None)
    row = await october(stage)
    assert (row["per_output_value"]["value_cny"], row["per_output_value"]["reason"]) == (
        None,
        "output_missing",
    )
    await state(stage, product="all", quantity=None, uom=None, output_value_cny=90_000.0)
    assert (await october(stage))["per_output_value"]["value_cny"] == 90_000


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ("UPDATE unit_consumption SET held = true", "step_held"),
        ("UPDATE unit_consumption SET readings_present = 2677", "coverage_low"),
        ("UPDATE unit_consumption SET calorific_tce = NULL", "energy_unknown"),
        ("DELETE FROM meter_consumption WHERE calorific_tce IS NOT NULL", "energy_unknown"),
    ],
)
async def test_what_still_waits_keeps_it_provisional(stage: Stage, change: str, cause: str) -> None:
    await state(stage)
    await stage.pool.execute(change)
    row = await october(stage)
    assert (row["state"], row["waits_for"]) == ("provisional", [cause])


async def test_nine_tenths_of_the_readings_are_enough(stage: Stage) -> None:
    await limit(stage, "kgce/t", limit=510)
    await state(stage)
    await stage.pool.execute("UPDATE unit_consumption SET readings_present = 2679")
    row = await october(stage)
    assert (row["state"], row["intensity_low"]) == ("final", pytest.approx(500))
    assert row["intensity_high"] == pytest.approx(500 * 2976 / 2679)


async def test_a_month_that_is_not_over_is_provisional(stage: Stage) -> None:
    (row,) = await stage.items(
        "li", "/v1/intensity", unit=cast.QIANS_UNIT, product="steel",
        from_="2026-11-01T00:00:00+08:00", to="2026-12-01T00:00:00+08:00",
    )  # fmt: skip
    assert row["state"] == "provisional"
    assert row["waits_for"][0] == "period_open"


async def test_a_limit_in_kilowatt_hours_is_judged_by_electricity(stage: Stage) -> None:
    await limit(stage, "kWh/t", baseline=4_100, benchmark=3_900)
    await state(stage)
    row = await october(stage)
    assert (row["intensity"], row["intensity_uom"]) == (pytest.approx(4_000), "kWh/t")
    assert (row["grade"], row["electricity_kwh"]) == ("between", 40_000)


async def test_each_limit_is_judged_in_its_own_unit(stage: Stage) -> None:
    await limit(stage, "kgce/t", limit=499)
    await limit(stage, "kgoe/t", limit=351)
    await limit(stage, "tce/1e4CNY output value", limit=1.25)
    await limit(stage, "kgce/m2", limit=1)
    await limit(stage, "kgce/widget", limit=1)
    await state(stage)
    found = {one["uom"]: (one["is_within_limit"], one["reason"])
             for one in (await october(stage))["limits"]}  # fmt: skip
    assert found == {
        "kgce/t": (False, None),
        "kgoe/t": (True, None),
        "tce/1e4CNY output value": (True, None),
        "kgce/m2": (None, "output_mixed"),
        "kgce/widget": (None, "uom_unknown"),
    }


async def test_a_data_centre_is_judged_by_its_ratio_and_must_stay_below(stage: Stage) -> None:
    centre = {"product": "data_centre_large", "uom": "kWh"}
    await stage.pool.execute("UPDATE meters SET product = 'steel_scrap' WHERE role = 'output'")
    await state(stage, **centre, quantity=40_000 / 1.3)
    row = await october(stage, "data_centre_large")
    assert (row["intensity"], row["intensity_uom"]) == (pytest.approx(1.3), "PUE")
    (ruling,) = row["limits"]
    assert (ruling["is_within_limit"], ruling["exclusive"]) == (False, True)
    await state(stage, **centre, quantity=32_000.0)
    assert (await october(stage, "data_centre_large"))["limits"][0]["is_within_limit"] is True


async def test_an_unverified_limit_says_so(stage: Stage) -> None:
    await state(stage, product="converter_steel")
    answer = await stage.get(
        "li", "/v1/intensity", unit=cast.QIANS_UNIT, product="converter_steel",
        from_="2026-10-01T00:00:00+08:00", to="2026-11-01T00:00:00+08:00",
    )  # fmt: skip
    (row,) = answer.json()["items"]
    assert [one["verified"] for one in row["limits"]] == [False]
    assert "unverified_limit" in {note["code"] for note in answer.json()["notes"]}
    assert answer.json()["product_name"] == "转炉工序"


async def test_oil_equivalent_says_that_its_worth_is_not_verified(stage: Stage) -> None:
    await state(stage, product="ethylene")
    answer = await stage.get(
        "li", "/v1/intensity", unit=cast.QIANS_UNIT, product="ethylene",
        from_="2026-10-01T00:00:00+08:00", to="2026-11-01T00:00:00+08:00",
    )  # fmt: skip
    assert {"unverified_limit", "unverified_equivalent", "several_products"} == {
        note["code"] for note in answer.json()["notes"]
    }
    (row,) = answer.json()["items"]
    assert (row["intensity_uom"], row["intensity"]) == ("kgoe/t", pytest.approx(500 / 1.4286))


async def test_alumina_has_no_grade_and_a_reason(stage: Stage) -> None:
    await state(stage, product="alumina")
    row = await october(stage, "alumina")
    assert (row["grade"], row["ungraded"], row["limits"]) == (None, "no_levels", [])


async def test_a_converter_that_recovers_energy_is_graded(stage: Stage) -> None:
    await state(stage, product="converter_steel", quantity=250.0)
    await stage.pool.execute("UPDATE unit_consumption SET calorific_tce = -5")
    row = await october(stage, "converter_steel")
    assert (row["intensity"], row["grade"]) == (pytest.approx(-20), "between")


async def test_a_month_of_output_does_not_say_what_a_day_made(stage: Stage) -> None:
    await state(stage, product="coke")
    rows = await stage.items(
        "li", "/v1/intensity", unit=cast.QIANS_UNIT, product="coke", bucket="day",
        from_="2026-10-01T00:00:00+08:00", to="2026-10-03T00:00:00+08:00",
    )  # fmt: skip
    assert [row["output_quantity"] for row in rows] == [None, None]


async def test_a_year_that_is_stated_in_part_is_as_metered(stage: Stage) -> None:
    await state(stage)
    row = await october(stage, bucket="year")
    assert (row["output_source"], row["waits_for"][0]) == ("metered", "period_open")


async def test_a_month_that_is_stated_in_parts_is_there_with_the_last_of_them(
    stage: Stage,
) -> None:
    middle = "2026-10-11T00:00:00+08:00"
    await state(stage, to=middle, quantity=3.0)
    assert (await october(stage))["output_source"] == "metered"
    await state(stage, **{"from": middle}, quantity=7.0)
    row = await october(stage)
    assert (row["output_quantity"], row["state"], row["history"]) == (10_000, "final", [])
    assert row["per_output_value"]["value_cny"] == 80_000


async def test_what_is_restated_in_one_request_is_one_step_of_the_trace(stage: Stage) -> None:
    await state(stage)
    middle = "2026-10-11T00:00:00+08:00"
    halves = [STATED | {"to": middle, "quantity": 3.0}, STATED | {"from": middle, "quantity": 7.1}]
    answer = await stage.client.post(
        "/v1/production",
        json={"items": halves, "reason": "by halves"},
        headers={"Authorization": f"Bearer {stage.cast.li}"},
    )
    assert answer.status_code == 200
    row = await october(stage)
    trace = [(one["reason"], one["output_quantity"]) for one in row["history"]]
    assert trace == [("盘点", 10_000), ("by halves", pytest.approx(10_100))]
