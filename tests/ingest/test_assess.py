"""What is counted of readings, day by day, on a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

import db.assessment
from db.pool import Connection, Pool
from ingest import assess
from tests import factories
from tests.history import DAY, EVERY, NOW, SLOT, assess_all, put, slots


async def day_of(connection: Connection, meter_id: int, day: datetime = DAY) -> asyncpg.Record:
    row = await connection.fetchrow(
        "SELECT * FROM quality_days WHERE meter_id = $1 AND starts_at = $2", meter_id, day
    )
    assert row is not None
    return row


@pytest.fixture
async def unit_id(connection: Connection) -> int:
    return await factories.unit(connection)


@pytest.fixture
async def meter_id(connection: Connection, unit_id: int) -> int:
    installed_at = DAY - timedelta(days=3)
    return await factories.meter(connection, unit_id, installed_at=installed_at)


async def test_a_whole_day_is_counted_as_such(connection: Connection, meter_id: int) -> None:
    await put(connection, meter_id, [DAY, *slots()])
    await assess_all(connection)
    day = await day_of(connection, meter_id)
    assert (day["due"], day["present"], day["arrived"]) == (96, 96, 96)
    assert (day["on_time"], day["traceable"], day["valid"]) == (96, 96, 96)
    assert day["opening_offset_s"] == 0


async def test_a_register_reading_closes_its_slot_so_midnight_is_of_the_day_before(
    connection: Connection, meter_id: int
) -> None:
    await put(connection, meter_id, [DAY])
    await assess_all(connection)
    assert (await day_of(connection, meter_id))["present"] == 0
    assert (await day_of(connection, meter_id, DAY - timedelta(days=1)))["present"] == 1


async def test_a_day_without_readings_is_due_and_not_absent(
    connection: Connection, meter_id: int
) -> None:
    await assess_all(connection)
    day = await day_of(connection, meter_id)
    assert (day["due"], day["present"], day["opening_offset_s"]) == (96, 0, None)


@pytest.mark.parametrize(("lag_s", "on_time"), [(1200, 1), (1201, 0)])
async def test_a_reading_is_in_time_within_an_interval_and_the_allowance(
    connection: Connection, meter_id: int, lag_s: int, on_time: int
) -> None:
    await put(connection, meter_id, slots(count=1), lag=timedelta(seconds=lag_s))
    await assess_all(connection)
    assert (await day_of(connection, meter_id))["on_time"] == on_time


async def test_what_is_bad_or_outside_its_limits_is_flagged_and_stays(
    connection: Connection, meter_id: int
) -> None:
    await connection.execute("INSERT INTO value_limits VALUES ($1, 10, 20, 'test')", meter_id)
    await put(connection, meter_id, slots(count=4), values=[9.99, 10, 20, 20.01])
    await put(connection, meter_id, [DAY + SLOT * 5], values=[15], quality="bad")
    await assess_all(connection)
    assert (await day_of(connection, meter_id))["valid"] == 2
    assert await connection.fetchval("SELECT count(*) FROM readings") == 5


async def test_what_was_put_in_or_is_contested_is_not_traceable(
    connection: Connection, meter_id: int
) -> None:
    await put(connection, meter_id, slots(count=2))
    await put(connection, meter_id, [DAY + SLOT * 3], quality="substituted")
    await connection.execute(
        "INSERT INTO conflicts VALUES ($1, $2, 99, 'good', $2, 't', 'b', '')",
        meter_id,
        DAY + SLOT,
    )
    await assess_all(connection)
    assert (await day_of(connection, meter_id))["traceable"] == 1


async def test_a_reading_off_the_course_of_its_register_is_not_valid(
    connection: Connection, meter_id: int
) -> None:
    await put(connection, meter_id, slots(count=5))
    await connection.execute(
        "INSERT INTO doubts VALUES ($1, $2, $3, 'fell', 2, false)",
        meter_id,
        DAY + SLOT * 2,
        DAY + SLOT * 3,
    )
    await assess_all(connection)
    day = await day_of(connection, meter_id)
    assert (day["arrived"], day["valid"]) == (5, 3)


@pytest.mark.tampers("sums: put in by hand")
async def test_a_held_hour_is_not_valid(connection: Connection, meter_id: int) -> None:
    await put(connection, meter_id, slots(count=5))
    await connection.execute(
        "INSERT INTO meter_consumption VALUES ($1, 'hour', $2, NULL, 0, 4, true)", meter_id, DAY
    )
    await assess_all(connection)
    assert (await day_of(connection, meter_id))["valid"] == 1


@pytest.mark.parametrize(("offset_s", "in_time"), [(60, 1), (61, 0), (-60, 1), (-61, 0)])
async def test_a_day_begins_within_a_minute_of_midnight(
    connection: Connection, unit_id: int, meter_id: int, offset_s: int, in_time: int
) -> None:
    await put(connection, meter_id, [DAY + timedelta(seconds=offset_s)])
    await assess_all(connection)
    row = await connection.fetchrow(
        "SELECT opened, on_boundary FROM quality_unit_days WHERE unit_id = $1 AND starts_at = $2",
        unit_id,
        DAY,
    )
    assert row is not None
    assert tuple(row) == (1, in_time)


@pytest.mark.tampers("sums: put in by hand")
async def test_a_late_reading_that_was_settled_is_counted(
    connection: Connection, meter_id: int
) -> None:
    await assess_all(connection)
    await put(connection, meter_id, slots(count=10))
    await connection.execute(
        "INSERT INTO meter_consumption VALUES ($1, 'day', $2, 5, 0, 10, false)", meter_id, DAY
    )
    await assess_all(connection, NOW + EVERY)
    assert (await day_of(connection, meter_id))["present"] == 10


async def test_the_night_finds_what_settlement_passes_over(
    connection: Connection, meter_id: int
) -> None:
    await assess_all(connection)
    await put(connection, meter_id, slots(count=10), quality="bad")
    await assess_all(connection, NOW + EVERY)
    assert (await day_of(connection, meter_id))["present"] == 0
    await assess_all(connection, NOW + timedelta(days=1))
    assert (await day_of(connection, meter_id))["present"] == 10


@pytest.mark.parametrize(
    ("valid_until", "standing"), [("2026-11-22", "in_force"), ("2026-11-21", "expired")]
)
async def test_a_meter_is_verified_to_the_last_day(
    connection: Connection, meter_id: int, valid_until: str, standing: str
) -> None:
    await connection.execute(
        "INSERT INTO verifications VALUES ($1, '2024-11-22', $2, 'body', 'c')",
        meter_id,
        date.fromisoformat(valid_until),
    )
    await assess_all(connection)
    assert (await day_of(connection, meter_id))["verification"] == standing


async def test_a_unit_and_day_is_the_sum_of_its_meters(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    other = await factories.meter(
        connection, unit_id, "E02", interval_s=3600, installed_at=DAY - timedelta(days=3)
    )
    await put(connection, meter_id, slots(count=90))
    await put(connection, other, [DAY + timedelta(hours=hour) for hour in range(1, 21)])
    await assess_all(connection)
    row = await connection.fetchrow(
        "SELECT meter_days, due, present FROM quality_unit_days WHERE starts_at = $1", DAY
    )
    assert row is not None
    assert tuple(row) == (2, 96 + 24, 90 + 20)


async def test_a_unit_rests_until_it_is_due_again(connection: Connection, meter_id: int) -> None:
    await assess_all(connection)
    soon = NOW + EVERY - timedelta(seconds=1)
    assert await assess.assess_one(connection, soon, EVERY) is None
    assert await assess.assess_one(connection, NOW + EVERY, EVERY) is not None


async def test_a_long_history_is_measured_piece_by_piece(
    connection: Connection, unit_id: int
) -> None:
    installed_at = datetime(2020, 1, 1, tzinfo=UTC)
    await factories.meter(connection, unit_id, installed_at=installed_at)
    first = await assess.assess_one(connection, NOW, EVERY)
    assert first is not None
    assert first.days == assess.DAYS_MAX
    await assess_all(connection)
    assert await connection.fetchval("SELECT count(*) FROM quality_unit_days") == 401


async def test_a_unit_that_cannot_be_assessed_does_not_hold_up_the_others(pool: Pool) -> None:
    async with pool.acquire() as connection:
        broken = await factories.unit(connection)
        await factories.meter(connection, broken, uom="barrel", installed_at=DAY)
        await connection.execute(
            "INSERT INTO meter_consumption SELECT meter_id, 'day', $1, 5, 0, 9, false FROM meters",
            DAY,
        )
        other = await factories.unit(connection, factories.unit_code(2))
        await factories.meter(connection, other, installed_at=DAY)
    running = asyncio.create_task(
        assess.run(pool, "test", pause_s=0.05, every=EVERY, clock=lambda: NOW)
    )
    while await pool.fetchval("SELECT count(*) FROM quality_checks") == 0:
        assert not running.done(), running.result()
        await asyncio.sleep(0.05)
    running.cancel()
    assert await pool.fetchval("SELECT unit_id FROM quality_checks") == other


async def test_a_unit_is_one_assessors_at_a_time(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await factories.meter(connection, await factories.unit(connection), installed_at=DAY)
    async with pool.acquire() as one, pool.acquire() as other, one.transaction():
        assert await db.assessment.claim_unit(one, NOW, EVERY, NOW.date()) is not None
        assert await assess.assess_one(other, NOW, EVERY) is None
    async with pool.acquire() as other:
        assert await assess.assess_one(other, NOW, EVERY) is not None


async def test_what_is_undone_is_done_again(pool: Pool) -> None:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        await factories.meter(connection, unit_id, installed_at=DAY)
        await connection.execute("UPDATE units SET created_at = $1", DAY)
        transaction = connection.transaction()
        await transaction.start()
        await assess.assess_one(connection, NOW, EVERY)
        await transaction.rollback()
        assert await connection.fetchval("SELECT count(*) FROM quality_days") == 0
        first = await assess.assess_one(connection, NOW, EVERY)
    assert first is not None
    assert (first.days, first.opened) == (2, 1)
