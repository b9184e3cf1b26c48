"""Every figure can be taken apart down to what nobody computed, and is computed anew from it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import app.gathering
from app.api import explain_cases
from energy.factors import Unverified
from tests import cast
from tests.app import november
from tests.app.conftest import Stage, staged

UNIT = {"figure": "consumption", "unit": cast.QIANS_UNIT, **november.SPAN}
METER = {**UNIT, "meter": "E01"}
CITY = {"figure": "consumption", "region": "450200", **november.SPAN}
E01_KWH = (1000 - 910 + 152.5) * 10 + (182.5 - 40) * 20
COAL_KG = sum(100 + hour % 7 for hour in range(96))


@pytest.fixture
async def works(stage: Stage, tmp_path: Path) -> Stage:
    await november.play(stage, tmp_path)
    return stage


async def explain(stage: Stage, name: str = "qian", **query: str) -> dict[str, Any]:
    answer = await stage.get(name, "/v1/explain", **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def consumption(stage: Stage, **query: str) -> dict[str, Any]:
    asked = {name: value for name, value in query.items() if name != "figure"}
    if "meter" in asked:
        del asked["meter"]
        asked["group_by"] = "meter"
    days = await stage.items("qian", "/v1/consumption", bucket="day", **asked)
    rows = [day for day in days if day.get("meter") in (None, query.get("meter"))]
    return {"tce": sum(row["energy_tce"] for row in rows), "rows": rows}


# -- a meter: everything that happened is named ----------------------------------------------------


async def test_a_wrap_and_a_replacement_are_in_the_formula(works: Stage) -> None:
    found = await explain(works, **METER)
    assert found["tree"]["quantity"] == pytest.approx(E01_KWH)
    assert found["formula"]["numbers"] == (
        "242.5 × 10 + 142.5 × 20 = 5275 kWh; − 0 = 5275 kWh; "
        "2026-11-02–2026-11-05: 5275 kWh × 0.1229 kgce/kWh ÷ 1000 = 0.6482975 tce"
    )
    installed, replaced = found["tree"]["detail"]["epochs"]
    assert (installed["rollover"], installed["recorded"]) == (1000, None)
    assert (replaced["reason"], replaced["previous_last_value"]) == ("replaced", 152.5)
    assert replaced["recorded"] == {
        "actor": "zhao",
        "reason": "filed anew",
        "evidence": "桂发改〔2026〕1号",
        "recorded_at": "2026-11-04T02:00:00+08:00",
    }


async def test_gaps_doubts_and_corrections_are_named(works: Stage) -> None:
    detail = (await explain(works, **METER))["tree"]["detail"]
    zero, silence, dip = detail[
        "gaps"
    ]  # a wrap is read as just 0: what follows tells that it is one
    assert (silence["starts_at"], silence["ends_at"], silence["quantity"]) == (
        "2026-11-03T06:00:00+08:00",
        "2026-11-03T13:00:00+08:00",
        350,
    )
    for gap, doubt in zip((zero, dip), detail["doubts"], strict=True):
        assert (doubt["reason"], doubt["is_held"]) == ("fell", False)
        assert gap["starts_at"] < doubt["first_at"] < gap["ends_at"]
    (correction,) = detail["corrections"]
    assert (correction["old_value"], correction["new_value"]) == (374.5, 74.5)
    assert (correction["recorded"]["actor"], correction["recorded"]["evidence"]) == (
        "qian",
        "现场照片 2026-11-10",
    )
    assert (detail["conflicts"], detail["rejected"]) == (1, 1)


async def test_all_readings_of_a_meter_are_listed_with_the_link_that_vouches_for_them(
    works: Stage,
) -> None:
    detail = (await explain(works, **METER))["tree"]["detail"]
    readings, links = detail["readings"], detail["links"]
    assert readings["count"] == len(readings["items"]) == 97 - len(november.SILENT)
    assert readings["omitted"] == 0
    held = {(link["chain"], link["link"]): link["readings"] for link in links}
    assert sum(held.values()) == readings["count"]
    assert all((one["chain"], one["link"]) in held for one in readings["items"])
    stored = await works.pool.fetch("SELECT chain, number, sha256 FROM links")
    assert {(link["chain"], link["link"], link["sha256"]) for link in links} <= {
        (row["chain"], row["number"], row["sha256"].hex()) for row in stored
    }


async def test_a_factor_that_changes_in_the_middle_is_two_leaves(works: Stage) -> None:
    found = await explain(works, **{**METER, "meter": "C01"})
    first, second = found["tree"]["detail"]["spans"]
    assert (first["last_day"], second["first_day"]) == ("2026-11-03", "2026-11-04")
    assert (first["factor"]["origin"], second["factor"]["verified"]) == ("declared", False)
    assert second["factor"]["recorded"]["actor"] == "zhao"
    assert first["quantity"] + second["quantity"] == COAL_KG
    assert found["value"]["value"] == pytest.approx(first["energy_tce"] + second["energy_tce"])
    assert second["energy_tce"] == pytest.approx(second["quantity"] * 0.68 / 1000)


# -- sums ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [METER, UNIT, CITY], ids=["meter", "unit", "city"])
async def test_the_figure_is_that_of_the_consumption_call(
    works: Stage, query: dict[str, str]
) -> None:
    found = await explain(works, **query)
    asked = await consumption(works, **query)
    assert found["value"]["value"] == pytest.approx(asked["tce"])
    assert (found["check"]["agrees"], found["check"]["computed_from"]) == (True, "readings")
    assert found["check"]["waiting"] == 0


async def test_parts_sum_to_the_whole_and_their_shares_to_one(works: Stage) -> None:
    tree = (await explain(works, **UNIT))["tree"]
    assert [part["code"] for part in tree["parts"]] == ["electricity", "raw_coal"]
    for part in (tree, *tree["parts"]):
        total = sum(each["sign"] * each["energy_tce"] for each in part["parts"])
        assert part["energy_tce"] == pytest.approx(total)
        assert sum(each["share"] for each in part["parts"]) == pytest.approx(1)
    electricity = tree["parts"][0]
    assert [(each["code"], each["sign"]) for each in electricity["parts"]] == [
        ("E01", 1),
        ("X01", -1),
    ]


@pytest.mark.parametrize("whose", [METER, UNIT])
async def test_coverage_and_estimates_are_those_of_the_consumption_call(
    works: Stage, whose: dict[str, str]
) -> None:
    """Also of a unit that exports: what is estimated is a share of what is left of it."""
    for day in range(2, 6):
        span = {
            "from_": f"2026-11-0{day}T00:00:00+08:00",
            "to": f"2026-11-0{day + 1}T00:00:00+08:00",
        }
        found = await explain(works, **{**whose, **span})
        (row,) = (await consumption(works, **{**whose, **span}))["rows"]
        assert found["value"]["coverage"] == pytest.approx(row["coverage"])
        assert found["value"]["estimated_share"] == pytest.approx(row["estimated_share"])


async def test_a_unit_of_which_nothing_is_known_is_unknown_not_zero(works: Stage) -> None:
    found = await explain(works, **{**UNIT, "unit": cast.QIANS_OTHER_UNIT})
    assert (found["value"]["value"], found["value"]["coverage"]) == (None, 0)
    assert found["check"]["agrees"] is True


@pytest.mark.tampers("sums: settled with another setting of unverified factors")
@pytest.mark.tampers("a reference factor that nobody stated anew")
async def test_an_unverified_factor_that_is_refused_leaves_its_place(
    database_url: str, tmp_path: Path
) -> None:
    async with staged(database_url, unverified=Unverified.REFUSE) as strict:
        await strict.pool.execute("UPDATE factors SET verified = true WHERE carrier = 'raw_coal'")
        await november.play(strict, tmp_path, unverified=Unverified.REFUSE)
        found = await explain(strict, **{**METER, "meter": "C01"})
    later = found["tree"]["detail"]["spans"][1]
    assert (later["factor"]["origin"], later["factor"]["verified"]) == ("reference", True)
    assert found["check"]["agrees"] is True


# -- tampering -------------------------------------------------------------------------------------


@pytest.mark.tampers("sums")
@pytest.mark.parametrize("step", ["hour", "day"])
@pytest.mark.parametrize("table", ["meter_consumption", "unit_consumption"])
async def test_a_stored_sum_that_was_touched_does_not_agree(
    works: Stage, table: str, step: str
) -> None:
    column = "meter_id" if table.startswith("meter") else "unit_id"
    await works.pool.execute(
        f"""
        UPDATE {table}
           SET calorific_tce = calorific_tce + 0.001
         WHERE ({column}, starts_at) = (SELECT {column}, starts_at
                                          FROM {table}
                                         WHERE step = $1
                                           AND calorific_tce > 0
                                           AND starts_at >= $2
                                         ORDER BY starts_at
                                         LIMIT 1)
           AND step = $1
        """,
        step,
        november.START,
    )
    found = await explain(works, **UNIT)
    assert found["check"]["agrees"] is False
    touched = {each["step"]: each["agrees"] for each in found["check"]["stored"]}
    assert touched[step] is False or table == "meter_consumption"


@pytest.mark.tampers("sums")
async def test_both_numbers_are_told_where_they_differ(works: Stage) -> None:
    await works.pool.execute("UPDATE unit_consumption SET calorific_tce = 2 * calorific_tce")
    check = (await explain(works, **UNIT))["check"]
    (day, _) = check["stored"]
    assert day["energy_tce"] == pytest.approx(2 * check["recomputed"])


@pytest.mark.tampers("a reading")
async def test_a_reading_that_was_touched_shows_in_the_sum_that_was_stored_before(
    works: Stage,
) -> None:
    await works.pool.execute("UPDATE readings SET raw_value = raw_value + 1 WHERE raw_value = 910")
    assert (await explain(works, **METER))["check"]["agrees"] is False


@pytest.mark.tampers("sums")
async def test_a_carrier_without_a_meter_is_a_part_that_does_not_agree(works: Stage) -> None:
    await works.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'diesel', 'day', starts_at, 5, 0, 1, false, 9, 9
          FROM unit_consumption
         WHERE step = 'day'
           AND carrier = 'raw_coal'
        """
    )
    found = await explain(works, **UNIT)
    assert found["check"]["agrees"] is False
    assert [part["agrees"] for part in found["tree"]["parts"]] == [True, True, False]


async def test_what_waits_to_be_settled_is_counted(works: Stage) -> None:
    hour = {"from_": "2026-11-03T06:00:00+08:00", "to": "2026-11-03T07:00:00+08:00"}
    late = [("E01", november.SILENT[0], 66.0)]
    await november.send(works, late, november.FIRST_KNOWN, "b9")
    check = (await explain(works, **{**METER, **hour}))["check"]
    assert (check["agrees"], check["waiting"]) == (False, 1)
    await november.settle_all(works)
    check = (await explain(works, **{**METER, **hour}))["check"]
    assert (check["agrees"], check["waiting"], check["recomputed"]) == (
        True,
        0,
        pytest.approx((66 - 60) * 10 * 0.1229e-3),
    )


# -- as known on a day -----------------------------------------------------------------------------


async def test_a_figure_is_what_it_would_have_been_on_that_day(works: Stage) -> None:
    day = {"from_": "2026-11-04T00:00:00+08:00", "to": "2026-11-05T00:00:00+08:00"}
    asked = {**METER, **day}
    before = await explain(works, **asked, as_known_on="2026-11-09T00:00:00+08:00")
    after = await explain(works, **asked, as_known_on="2026-11-10T00:00:00+08:00")
    now = await explain(works, **asked)
    assert before["tree"]["detail"]["corrections"] == []
    assert before["tree"]["detail"]["doubts"] != now["tree"]["detail"]["doubts"]
    assert len(after["tree"]["detail"]["corrections"]) == 1
    assert after["value"]["value"] == pytest.approx(now["value"]["value"])
    assert (after["check"]["agrees"], after["check"]["stored"]) == (None, [])


async def test_readings_that_had_not_come_were_not_known(works: Stage) -> None:
    found = await explain(works, **METER, as_known_on="2026-11-05T12:00:00+08:00")
    last = found["tree"]["detail"]["readings"]["last"]
    assert last["time"] == "2026-11-05T11:00:00+08:00"
    assert found["value"]["coverage"] > 0.9  # of what was due by then
    earlier = await explain(works, **METER, as_known_on="2026-11-05T11:59:59+08:00")
    assert (earlier["value"]["value"], earlier["tree"]["detail"]["readings"]["count"]) == (None, 0)


@pytest.mark.tampers("an epoch")
async def test_epochs_and_factors_are_those_that_were_recorded_by_then(works: Stage) -> None:
    asked = {**UNIT, "as_known_on": "2026-11-05T12:00:00+08:00"}
    later = (november.START + timedelta(days=20)).isoformat()
    await works.pool.execute("UPDATE factors SET kgce_per_uom = 0.5 WHERE edition = '2026-11'")
    await works.pool.execute("UPDATE meter_epochs SET multiplier = 99 WHERE reason = 'replaced'")
    then, now = await explain(works, **asked), await explain(works, **UNIT)
    for found, kgce, multiplier in ((then, 0.68, 20), (now, 0.5, 99)):
        electricity, coal = found["tree"]["parts"]
        assert coal["parts"][0]["detail"]["spans"][1]["factor"]["kgce_per_uom"] == kgce
        assert electricity["parts"][0]["detail"]["epochs"][1]["multiplier"] == multiplier
    recent = await explain(works, **UNIT, as_known_on=later)
    assert recent["tree"]["parts"][1]["energy_tce"] > then["tree"]["parts"][1]["energy_tce"]


# -- who may see it, and bounds --------------------------------------------------------------------


@pytest.mark.parametrize("query", [METER, UNIT, CITY], ids=["meter", "unit", "city"])
async def test_what_is_foreign_is_answered_like_what_is_missing(
    works: Stage, query: dict[str, str]
) -> None:
    foreign = await works.get("sun", "/v1/explain", **query)
    own = {**query, "region": "450300"} if "region" in query else {**query, "unit": "9" * 18}
    missing = await works.get("qian", "/v1/explain", **own)
    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)
    assert foreign.status_code == 404


async def test_a_key_of_a_unit_sees_its_own_share_of_a_region(works: Stage) -> None:
    of_city = await explain(works, "qian", **CITY)
    of_unit = await explain(works, "li", **CITY)
    assert len(of_city["tree"]["parts"]) == 2
    assert [part["code"] for part in of_unit["tree"]["parts"]] == [cast.QIANS_UNIT]


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"from_": "2026-11-02T00:00:01+08:00"}, "from"),
        ({"to": "2026-11-02T00:00:00+08:00"}, "to"),
        ({"to": "2030-11-02T00:00:00+08:00"}, "to"),
        ({"energy": "phlogiston"}, "energy"),
        ({"figure": "luck"}, "figure"),
    ],
)
async def test_a_question_that_cannot_be_answered_names_its_parameter(
    stage: Stage, change: dict[str, str], parameter: str
) -> None:
    answer = await stage.get("qian", "/v1/explain", **{**UNIT, **change})
    assert answer.status_code == 422
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]


async def test_a_meter_is_named_with_its_unit(stage: Stage) -> None:
    query = {name: value for name, value in METER.items() if name != "unit"}
    assert await stage.code("qian", "/v1/explain", **query) == (422, "invalid_parameter")


async def test_too_many_readings_are_taken_apart_by_what_is_stored_of_meters(
    works: Stage,
) -> None:
    await works.pool.execute("UPDATE meters SET interval_s = 1 WHERE meter = 'X01'")
    found = await explain(works, **UNIT)
    assert found["check"]["computed_from"] == "meter_sums"
    assert found["check"]["agrees"] is True
    assert found["tree"]["parts"][0]["parts"][0]["detail"] is None
    code = await works.code("qian", "/v1/explain", **UNIT, as_known_on="2026-11-10T00:00:00Z")
    assert code == (422, "too_many_rows")


async def test_readings_are_listed_for_a_month_at_most(works: Stage) -> None:
    assert timedelta(days=31) == explain_cases.LISTED_SPAN_MAX
    asked = {**METER, "from_": "2026-10-06T00:00:00+08:00"}
    readings = (await explain(works, **asked))["tree"]["detail"]["readings"]
    assert len(readings["items"]) == readings["count"] == 99 - len(november.SILENT)
    asked["from_"] = "2026-10-05T00:00:00+08:00"
    assert (await explain(works, **asked))["tree"]["detail"]["readings"]["items"] is None
    assert app.gathering.READINGS_MAX == 100_000
