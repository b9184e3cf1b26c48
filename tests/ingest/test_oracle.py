"""Whatever happens to a register, in whatever order it becomes known: the stored hours are those
of its whole history, followed at once.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

import db.factors
from db.metering import list_specs
from db.pool import Pool
from energy import consumption, courses, instants
from energy.periods import Span
from energy.registers import Epoch, EpochReason
from ingest import reconcile
from tests.ingest.test_settlement import (
    QUARTER,
    SINCE,
    Told,
    settle_all,
    store,
    unit_with_register,
)

ROLLOVER = 10_000.0
SPAN = Span(SINCE - timedelta(days=9), SINCE + timedelta(days=400))


def life(chance: random.Random, meter_id: int) -> tuple[list[Told], list[Epoch]]:
    """Return what a register showed, with outages, dips, spikes, and the epochs it went through."""
    shown, at, told, epochs = 1000.0, SINCE, list[Told](), list[Epoch]()
    for _ in range(chance.randint(20, 150)):
        at += QUARTER * (chance.randint(2, 200) if chance.random() < 0.06 else 1)
        at += timedelta(seconds=chance.choice([0, 0, 0, chance.randint(1, 400)]))
        shown = (shown + chance.choice([0, chance.uniform(0, 90)])) % ROLLOVER
        begun_at = at - timedelta(seconds=chance.randint(0, 1500))
        event, value = chance.random(), None
        if event < 0.1:
            value = chance.choice([0.0, 0.0, shown / 2, shown + 5000])
        elif event < 0.115:
            new = chance.choice([0.0, 500.0, 7000.0])
            epochs.append(Epoch(begun_at, EpochReason.REPLACED, 1.0, ROLLOVER, new, shown))
            shown = new
        elif event < 0.125:
            scale = chance.choice([2.0, 10.0])
            epochs.append(Epoch(begun_at, EpochReason.MULTIPLIER, scale, ROLLOVER))
        elif event < 0.13:
            shown = 3.0  # replaced, and nobody says so
        told.append((meter_id, at, shown if value is None else value))
    return told, epochs


async def record(pool: Pool, meter_id: int, epoch: Epoch, rate_max: float | None) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier, rollover, rate_max,"
            " first_value, previous_last_value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT DO NOTHING",
            meter_id, epoch.starts_at, epoch.reason, epoch.multiplier, ROLLOVER, rate_max,
            epoch.first_value, epoch.previous_last_value,
        )  # fmt: skip
        await db.factors.mark_stale(connection, [meter_id], epoch.starts_at, None)


async def correct(pool: Pool, unit_id: int, told: Told, value: float | None) -> None:
    await pool.execute(
        "INSERT INTO corrections VALUES ($1, $2, $3) "
        "ON CONFLICT (meter_id, read_at) DO UPDATE SET value = excluded.value",
        told[0], told[1], value,
    )  # fmt: skip
    await mark(pool, unit_id, told)


async def withdraw(pool: Pool, unit_id: int, told: Told) -> None:
    await pool.execute(
        "DELETE FROM corrections WHERE meter_id = $1 AND read_at = $2", told[0], told[1]
    )
    await mark(pool, unit_id, told)


async def mark(pool: Pool, unit_id: int, told: Told) -> None:
    hour = told[1].replace(minute=0, second=0)
    await pool.execute(
        "INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
        unit_id, told[0], hour, hour + timedelta(hours=1),
    )  # fmt: skip


async def live(pool: Pool, chance: random.Random, unit_id: int, meter_id: int) -> None:
    """Let the life of a register become known bit by bit, and be settled now and then."""
    rate_max = chance.choice([None, 400.0, 2000.0])
    await pool.execute("UPDATE meter_epochs SET rate_max = $1", rate_max)
    waiting, epochs = life(chance, meter_id)
    if chance.random() < 0.7:
        chance.shuffle(waiting)
    known: list[Told] = []
    while waiting or epochs:
        if waiting and (not epochs or chance.random() < 0.8):
            count = chance.randint(1, 25)
            some, waiting = waiting[:count], waiting[count:]
            await store(pool, unit_id, some)
            known += some
        else:
            epoch = epochs.pop(chance.randrange(len(epochs)))
            await record(pool, meter_id, epoch, rate_max)
        if known and chance.random() < 0.3:
            one = chance.choice(known)
            await correct(pool, unit_id, one, chance.choice([None, one[2], one[2] + 10, 0.0]))
        if known and chance.random() < 0.1:
            await withdraw(pool, unit_id, chance.choice(known))
        if chance.random() < 0.7:
            await settle_all(pool)
    await settle_all(pool)


Row = tuple[datetime, float | None, float, int, bool]


def rounded(quantity: float | None) -> float | None:
    return None if quantity is None else round(quantity, 5)


@pytest.mark.parametrize("seed", range(10))
async def test_the_stored_hours_are_those_of_the_whole_history(pool: Pool, seed: int) -> None:
    unit_id, meter_id = await unit_with_register(pool, rollover=ROLLOVER)
    await live(pool, random.Random(seed), unit_id, meter_id)
    async with pool.acquire() as connection:
        (spec,) = await list_specs(connection, unit_id)
        history = [
            (instants.of(row["read_at"]), row["raw_value"])
            for row in await connection.fetch(
                "SELECT read_at, raw_value FROM accountable_readings ORDER BY read_at"
            )
        ]
        course = courses.course(spec.kind, history, spec.epochs, spec.intervals)
        right: list[Row] = [
            (hour.starts_at, rounded(hour.quantity), round(hour.estimated_quantity, 5),
             hour.readings_present, hour.held)
            for hour in consumption.hours(spec.kind, history, course, spec.intervals, SPAN)
        ]  # fmt: skip
        found: list[Row] = [
            (row["starts_at"], rounded(row["quantity"]), round(row["estimated_quantity"], 5),
             row["readings_present"], row["held"])
            for row in await connection.fetch(
                "SELECT * FROM meter_consumption WHERE step = 'hour' ORDER BY starts_at"
            )
        ]  # fmt: skip
        assert found == right
        assert await reconcile.of_unit(connection, unit_id, SPAN, repair=False) == []
