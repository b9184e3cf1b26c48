"""Whatever happens to a meter, in whatever order it becomes known: the stored hours are those of
its whole history, followed at once.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app.imports.epochs import EpochSheet
from app.imports.sheet import Change
from app.tables import Row
from db.epochs import EpochRow
from db.metering import list_specs
from db.pool import Pool
from energy import consumption, courses, instants
from energy.periods import Span
from energy.registers import Epoch, EpochReason, Kind
from ingest import reconcile
from tests import factories
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
    shown, at, told, epochs = chance.choice([1000.0, 9000.0]), SINCE, list[Told](), list[Epoch]()
    for _ in range(chance.randint(20, 150)):
        at += QUARTER * (chance.randint(2, 200) if chance.random() < 0.06 else 1)
        at += timedelta(seconds=chance.choice([0, 0, 0, chance.randint(1, 400)]))
        shown = (shown + chance.choice([0, chance.uniform(0, 90)])) % ROLLOVER
        begun_at = chance.choice(
            [at - timedelta(seconds=chance.randint(0, 1500)), at, at.replace(minute=0, second=0)]
        )
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


def values(chance: random.Random, meter_id: int) -> tuple[list[Told], list[Epoch]]:
    """Return values that hold for an interval, read when it suits, under multipliers and intervals
    that change."""
    at, told, epochs = SINCE, list[Told](), list[Epoch]()
    for _ in range(chance.randint(30, 60)):
        at += timedelta(seconds=chance.choice([900, 3600, 86_400, chance.randint(1, 200_000)]))
        told.append((meter_id, at, chance.uniform(-20, 300)))
        begun_at, event = at - timedelta(seconds=chance.randint(0, 1500)), chance.random()
        if event < 0.02:
            epochs.append(Epoch(begun_at, EpochReason.MULTIPLIER, chance.choice([2.0, 10.0])))
        elif event < 0.04:
            due = chance.choice([900, 3600, 86_400])
            epochs.append(Epoch(begun_at, EpochReason.INTERVAL, interval_s=due))
    return told, epochs


async def record(
    pool: Pool, epoch: Epoch, rate_max: float | None, old: EpochRow | None = None
) -> EpochRow:
    """Import an epoch of the meter, or have it mend the `old` one of the same instant."""
    row = EpochRow(
        factories.unit_code(), "E01", epoch.starts_at, epoch.reason,
        None if epoch.reason is EpochReason.INTERVAL else epoch.multiplier, epoch.side,
        epoch.rollover, rate_max, epoch.first_value, epoch.previous_last_value, epoch.interval_s,
    )  # fmt: skip
    change = [] if old is None else [Change(Row(2, {}), old, row, frozenset())]
    async with pool.acquire() as connection, connection.transaction():
        await EpochSheet({}).store(connection, [] if change else [row], change)
    return row


async def take_back(pool: Pool, row: EpochRow) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await EpochSheet({}).withdraw(connection, row)


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


Life = tuple[list[Told], list[Epoch]]


async def live(
    pool: Pool,
    chance: random.Random,
    unit_id: int,
    life: Life,
    *,
    rate_max: float | None = None,
    portion: int = 25,
) -> None:
    """Let the life of a meter become known bit by bit, and be settled now and then."""
    waiting, epochs = life
    if chance.random() < 0.7:
        chance.shuffle(waiting)
    known, recorded = list[Told](), dict[datetime, EpochRow]()
    while waiting or epochs:
        if waiting and (not epochs or chance.random() < 0.8):
            count = chance.randint(1, portion)
            some, waiting = waiting[:count], waiting[count:]
            await store(pool, unit_id, some)
            known += some
        else:
            epoch = epochs.pop(chance.randrange(len(epochs)))
            old = recorded.get(epoch.starts_at)
            recorded[epoch.starts_at] = await record(pool, epoch, rate_max, old)
        if recorded and chance.random() < 0.1:
            await take_back(pool, recorded.pop(chance.choice([*recorded])))
        if known and chance.random() < 0.3:
            one = chance.choice(known)
            await correct(pool, unit_id, one, chance.choice([None, one[2], one[2] + 10, 0.0]))
        if known and chance.random() < 0.1:
            await withdraw(pool, unit_id, chance.choice(known))
        if chance.random() < 0.7:
            await settle_all(pool)
    await settle_all(pool)
    for row in recorded.values():  # nothing comes in after it that would be settled in any case
        if chance.random() < 0.5:
            await take_back(pool, row)
    await settle_all(pool)


HourTold = tuple[datetime, float | None, float, int, bool]


def rounded(quantity: float | None) -> float | None:
    return None if quantity is None else round(quantity, 5)


@pytest.mark.parametrize("seed", range(10))
async def test_the_stored_hours_are_those_of_the_whole_history(pool: Pool, seed: int) -> None:
    unit_id, meter_id = await unit_with_register(pool, rollover=ROLLOVER)
    chance = random.Random(seed)
    rate_max = chance.choice([None, 400.0, 2000.0])
    await pool.execute("UPDATE meter_epochs SET rate_max = $1", rate_max)
    await live(pool, chance, unit_id, life(chance, meter_id), rate_max=rate_max)
    await check(pool, unit_id)


@pytest.mark.parametrize("seed", [0, 1, 6])
@pytest.mark.parametrize("kind", [Kind.INTERVAL, Kind.GAUGE])
async def test_so_are_those_of_values_that_hold(pool: Pool, kind: Kind, seed: int) -> None:
    chance = random.Random(seed)
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        meter_id = await factories.meter(
            connection, unit_id, kind=kind, interval_s=chance.choice([3600, 86_400])
        )
    await live(pool, chance, unit_id, values(chance, meter_id), portion=4)
    await check(pool, unit_id)


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_late_value_ends_the_one_before_it_and_gives_it_back(
    pool: Pool, is_late: bool
) -> None:
    """A day of 240 kWh, then one of 100 that begins at 10:00: set aside, the first is all."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        meter_id = await factories.meter(connection, unit_id, kind="interval", interval_s=86_400)
    day, other = (meter_id, SINCE, 240.0), (meter_id, SINCE + timedelta(hours=10), 100.0)
    await store(pool, unit_id, [day] if is_late else [day, other])
    await settle_all(pool)
    if is_late:
        await store(pool, unit_id, [other])
        await settle_all(pool)
    assert await used(pool) == pytest.approx(340)
    await correct(pool, unit_id, other, None)
    await settle_all(pool)
    assert await used(pool) == pytest.approx(240)


@pytest.mark.parametrize("kind", [Kind.INTERVAL, Kind.GAUGE])
@pytest.mark.parametrize("mended_to", [None, 3600])
async def test_a_value_holds_no_longer_than_the_interval_that_is_left(
    pool: Pool, kind: Kind, mended_to: int | None
) -> None:
    """One of 100 that is good for a day, until that interval is withdrawn or mended."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        meter_id = await factories.meter(connection, unit_id, kind=kind)
    daily = Epoch(SINCE + timedelta(hours=1), EpochReason.INTERVAL, interval_s=86_400)
    row = await record(pool, daily, None)
    await store(pool, unit_id, [(meter_id, SINCE + timedelta(hours=2), 100.0)])
    await settle_all(pool)
    assert await used(pool) == pytest.approx(100 if kind is Kind.INTERVAL else 2400)
    if mended_to is None:
        await take_back(pool, row)
    else:
        await record(pool, replace(daily, interval_s=mended_to), None, row)
    await settle_all(pool)
    left = 100 if kind is Kind.INTERVAL else (mended_to or 900) / 36
    assert await used(pool) == pytest.approx(left)


async def used(pool: Pool) -> object:
    return await pool.fetchval("SELECT sum(quantity) FROM meter_consumption WHERE step = 'hour'")


async def check(pool: Pool, unit_id: int) -> None:
    """Compare what is stored with the whole history, followed at once."""
    async with pool.acquire() as connection:
        (spec,) = await list_specs(connection, unit_id)
        history = [
            (instants.of(row["read_at"]), row["raw_value"])
            for row in await connection.fetch(
                "SELECT read_at, raw_value FROM accountable_readings ORDER BY read_at"
            )
        ]
        course = courses.course(spec.kind, history, spec.epochs, spec.intervals)
        right: list[HourTold] = [
            (hour.starts_at, rounded(hour.quantity), round(hour.estimated_quantity, 5),
             hour.readings_present, hour.held)
            for hour in consumption.hours(spec.kind, history, course, spec.intervals, SPAN)
        ]  # fmt: skip
        found: list[HourTold] = [
            (row["starts_at"], rounded(row["quantity"]), round(row["estimated_quantity"], 5),
             row["readings_present"], row["held"])
            for row in await connection.fetch(
                "SELECT * FROM meter_consumption WHERE step = 'hour' ORDER BY starts_at"
            )
        ]  # fmt: skip
        assert found == right
        assert await reconcile.of_unit(connection, unit_id, SPAN, repair=False) == []
