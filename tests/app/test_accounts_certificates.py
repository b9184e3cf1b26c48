"""Non-fossil electricity in the account of a region: by both rule sets, proved by certificates."""

from __future__ import annotations

import pytest

from tests.app.conftest import Stage
from tests.app.test_accounts_call import (
    ask,
    change,
    grow,
    measure,
    retire,
    row,
    state_non_fossil,
    use,
)


async def test_the_2022_rules_take_the_increment_over_2020_out_of_the_total_only(
    stage: Stage,
) -> None:
    await use(stage, "electricity", 2023, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2023, 300)
    await state_non_fossil(stage, 2020, 100)
    found = row(await ask(stage, year=2023))
    assert measure(found, "total")["non_fossil_tce"] == pytest.approx(200 * 0.1229)
    assert measure(found, "intensity")["energy_tce"] == pytest.approx(122.9)


async def test_an_increment_over_an_unknown_year_is_unknown(stage: Stage) -> None:
    await use(stage, "electricity", 2023, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2023, 300)
    found = row(await ask(stage, year=2023))
    assert measure(found, "total")["reason"] == "increment_base_missing"


async def test_the_2024_rules_take_all_of_it_out_of_both(stage: Stage) -> None:
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2024, 300)
    await retire(stage, "GEC-2", 2024, 100, energy_type="nuclear")
    found = row(await ask(stage))
    for name in ("total", "intensity"):
        assert measure(found, name)["energy_tce"] == pytest.approx(600 * 0.1229)


async def test_a_deduction_has_the_value_its_electricity_was_counted_with(stage: Stage) -> None:
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2024, 300)
    answer = await ask(stage, basis="equivalent")
    assert "unverified_factor" in {note["code"] for note in answer["notes"]}
    (line,) = [each for each in answer["deductions"] if each["kind"] == "non_fossil"]
    assert (line["quantity"], line["uom"], line["evidence"]) == (300, "MWh", ["GEC-1"])
    assert line["tce"] == pytest.approx(300 * 0.2458)


async def test_more_certificates_than_electricity_are_no_deduction(stage: Stage) -> None:
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2024, 1000.1)
    found = measure(row(await ask(stage)), "total")
    assert (found["energy_tce"], found["reason"]) == (None, "non_fossil_exceeds_electricity")


async def test_years_without_certificates_and_without_statement_are_unknown(stage: Stage) -> None:
    await use(stage, "electricity", 2023, 122.9, 1_000_000)
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await retire(stage, "GEC-1", 2024, 300)
    await grow(stage, y2024=0.06)
    answer = await ask(stage)
    assert (change(answer)["reason"], change(answer)["reason_year"]) == (
        "non_fossil_missing",
        2023,
    )
    await state_non_fossil(stage, 2023, 200)
    expected = 700 / 800 / 1.06 - 1
    assert change(await ask(stage))["rate"] == pytest.approx(expected)


async def test_certificates_of_other_provinces_cover_half_of_the_saving_needed(
    stage: Stage,
) -> None:
    await use(stage, "electricity", 2020, 122.9, 1_000_000)
    await use(stage, "electricity", 2024, 122.9, 1_000_000)
    await state_non_fossil(stage, 2020, 0)
    await retire(stage, "GEC-1", 2024, 300, province="530000")
    await retire(stage, "GEC-2", 2024, 10)
    found = row(await ask(stage))
    assert measure(found, "total")["reason"] == "saving_missing"
    await grow(stage, y2021=0.05, y2022=0.05, y2023=0.05, y2024=0.05)
    for year in range(2021, 2026):
        await stage.pool.execute(
            """
            INSERT INTO region_targets (region, year, required_rate, source)
            VALUES ('450200', $1, -0.02747, 'test')
            """,
            year,
        )
    found = row(await ask(stage))
    saving = 122.9 * 1.05**4 * (1 - (1 - 0.02747) ** 5)
    assert found["target"]["saving_needed_tce"] == pytest.approx(saving)
    total = measure(found, "total")
    assert total["non_fossil_tce"] == pytest.approx(10 * 0.1229 + saving / 2)
    assert total["not_counted_tce"] == pytest.approx(300 * 0.1229 - saving / 2)
    await stage.pool.execute(
        """
        INSERT INTO region_targets (region, year, years, required_rate, source)
        VALUES ('450200', 2021, 5, -0.13, 'plan')
        """
    )
    found = row(await ask(stage))
    assert found["target"]["saving_needed_tce"] == pytest.approx(122.9 * 1.05**4 * 0.13)
