"""The account of a region: the worked example over HTTP, and that nothing counts twice or alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app import account_facts
from tests import cast, factories
from tests.app.conftest import Stage

UNIT = cast.QIANS_UNIT
COAL = {2022: 100.0, 2023: 100.0, 2024: 110.0}
"""Standard coal of the unit by year, in the worked example. [tce]"""


async def unit_id(stage: Stage, unit: str = UNIT) -> int:
    found: int = await stage.pool.fetchval("SELECT unit_id FROM units WHERE unit = $1", unit)
    return found


async def use(
    stage: Stage, carrier: str, year: int, tce: float | None, quantity: float, unit: str = UNIT
) -> None:
    """Let a unit use energy on 5 March of a year."""
    for step, starts_at in (("month", "03-01"), ("day", "03-05")):
        await stage.pool.execute(
            """
            INSERT INTO unit_consumption
            VALUES ($1, $2, $3, ($4 || ' 00:00+08')::timestamptz, $5, 0, 10, false, $6::float8,
                    $6::float8 * 2)
            """,
            await unit_id(stage, unit), carrier, step, f"{year}-{starts_at}", quantity, tce,
        )  # fmt: skip


async def meter(
    stage: Stage, code: str, role: str, year: int, tce: float | None, quantity: float | None,
    carrier: str = "raw_coal", *, held: bool = False,
) -> None:  # fmt: skip
    async with stage.pool.acquire() as connection:
        meter_id = await connection.fetchval("SELECT meter_id FROM meters WHERE meter = $1", code)
        if meter_id is None:
            uom = "kWh" if carrier == "electricity" else "t"
            meter_id = await factories.meter(
                connection, await unit_id(stage), code, role=role, carrier=carrier, uom=uom
            )
        for step, starts_at in (("month", "03-01"), ("day", "03-05")):
            await connection.execute(
                """
                INSERT INTO meter_consumption
                VALUES ($1, $2, ($3 || ' 00:00+08')::timestamptz, $4, 0, 10, $5, $6::float8,
                        $6::float8 * 2)
                """,
                meter_id, step, f"{year}-{starts_at}", quantity, held, tce,
            )  # fmt: skip


async def state_feedstock(stage: Stage, year: int, tons: float) -> None:
    await stage.pool.execute(
        """
        INSERT INTO trades (unit_id, carrier, starts_on, ends_on, feedstock, uom, evidence)
        VALUES ($1, 'raw_coal', $2, $3, $4, 't', $5)
        """,
        await unit_id(stage), date(year, 1, 1), date(year + 1, 1, 1), tons,
        f"utilisation report {year}",
    )  # fmt: skip


async def grow(stage: Stage, **gdp: float) -> None:
    """State the growth of GDP by year, as in y2024=0.06."""
    for year, growth in gdp.items():
        await stage.pool.execute(
            "INSERT INTO region_figures VALUES ('450200', $1, 12, NULL, $2, 'test')",
            int(year[1:]), growth,
        )  # fmt: skip


async def retire(
    stage: Stage, number: str, year: int, mwh: float, *, energy_type: str = "wind",
    province: str = "450000", project: str | None = None,
) -> None:  # fmt: skip
    await stage.pool.execute(
        """
        INSERT INTO certificates (certificate, energy_type, mwh, generated_in, province, unit_id,
                                  acquired_on, retired_for_year, retired_for_region, project,
                                  source)
        VALUES ($1, $2, $3, $4, $5, $6, $4, $7, '450200', $8, 'test')
        """,
        number, energy_type, mwh, date(year, 3, 1), province, await unit_id(stage), year, project,
    )  # fmt: skip


async def state_non_fossil(stage: Stage, year: int, mwh: float) -> None:
    await stage.pool.execute(
        "INSERT INTO non_fossil VALUES ('450200', $1, 'hydro', $2, 'yearbook')", year, mwh
    )


async def put_apart(stage: Stage, *, share: float | None, meters: list[str] | None = None) -> None:
    await stage.pool.execute(
        """
        INSERT INTO projects (project, unit_id, name, region, approval, counted_apart_from, share,
                              meters)
        VALUES ('XM-1', $1, '重大项目', '450202', 'approval 1', '2020-01-01', $2, $3)
        """,
        await unit_id(stage), share, meters,
    )  # fmt: skip


async def worked_example(stage: Stage) -> None:
    """Energy 100 → 110 tce, feedstock 10 → 16 tce (10 tce are 14 t), GDP 200 → 212."""
    for year, tce in COAL.items():
        await use(stage, "raw_coal", year, tce, tce * 1400)
    await grow(stage, y2023=0.0, y2024=0.06)
    await state_non_fossil(stage, 2023, 0.0)
    await state_non_fossil(stage, 2024, 0.0)


async def ask(stage: Stage, name: str = "qian", **query: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"region": "450200", "year": 2024} | query
    answer = await stage.get(name, "/v1/accounts", **asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def row(answer: dict[str, Any], projects: str = "included") -> dict[str, Any]:
    (found,) = [each for each in answer["items"] if each["projects"] == projects]
    return dict(found)


def measure(row: dict[str, Any], name: str, year: str = "target") -> dict[str, Any]:
    (found,) = [each for each in row[year]["measures"] if each["measure"] == name]
    return dict(found)


def change(answer: dict[str, Any], name: str = "intensity", projects: str = "included") -> Any:
    (found,) = [each for each in row(answer, projects)["changes"] if each["measure"] == name]
    return found


async def test_the_worked_example_with_stated_feedstock(stage: Stage) -> None:
    await worked_example(stage)
    await state_feedstock(stage, 2023, 14.0)
    await state_feedstock(stage, 2024, 22.4)
    answer = await ask(stage)
    assert change(answer)["rate"] == pytest.approx(-0.0147, abs=5e-5)
    assert measure(row(answer), "intensity", "base")["energy_tce"] == pytest.approx(90)
    assert measure(row(answer), "intensity")["feedstock_tce"] == pytest.approx(16)
    assert answer["rule_set"]["documents"] == ["发改环资〔2022〕803号", "发改环资〔2024〕113号"]
    lines = [each for each in answer["deductions"] if each["kind"] == "feedstock"]
    assert [(each["year"], each["evidence"]) for each in lines] == [
        (2023, ["utilisation report 2023"]),
        (2024, ["utilisation report 2024"]),
    ]


async def test_the_worked_example_with_a_feedstock_meter(stage: Stage) -> None:
    await worked_example(stage)
    await meter(stage, "F01", "feedstock", 2023, 10.0, 14_000)
    await meter(stage, "F01", "feedstock", 2024, 16.0, 22_400)
    answer = await ask(stage)
    assert change(answer)["rate"] == pytest.approx(-0.0147, abs=5e-5)
    (line,) = [each for each in answer["deductions"] if each["year"] == 2024 and each["unit"]]
    assert (line["origin"], line["evidence"], line["tce"]) == ("metered", ["F01"], 16)


async def test_without_feedstock_the_example_rises(stage: Stage) -> None:
    await worked_example(stage)
    answer = await ask(stage)
    assert change(answer)["rate"] == pytest.approx(0.0377, abs=5e-5)
    assert change(answer, "total")["rate"] == pytest.approx(0.1)


async def test_feedstock_that_is_known_of_one_year_alone_makes_no_figure(stage: Stage) -> None:
    await worked_example(stage)
    await state_feedstock(stage, 2024, 22.4)
    answer = await ask(stage)
    assert change(answer) == {
        "measure": "intensity",
        "rate": None,
        "reason": "feedstock_missing",
        "reason_year": 2023,
    }
    assert measure(row(answer), "intensity")["energy_tce"] == pytest.approx(94)


async def test_feedstock_with_a_factor_for_some_days_of_a_month_is_unknown(stage: Stage) -> None:
    await worked_example(stage)
    await meter(stage, "F01", "feedstock", 2023, 10.0, 14_000)
    await meter(stage, "F01", "feedstock", 2024, 16.0, 22_400)
    await stage.pool.execute(
        "UPDATE meter_consumption SET calorific_partial = true "
        "FROM meters WHERE meters.meter_id = meter_consumption.meter_id AND meter = 'F01' "
        "AND starts_at >= '2024-01-01 00:00+08'"
    )
    answer = await ask(stage)
    assert (change(answer)["reason"], change(answer)["reason_year"]) == ("feedstock_missing", 2024)


async def test_feedstock_of_a_held_meter_is_unknown(stage: Stage) -> None:
    await worked_example(stage)
    await meter(stage, "F01", "feedstock", 2023, 10.0, 14_000)
    await meter(stage, "F01", "feedstock", 2024, 16.0, 22_400, held=True)
    answer = await ask(stage)
    assert change(answer)["reason_year"] == 2024
    (line,) = [each for each in answer["deductions"] if each["reason"]]
    assert (line["year"], line["reason"], line["tce"]) == (2024, "held", None)


async def test_more_feedstock_than_was_consumed_is_not_deducted(stage: Stage) -> None:
    await worked_example(stage)
    await state_feedstock(stage, 2023, 14.0)
    await state_feedstock(stage, 2024, 154.1)
    answer = await ask(stage)
    assert measure(row(answer), "total")["reason"] == "feedstock_missing"
    assert answer["deductions"][-2]["reason"] == "exceeds_consumption"


async def test_own_generation_is_energy_before_it_is_deducted(stage: Stage) -> None:
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await meter(stage, "R01", "renewable", 2024, 12.29, 100_000, "electricity")
    await retire(stage, "GEC-1", 2024, 100)
    found = row(await ask(stage))
    assert found["target"]["gross_tce"] == pytest.approx(135.19)
    assert measure(found, "total")["energy_tce"] == pytest.approx(122.9)


@pytest.mark.parametrize("by_meter", [False, True])
async def test_a_project_counted_apart_is_out_with_its_feedstock_and_certificates(
    stage: Stage, by_meter: bool
) -> None:
    await use(stage, "raw_coal", 2024, 100.0, 140_000)
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await meter(stage, "F01", "feedstock", 2024, 10.0, 14_000)
    await meter(stage, "S01", "sub", 2024, 106.45, 500_000, "electricity")
    if by_meter:
        await put_apart(stage, share=None, meters=["F01", "S01"])
    else:
        await put_apart(stage, share=0.5)
    await retire(stage, "GEC-1", 2024, 100, project="XM-1")
    await retire(stage, "GEC-2", 2024, 50)
    answer = await ask(stage)
    with_it, without = row(answer), row(answer, "excluded")
    assert with_it["target"]["gross_tce"] == pytest.approx(222.9)
    assert measure(with_it, "total")["energy_tce"] == pytest.approx(212.9 - 150 * 0.1229)
    apart = 116.45 if by_meter else 111.45
    feedstock = 0.0 if by_meter else 5.0
    assert without["target"]["projects_tce"] == pytest.approx(apart)
    found = measure(without, "total")
    assert found["feedstock_tce"] == pytest.approx(feedstock)
    assert found["energy_tce"] == pytest.approx(222.9 - apart - feedstock - 50 * 0.1229)
    (line,) = [
        each
        for each in answer["deductions"]
        if each["project"] and each["unit"] and each["year"] == 2024
    ]
    assert line["evidence"][0] == "approval 1"


async def test_a_project_whose_meter_is_silent_makes_no_figure_without_it(stage: Stage) -> None:
    await worked_example(stage)
    await meter(stage, "S01", "sub", 2024, 7.0, 9_800)
    await meter(stage, "S02", "sub", 2024, None, None)
    await put_apart(stage, share=None, meters=["S01", "S02"])
    answer = await ask(stage)
    assert row(answer)["target"]["gross_tce"] == 110
    assert row(answer, "excluded")["target"]["gross_tce"] is None
    assert change(answer, "total", "excluded")["reason"] == "energy_missing"


async def test_a_year_may_be_cut_at_a_month(stage: Stage) -> None:
    await worked_example(stage)
    await stage.pool.execute("UPDATE region_figures SET through_month = 2")
    early = row(await ask(stage, through_month=2))
    assert (early["target"]["gross_tce"], early["gdp_ratio"]) == (None, 1.06)
    assert row(await ask(stage, through_month=3))["target"]["gross_tce"] == 110


async def test_the_running_year_ends_with_its_last_full_month(stage: Stage) -> None:
    answer = await ask(stage, year=2026, rule_set="2024")
    assert answer["through_month"] == 10
    assert row(answer)["target"]["ends_at"] == "2026-11-01T00:00:00+08:00"
    assert [note["code"] for note in answer["notes"]] == ["rule_set_of_other_years"]


async def test_a_unit_sees_its_part_and_no_figures_of_the_region(stage: Stage) -> None:
    await worked_example(stage)
    other = cast.QIANS_OTHER_UNIT
    await use(stage, "raw_coal", 2024, 1000.0, 1_400_000, unit=other)
    answer = await ask(stage, "li")
    assert row(answer)["target"]["gross_tce"] == 110
    assert row(answer)["gdp_ratio"] is None
    assert "part_of_region" in {note["code"] for note in answer["notes"]}
    assert row(await ask(stage))["target"]["gross_tce"] == 1110


async def test_certificates_of_a_holder_one_may_not_see_are_not_shown(stage: Stage) -> None:
    await retire(stage, "GEC-1", 2024, 1)
    await stage.pool.execute(
        "UPDATE certificates SET unit_id = $1", await unit_id(stage, cast.QIANS_OTHER_UNIT)
    )
    assert (await ask(stage, "li"))["deductions"] == []
    assert len((await ask(stage, "qian"))["deductions"]) == 1


async def test_the_account_of_a_region_is_the_same_whoever_asks(stage: Stage) -> None:
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2024, 300)
    await stage.pool.execute("UPDATE certificates SET unit_id = NULL, region = '450000'")
    zhao = measure(row(await ask(stage, "zhao")), "total")
    qian = measure(row(await ask(stage, "qian")), "total")
    assert zhao["non_fossil_tce"] == qian["non_fossil_tce"] == pytest.approx(300 * 0.1229)


async def test_more_certificates_than_one_answer_adds_up_are_refused(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO certificates (certificate, energy_type, mwh, generated_in, province, unit_id,
                                  acquired_on, retired_for_year, retired_for_region, source)
        SELECT number, 'wind', 1, '2024-05-01', '450000', $1, '2024-06-01', 2024, '450200', 'test'
          FROM generate_series(0, $2) AS number
        """,
        await unit_id(stage), account_facts.CERTIFICATES_MAX,
    )  # fmt: skip
    refused = await stage.code("qian", "/v1/accounts", region="450200", year=2024)
    assert refused == (422, "too_many_rows")


@pytest.mark.parametrize(
    ("name", "query", "refused"),
    [
        ("sun", {}, (404, "not_found")),
        ("qian", {"region": "450000"}, (404, "not_found")),
        ("qian", {"rule_set": "2099"}, (422, "invalid_parameter")),
        ("qian", {"year": 2026}, (422, "invalid_parameter")),
        ("qian", {"year": 2027, "rule_set": "2024"}, (422, "invalid_parameter")),
        ("qian", {"base_year": 2024}, (422, "invalid_parameter")),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    shown_stage: Stage, name: str, query: dict[str, Any], refused: tuple[int, str]
) -> None:
    asked: dict[str, Any] = {"region": "450200", "year": 2024} | query
    assert await shown_stage.code(name, "/v1/accounts", **asked) == refused
