"""Late, corrected and replayed readings repair every number above them."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta

import pytest

import db.pool
from db.pool import Connection, Pool
from energy.factors import Unverified
from energy.periods import Span
from energy.values import VALUE_MAX
from ingest import reconcile, settle
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading, utc_now
from tests.ingest.test_settlement import store

ELECTRICITY = 0.1229
DBL_MAX = sys.float_info.max
NIGHT = Span(NOW - timedelta(days=1), NOW + timedelta(days=1))


@pytest.fixture(autouse=True)
async def factors(pool: Pool) -> None:
    """The factors of electricity are those of the reference data."""
    found = await pool.fetchval(
        "SELECT kgce_per_uom FROM factors WHERE carrier = 'electricity' AND basis = 'calorific'"
    )
    assert found == ELECTRICITY


async def settle_all(plant: Plant) -> None:
    async with plant.pool.acquire() as connection:
        while await settle.settle_one(connection) or await settle.settle_region(connection):
            pass


async def quantities(plant: Plant, step: str) -> list[float | None]:
    rows = await plant.pool.fetch(
        "SELECT quantity FROM unit_consumption WHERE step = $1 AND carrier = 'electricity' "
        "ORDER BY starts_at",
        step,
    )
    return [row["quantity"] for row in rows]


async def test_readings_become_hours_days_months_and_coal(plant: Plant) -> None:
    await plant.send(*(reading(minute, 100 + minute) for minute in range(0, 61, 15)))
    await settle_all(plant)
    rows = await plant.pool.fetch(
        "SELECT step, quantity, calorific_tce, readings_present FROM unit_consumption ORDER BY step"
    )
    assert [(row["step"], row["quantity"]) for row in rows] == [
        ("day", 60.0),
        ("hour", 60.0),
        ("month", 60.0),
        ("year", 60.0),
    ]
    assert rows[0]["calorific_tce"] == pytest.approx(60 * ELECTRICITY / 1000)
    assert rows[0]["readings_present"] == 4


async def test_a_late_reading_moves_energy_between_hours_and_conserves_the_day(
    plant: Plant,
) -> None:
    await plant.send(reading(-180, 100), reading(0, 400))
    await settle_all(plant)
    assert await quantities(plant, "hour") == pytest.approx([100, 100, 100])
    await plant.send(reading(-120, 110), batch="late")
    await settle_all(plant)
    assert await quantities(plant, "hour") == pytest.approx([10, 145, 145])
    assert await quantities(plant, "day") == pytest.approx([300])


async def test_a_late_flood_across_months_repairs_them_all(plant: Plant) -> None:
    day = 24 * 60
    await plant.send(reading(-40 * day, 0), reading(0, 9600))
    await settle_all(plant)
    await plant.send(reading(-20 * day, 1200), batch="late")
    await settle_all(plant)
    assert sum(q or 0 for q in await quantities(plant, "hour")) == pytest.approx(9600)
    assert sum(q or 0 for q in await quantities(plant, "month")) == pytest.approx(9600)
    halves = await plant.pool.fetchval(
        "SELECT sum(quantity) FROM unit_consumption WHERE step = 'hour' AND starts_at < $1",
        NOW - timedelta(hours=1, days=20),
    )
    assert halves == pytest.approx(1200)


async def test_settling_twice_changes_nothing(plant: Plant) -> None:
    for batch in ("b1", "b2"):
        await plant.send(reading(0, 100), reading(60, 160), batch=batch)
        await settle_all(plant)
    assert await quantities(plant, "day") == [60.0]


async def test_a_bad_reading_is_evidence_and_not_energy(plant: Plant) -> None:
    bad = {**reading(15, 500), "quality": "bad"}
    await plant.send(reading(0, 100), bad, reading(60, 160))
    await settle_all(plant)
    assert await quantities(plant, "hour") == [60.0]


async def test_a_month_is_that_of_shanghai(plant: Plant) -> None:
    midnight = datetime(2026, 10, 31, 16, tzinfo=UTC)  # 1 November in Shanghai
    before = (midnight - (NOW - timedelta(hours=1))) / timedelta(minutes=1)
    await plant.send(
        reading(int(before) - 60, 10), reading(int(before), 20), reading(int(before) + 60, 50)
    )
    await settle_all(plant)
    assert await quantities(plant, "month") == [10.0, 30.0]


async def test_a_carrier_without_a_factor_has_a_quantity_and_no_coal(plant: Plant) -> None:
    await plant.pool.execute(
        "UPDATE meters SET carrier = 'natural_gas', uom = 'm3' WHERE meter = 'C01'"
    )
    await plant.send(reading(0, 12, meter="C01"))
    await settle_all(plant)
    row = await plant.pool.fetchrow(
        "SELECT quantity, calorific_tce FROM unit_consumption WHERE step = 'day'"
    )
    assert row is not None
    assert tuple(row) == (12.0, None)


async def test_exported_energy_is_taken_off_the_unit(plant: Plant) -> None:
    await plant.pool.execute(
        "UPDATE meters SET carrier = 'electricity', uom = 'MWh', role = 'export' "
        "WHERE meter = 'C01'"
    )
    await plant.send(reading(0, 100), reading(60, 5100), reading(0, 2, meter="C01"))
    await settle_all(plant)
    assert await quantities(plant, "day") == pytest.approx([3000])


async def test_a_unit_that_gives_more_than_it_takes_has_a_negative_consumption(
    plant: Plant,
) -> None:
    await plant.pool.execute(
        "UPDATE meters SET carrier = 'electricity', uom = 'kWh', role = 'export' "
        "WHERE meter = 'C01'"
    )
    await plant.send(reading(0, 100), reading(60, 600), reading(0, 3000, meter="C01"))
    await settle_all(plant)
    row = await plant.pool.fetchrow(
        "SELECT quantity, calorific_tce FROM unit_consumption WHERE step = 'day'"
    )
    assert row is not None
    assert tuple(row) == (-2500.0, pytest.approx(-2500 * ELECTRICITY / 1000))


async def test_two_settlers_share_the_work_and_no_unit_is_settled_twice(plant: Plant) -> None:
    await plant.send(reading(0, 100), reading(60, 160))
    async with plant.pool.acquire() as first, plant.pool.acquire() as second:
        async with first.transaction():
            assert await settle.settle_one(first)
            assert await settle.settle_one(second) is None
        assert await settle.settle_one(second) is None


async def test_a_settler_that_fails_leaves_the_work_to_the_next(plant: Plant) -> None:
    await plant.send(reading(0, 100), reading(60, 160))
    async with plant.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        assert await settle.settle_one(connection)
        await transaction.rollback()
    await settle_all(plant)
    assert await quantities(plant, "day") == [60.0]


@pytest.mark.tampers("a meter")
async def test_a_unit_that_cannot_be_settled_does_not_stop_the_others(plant: Plant) -> None:
    async with plant.pool.acquire() as connection:
        other = await factories.unit(connection, factories.unit_code(2))
        await factories.gateway(connection, other)
        await factories.meter(connection, other)
    await plant.pool.execute("UPDATE meters SET uom = 'kg' WHERE unit_id = $1", plant.unit_id)
    await plant.send(reading(0, 100), reading(60, 160))
    where = f"nenghao/v1/450200/{factories.unit_code(2)}/gw1/readings"
    await plant.send(reading(0, 100), reading(60, 160), topic=where)
    program = asyncio.create_task(settle.run(plant.pool, "test", pause_s=0.05, clock=lambda: NOW))
    async with asyncio.timeout(20):
        while await quantities(plant, "day") != [60.0]:
            await asyncio.sleep(0.05)
    program.cancel()
    waiting = await plant.pool.fetchval("SELECT DISTINCT unit_id FROM stale_ranges")
    assert waiting == plant.unit_id


@pytest.mark.tampers("two multipliers")
async def test_a_region_that_cannot_be_added_up_stops_nobody(plant: Plant) -> None:
    async with plant.pool.acquire() as connection:
        other = await factories.unit(connection, factories.unit_code(2))
        huge = await factories.meter(
            connection, other, carrier="raw_coal", kind="interval", uom="kg"
        )
        far = await factories.unit(connection, factories.unit_code(3), region="450203")
        plain = await factories.meter(connection, far, kind="interval")
    await plant.pool.execute(
        "UPDATE meter_epochs SET multiplier = 1e300 WHERE meter_id = ANY ($1)",
        [plant.interval_id, huge],
    )
    units = (plant.unit_id, plant.interval_id, 1e8), (other, huge, 1e8), (far, plain, 60)
    for unit_id, meter_id, value in units:
        await store(plant.pool, unit_id, [(meter_id, NOW, value)])
        async with plant.pool.acquire() as connection:
            assert await settle.settle_one(connection)
    program = asyncio.create_task(settle.run(plant.pool, "test", pause_s=0.05, clock=lambda: NOW))
    async with asyncio.timeout(20):
        while not await plant.pool.fetchval("SELECT EXISTS (SELECT FROM area_consumption)"):
            assert not program.done()
            await asyncio.sleep(0.05)
    program.cancel()
    await asyncio.wait([program])
    assert program.cancelled()
    stale = "SELECT array_agg(DISTINCT region) FROM stale_areas"
    assert await plant.pool.fetchval(stale) == ["450202"]
    found = [some async for _, some in reconcile.of_all(plant.pool, NIGHT, repair=False)]
    assert found == [[], [], [], None]


@pytest.mark.tampers("readings as older versions let them in, here without links")
async def test_a_stored_value_that_no_meter_shows_counts_no_longer(plant: Plant) -> None:
    """It stands where it was let in once: the others of its unit are settled."""
    told = [DBL_MAX, VALUE_MAX, math.nextafter(VALUE_MAX, 0), DBL_MAX, -VALUE_MAX]
    hours = [NOW - timedelta(hours=hour) for hour in range(len(told))]
    rows = [(plant.interval_id, at, value) for at, value in zip(hours, told, strict=True)]
    await store(plant.pool, plant.unit_id, rows)
    await plant.send(reading(0, 100), reading(60, 160))
    await settle_all(plant)
    coal = "SELECT sum(quantity) FROM unit_consumption WHERE step = 'day' AND carrier = 'raw_coal'"
    assert await plant.pool.fetchval(coal) == told[2]
    assert await quantities(plant, "day") == [60.0]


AT_THE_GATE = """
CREATE SCHEMA gate;
CREATE FUNCTION gate.pg_try_advisory_xact_lock(space integer, key integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_lock_shared(7);
    RETURN pg_catalog.pg_try_advisory_xact_lock(space, key);
END
$$;
"""
"""Whoever finds this function first waits between having looked and holding the lock."""


@pytest.mark.parametrize("claim", [settle.settle_one, settle.settle_region])
async def test_what_another_settler_took_after_the_look_is_not_settled_again(
    plant: Plant, claim: Callable[[Connection], Coroutine[object, object, object]]
) -> None:
    await plant.send(*(reading(minute, 100 + minute) for minute in range(0, 61, 15)))
    await plant.pool.execute(AT_THE_GATE)
    async with plant.pool.acquire() as late, plant.pool.acquire() as keeper:
        if claim is settle.settle_region:
            assert await settle.settle_one(keeper)
        await late.execute("SET search_path = gate, public, pg_catalog")
        await keeper.execute("SELECT pg_advisory_lock(7)")
        waits = asyncio.create_task(claim(late))
        await until_it_waits(plant.pool)
        await settle_all(plant)
        await keeper.execute("SELECT pg_advisory_unlock(7)")
        assert await waits, "there may be more: look again"
    assert await quantities(plant, "hour") == [60.0]
    assert await plant.pool.fetchval("SELECT count(*) FROM stale_ranges") == 0


async def until_it_waits(pool: Pool) -> None:
    asked = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
    while not await pool.fetchval(asked):
        await asyncio.sleep(0.01)


def test_a_portion_is_half_of_what_did_not_end_and_grows_again() -> None:
    portion = settle.Portion()
    for error, left in ((TimeoutError(), 15), (settle.UnitError(1), 15), (TimeoutError(), 7)):
        with pytest.raises(type(error)):
            take(portion, 31, error)
        assert portion.ranges == left
    take(portion, 7)
    assert portion.ranges == 8


def take(portion: settle.Portion, ranges: int, error: Exception | None = None) -> None:
    with portion.tried():
        portion.took(ranges)
        if error is not None:
            raise error


SLOW = """
CREATE FUNCTION wait_for_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.02);
    RETURN new;
END
$$;
"""
SLOW_HOURS = """
CREATE TRIGGER slow BEFORE INSERT ON meter_consumption
   FOR EACH ROW WHEN (new.step = 'hour') EXECUTE FUNCTION wait_for_it();
"""
SLOW_AREAS = """
CREATE TRIGGER slow BEFORE INSERT ON area_consumption
   FOR EACH ROW WHEN (new.step = 'hour') EXECUTE FUNCTION wait_for_it();
"""


async def test_what_does_not_end_in_its_time_is_settled_in_smaller_portions(
    plant: Plant, database_url: str
) -> None:
    await plant.send(*(reading(minute, 100 + minute) for minute in range(0, 61, 15)))
    await settle_all(plant)
    await reconcile.reconcile(plant.pool, Span(NOW, utc_now()), utc_now, Unverified.NOTE)
    await plant.pool.execute(SLOW + SLOW_HOURS)
    await plant.send(*(reading(minute, 100) for minute in range(-1_800, 0, 30)), batch="b2")
    await plant.pool.execute(HOUR_BY_HOUR)
    await hurry(plant, database_url, "SELECT EXISTS (SELECT FROM stale_ranges)")
    assert len(await quantities(plant, "hour")) == 31
    await settle_all(plant)
    await plant.pool.execute("DELETE FROM area_consumption")
    await plant.pool.execute(SLOW_AREAS)
    await plant.pool.execute(AREA_BY_HOUR)
    await hurry(plant, database_url, "SELECT EXISTS (SELECT FROM stale_areas)")
    areas = "SELECT count(*) FROM area_consumption WHERE step = 'hour'"
    assert await plant.pool.fetchval(areas) == 31


async def hurry(plant: Plant, database_url: str, is_waiting: str) -> None:
    """Settle with far less time for a statement than all that is stale takes."""
    hurried = await db.pool.create_pool(database_url, timeout_s=0.3)
    program = asyncio.create_task(settle.run(hurried, "test", pause_s=0.05, clock=utc_now))
    try:
        async with asyncio.timeout(60):
            while await plant.pool.fetchval(is_waiting):
                await asyncio.sleep(0.05)
    finally:
        program.cancel()
        await asyncio.wait([program])
        await hurried.close()


HOUR_BY_HOUR = """
WITH taken AS (DELETE FROM stale_ranges RETURNING unit_id, meter_id, starts_at, ends_at)
INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
SELECT unit_id, meter_id, hour, hour + interval '1 hour'
  FROM taken, generate_series(starts_at, ends_at - interval '1 hour', interval '1 hour') AS hour
"""
AREA_BY_HOUR = """
INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
SELECT region, division, carrier, starts_at, starts_at + interval '1 hour'
  FROM unit_consumption
  JOIN units USING (unit_id)
 WHERE step = 'hour'
 ORDER BY starts_at
"""
