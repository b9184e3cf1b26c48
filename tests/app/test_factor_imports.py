"""Factors and calorific values are imported as dated facts; a range or an overlap is refused."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import db.changes
import db.factors
from app.imports.kinds import Kind
from db.pool import Connection
from energy import calorific
from energy.calorific import CalorificUom
from energy.factors import Basis, Factor, FactorTable, Origin
from tests import factories
from tests.app.test_importing import NOW, Desk

UNIT = factories.unit_code()
GAS = {
    "carrier": "natural_gas",
    "basis": "calorific",
    "kgce_per_uom": "1.2143",
    "valid_from": "2026-01-01",
    "valid_to": "",
    "edition": "declared 2026",
    "source": "contract 17",
    "verified": "true",
    "unit": UNIT,
}
BATCH = {
    "unit": UNIT,
    "carrier": "raw_coal",
    "batch": "B1",
    "valid_from": "2026-10-01",
    "valid_to": "2026-11-01",
    "net_calorific_value": "22150",
    "uom": "kJ/kg",
    "source": "laboratory 3",
}
YEAR = {
    **GAS,
    "carrier": "electricity",
    "basis": "equivalent",
    "kgce_per_uom": "0.3005",
    "edition": "2026",
    "unit": "",
}


@pytest.fixture
async def desk(connection: Connection, tmp_path: Path) -> Desk:
    """A desk where UNIT is registered."""
    await factories.unit(connection)
    return Desk(connection, tmp_path)


async def found(desk: Desk, carrier: str, basis: Basis, on: date) -> Factor | None:
    unit_id = await desk.connection.fetchval("SELECT unit_id FROM units")
    rows = await db.factors.list_for_unit(desk.connection, unit_id)
    return FactorTable(rows).find(carrier, basis, unit_id, on)


@pytest.mark.parametrize(
    "text",
    ["1.1000-1.3300", "1.1~1.33", "1.1 – 1.33", "1.1000—1.3300", "1.1～1.33", "1.1至1.33",
     "1.1 to 1.33", "1.1..1.33"],
)  # fmt: skip
async def test_a_range_is_refused_with_what_to_do_instead(desk: Desk, text: str) -> None:
    column, reason = await desk.problem(Kind.FACTORS, {**GAS, "kgce_per_uom": text})
    assert column == "kgce_per_uom"
    assert "declare one value" in reason
    assert "basis" in reason


@pytest.mark.parametrize(
    ("fields", "column", "word"),
    [
        ({"kgce_per_uom": "0"}, "kgce_per_uom", "greater than 0"),
        ({"kgce_per_uom": "nan"}, "kgce_per_uom", "than 0"),
        ({"kgce_per_uom": "-1.2"}, "kgce_per_uom", "greater than 0"),
        ({"carrier": "plutonium"}, "carrier", "not a known energy carrier"),
        ({"basis": "both"}, "basis", "calorific"),
        ({"unit": factories.unit_code(9)}, "unit", "import the unit first"),
        ({"valid_to": "2026-01-01"}, "valid_to", "after valid_from"),
        ({"verified": "perhaps"}, "verified", "neither true nor false"),
        ({"source": ""}, "source", "is required"),
        ({"carrier": "electricity", "kgce_per_uom": "0.12284"}, "kgce_per_uom", "fixed at 0.1229"),
        ({"carrier": "electricity", "basis": "equivalent", "kgce_per_uom": "4.04"},
         "kgce_per_uom", "slip for 0.404"),
    ],
)  # fmt: skip
async def test_a_bad_factor_is_explained(
    desk: Desk, fields: Mapping[str, str], column: str, word: str
) -> None:
    found_column, reason = await desk.problem(Kind.FACTORS, {**GAS, **fields})
    assert found_column == column
    assert word in reason


async def test_a_declared_factor_stands_with_edition_and_source(desk: Desk) -> None:
    await desk.take(Kind.FACTORS, GAS, {**GAS, "basis": "equivalent"})
    for basis in Basis:
        factor = await found(desk, "natural_gas", basis, date(2026, 6, 1))
        assert factor is not None
        assert (factor.kgce_per_uom, factor.origin) == (1.2143, Origin.DECLARED)
        assert (factor.edition, factor.source) == ("declared 2026", "contract 17")
    assert await found(desk, "natural_gas", Basis.CALORIFIC, date(2025, 12, 31)) is None


async def test_a_fuel_that_is_declared_on_one_basis_only_is_noted(desk: Desk) -> None:
    lone = await desk.plan(Kind.FACTORS, GAS)
    pair = await desk.plan(Kind.FACTORS, GAS, {**GAS, "basis": "equivalent"})
    assert ["both bases" in note.text for note in lone.notes] == [True]
    assert pair.notes == []


async def test_a_value_outside_the_range_of_the_standard_is_noted(desk: Desk) -> None:
    pair = [{**GAS, "kgce_per_uom": "1.4", "basis": basis} for basis in Basis]
    notes = (await desk.plan(Kind.FACTORS, *pair)).notes
    assert ["outside the 1.1 to 1.33 of GB/T 2589-2020" in note.text for note in notes] == [
        True,
        True,
    ]


async def test_two_factors_may_not_hold_on_one_day(desk: Desk) -> None:
    column, reason = await desk.problem(Kind.FACTORS, {**YEAR, "valid_from": "2027-01-01"})
    assert column == "valid_from"
    assert "overlaps the one that holds from 2026-01-01 (no end)" in reason
    assert "end that one in the same file, with valid_to 2027-01-01" in reason


async def test_two_rows_of_one_file_may_not_hold_on_one_day(desk: Desk) -> None:
    first = {**GAS, "valid_to": "2026-07-01"}
    plan = await desk.plan(Kind.FACTORS, first, {**GAS, "valid_from": "2026-06-30"})
    assert [(problem.line, problem.column) for problem in plan.problems] == [(3, "valid_from")]


async def test_an_earlier_row_may_not_reach_into_a_later_one(desk: Desk) -> None:
    await desk.take(Kind.FACTORS, GAS)
    column, reason = await desk.problem(Kind.FACTORS, {**GAS, "valid_from": "2025-01-01"})
    assert (column, "overlaps the one that holds from 2026-01-01" in reason) == ("valid_from", True)


async def test_the_year_before_is_ended_by_the_file_that_begins_the_next(desk: Desk) -> None:
    ended = {**YEAR, "kgce_per_uom": "0.302", "valid_to": "2027-01-01", "verified": "false"}
    await desk.take(Kind.FACTORS, ended, {**YEAR, "valid_from": "2027-01-01"})
    for day, kgce, verified in (
        (date(2026, 12, 31), 0.302, False),
        (date(2027, 1, 1), 0.3005, True),
    ):
        factor = await found(desk, "electricity", Basis.EQUIVALENT, day)
        assert factor is not None
        assert (factor.kgce_per_uom, factor.verified) == (kgce, verified)


async def test_a_factor_is_a_fact_of_the_ledger(desk: Desk) -> None:
    await desk.take(Kind.FACTORS, GAS)
    await desk.take(Kind.FACTORS, {**GAS, "kgce_per_uom": "1.3"})
    subject = f"natural_gas/calorific/{UNIT}/2026-01-01"
    history = await db.changes.list_history(desk.connection, "factors", subject)
    stated = [change.fact.content and change.fact.content["kgce_per_uom"] for change in history]
    assert stated == [1.2143, 1.3]
    known = await db.changes.list_known(desk.connection, "factors", NOW)
    assert known[subject]["kgce_per_uom"] == 1.3


# -- measured calorific values -------------------------------------------------------------------


async def test_a_measured_value_comes_first_on_both_bases_and_on_its_days_only(
    desk: Desk,
) -> None:
    own = {**GAS, "carrier": "raw_coal", "kgce_per_uom": "0.7"}
    await desk.take(Kind.FACTORS, own, {**own, "basis": "equivalent"})
    await desk.take(Kind.CALORIFIC_VALUES, BATCH)
    for basis in Basis:
        measured = await found(desk, "raw_coal", basis, date(2026, 10, 31))
        declared = await found(desk, "raw_coal", basis, date(2026, 11, 1))
        reference = await found(desk, "raw_coal", basis, date(2025, 12, 31))
        assert measured is not None
        assert declared is not None
        assert reference is not None
        origins = (measured.origin, declared.origin, reference.origin)
        assert origins == (Origin.MEASURED, Origin.DECLARED, Origin.REFERENCE)
        assert measured.kgce_per_uom == pytest.approx(22_150 / 29_307.6)
        assert (measured.batch, measured.source) == ("B1", "laboratory 3")


@pytest.mark.parametrize(
    ("value", "uom"),
    [("22150", "kJ/kg"), ("22.15", "MJ/kg"), (str(22_150 / 4.1868), "kcal/kg")],
)
async def test_a_laboratory_may_use_its_own_unit_of_measure(
    desk: Desk, value: str, uom: str
) -> None:
    await desk.take(Kind.CALORIFIC_VALUES, {**BATCH, "net_calorific_value": value, "uom": uom})
    factor = await found(desk, "raw_coal", Basis.CALORIFIC, date(2026, 10, 1))
    assert factor is not None
    assert factor.kgce_per_uom == pytest.approx(22_150 / 29_307.6)


@pytest.mark.parametrize(
    ("fields", "column", "word"),
    [
        ({"carrier": "electricity", "uom": "kJ/kg"}, "carrier", "no fuel"),
        ({"carrier": "new_water"}, "carrier", "no fuel"),
        ({"carrier": "plutonium"}, "carrier", "not a known"),
        ({"uom": "kJ/m3"}, "uom", "raw_coal is accounted in kg"),
        ({"carrier": "natural_gas"}, "uom", "natural_gas is accounted in m3"),
        ({"uom": "kWh/kg"}, "uom", "kJ/kg"),
        ({"net_calorific_value": "22.15"}, "net_calorific_value", "which no fuel has"),
        ({"net_calorific_value": "0"}, "net_calorific_value", "greater than 0"),
        ({"unit": factories.unit_code(9)}, "unit", "import the unit first"),
        ({"valid_to": "2026-09-30"}, "valid_to", "after valid_from"),
    ],
)
async def test_a_bad_calorific_value_is_explained(
    desk: Desk, fields: Mapping[str, str], column: str, word: str
) -> None:
    found_column, reason = await desk.problem(Kind.CALORIFIC_VALUES, {**BATCH, **fields})
    assert found_column == column
    assert word in reason


async def test_two_batches_may_not_be_burnt_on_one_day(desk: Desk) -> None:
    await desk.take(Kind.CALORIFIC_VALUES, BATCH)
    other = {**BATCH, "batch": "B2", "valid_from": "2026-10-31", "valid_to": "2026-12-01"}
    column, reason = await desk.problem(Kind.CALORIFIC_VALUES, other)
    assert column == "valid_from"
    assert "overlaps the one that holds from 2026-10-01 (valid_to 2026-11-01)" in reason


async def test_both_bases_agree_for_any_measured_fuel(desk: Desk) -> None:
    """1,000 values drawn by a seed: each makes the same factor on both bases, and comes back."""
    draw = random.Random(2589)
    unit_id = await desk.connection.fetchval("SELECT unit_id FROM units")
    values = [draw.uniform(600, 140_000) for _ in range(1000)]
    rows = [
        db.factors.CalorificValueRow(
            UNIT, "raw_coal", f"{number}", date(2026, 1, 1), None, value, "kJ/kg",
            calorific.factor_of(value, CalorificUom.KJ_PER_KG), "s",
        )
        for number, value in enumerate(values)
    ]  # fmt: skip
    await db.factors.upsert_calorific_values(desk.connection, rows)
    by_batch: dict[str, set[float]] = {}
    for factor in await db.factors.list_for_unit(desk.connection, unit_id):
        if factor.batch is not None:
            by_batch.setdefault(factor.batch, set()).add(factor.kgce_per_uom)
    for number, value in enumerate(values):
        (kgce,) = by_batch[f"{number}"]
        assert calorific.value_of(kgce, CalorificUom.KJ_PER_KG) == pytest.approx(value, rel=1e-12)


async def test_a_dry_run_marks_nothing_stale(desk: Desk) -> None:
    meter_id = await factories.meter(desk.connection, await unit_id_of(desk))
    await desk.connection.execute(
        "INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at) "
        "VALUES ($1, $2, 1, 'good', $2)",
        meter_id,
        datetime(2026, 6, 1, tzinfo=UTC),
    )
    changed = {**YEAR, "kgce_per_uom": "0.31"}
    await desk.plan(Kind.FACTORS, changed)
    assert await desk.connection.fetchval("SELECT count(*) FROM stale_ranges") == 0
    await desk.take(Kind.FACTORS, changed)
    assert await desk.connection.fetchval("SELECT count(*) FROM stale_ranges") == 1


async def unit_id_of(desk: Desk) -> int:
    unit_id: int = await desk.connection.fetchval("SELECT unit_id FROM units")
    return unit_id
