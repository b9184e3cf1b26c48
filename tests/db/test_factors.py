"""The factors a migrated database knows are those of the standard; what is from memory says so."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

import db.changes
import db.factors
from app import importing
from app.imports.kinds import Kind
from db.changes import Author
from db.pool import Connection
from energy.carriers import Nature
from energy.factors import KJ_PER_KGCE, Basis, Factor, FactorTable, MissingFactor

BY_STANDARD = Path(str(resources.files("migrations") / "reference" / "factors_by_standard.csv"))
EDITION = "GB/T 2589-2020"
IN_FORCE = date(2021, 4, 1)
TODAY = date(2026, 11, 23)

SOURCED = {
    "raw_coal": (0.7143, "kg"),
    "cleaned_coal": (0.9000, "kg"),
    "middlings": (0.2857, "kg"),
    "coke": (0.9714, "kg"),
    "crude_oil": (1.4286, "kg"),
    "fuel_oil": (1.4286, "kg"),
    "petrol": (1.4714, "kg"),
    "kerosene": (1.4714, "kg"),
    "diesel": (1.4571, "kg"),
    "coal_tar": (1.1429, "kg"),
    "lpg": (1.7143, "kg"),
    "refinery_dry_gas": (1.5714, "kg"),
    "calcium_carbide": (2.0786, "kg"),
    "blast_furnace_gas": (0.1286, "m3"),
    "producer_gas": (0.1786, "m3"),
    "catalytic_cracking_gas": (0.6571, "m3"),
    "thermal_cracking_gas": (1.2143, "m3"),
    "coke_made_gas": (0.5571, "m3"),
    "pressure_gasified_gas": (0.5143, "m3"),
    "water_gas": (0.3571, "m3"),
    "heat": (0.03412, "MJ"),
    "electricity": (0.1229, "kWh"),
    "acetylene": (8.3143, "m3"),
    "soft_water": (0.4857, "t"),
    "deoxygenated_water": (0.9714, "t"),
    "new_water": (0.2571, "t"),
    "oxygen": (0.4000, "m3"),
    "compressed_air": (0.0400, "m3"),
}
"""Calorific values of GB/T 2589-2020 as sourced: kgce per unit, and the unit."""

RANGES = {
    "coal_slime": (0.2857, 0.4286),
    "natural_gas": (1.1000, 1.3300),
    "coke_oven_gas": (0.5714, 0.6143),
    "biogas": (0.7143, 0.8286),
}
"""Where the standard gives a range; that of biogas is from memory."""

DEFINED = {"electricity": 3_600.0, "heat": 1_000.0}
"""What they are by definition, in kJ per reference unit."""

FROM_MEMORY = {
    "lng": 1.7572,
    "methanol": 0.6794,
    "ethanol": 0.9144,
    "hydrogen": 0.3329,
    "crude_benzol": 1.4286,
    "gangue": 0.2857,
    "nitrogen_byproduct": 0.4000,
    "nitrogen_main_product": 0.6714,
    "carbon_dioxide": 0.2143,
    "blast_air": 0.0300,
    "low_pressure_steam": 0.1286,
}


async def everyones(connection: Connection) -> list[Factor]:
    return await db.factors.list_for_unit(connection, None)


async def table(connection: Connection) -> FactorTable:
    ranges = await db.factors.list_ranges(connection)
    return FactorTable(await everyones(connection), ranges)


async def test_every_carrier_is_in_one_of_the_tables_and_none_besides(
    connection: Connection,
) -> None:
    known = {row.carrier for row in await db.factors.list_carriers(connection)}
    assert known == SOURCED.keys() | RANGES.keys() | FROM_MEMORY.keys()


@pytest.mark.parametrize("carrier", SOURCED)
async def test_a_sourced_factor_is_loaded_as_published(
    connection: Connection, carrier: str
) -> None:
    kgce, uom = SOURCED[carrier]
    factor = (await table(connection)).find(carrier, Basis.CALORIFIC, None, TODAY)
    rows = {row.carrier: row for row in await db.factors.list_carriers(connection)}
    assert factor is not None
    assert (factor.kgce_per_uom, rows[carrier].reference_uom) == (kgce, uom)
    assert (factor.edition, factor.valid_from) == (EDITION, IN_FORCE)
    assert factor.verified == (carrier in DEFINED)


@pytest.mark.parametrize("carrier", FROM_MEMORY)
async def test_a_factor_from_memory_is_not_called_verified(
    connection: Connection, carrier: str
) -> None:
    found = await table(connection)
    for basis in Basis:
        factor = found.find(carrier, basis, None, TODAY)
        assert factor is not None
        assert (factor.kgce_per_uom, factor.verified) == (FROM_MEMORY[carrier], False)


async def test_nothing_is_called_verified_but_what_follows_from_the_definition(
    connection: Connection,
) -> None:
    """The other figures were found re-hosted, and nobody has compared them with the standard."""
    verified = [factor for factor in await everyones(connection) if factor.verified]
    assert {(factor.carrier, factor.basis, factor.valid_from) for factor in verified} == {
        (carrier, Basis.CALORIFIC, IN_FORCE) for carrier in DEFINED
    }
    for factor in verified:
        exact = DEFINED[factor.carrier] / KJ_PER_KGCE
        assert factor.kgce_per_uom == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("carrier", RANGES)
async def test_a_range_is_not_a_factor(connection: Connection, carrier: str) -> None:
    found = await table(connection)
    given = found.range_of(carrier)
    assert given is not None
    assert (given.low, given.high) == RANGES[carrier]
    assert given.verified is False
    for basis in Basis:
        assert found.look_up(carrier, basis, None, TODAY) is MissingFactor.RANGE_ONLY


async def test_both_bases_agree_for_fuels_and_media(connection: Connection) -> None:
    found = await table(connection)
    for carrier in await db.factors.list_carriers(connection):
        if carrier.nature is not Nature.POWER:
            values = {
                factor.kgce_per_uom if factor else None
                for basis in Basis
                for factor in [found.find(carrier.carrier, basis, None, TODAY)]
            }
            assert len(values) == 1, carrier


async def test_days_before_the_edition_are_valued_without_being_called_verified(
    connection: Connection,
) -> None:
    found = await table(connection)
    for day, edition, verified in (
        (date(2021, 3, 31), "GB/T 2589-2008", False),
        (IN_FORCE, EDITION, True),
    ):
        factor = found.find("electricity", Basis.CALORIFIC, None, day)
        assert factor is not None
        assert (factor.kgce_per_uom, factor.edition, factor.verified) == (0.1229, edition, verified)


async def test_new_water_is_valued_by_the_edition_of_the_day(connection: Connection) -> None:
    found = await table(connection)
    days = (date(2021, 3, 31), IN_FORCE)
    factors = [found.find("new_water", Basis.CALORIFIC, None, day) for day in days]
    assert [factor and factor.kgce_per_uom for factor in factors] == [0.0857, 0.2571]


async def test_the_equivalent_value_of_electricity_has_a_row_for_each_year(
    connection: Connection,
) -> None:
    rows = [
        factor
        for factor in await everyones(connection)
        if (factor.carrier, factor.basis) == ("electricity", Basis.EQUIVALENT)
    ]
    years = [(row.valid_from, row.valid_to) for row in rows]
    assert years[:2] == [
        (date(2021, 1, 1), date(2022, 1, 1)),
        (date(2022, 1, 1), date(2023, 1, 1)),
    ]
    assert years[-1] == (date(2026, 1, 1), None)
    assert not any(row.verified for row in rows)
    assert all(str(row.valid_from.year) in row.source for row in rows)
    found = await table(connection)
    reason = found.look_up("electricity", Basis.EQUIVALENT, None, date(2020, 12, 31))
    assert reason is MissingFactor.NOT_YET_VALID


async def test_no_two_factors_for_everyone_hold_on_one_day(connection: Connection) -> None:
    found = await table(connection)
    for factor in await everyones(connection):
        for day in (factor.valid_from, factor.valid_to or TODAY):
            assert len(found.holding(factor.carrier, factor.basis, None, day)) == 1


async def test_the_editions_were_told_apart_without_changing_a_figure(
    connection: Connection,
) -> None:
    """What was settled before stays right: each first row of the file has the value it had."""
    found = await table(connection)
    reference = resources.files("migrations") / "reference" / "factors.csv"
    with reference.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ends = date.fromisoformat(row["valid_to"]) if row["valid_to"] else date(2030, 1, 1)
            day = date.fromisoformat(row["valid_from"])
            while day < ends:
                factor = found.find(row["carrier"], Basis(row["basis"]), None, day)
                assert factor is not None
                assert factor.kgce_per_uom == float(row["kgce_per_uom"]), (row["carrier"], day)
                day += timedelta(days=30)


async def test_a_source_is_a_standard_or_a_document_and_no_address_of_a_third_party(
    connection: Connection,
) -> None:
    rows = await connection.fetch(
        "SELECT source, verified, note, carrier, basis FROM factors UNION ALL "
        "SELECT source, verified, NULL, carrier, '' FROM factor_ranges"
    )
    for row in rows:
        assert ".cn" not in row["source"]
        assert "public repositories" not in row["source"]
    found = [row for row in rows if row["note"]]
    assert len(found) == 55
    assert all(row["source"].startswith("GB/T 2589-20") for row in found)
    assert not any(row["verified"] for row in found)
    verified = {(row["carrier"], row["basis"]) for row in rows if row["verified"]}
    assert verified == {("electricity", "calorific"), ("heat", "calorific")}


async def test_a_platform_in_use_takes_the_sources_through_its_ledger(
    connection: Connection,
) -> None:
    """Its rows are those of before; what the file says of them is imported as any fact is."""
    await connection.execute(
        "UPDATE factors SET source = 'huatuo6.cn', verified = true, note = NULL "
        "WHERE note IS NOT NULL"
    )
    plan = await importing.plan(connection, Kind.FACTORS, BY_STANDARD, lambda done, total: None)
    assert (plan.problems, len(plan.new), len(plan.changed)) == ([], 0, 55)
    now = datetime(2026, 11, 25, tzinfo=UTC)
    await importing.apply(connection, plan, Author("zhao", "sources named"), now)
    key = "raw_coal/calorific/everyone/2021-04-01"
    before, after = await db.changes.list_history(connection, "factors", key)
    assert [(each.fact.content or {})["source"] for each in (before, after)] == [
        "huatuo6.cn",
        "GB/T 2589-2020 综合能耗计算通则",
    ]
    again = await importing.plan(connection, Kind.FACTORS, BY_STANDARD, lambda done, total: None)
    assert again.unchanged == 57
