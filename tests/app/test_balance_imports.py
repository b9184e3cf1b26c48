"""Statements of stocks and trades, certificates and projects: every bad row is explained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

import db.certificates
import db.changes
import db.rulesets
from app.imports.kinds import Kind
from db.pool import Connection
from energy.certificates import EnergyType
from energy.rulesets import Extent, Measure
from tests import factories
from tests.app.test_importing import Desk

UNIT = factories.unit_code()
STOCK = {
    "unit": UNIT,
    "carrier": "raw_coal",
    "counted_on": "2026-01-01",
    "quantity": "100",
    "uom": "t",
    "evidence": "stocktaking",
}
TRADE = {
    "unit": UNIT,
    "carrier": "raw_coal",
    "from": "2026-01-01",
    "to": "2026-02-01",
    "purchased": "50",
    "produced": "0",
    "sold": "",
    "feedstock": "",
    "uom": "t",
    "evidence": "invoices",
}
PROJECT = {
    "project": "XM-1",
    "unit": UNIT,
    "name": "重大项目",
    "region": "450202",
    "approval": "approval 1",
    "counted_apart_from": "2025-01-01",
    "counted_apart_to": "",
    "share": "0.6",
    "meters": "",
}
CERTIFICATE = {
    "certificate": "GEC-1",
    "energy_type": "wind",
    "generated_in": "2024-05",
    "province": "530000",
    "unit": UNIT,
    "region": "",
    "acquired_on": "2024-06-20",
    "retired_for_year": "2024",
    "retired_for_region": "450200",
    "project": "",
    "source": "test",
}
TWO_HIGH = {
    "project": "LG1",
    "name": "电解铝",
    "owner_name": "某铝业",
    "region": "450202",
    "state": "under_review",
    "annual_tce": "60000",
    "source": "test",
}
NON_FOSSIL = {
    "region": "450200",
    "year": "2020",
    "energy_type": "hydro",
    "mwh": "1000",
    "source": "test",
}


@pytest.fixture
async def unit_desk(connection: Connection, tmp_path: Path) -> Desk:
    """A desk where the unit is registered, with meters E01 (boundary), E02, E03 and P01."""
    desk = Desk(connection, tmp_path)
    unit_id = await factories.unit(desk.connection)
    for code in ("E01", "E02", "E03"):
        role = "boundary" if code == "E01" else "sub"
        await factories.meter(desk.connection, unit_id, code, role=role)
    await factories.meter(
        desk.connection, unit_id, "P01", role="output", uom="t", kind="interval", product="steel"
    )
    return desk


@pytest.mark.parametrize(
    ("kind", "row", "column", "reason"),
    [
        (Kind.STOCKS, {**STOCK, "unit": factories.unit_code(2)}, "unit", "is not registered"),
        (Kind.STOCKS, {**STOCK, "carrier": "phlogiston"}, "carrier", "not a known energy"),
        (Kind.STOCKS, {**STOCK, "uom": "kWh"}, "uom", "kWh measures energy"),
        (Kind.STOCKS, {**STOCK, "uom": "t/h"}, "uom", "is a rate"),
        (Kind.STOCKS, {**STOCK, "quantity": "-1"}, "quantity", "greater than or equal to 0"),
        (Kind.STOCKS, {**STOCK, "quantity": ""}, "quantity", "is required"),
        (Kind.STOCKS, {**STOCK, "evidence": ""}, "evidence", "is required"),
        (Kind.TRADES, {**TRADE, "to": "2026-01-01"}, "to", "must be after from"),
        (Kind.TRADES, {**TRADE, "from": "01.01.2026"}, "from", "is not a date"),
        (Kind.TRADES, {**TRADE, "purchased": "", "produced": ""}, "purchased", "at least one of"),
        (Kind.TRADES, {**TRADE, "sold": "nan"}, "sold", "should be a finite number"),
        (Kind.PROJECTS, {**PROJECT, "share": ""}, "share", "either share or meters"),
        (Kind.PROJECTS, {**PROJECT, "meters": "E01"}, "share", "either share or meters"),
        (Kind.PROJECTS, {**PROJECT, "share": "1.1"}, "share", "less than or equal to 1"),
        (Kind.PROJECTS, {**PROJECT, "share": "", "meters": "E09"}, "meters", "E09 is no meter"),
        (Kind.PROJECTS, {**PROJECT, "share": "", "meters": "P01"}, "meters", "counts a product"),
        (Kind.PROJECTS, {**PROJECT, "share": "", "meters": ";"}, "meters", "names no meter"),
        (Kind.PROJECTS, {**PROJECT, "region": "450302"}, "region", "another city"),
        (Kind.PROJECTS, {**PROJECT, "approval": ""}, "approval", "is required"),
        (
            Kind.PROJECTS,
            {**PROJECT, "counted_apart_to": "2025-01-01"},
            "counted_apart_to",
            "must be after",
        ),
        (Kind.CERTIFICATES, {**CERTIFICATE, "region": "450200"}, "unit", "give one of them"),
        (Kind.CERTIFICATES, {**CERTIFICATE, "unit": ""}, "unit", "give one of them"),
        (Kind.CERTIFICATES, {**CERTIFICATE, "province": "450200"}, "province", "of a province"),
        (Kind.CERTIFICATES, {**CERTIFICATE, "generated_in": "May"}, "generated_in", "not a month"),
        (Kind.CERTIFICATES, {**CERTIFICATE, "energy_type": "coal"}, "energy_type", "'wind'"),
        (Kind.CERTIFICATES, {**CERTIFICATE, "mwh": "0"}, "mwh", "greater than 0"),
        (Kind.CERTIFICATES, {**CERTIFICATE, "project": "XM-9"}, "project", "is not known"),
        (
            Kind.CERTIFICATES,
            {**CERTIFICATE, "retired_for_region": "450300"},
            "retired_for_region",
            "is not a region of the holder",
        ),
        (
            Kind.CERTIFICATES,
            {**CERTIFICATE, "retired_for_region": ""},
            "certificate",
            "give both or neither",
        ),
        (
            Kind.CERTIFICATES,
            {**CERTIFICATE, "acquired_on": "2024-04-30"},
            "certificate",
            "before its electricity was generated",
        ),
        (Kind.NON_FOSSIL, {**NON_FOSSIL, "region": "999999"}, "region", "not the code of a known"),
        (Kind.TWO_HIGH, {**TWO_HIGH, "region": "450000"}, "region", "is a province"),
        (Kind.TWO_HIGH, {**TWO_HIGH, "state": "planned"}, "state", "under_review"),
        (Kind.TWO_HIGH, {**TWO_HIGH, "annual_tce": "-1"}, "annual_tce", "greater than or equal"),
        (Kind.NON_FOSSIL, {**NON_FOSSIL, "mwh": "-1"}, "mwh", "greater than or equal to 0"),
    ],
)
async def test_a_bad_row_is_explained(
    unit_desk: Desk, kind: Kind, row: Mapping[str, str], column: str, reason: str
) -> None:
    found_column, found_reason = await unit_desk.problem(kind, row)
    assert found_column == column
    assert reason in found_reason


async def test_a_blank_is_not_stated_and_a_zero_is(unit_desk: Desk) -> None:
    await unit_desk.take(Kind.TRADES, TRADE)
    row = await unit_desk.connection.fetchrow("SELECT produced, sold, feedstock FROM trades")
    assert row is not None
    assert tuple(row) == (0.0, None, None)


async def test_statements_of_a_carrier_may_not_overlap(unit_desk: Desk) -> None:
    later = {**TRADE, "from": "2026-01-31", "to": "2026-03-01"}
    fault = ("from", "overlaps with the statement of 2026-01-01 to 2026-02-01")
    (found,) = (await unit_desk.plan(Kind.TRADES, TRADE, later)).problems
    assert (found.column, found.reason) == fault
    await unit_desk.take(Kind.TRADES, TRADE)
    assert await unit_desk.problem(Kind.TRADES, later) == fault
    earlier = {**TRADE, "from": "2025-12-01", "to": "2026-01-02"}
    assert "2026-01-01 to 2026-02-01" in (await unit_desk.problem(Kind.TRADES, earlier))[1]
    assert not (await unit_desk.plan(Kind.TRADES, {**later, "from": "2026-02-01"})).problems


async def test_a_statement_is_in_the_ledger_of_changes(unit_desk: Desk) -> None:
    await unit_desk.take(Kind.TRADES, TRADE)
    subject = f"{UNIT}/raw_coal/2026-01-01"
    (change,) = await db.changes.list_history(unit_desk.connection, "trades", subject)
    assert change.fact.content is not None
    assert change.fact.content["purchased"] == 50


async def test_projects_claim_no_part_of_a_unit_twice(unit_desk: Desk) -> None:
    await unit_desk.take(Kind.PROJECTS, PROJECT)
    second = {**PROJECT, "project": "XM-2", "share": "0.5"}
    assert (await unit_desk.problem(Kind.PROJECTS, second))[1] == (
        "the projects of the unit claim 1.1 of it, more than all"
    )
    by_meter = {**second, "share": "", "meters": "E02"}
    assert "would count twice" in (await unit_desk.problem(Kind.PROJECTS, by_meter))[1]
    assert not (await unit_desk.plan(Kind.PROJECTS, {**second, "share": "0.4"})).problems


async def test_a_meter_belongs_to_one_project_at_a_time(unit_desk: Desk) -> None:
    first = {**PROJECT, "share": "", "meters": "E03; E02", "counted_apart_to": "2026-01-01"}
    await unit_desk.take(Kind.PROJECTS, first)
    second = {**first, "project": "XM-2", "meters": "E02", "counted_apart_to": ""}
    fault = "E02 belongs to project XM-1 already"
    assert (await unit_desk.problem(Kind.PROJECTS, second))[1] == fault
    later = {**second, "counted_apart_from": "2026-01-01"}
    assert not (await unit_desk.plan(Kind.PROJECTS, later)).problems


async def test_a_certificate_is_used_up_once(unit_desk: Desk) -> None:
    held = {**CERTIFICATE, "retired_for_year": "", "retired_for_region": ""}
    await unit_desk.take(Kind.CERTIFICATES, held)
    await unit_desk.take(Kind.CERTIFICATES, CERTIFICATE)
    again = {**CERTIFICATE, "retired_for_year": "2025"}
    assert await unit_desk.problem(Kind.CERTIFICATES, again) == (
        "certificate",
        "is retired for 450200 in 2024 already: a certificate counts once",
    )
    assert (await unit_desk.problem(Kind.CERTIFICATES, held))[0] == "certificate"
    assert (await unit_desk.plan(Kind.CERTIFICATES, CERTIFICATE)).unchanged == 1


async def test_the_database_itself_refuses_a_second_use(unit_desk: Desk) -> None:
    await unit_desk.take(Kind.CERTIFICATES, CERTIFICATE)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="it counts once"):
        await unit_desk.connection.execute("UPDATE certificates SET retired_for_year = 2025")


async def test_a_certificate_of_another_amount_than_one_is_noted(unit_desk: Desk) -> None:
    plan = await unit_desk.plan(Kind.CERTIFICATES, {**CERTIFICATE, "mwh": "1000"})
    assert [note.text for note in plan.notes] == ["one certificate usually stands for 1 MWh"]


async def test_the_rule_sets_of_both_periods_are_there(unit_desk: Desk) -> None:
    first, second = await db.rulesets.list_rule_sets(unit_desk.connection)
    assert (first.rule_set, second.rule_set) == ("2022", "2024")
    assert first.documents == ("发改环资〔2022〕803号", "发改运行〔2022〕1258号")
    assert (first.extent, first.increment_base_year) == (Extent.INCREMENT, 2020)
    assert first.electricity_from == {Measure.TOTAL}
    assert first.energy_types == {*EnergyType} - {EnergyType.NUCLEAR}
    assert second.documents == ("发改环资〔2022〕803号", "发改环资〔2024〕113号")
    assert (second.extent, second.across_share_max) == (Extent.ALL, 0.5)
    assert second.electricity_from == second.feedstock_from == {*Measure}
    assert second.energy_types == {*EnergyType}
