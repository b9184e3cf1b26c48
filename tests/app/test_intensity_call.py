"""An intensity is known or has a reason not to be; limits are those of its day."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast, factories
from tests.app.conftest import Stage

QUERY = {
    "unit": cast.QIANS_UNIT,
    "product": "steel",
    "from_": "2026-10-01T00:00:00+08:00",
    "to": "2026-11-01T00:00:00+08:00",
}
MONTH = "2026-10-01 00:00+08"


@pytest.fixture(autouse=True)
async def output_meter(stage: Stage) -> int:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        return await factories.meter(
            connection, unit_id, "P01", role="output", kind="interval", uom="kg", product="steel"
        )


async def use(stage: Stage, tce: float | None) -> None:
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'electricity', 'month', $2::text::timestamptz, 1000, 0, 2976, false, $3, 9
          FROM units
         WHERE unit = $1
        """,
        cast.QIANS_UNIT, MONTH, tce,
    )  # fmt: skip
    await stage.pool.execute(
        """
        INSERT INTO meter_consumption
        SELECT meter_id, 'month', $2::text::timestamptz, 1000, 0, 2976, false, $3, 9
          FROM meters
          JOIN units USING (unit_id)
         WHERE unit = $1
           AND role = 'boundary'
        """,
        cast.QIANS_UNIT, MONTH, tce,
    )  # fmt: skip


async def make(stage: Stage, meter_id: int, quantity: float | None) -> None:
    await stage.pool.execute(
        """
        INSERT INTO meter_consumption
        VALUES ($1, 'month', $2::text::timestamptz, $3, 0, 1488, false, NULL, NULL)
        """,
        meter_id, MONTH, quantity,
    )  # fmt: skip


async def limit(stage: Stage, edition: str, value: float, valid_from: str) -> None:
    await stage.pool.execute(
        """
        INSERT INTO limits (product, uom, edition, limit_value, valid_from, source)
        VALUES ('steel', 'kgce/t', $1, $2, $3::text::date, 'test')
        """,
        edition, value, valid_from,
    )  # fmt: skip


async def ask(stage: Stage) -> dict[str, Any]:
    (row,) = await stage.items("li", "/v1/intensity", **QUERY)
    return row


async def test_energy_per_ton_whatever_the_meter_counts_in(stage: Stage, output_meter: int) -> None:
    await use(stage, 5.0)
    await make(stage, output_meter, 10_000)
    await limit(stage, "GB 1", 480, "2020-01-01")
    row = await ask(stage)
    assert (row["intensity"], row["intensity_uom"]) == (pytest.approx(500), "kgce/t")
    assert (row["output_quantity"], row["output_uom"]) == (pytest.approx(10), "t")
    assert (row["coverage"], row["output_coverage"]) == (1, 0.5)
    assert [(one["edition"], one["limit"]) for one in row["limits"]] == [("GB 1", 480)]


@pytest.mark.parametrize(
    ("tce", "quantity", "reason"),
    [
        (5.0, None, "output_missing"),
        (5.0, 0.0, "output_not_positive"),
        (None, 10.0, "factor_missing"),
    ],
)
async def test_what_is_not_known_has_a_reason(
    stage: Stage, output_meter: int, tce: float | None, quantity: float | None, reason: str
) -> None:
    await use(stage, tce)
    await make(stage, output_meter, quantity)
    row = await ask(stage)
    assert (row["intensity"], row["reason"]) == (None, reason)
    days = {carrier: each["starts_on"] for carrier, (each,) in row["left_out_days"].items()}
    assert days == dict.fromkeys(row["left_out"], MONTH[:10])


async def test_a_silent_meter_makes_no_good_intensity(stage: Stage, output_meter: int) -> None:
    await use(stage, 5.0)
    await make(stage, output_meter, 10_000)
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.meter(connection, unit_id, "C77", carrier="coke", uom="kg")
    row = await ask(stage)
    assert (row["intensity"], row["reason"]) == (None, "meter_silent")


async def test_a_held_step_makes_no_intensity(stage: Stage, output_meter: int) -> None:
    await use(stage, 5.0)
    await make(stage, output_meter, 10_000)
    await stage.pool.execute("UPDATE unit_consumption SET held = true")
    row = await ask(stage)
    assert (row["intensity"], row["reason"], row["held"]) == (None, "held", True)


async def test_energy_that_is_missing_is_no_good_intensity(stage: Stage, output_meter: int) -> None:
    await make(stage, output_meter, 10)
    row = await ask(stage)
    assert (row["intensity"], row["reason"], row["coverage"]) == (None, "energy_missing", 0)


async def test_limits_are_the_newest_of_each_edition_on_the_day(stage: Stage) -> None:
    await limit(stage, "GB 1", 500, "2020-01-01")
    await limit(stage, "GB 1", 480, "2026-10-01")
    await limit(stage, "GB 1", 460, "2026-10-02")
    await limit(stage, "DB45 2", 470, "2024-01-01")
    limits = {one["edition"]: one["limit"] for one in (await ask(stage))["limits"]}
    assert limits == {"GB 1": 480, "DB45 2": 470}


async def test_a_unit_that_makes_other_things_too_is_noted(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.meter(
            connection, unit_id, "P02", role="output", uom="t", product="cement_clinker"
        )
    answer = (await stage.get("li", "/v1/intensity", **QUERY)).json()
    (note,) = answer["notes"]
    assert note["code"] == "several_products"
    assert "cement_clinker" in note["detail"]
