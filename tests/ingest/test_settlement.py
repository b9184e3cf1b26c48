"""Settlement at scale: whatever comes in whatever order, the sums are those of the readings."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

import db.pool
from db.pool import Pool
from energy.periods import Step
from ingest import settle
from tests import factories

SINCE = datetime(2026, 5, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
Told = tuple[int, datetime, float]


async def store(pool: Pool, unit_id: int, told: Sequence[Told]) -> None:
    """Store readings and mark their hours stale, as the collector does."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table(
            "readings",
            records=[(meter_id, at, value, "good", SINCE) for meter_id, at, value in told],
            columns=["meter_id", "read_at", "raw_value", "quality", "received_at"],
        )
        hours = {(meter_id, at.replace(minute=0)) for meter_id, at, _ in told}
        await connection.copy_records_to_table(
            "stale_ranges",
            columns=["unit_id", "meter_id", "starts_at", "ends_at"],
            records=[(unit_id, meter_id, at, at + timedelta(hours=1)) for meter_id, at in hours],
        )


async def settle_all(pool: Pool) -> None:
    async with pool.acquire() as connection:
        while await settle.settle_one(connection) or await settle.settle_region(connection):
            pass


async def unit_with_register(pool: Pool, number: int = 1, **meter: float) -> tuple[int, int]:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection, factories.unit_code(number))
        return unit_id, await factories.meter(connection, unit_id, **meter)  # type: ignore[arg-type]  # floats only


async def stored(pool: Pool) -> list[tuple[object, ...]]:
    """Return all that settlement wrote, sums to nine digits."""
    found: list[tuple[object, ...]] = []
    for statement in (
        "SELECT meter_id, step, starts_at, round(quantity::numeric, 6), held, readings_present, "
        "round(estimated_quantity::numeric, 6) FROM meter_consumption ORDER BY 1, 2, 3",
        "SELECT unit_id, step, starts_at, round(quantity::numeric, 6), held "
        "FROM unit_consumption ORDER BY 1, 2, 3",
        "SELECT region, step, starts_at, round(quantity::numeric, 6), held "
        "FROM area_consumption ORDER BY 1, 2, 3",
        "SELECT meter_id, first_at, last_at, reason, readings, held FROM doubts ORDER BY 1, 2",
    ):
        found += [tuple(row) for row in await pool.fetch(statement)]
    return found


def troubled(seed: int, meter_id: int, count: int) -> list[Told]:
    """Return a register with dips, zeros, spikes and outages, every quarter of an hour."""
    chance, shown, told = random.Random(seed), 1000.0, list[Told]()
    at = SINCE
    for _ in range(count):
        at += QUARTER * (chance.randint(2, 30) if chance.random() < 0.05 else 1)
        shown += chance.uniform(0, 90)
        event = chance.random()
        value = 0.0 if event < 0.05 else shown / 2 if event < 0.08 else shown
        value = shown + 5000 if 0.08 < event < 0.1 else value
        told.append((meter_id, at, value))
    return told


@pytest.mark.parametrize("limit", [None, 400.0], ids=["no-limit", "limit"])
@pytest.mark.parametrize("seed", range(4))
async def test_in_whatever_order_readings_come_the_sums_are_the_same(
    pool: Pool, seed: int, limit: float | None
) -> None:
    unit_id, meter_id = await unit_with_register(pool, rollover=1_000_000.0)
    await pool.execute("UPDATE meter_epochs SET rate_max = $1", limit)
    told, chance = troubled(seed, meter_id, 150), random.Random(seed)
    waiting = told[:]
    chance.shuffle(waiting)
    while waiting:
        count = chance.choice([1, 1, 2, 10, 50])
        some, waiting = waiting[:count], waiting[count:]
        await store(pool, unit_id, some)
        await settle_all(pool)
    piecemeal = await stored(pool)
    for table in ("meter_consumption", "unit_consumption", "area_consumption", "doubts"):
        await pool.execute(f"DELETE FROM {table}")
    await pool.execute(
        "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
        unit_id, meter_id, SINCE, told[-1][1] + timedelta(hours=1),
    )  # fmt: skip
    await settle_all(pool)
    assert piecemeal == await stored(pool)


async def test_a_gateway_that_returns_after_six_months_repairs_everything(pool: Pool) -> None:
    """17,664 slots of a meter, in one flood. [DOMAIN 1.3]"""
    unit_id, meter_id = await unit_with_register(pool)
    flood = [(meter_id, SINCE + QUARTER * number, 2.5 * number) for number in range(17_664)]
    await store(pool, unit_id, [flood[0], flood[-1]])
    await settle_all(pool)
    estimated = await pool.fetchval("SELECT sum(estimated_quantity) FROM meter_consumption")
    await store(pool, unit_id, flood[1:-1])
    await settle_all(pool)
    for step in Step:
        rows = await pool.fetchrow(
            "SELECT sum(quantity) AS used, sum(estimated_quantity) AS estimated, "
            "sum(readings_present) AS present FROM area_consumption WHERE step = $1",
            step,
        )
        assert rows is not None
        assert rows["used"] == pytest.approx(2.5 * 17_663)
        assert (rows["estimated"], rows["present"]) == (0, 17_663)
    assert estimated > 0


async def test_an_area_is_the_sum_of_its_units_whoever_settled_them(pool: Pool) -> None:
    fleet = [await unit_with_register(pool, number) for number in range(1, 9)]
    for number, (unit_id, meter_id) in enumerate(fleet, start=1):
        await store(
            pool, unit_id, [(meter_id, SINCE + QUARTER * n, number * n) for n in range(200)]
        )
    program = [settle.run(pool, f"s{n}", pause_s=0.01, clock=lambda: SINCE) for n in range(3)]
    settlers = [asyncio.create_task(each) for each in program]
    async with asyncio.timeout(30):
        while await pool.fetchval(
            "SELECT count(*) FROM (SELECT 1 FROM stale_ranges UNION ALL SELECT 1 FROM stale_areas)"
        ):
            await asyncio.sleep(0.05)
    for settler in settlers:
        settler.cancel()
    await asyncio.gather(*settlers, return_exceptions=True)
    used = await pool.fetch(
        "SELECT step, sum(quantity) AS used FROM area_consumption GROUP BY step"
    )
    assert {row["step"]: row["used"] for row in used} == dict.fromkeys(
        Step, pytest.approx(sum(range(1, 9)) * 199.0)
    )


async def test_what_vanishes_below_vanishes_above(pool: Pool) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, n) for n in range(9)])
    await settle_all(pool)
    await pool.execute("UPDATE readings SET quality = 'bad'")
    await pool.execute(
        "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
        unit_id, meter_id, SINCE, SINCE + timedelta(hours=3),
    )  # fmt: skip
    await settle_all(pool)
    assert await stored(pool) == []


async def test_a_doubt_is_there_until_the_register_is_explained(pool: Pool) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [100.0, 110.0, 3.0, 5.0, 9.0]
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await settle_all(pool)
    found = await pool.fetchrow("SELECT reason, readings, held FROM doubts")
    assert found is not None
    assert tuple(found) == ("fell", 3, True)
    await pool.execute(
        "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier, first_value, "
        "previous_last_value) VALUES ($1, $2, 'replaced', 1, 0, 112)",
        meter_id, SINCE + QUARTER * 1.5,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
        unit_id, meter_id, SINCE, SINCE + timedelta(hours=1),
    )  # fmt: skip
    await settle_all(pool)
    assert await pool.fetchval("SELECT count(*) FROM doubts") == 0
    assert await pool.fetchval("SELECT sum(quantity) FROM area_consumption WHERE step='day'") == 21


async def test_what_a_late_spike_holds_reaches_into_the_hour_of_the_newest_reading(
    pool: Pool,
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = {10: 100.0, 50: 110.0, 70: 120.0, 130: 130.0}
    told = [(meter_id, SINCE + timedelta(minutes=n), value) for n, value in shown.items()]
    await store(pool, unit_id, told)
    await settle_all(pool)
    await store(pool, unit_id, [(meter_id, SINCE + timedelta(minutes=20), 5000.0)])
    await settle_all(pool)
    hours = await pool.fetch(
        "SELECT quantity, held FROM meter_consumption WHERE step = 'hour' ORDER BY starts_at"
    )
    assert [tuple(hour) for hour in hours] == [(None, True)] * 3


async def test_a_correction_that_ends_in_a_dip_reaches_into_the_hour_where_it_ends(
    pool: Pool,
) -> None:
    """The step from 01:50 to 02:10 began at a reading that is off the course by now."""
    unit_id, meter_id = await unit_with_register(pool)
    shown = {0: 80.0, 10: 90.0, 70: 90.0, 110: 90.0, 130: 120.0, 150: 130.0}
    told = [(meter_id, SINCE + timedelta(minutes=n), value) for n, value in shown.items()]
    await store(pool, unit_id, told)
    await settle_all(pool)
    await pool.execute(
        "INSERT INTO corrections VALUES ($1, $2, 100)", meter_id, SINCE + timedelta(minutes=10)
    )
    await mark(pool, unit_id, meter_id)
    await settle_all(pool)
    used = await pool.fetchval("SELECT sum(quantity) FROM meter_consumption WHERE step = 'hour'")
    assert used == pytest.approx(130 - 80)


@pytest.mark.parametrize("aside", [[4], [3, 4], [0], [0, 1, 2, 3, 4]])
async def test_readings_of_a_held_register_may_be_set_aside(pool: Pool, aside: list[int]) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [100.0, 110.0, 3.0, 5.0, 9.0]
    told = [(meter_id, SINCE + QUARTER * n, value) for n, value in enumerate(shown)]
    await store(pool, unit_id, told)
    await settle_all(pool)
    for n in aside:
        await pool.execute("INSERT INTO corrections VALUES ($1, $2, NULL)", *told[n][:2])
    await mark(pool, unit_id, meter_id)
    await settle_all(pool)
    left = [value for n, value in enumerate(shown) if n not in aside]
    readings = await pool.fetch("SELECT readings FROM doubts WHERE held")
    assert [row["readings"] for row in readings] == (
        [len([v for v in left if v < 10])] * bool(left)
    )


async def mark(pool: Pool, unit_id: int, meter_id: int) -> None:
    """Mark the first hour stale."""
    await pool.execute(
        "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
        unit_id, meter_id, SINCE, SINCE + timedelta(hours=1),
    )  # fmt: skip


async def test_the_claim_of_a_frozen_settler_ends_and_another_takes_it_up(
    database_url: str, pool: Pool
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, n) for n in range(9)])
    async with (
        await db.pool.create_pool(database_url, idle_s=1) as frozen,
        frozen.acquire() as connection,
        pool.acquire() as other,
    ):
        transaction = connection.transaction()
        await transaction.start()
        assert await settle.settle_one(connection)
        assert await settle.settle_one(other) is None
        async with asyncio.timeout(20):
            while not await settle.settle_one(other):
                await asyncio.sleep(0.1)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await transaction.commit()
    assert await pool.fetchval("SELECT sum(quantity) FROM unit_consumption WHERE step='day'") == 8
