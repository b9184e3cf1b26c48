"""Files of targets, parks, budgets, levels, schemes and carbon factors: old ones go on working."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

import db.budgets
import db.carbon
import db.changes
import db.figures
import db.levels
import db.parks
from app.imports.kinds import Kind
from db.figures import TargetRow
from db.pool import Connection
from energy.indicators import Indicator
from energy.targets import TargetKind
from tests import factories
from tests.app.test_importing import NOW, Desk

OLD = {"region": "450200", "year": "2026", "required_rate": "-0.02747", "source": "filed"}
NEW = {
    **OLD,
    "through_year": "",
    "indicator": "",
    "kind": "",
    "amount_tce": "",
    "rule_set": "",
}
TOTAL = {**NEW, "indicator": "total_energy", "required_rate": "", "amount_tce": "21500000"}
PARK = {"park": "north", "name": "北园", "units": factories.unit_code(1)}
BUDGET = {
    "owner_kind": "unit",
    "owner": factories.unit_code(1),
    "from": "2026-01-01",
    "to": "2027-01-01",
    "amount_tce": "2400",
    "basis": "calorific",
    "source": "test",
}
BAND = {
    "scheme": "own",
    "level": "red",
    "severity": "1",
    "bound": "",
    "holds_at_bound": "true",
    "name_zh": "红",
    "name_en": "red",
    "colour": "red",
    "measure": "cap_share",
    "scheme_zh": "自定",
    "scheme_en": "own",
    "source": "test",
}
GREEN = {**BAND, "level": "green", "severity": "2", "bound": "1"}
CHOICE = {
    "region": "450200",
    "indicator": "total_energy",
    "scheme": "total_default",
    "source": "test",
}
FACTOR = {
    "carrier": "electricity",
    "grid": "southern",
    "kgco2_per_uom": "0.39",
    "valid_from": "2024-01-01",
    "valid_to": "",
    "year": "2024",
    "edition": "2024",
    "source": "test",
}


@pytest.fixture
async def desk(connection: Connection, tmp_path: Path) -> Desk:
    await factories.unit(connection)
    await factories.unit(connection, factories.unit_code(2))
    return Desk(connection, tmp_path)


async def test_a_file_of_before_still_states_base_targets_of_energy_per_gdp(desk: Desk) -> None:
    await desk.take(Kind.TARGETS, OLD)
    assert await db.figures.list_targets(desk.connection) == [
        TargetRow("450200", 2026, -0.02747, "filed", 2026)
    ]
    assert (await desk.plan(Kind.TARGETS, NEW)).unchanged == 1
    known = await db.changes.list_known(desk.connection, "targets", NOW)
    assert list(known) == ["450200/2026"]


async def test_targets_of_one_year_stand_beside_each_other_and_beside_the_plan(desk: Desk) -> None:
    incentive = {**NEW, "kind": "incentive", "required_rate": "-0.03", "rule_set": "2024"}
    plan = {**NEW, "through_year": "2030", "required_rate": "-0.13"}
    await desk.take(Kind.TARGETS, NEW, incentive, plan, TOTAL)
    stored = await db.figures.list_targets(desk.connection)
    assert {(row.indicator, row.kind, row.through_year) for row in stored} == {
        (Indicator.ENERGY_PER_GDP, TargetKind.BASE, 2026),
        (Indicator.ENERGY_PER_GDP, TargetKind.INCENTIVE, 2026),
        (Indicator.ENERGY_PER_GDP, TargetKind.BASE, 2030),
        (Indicator.TOTAL_ENERGY, TargetKind.BASE, 2026),
    }
    known = await db.changes.list_known(desk.connection, "targets", NOW)
    assert "450200/2026-2030" in known
    assert "450200/2026/energy_per_gdp/incentive" in known


async def test_a_unit_leaves_a_park_when_its_row_no_longer_names_it(desk: Desk) -> None:
    one, two = factories.unit_code(1), factories.unit_code(2)
    await desk.take(Kind.PARKS, {**PARK, "units": f"{two}；{one.lower()}, {two}"})
    assert [park.units for park in await db.parks.list_parks(desk.connection)] == [f"{one} {two}"]
    await desk.take(Kind.PARKS, {**PARK, "units": two})
    assert [park.units for park in await db.parks.list_parks(desk.connection)] == [two]


async def test_a_budget_is_one_of_whole_months(desk: Desk) -> None:
    month = {**BUDGET, "from": "2026-11-01", "to": "2026-12-01", "amount_tce": "200"}
    await desk.take(Kind.BUDGETS, BUDGET, month)
    stored = await db.budgets.list_all(desk.connection)
    assert [(row.starts_on, row.ends_on) for row in stored] == [
        (date(2026, 1, 1), date(2027, 1, 1)),
        (date(2026, 11, 1), date(2026, 12, 1)),
    ]


async def test_a_budget_that_is_changed_is_restated_in_the_ledger(desk: Desk) -> None:
    await desk.take(Kind.BUDGETS, BUDGET)
    await desk.take(Kind.BUDGETS, {**BUDGET, "amount_tce": "2300"})
    subject = f"unit/{factories.unit_code(1)}/2026-01-01/2027-01-01"
    history = await db.changes.list_history(desk.connection, "budgets", subject)
    amounts = [change.fact.content and change.fact.content["amount_tce"] for change in history]
    assert amounts == [2400, 2300]


async def test_levels_come_as_a_whole_scheme(desk: Desk) -> None:
    await desk.take(Kind.LEVELS, BAND, GREEN)
    bands = [band for band in await db.levels.list_bands(desk.connection) if band.scheme == "own"]
    assert [(band.level, band.severity, band.verified) for band in bands] == [
        ("red", 1, False),
        ("green", 2, False),
    ]
    (problem,) = (await desk.plan(Kind.LEVELS, {**BAND, "level": "amber"})).problems
    assert "severities" in problem.reason


async def test_a_newer_factor_stands_beside_the_older_one(desk: Desk) -> None:
    await desk.take(Kind.CARBON_FACTORS, FACTOR)
    values = [
        factor.kgco2_per_uom
        for factor in await db.carbon.list_factors(desk.connection)
        if factor.grid == "southern"
    ]
    assert values == [0.4042, 0.39]


@pytest.mark.parametrize(
    ("kind", "row", "column", "reason"),
    [
        (Kind.TARGETS, {**NEW, "required_rate": ""}, "required_rate", "is required"),
        (Kind.TARGETS, {**TOTAL, "amount_tce": ""}, "amount_tce", "a total has a cap"),
        (Kind.TARGETS, {**TOTAL, "required_rate": "-0.1"}, "required_rate", "instead"),
        (Kind.TARGETS, {**NEW, "amount_tce": "5"}, "amount_tce", "only total_energy"),
        (Kind.TARGETS, {**NEW, "through_year": "2025"}, "through_year", "began in 2026"),
        (Kind.TARGETS, {**NEW, "through_year": "2036"}, "through_year", "1 to 10 years"),
        (Kind.TARGETS, {**NEW, "indicator": "water"}, "indicator", "energy_per_gdp"),
        (Kind.PARKS, {**PARK, "units": factories.unit_code(9)}, "units", "not registered"),
        (Kind.BUDGETS, {**BUDGET, "owner": "nobody"}, "owner", "registered unit"),
        (Kind.BUDGETS, {**BUDGET, "owner_kind": "city", "owner": "450202"}, "owner", "city"),
        (Kind.BUDGETS, {**BUDGET, "owner_kind": "park"}, "owner", "import parks first"),
        (Kind.BUDGETS, {**BUDGET, "from": "2026-01-02"}, "from", "first day"),
        (Kind.BUDGETS, {**BUDGET, "to": "2026-12-31"}, "to", "first day"),
        (Kind.BUDGETS, {**BUDGET, "to": "2027-02-01"}, "to", "1 to 12 months"),
        (Kind.BUDGETS, {**BUDGET, "to": "2026-01-01"}, "to", "1 to 12 months"),
        (Kind.BUDGETS, {**BUDGET, "amount_tce": "0"}, "amount_tce", "greater than 0"),
        (Kind.LEVELS, {**BAND, "bound": "1"}, "severity", "need a bound"),
        (Kind.SCHEMES, {**CHOICE, "scheme": "none"}, "scheme", "import its levels"),
        (Kind.SCHEMES, {**CHOICE, "scheme": "national"}, "scheme", "needs cap_share"),
        (Kind.CARBON_FACTORS, {**FACTOR, "grid": ""}, "grid", "is required of electricity"),
        (Kind.CARBON_FACTORS, {**FACTOR, "grid": "north"}, "grid", "is none of"),
        (Kind.CARBON_FACTORS, {**FACTOR, "valid_from": "2024-01-02"}, "valid_from", "first day"),
        (Kind.CARBON_FACTORS, {**FACTOR, "valid_to": "2023-01-01"}, "valid_to", "after"),
    ],
)
async def test_bad_rows_are_explained(
    desk: Desk, kind: Kind, row: Mapping[str, str], column: str, reason: str
) -> None:
    found_column, found_reason = await desk.problem(kind, row)
    assert found_column == column
    assert reason in found_reason
