"""A sum of which a part has no factor says so: of meters, units and areas, from hours to years."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.imports.kinds import Kind
from db.pool import Connection, Pool
from energy.periods import Step
from ingest import reconcile, settle
from ingest.reconcile import ALL_TIME
from tests import factories
from tests.app.test_factor_imports import GAS
from tests.app.test_revaluation import Works

LEVELS = ("meter_consumption", "unit_consumption", "area_consumption")
LATER = {**GAS, "valid_from": "2026-01-02"}


async def gas_meter(connection: Connection, unit_id: int) -> int:
    return await factories.meter(
        connection, unit_id, "G01", carrier="natural_gas", kind="interval", uom="m3",
        interval_s=6 * 3600,
    )  # fmt: skip


@pytest.fixture
async def works(pool: Pool, tmp_path: Path) -> Works:
    """A unit that counts gas, for which nobody has a factor but itself."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        gas_id = await gas_meter(connection, unit_id)
    return Works(pool, tmp_path, unit_id, gas_id, gas_id)


async def settle_all(works: Works) -> None:
    await works.settle()
    async with works.pool.acquire() as connection:
        while await settle.settle_region(connection):
            pass


async def partial(pool: Pool, level: str, step: Step) -> list[tuple[bool, bool]]:
    """Return of each bucket, in order, whether it is partial and whether anything is left out."""
    rows = await pool.fetch(
        f"SELECT calorific_partial, is_left_out(quantity, calorific_tce, calorific_partial) "
        f"AS left_out FROM {level} WHERE step = $1 ORDER BY starts_at",
        step,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("level", LEVELS)
async def test_a_factor_that_begins_within_a_month_makes_month_and_year_partial(
    works: Works, level: str
) -> None:
    await works.read(works.gas_id, "2026-01-01", days=2)
    await works.take(Kind.FACTORS, LATER)
    await settle_all(works)
    hours = await partial(works.pool, level, Step.HOUR)
    assert hours == [(False, True)] * 24 + [(False, False)] * 24
    assert await partial(works.pool, level, Step.DAY) == [(False, True), (False, False)]
    for step in (Step.MONTH, Step.YEAR):
        assert await partial(works.pool, level, step) == [(True, True)]


async def test_an_area_is_partial_from_the_hour_on_where_one_of_its_units_has_no_factor(
    works: Works,
) -> None:
    async with works.pool.acquire() as connection:
        other_id = await factories.unit(connection, factories.unit_code(2))
        meter_id = await gas_meter(connection, other_id)
    for each in (works.gas_id, meter_id):
        await works.read(each, "2026-01-01", days=1)
    await works.take(Kind.FACTORS, GAS)
    await settle_all(works)
    for step in Step:
        assert set(await partial(works.pool, "area_consumption", step)) == {(True, True)}
        units = set(await partial(works.pool, "unit_consumption", step))
        assert units == {(False, False), (False, True)}


async def test_nothing_is_partial_once_the_factor_is_there(works: Works) -> None:
    await works.read(works.gas_id, "2026-01-01", days=2)
    await works.take(Kind.FACTORS, LATER)
    await settle_all(works)
    await works.take(Kind.FACTORS, {**GAS, "valid_to": "2026-01-02"})
    await settle_all(works)
    for level in LEVELS:
        for step in Step:
            assert set(await partial(works.pool, level, step)) == {(False, False)}


@pytest.mark.parametrize("level", LEVELS)
async def test_reconciliation_repairs_a_flag_that_is_wrong(works: Works, level: str) -> None:
    await works.read(works.gas_id, "2026-01-01", days=2)
    await works.take(Kind.FACTORS, LATER)
    await settle_all(works)
    await works.pool.execute(f"UPDATE {level} SET calorific_partial = false WHERE step = 'month'")
    async with works.pool.acquire() as connection:
        found = await reconcile.of_unit(connection, works.unit_id, ALL_TIME, repair=True)
        found += await reconcile.of_areas(connection, ALL_TIME, repair=True)
    await settle_all(works)
    assert [each.step for each in found] == ["month"]
    assert await partial(works.pool, level, Step.MONTH) == [(True, True)]
