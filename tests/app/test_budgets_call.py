"""GET /v1/budgets: what is used, what it will come to, and who may see whose."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests import cast
from tests.app.conftest import Stage

CITY = "450200"


async def budget(
    stage: Stage,
    kind: str = "unit",
    owner: str = cast.QIANS_UNIT,
    amount_tce: float = 2400,
    starts_on: str = "2026-01-01",
    ends_on: str = "2027-01-01",
) -> None:
    await stage.pool.execute(
        """
        INSERT INTO energy_budgets (owner_kind, owner, starts_on, ends_on, amount_tce, basis,
                                    source)
        VALUES ($1, $2, $3, $4, $5, 'calorific', 'test')
        """,
        kind,
        owner,
        date.fromisoformat(starts_on),
        date.fromisoformat(ends_on),
        amount_tce,
    )


async def use(stage: Stage, unit: str = cast.QIANS_UNIT, *, present: int = 96) -> None:
    """Use 7 tce a day since New Year, 3 at weekends."""
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'electricity', 'day', day, 50000, 0, $2, false,
               CASE WHEN extract(isodow FROM day AT TIME ZONE 'Asia/Shanghai') > 5
                    THEN 3 ELSE 7 END,
               99
          FROM units,
               generate_series('2026-01-01 00:00+08'::timestamptz, '2026-11-23 00:00+08',
                               '1 day') AS day
         WHERE unit = $1
        """,
        unit,
        present,
    )


async def ask(stage: Stage, name: str = "li", **query: str) -> dict[str, Any]:
    (row,) = await stage.items(name, "/v1/budgets", **query)
    return row


async def test_a_budget_names_the_day_it_runs_out_with_its_band(stage: Stage) -> None:
    await budget(stage, amount_tce=2000)
    await use(stage)
    row = await ask(stage)
    assert (row["through_on"], row["coverage"]) == ("2026-11-22", 1)
    assert row["used_tce"] == pytest.approx(232 * 7 + 94 * 3)
    assert row["forecast"]["outlook"] == "runs_out"
    assert row["forecast"]["runs_out_on"] == "2026-12-08"
    assert row["reason"] is None
    assert row["sentence_en"] == (
        "at today's rate the 2,000 tce budget ends on 8 Dec (8 Dec – 8 Dec)"
    )
    assert row["sentence_zh"] == (
        "按目前用能水平，2,000 tce 预算将于12月8日用完（12月8日—12月8日）"
    )


async def test_a_budget_that_lasts_says_what_it_comes_to_in_plain_digits(stage: Stage) -> None:
    await budget(stage, amount_tce=21_500_000)
    await use(stage)
    row = await ask(stage)
    assert row["sentence_zh"] == (
        "按目前用能水平，21,500,000 tce 预算够用：期末预计 2,139 tce (2,139 – 2,139)"
    )


async def test_at_shows_how_it_stood_then(stage: Stage) -> None:
    await budget(stage, amount_tce=2000)
    await use(stage)
    row = await ask(stage, at="2026-02-01T12:00:00+08:00")
    assert (row["through_on"], row["used_tce"]) == ("2026-01-31", pytest.approx(22 * 7 + 9 * 3))
    assert row["silent_units"] == []
    later = await stage.code("li", "/v1/budgets", at="2026-12-01T00:00:00+08:00")
    assert later == (422, "invalid_parameter")


@pytest.mark.parametrize(
    ("present", "reason"), [(60, "coverage_too_low"), (96, None), (None, "no_data")]
)
async def test_there_is_no_forecast_on_thin_data(
    stage: Stage, present: int | None, reason: str | None
) -> None:
    await budget(stage)
    if present is not None:
        await use(stage, present=present)
    row = await ask(stage)
    assert row["reason"] == reason
    assert (row["forecast"] is None) == (reason is not None)
    assert (row["used_tce"] is None) == (present is None)
    assert row["silent_units"] == ([] if present else [cast.QIANS_UNIT])


async def test_a_carrier_without_a_factor_is_no_forecast(stage: Stage) -> None:
    await budget(stage)
    await use(stage)
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'natural_gas', 'day', '2026-05-01 00:00+08', 5, 0, 0, false, NULL, NULL
          FROM units
         WHERE unit = $1
        """,
        cast.QIANS_UNIT,
    )
    row = await ask(stage)
    assert (row["reason"], row["left_out"]) == ("factor_missing", ["natural_gas"])


@pytest.fixture
async def owners(stage: Stage) -> Stage:
    """Budgets of Qian's city, of a park of its two units, of a park that reaches Guilin."""
    await stage.pool.execute("INSERT INTO parks VALUES ('near', '近园'), ('wide', '跨市园')")
    await stage.pool.execute(
        """
        INSERT INTO park_units
        SELECT park, unit_id
          FROM units, parks
         WHERE city = '450200' OR park = 'wide'
        """
    )
    for kind, owner in (("city", CITY), ("park", "near"), ("park", "wide")):
        await budget(stage, kind, owner)
    await budget(stage, "unit", cast.SUNS_UNIT)
    await budget(stage)
    for unit in (cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT):
        await use(stage, unit)
    return stage


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("zhao", [CITY, "near", "wide", cast.SUNS_UNIT, cast.QIANS_UNIT]),
        ("qian", [CITY, "near", cast.QIANS_UNIT]),
        ("sun", [cast.SUNS_UNIT]),
        ("li", [cast.QIANS_UNIT]),
    ],
)
async def test_a_budget_is_seen_by_who_may_see_all_that_is_charged_to_it(
    owners: Stage, name: str, seen: list[str]
) -> None:
    assert [row["owner"] for row in await owners.items(name, "/v1/budgets")] == seen


async def test_a_city_or_park_is_charged_with_its_units(owners: Stage) -> None:
    rows = {row["owner"]: row for row in await owners.items("zhao", "/v1/budgets")}
    one = rows[cast.QIANS_UNIT]["used_tce"]
    counts = {owner: (row["unit_count"], row["used_tce"] / one) for owner, row in rows.items()}
    assert counts == {
        CITY: (2, pytest.approx(2)),
        "near": (2, pytest.approx(2)),
        "wide": (3, pytest.approx(3)),
        cast.SUNS_UNIT: (1, pytest.approx(1)),
        cast.QIANS_UNIT: (1, pytest.approx(1)),
    }
    assert (rows[CITY]["owner_name"], rows["near"]["owner_name"]) == ("柳州市", "近园")


async def test_budgets_are_filtered_by_region_and_by_unit(owners: Stage) -> None:
    within = await owners.items("zhao", "/v1/budgets", region="450300")
    assert [row["owner"] for row in within] == ["wide", cast.SUNS_UNIT]
    charged = await owners.items("zhao", "/v1/budgets", unit=cast.QIANS_OTHER_UNIT)
    assert [row["owner"] for row in charged] == [CITY, "near", "wide"]
    assert await owners.code("sun", "/v1/budgets", unit=cast.QIANS_UNIT) == (404, "not_found")


async def test_pages_hold_each_budget_once(owners: Stage) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await owners.get("zhao", "/v1/budgets", limit=2, **cursor)).json()
        seen += [row["owner"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [CITY, "near", "wide", cast.SUNS_UNIT, cast.QIANS_UNIT]


async def test_the_month_stands_beside_its_year(stage: Stage) -> None:
    await budget(stage)
    await budget(stage, amount_tce=150, starts_on="2026-11-01", ends_on="2026-12-01")
    await budget(stage, amount_tce=150, starts_on="2026-10-01", ends_on="2026-11-01")
    await use(stage)
    rows = await stage.items("li", "/v1/budgets")
    assert [row["starts_on"] for row in rows] == ["2026-01-01", "2026-11-01"]
    assert rows[1]["used_tce"] == pytest.approx(15 * 7 + 7 * 3)


async def test_a_unit_is_silent_of_which_nothing_was_known_by_then(stage: Stage) -> None:
    await budget(stage)
    await use(stage)
    await stage.pool.execute("DELETE FROM unit_consumption WHERE starts_at < '2026-06-01 00:00+08'")
    assert (await ask(stage))["silent_units"] == []
    early = await ask(stage, at="2026-05-01T00:00:00+08:00")
    assert (early["silent_units"], early["reason"]) == ([cast.QIANS_UNIT], "no_data")


async def test_use_by_factors_nobody_verified_is_said_to_be(stage: Stage) -> None:
    await budget(stage)
    await use(stage)
    assert (await ask(stage))["unverified_factors"] == []
    await stage.pool.execute("UPDATE energy_budgets SET basis = 'equivalent'")
    assert (await ask(stage))["unverified_factors"] == ["electricity"]
