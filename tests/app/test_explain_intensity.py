"""An intensity and a level can be taken apart like a consumption, and are computed anew."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app import evidence_check
from app.imports.kinds import Kind
from tests import cast
from tests.app import november, works
from tests.app.conftest import NOW, Stage

DAY = {"from_": "2026-11-03T00:00:00+08:00", "to": "2026-11-04T00:00:00+08:00"}
STEEL = {"figure": "intensity", "unit": cast.QIANS_UNIT, "product": "steel", **DAY}
LEVEL = {"figure": "level", "region": "450200"}
TARGETED = datetime.fromisoformat("2026-03-01T00:00:00+08:00")
PUBLISHED = datetime.fromisoformat("2026-10-20T00:00:00+08:00")
REVISED = datetime.fromisoformat("2026-11-20T00:00:00+08:00")
GROWTH = {
    "region": "450200",
    "year": "2026",
    "through_month": "9",
    "energy_growth": "0.07",
    "gdp_growth": "0.06",
    "source": "广西统计月报 2026年9月",
}
TARGET = {
    "region": "450200",
    "year": "2026",
    "required_rate": "-0.02747",
    "rule_set": "2024",
    "source": "桂政发〔2026〕1号",
}


@pytest.fixture
async def mill(stage: Stage, tmp_path: Path) -> Stage:
    """Qian's works make steel: 2 t an hour by meter; 50 t are stated for 3 November."""
    await works.output_meter(stage, cast.QIANS_UNIT, "steel")
    await stage.pool.execute("UPDATE meters SET interval_s = 3600 WHERE meter = 'P-steel'")
    await november.play(stage, tmp_path)
    made = [("P-steel", hour, 2.0) for hour in range(96)]
    await november.send(stage, made, NOW, "b7")
    await november.settle_all(stage)
    await works.may_state(stage)
    await state(stage, 50.0)
    return stage


async def state(stage: Stage, tons: float) -> None:
    answer = await stage.client.post(
        "/v1/production",
        json={
            "items": [
                {"unit": cast.QIANS_UNIT, "product": "steel", "quantity": tons, "uom": "t",
                 "from": DAY["from_"], "to": DAY["to"]}
            ],
            "reason": "weighed",
            "evidence": "磅单 117",
        },
        headers={"Authorization": f"Bearer {stage.cast.key('qian')}"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def region(stage: Stage, tmp_path: Path) -> Stage:
    """Liuzhou has a target since March and figures since October, revised in November."""
    await november.take(stage, tmp_path, Kind.TARGETS, [TARGET], TARGETED)
    await november.take(stage, tmp_path, Kind.FIGURES, [GROWTH], PUBLISHED)
    revised = {**GROWTH, "energy_growth": "0.03"}
    await november.take(stage, tmp_path, Kind.FIGURES, [revised], REVISED)
    return stage


async def explain(stage: Stage, name: str = "qian", **query: str) -> dict[str, Any]:
    answer = await stage.get(name, "/v1/explain", **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def evidence(stage: Stage, **query: str) -> dict[str, bytes]:
    answer = await stage.get("qian", "/v1/explain", **query, format="zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


# -- an intensity ----------------------------------------------------------------------------------


async def test_an_intensity_is_energy_over_output_and_both_are_taken_apart(mill: Stage) -> None:
    found = await explain(mill, **STEEL)
    (row,) = await mill.items(
        "qian", "/v1/intensity", unit=cast.QIANS_UNIT, product="steel", bucket="day", **DAY
    )
    assert found["row"] == row
    assert found["value"]["value"] == pytest.approx(row["intensity"])
    assert found["check"]["agrees"] is True
    assert found["energy"]["energy_tce"] * 1000 / 50 == pytest.approx(row["intensity"])
    assert found["formula"]["numbers"].endswith(f"÷ 50 t = {row['intensity']:.10g} kgce/t")
    output = found["output"]
    assert (output["source"], output["stated"], output["metered"]) == ("stated", 50, 48)
    assert output["statements"][0]["recorded"]["evidence"] == "磅单 117"
    assert output["meters"][0]["detail"]["readings"]["count"] >= 24


@pytest.mark.tampers("sums")
async def test_a_stored_output_that_was_touched_does_not_agree(mill: Stage) -> None:
    await mill.pool.execute(
        """
        UPDATE meter_consumption SET quantity = 1
          FROM meters
         WHERE meters.meter_id = meter_consumption.meter_id AND role = 'output'
        """
    )
    assert (await explain(mill, **STEEL))["check"]["agrees"] is False


@pytest.mark.tampers("the time of a change")
async def test_before_output_was_stated_the_metered_one_counted(mill: Stage) -> None:
    await mill.pool.execute("ALTER TABLE changes DISABLE TRIGGER ALL")
    await mill.pool.execute(
        "UPDATE changes SET changed_at = '2026-11-23 09:00Z' WHERE noun = 'production'"
    )
    found = await explain(mill, **STEEL, as_known_on=NOW.isoformat())
    assert (found["output"]["source"], found["output"]["quantity"]) == ("metered", 48)
    assert (found["row"], found["check"]["agrees"]) == (None, None)


async def test_an_output_meter_that_was_registered_later_was_not_known(
    mill: Stage, tmp_path: Path
) -> None:
    second = {
        "unit": cast.QIANS_UNIT, "meter": "P-second", "name": "轧机秤", "kind": "interval",
        "uom": "t", "interval_s": "3600", "role": "output", "product": "steel",
        "installed_at": "2020-01-01T00:00:00Z",
    }  # fmt: skip
    await november.take(mill, tmp_path, Kind.METERS, [second], NOW)
    today = await explain(mill, **STEEL)
    then = await explain(mill, **STEEL, as_known_on="2026-11-22T00:00:00+08:00")
    assert [meter["code"] for meter in today["output"]["meters"]] == ["P-second", "P-steel"]
    assert [meter["code"] for meter in then["output"]["meters"]] == ["P-steel"]


async def test_the_evidence_of_an_intensity_proves_itself(mill: Stage) -> None:
    content = await evidence(mill, **STEEL)
    verdict = evidence_check.checked(content)
    assert (verdict.faults, verdict.uom) == ([], "kgce/t")
    assert "production.csv" in content
    assert "磅单 117" in content["evidence.html"].decode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"product": "gold"}, (404, "not_found")),
        ({"unit": cast.SUNS_UNIT}, (404, "not_found")),
        ({"to": "2026-11-05T00:00:00+08:00"}, (422, "invalid_parameter")),
        ({"basis": "equivalent"}, (422, "invalid_parameter")),
    ],
)
async def test_an_intensity_that_is_none_is_refused(
    mill: Stage, change: dict[str, str], code: tuple[int, str]
) -> None:
    assert await mill.code("qian", "/v1/explain", **{**STEEL, **change}) == code


# -- a level ---------------------------------------------------------------------------------------


async def test_a_level_names_figures_target_rule_set_and_scheme(region: Stage) -> None:
    found = await explain(region, **LEVEL)
    assert (found["value"]["level"], found["reason"]) == ("3", "on_track")
    assert (found["check"]["agrees"], found["through_month"]) == (True, 9)
    assert (
        found["formula"]["numbers"] == "(1 + 0.03) ÷ (1 + 0.06) − 1 = -0.02830188679; -0.02747 → 3"
    )
    (figure,), (target,), (rules,) = found["figures"], found["targets"], found["rule_sets"]
    assert (figure["source"], figure["recorded"]["actor"]) == ("广西统计月报 2026年9月", "zhao")
    assert (target["source"], target["kind"]) == ("桂政发〔2026〕1号", "base")
    assert "发改环资〔2024〕113号" in rules["documents"]
    assert [band["severity"] for band in found["bands"]] == [1, 2, 3]


async def test_a_level_is_what_it_would_have_been_on_that_day(region: Stage) -> None:
    then = await explain(region, **LEVEL, as_known_on="2026-11-01T00:00:00+08:00")
    assert (then["value"]["level"], then["reason"]) == ("1", "rose")
    before = await explain(region, **LEVEL, as_known_on="2026-10-01T00:00:00+08:00")
    assert (before["value"], before["reason"]) == (None, "energy_growth_missing")
    assert (before["check"]["agrees"], before["row"]) == (None, None)


@pytest.mark.tampers("a figure")
async def test_a_figure_that_was_touched_outside_of_the_ledger_does_not_agree(
    region: Stage,
) -> None:
    await region.pool.execute("UPDATE region_figures SET energy_growth = 0.01")
    check = (await explain(region, **LEVEL))["check"]
    assert (check["agrees"], check["recomputed"], check["answered"]) == (False, "3", "3")
    await region.pool.execute("UPDATE region_figures SET energy_growth = 0.09")
    check = (await explain(region, **LEVEL))["check"]
    assert (check["agrees"], check["recomputed"], check["answered"]) == (False, "3", "1")


async def test_the_evidence_of_a_level_proves_itself(region: Stage) -> None:
    content = await evidence(region, **LEVEL)
    assert evidence_check.checked(content).faults == []
    forged = json.loads(content["explanation.json"])
    forged["check"]["recomputed"] = "1"
    content["explanation.json"] = json.dumps(forged).encode()
    faults = evidence_check.checked(content).faults
    assert faults == [
        "explanation.json is not what it was when the file was made",
        "the tables come to level 3, told is 1",
    ]


async def test_a_foreign_region_has_no_level_to_explain(region: Stage) -> None:
    assert await region.code("sun", "/v1/explain", **LEVEL) == (404, "not_found")
    missing = {"figure": "level"}
    assert await region.code("qian", "/v1/explain", **missing) == (422, "invalid_parameter")
