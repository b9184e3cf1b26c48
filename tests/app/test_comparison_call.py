"""A figure stands beside that of another period; where one is missing there is no change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests import cast
from tests.app import works
from tests.app.conftest import Stage
from tests.app.test_consumption_call import ask, use

OCTOBER = {"from_": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}
THIS, THEN = "2026-10-01 00:00+08", "2025-10-01 00:00+08"
KGCE = 0.1229


async def compared(stage: Stage, name: str = "li", **query: str) -> dict[str, Any]:
    asked = {**OCTOBER, "bucket": "month", "compare": "yoy", **query}
    (row,) = await ask(stage, name, **asked)
    found: dict[str, Any] = row["compared"]
    return found


async def test_a_month_is_compared_with_that_of_the_year_before(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "month", THIS, 1100, present=2976)
    await use(stage, cast.QIANS_UNIT, "month", THEN, 1000, present=1488)
    then = await compared(stage, group_by="energy")
    assert then == {
        "rule": "same_date",
        "starts_at": "2025-10-01T00:00:00+08:00",
        "ends_at": "2025-11-01T00:00:00+08:00",
        "energy_tce": pytest.approx(1000 * KGCE / 1000),
        "quantity": 1000,
        "coverage": 0.5,
        "estimated_share": 0,
        "change_tce": pytest.approx(100 * KGCE / 1000),
        "change_percent": pytest.approx(10),
        "reason": None,
    }


async def test_months_are_compared_with_the_months_before(stage: Stage) -> None:
    for month, quantity in (("08", 100), ("09", 150), ("10", 75)):
        await use(stage, cast.QIANS_UNIT, "month", f"2026-{month}-01 00:00+08", quantity)
    rows = await ask(
        stage, "li", from_="2026-08-01T00:00:00+08:00", to=OCTOBER["to"], bucket="month",
        compare="mom",
    )  # fmt: skip
    changes = [row["compared"]["change_percent"] for row in rows]
    assert changes == [None, pytest.approx(50), pytest.approx(-50)]
    assert rows[0]["compared"]["reason"] == "unknown_then"


async def test_what_is_missing_then_is_no_change(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "month", THIS, 1100)
    then = await compared(stage)
    assert (then["energy_tce"], then["coverage"], then["reason"]) == (None, 0, "unknown_then")
    assert (then["change_tce"], then["change_percent"]) == (None, None)
    await stage.pool.execute("UPDATE meters SET installed_at = '2026-01-01Z'")
    then = await compared(stage)
    assert (then["coverage"], then["reason"]) == (None, "not_metered_then")


async def test_what_is_held_or_without_a_factor_then_is_no_change(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "month", THIS, 1100)
    await use(stage, cast.QIANS_UNIT, "month", THEN, 1000, held=True)
    then = await compared(stage)
    assert (then["energy_tce"], then["reason"]) == (pytest.approx(KGCE), "held")
    await stage.pool.execute("UPDATE unit_consumption SET held = false")
    await use(stage, cast.QIANS_UNIT, "month", THEN, 5, carrier="natural_gas", kgce=None)
    then = await compared(stage)
    assert (then["change_tce"], then["reason"]) == (None, "factor_missing")


async def test_a_month_that_goes_on_is_not_held_against_a_whole_one(stage: Stage) -> None:
    for month in ("2026-11-01 00:00+08", "2025-11-01 00:00+08"):
        await use(stage, cast.QIANS_UNIT, "month", month, 1000)
    november = {"from_": "2026-11-01T00:00:00+08:00", "to": "2026-12-01T00:00:00+08:00"}
    then = await compared(stage, **november)
    assert (then["energy_tce"], then["change_tce"]) == (pytest.approx(KGCE), None)
    assert then["reason"] == "not_over"


async def test_areas_are_compared_like_units(stage: Stage) -> None:
    for unit, now, then in ((cast.QIANS_UNIT, 30, 10), (cast.QIANS_OTHER_UNIT, 30, 30)):
        await use(stage, unit, "month", THIS, now)
        await use(stage, unit, "month", THEN, then)
    found = await compared(stage, "qian", group_by="region")
    assert found["change_percent"] == pytest.approx(50)
    (shown,) = await ask(stage, "qian", **OCTOBER, bucket="month", group_by="region", compare="yoy")
    assert shown["region"] == "450200"


async def test_sun_is_not_shown_what_qian_used_then(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "month", THEN, 1000)
    found = await compared(stage, "sun", group_by="region")
    assert (found["energy_tce"], found["coverage"], found["reason"]) == (None, 0, "unknown")


async def test_february_is_compared_with_the_days_as_far_from_the_festival(stage: Stage) -> None:
    """The festivals of 2026 and 2025 are 384 days apart: 13 January to 9 February 2025."""
    await use(stage, cast.QIANS_UNIT, "month", "2026-02-01 00:00+08", 1600, present=2688)
    for day in ("2025-01-12", "2025-01-13", "2025-02-09", "2025-02-10"):
        await use(stage, cast.QIANS_UNIT, "day", f"{day} 00:00+08", 800, present=96)
    february = {"from_": "2026-02-01T00:00:00+08:00", "to": "2026-03-01T00:00:00+08:00"}
    then = await compared(stage, **february, calendar="adjusted")
    assert (then["rule"], then["starts_at"][:10], then["ends_at"][:10]) == (
        "spring_festival", "2025-01-13", "2025-02-10",
    )  # fmt: skip
    assert then["energy_tce"] == pytest.approx(1600 * KGCE / 1000)
    assert then["coverage"] == pytest.approx(2 / 28)
    assert (then["change_percent"], then["workdays"], then["workdays_then"]) == (
        pytest.approx(0), 16, 16,
    )  # fmt: skip
    assert then["change_percent_per_workday"] == pytest.approx(0)


async def test_april_is_compared_per_working_day(stage: Stage) -> None:
    """21 working days in April 2026, 22 in April 2025 (27 April was worked, 4 April not)."""
    for year in (2025, 2026):
        await use(stage, cast.QIANS_UNIT, "month", f"{year}-04-01 00:00+08", 2100)
    april = {"from_": "2026-04-01T00:00:00+08:00", "to": "2026-05-01T00:00:00+08:00"}
    then = await compared(stage, **april, calendar="adjusted")
    assert (then["rule"], then["workdays"], then["workdays_then"]) == ("same_date", 21, 22)
    assert then["change_percent"] == 0
    assert then["change_percent_per_workday"] == pytest.approx(100 / 21)


async def test_an_answer_says_by_which_rule_it_was_compared(shown_stage: Stage) -> None:
    query = {**OCTOBER, "bucket": "month", "compare": "yoy"}
    said = {}
    for calendar in ("plain", "adjusted"):
        answer = await shown_stage.get("li", "/v1/consumption", **query, calendar=calendar)
        (note,) = answer.json()["notes"]
        said[note["code"]] = note["detail"]
    assert list(said) == ["compared_yoy_plain", "compared_yoy_adjusted"]
    assert "15 before it to 24 after it" in said["compared_yoy_adjusted"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"calendar": "adjusted"}, "calendar"),
        ({"compare": "yoy", "calendar": "adjusted", "bucket": "hour"}, "calendar"),
        ({"compare": "wow"}, "compare"),
        ({"top": "3", "group_by": "meter"}, "top"),
        ({"order": "energy_tce", "group_by": "meter"}, "order"),
        ({"top": "0"}, "top"),
        ({"bucket": "15m"}, "unit"),
        ({"bucket": "15m", "unit": cast.QIANS_UNIT, "group_by": "region"}, "group_by"),
        ({"bucket": "15m", "unit": cast.QIANS_UNIT, "from_": "2026-09-20T00:00:00Z"}, "to"),
        ({"bucket": "15m", "unit": cast.QIANS_UNIT, "compare": "yoy"}, "compare"),
        (
            {"bucket": "15m", "unit": cast.QIANS_UNIT, "as_known_on": "2026-11-20T00:00:00Z"},
            "as_known_on",
        ),
    ],
)
async def test_what_does_not_go_together_is_refused_by_name(
    shown_stage: Stage, query: dict[str, str], parameter: str
) -> None:
    asked = {**OCTOBER, "bucket": "day", **query}
    answer = await shown_stage.get("li", "/v1/consumption", **asked)
    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["parameter"]) == (422, parameter)


async def test_a_comparison_is_as_known_on_a_day(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "month", THIS, 1100)
    await use(stage, cast.QIANS_UNIT, "month", THEN, 1000)
    then = await compared(stage, group_by="unit", as_known_on="2026-11-20T00:00:00Z")
    assert then["change_percent"] == pytest.approx(10)


# -- intensity -------------------------------------------------------------------------------------


async def intensities(stage: Stage) -> list[dict[str, Any]]:
    return await stage.items(
        "li", "/v1/intensity", unit=cast.QIANS_UNIT, product="steel", compare="yoy",
        from_="2026-09-01T00:00:00+08:00", to="2026-11-01T00:00:00+08:00",
    )  # fmt: skip


async def test_an_intensity_is_compared_in_its_own_unit_of_measure(stage: Stage) -> None:
    meter = await works.output_meter(stage, cast.QIANS_UNIT, "steel")
    then = datetime(2025, 9, 30, 16, tzinfo=UTC)
    for month, tce, tons in ((works.OCTOBER, 50.0, 100), (then, 60.0, 100)):
        await works.use(stage, cast.QIANS_UNIT, tce, month=month)
        await works.make(stage, meter, tons, month=month)
    september, october = await intensities(stage)
    assert (october["intensity"], october["intensity_uom"]) == (500, "kgce/t")
    found = october["compared"]
    assert (found["starts_at"], found["intensity"]) == ("2025-10-01T00:00:00+08:00", 600)
    assert (found["change"], found["change_percent"]) == (-100, pytest.approx(-100 / 6))
    assert (found["state"], found["reason"]) == ("provisional", None)
    assert september["compared"]["reason"] == "unknown"
    await stage.pool.execute("UPDATE unit_consumption SET held = true WHERE starts_at = $1", then)
    (_, october) = await intensities(stage)
    found = october["compared"]
    assert (found["change"], found["reason"]) == (None, "unknown_then")
    assert found["intensity_reason"] == "held"


# -- ranking ---------------------------------------------------------------------------------------


async def ranked(stage: Stage, name: str = "zhao", **query: str | int) -> list[dict[str, Any]]:
    return await ask(stage, name, **{**OCTOBER, "bucket": "month", "group_by": "unit", **query})


async def test_units_are_ranked_and_share_the_whole(stage: Stage) -> None:
    for unit, kwh in ((cast.QIANS_UNIT, 100), (cast.QIANS_OTHER_UNIT, 300), (cast.SUNS_UNIT, 600)):
        await use(stage, unit, "month", THIS, kwh)
    rows = await ranked(stage, order="-energy_tce")
    assert [(row["unit"], row["rank"], row["share"]) for row in rows] == [
        (cast.SUNS_UNIT, 1, pytest.approx(0.6)),
        (cast.QIANS_OTHER_UNIT, 2, pytest.approx(0.3)),
        (cast.QIANS_UNIT, 3, pytest.approx(0.1)),
    ]
    assert [row["unit"] for row in await ranked(stage, order="energy_tce", top=1)] == [
        cast.QIANS_UNIT
    ]


async def test_the_top_is_of_the_whole_and_takes_all_who_share_its_last_rank(stage: Stage) -> None:
    for unit, kwh in ((cast.QIANS_UNIT, 300), (cast.QIANS_OTHER_UNIT, 300), (cast.SUNS_UNIT, 200)):
        await use(stage, unit, "month", THIS, kwh)
    rows = await ranked(stage, top=1)
    assert [(row["unit"], row["rank"], row["share"]) for row in rows] == [
        (cast.QIANS_UNIT, 1, pytest.approx(0.375)),
        (cast.QIANS_OTHER_UNIT, 1, pytest.approx(0.375)),
    ]
    assert [row["rank"] for row in await ranked(stage, top=3)] == [1, 1, 3]


async def test_the_unknown_has_no_rank_and_is_told(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "month", THIS, 0)
    rows = await ranked(stage, order="energy_tce")
    assert [(row["rank"], row["share"]) for row in rows] == [(1, None), (None, None), (None, None)]
    answer = await stage.get("zhao", "/v1/consumption", **OCTOBER, bucket="month", top=5,
                             group_by="unit")  # fmt: skip
    (note,) = answer.json()["notes"]
    assert (note["code"], note["detail"][:8]) == ("unknown_parts", "Of 2 of ")


@pytest.mark.parametrize("groups", ["region", "industry", "unit"])
async def test_ranked_parts_are_those_of_the_whole(stage: Stage, groups: str) -> None:
    for unit, kwh in ((cast.QIANS_UNIT, 123), (cast.QIANS_OTHER_UNIT, 3.7), (cast.SUNS_UNIT, 61)):
        await use(stage, unit, "month", THIS, kwh, held=unit == cast.SUNS_UNIT)
    (whole,) = await ask(stage, "zhao", **OCTOBER, bucket="month")
    rows = await ranked(stage, group_by=groups, region_level="county", order="-energy_tce")
    assert sum(row["energy_tce"] for row in rows) == pytest.approx(whole["energy_tce"], rel=1e-12)
    assert sum(row["share"] for row in rows) == pytest.approx(1, rel=1e-12)
    assert any(row["held"] for row in rows)
