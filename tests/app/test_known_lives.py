"""Whatever happens to a register, in whatever order it becomes known: its sums, as known at an
instant, are those that settlement stored then.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

import db.changes
import db.corrections
import db.epochs
import db.factors
from app import correcting, known_tables, lending
from app.depends import Caller
from app.imports import sheet
from app.imports.kinds import Kind
from db.changes import Author
from db.corrections import CorrectionRow
from db.epochs import EpochRow
from db.pool import Connection, Pool
from db.scope import Scope
from energy import periods
from energy.periods import Span, Step
from energy.registers import Epoch
from tests import factories
from tests.ingest.test_oracle import ROLLOVER, life
from tests.ingest.test_settlement import SINCE, Told, settle_all, unit_with_register

UNIT = factories.unit_code(1)
HOUR = timedelta(hours=1)
AUTHOR = Author("zhao", "test")
SPAN = Span(
    periods.floor(SINCE - timedelta(days=9), Step.MONTH),
    periods.floor(SINCE + timedelta(days=69), Step.MONTH),
)
STEPS = (Step.HOUR, Step.DAY, Step.MONTH)

Sums = list[tuple[object, ...]]
"""Sums as they are stored, figures to six digits."""


async def arrive(pool: Pool, unit_id: int, told: list[Told], at: datetime) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table(
            "readings",
            records=[(meter_id, read_at, value, "good", at) for meter_id, read_at, value in told],
            columns=["meter_id", "read_at", "raw_value", "quality", "received_at"],
        )
        touched = {(meter_id, read_at.replace(minute=0, second=0)) for meter_id, read_at, _ in told}
        await connection.copy_records_to_table(
            "stale_ranges",
            columns=["unit_id", "meter_id", "starts_at", "ends_at"],
            records=[(unit_id, meter_id, at, at + HOUR) for meter_id, at in touched],
        )


async def record(pool: Pool, epoch: Epoch, rate_max: float | None, at: datetime) -> None:
    row = EpochRow(
        UNIT, "E01", epoch.starts_at, epoch.reason, epoch.multiplier, epoch.side, ROLLOVER,
        rate_max, epoch.first_value, epoch.previous_last_value, None,
    )  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        for meter_id, starts_at in await db.epochs.upsert(connection, [row]):
            await db.factors.mark_stale(connection, [meter_id], starts_at, None)
        key = (UNIT, "E01", str(epoch.starts_at))
        fact = sheet.fact(Kind.EPOCHS, key, row)
        await db.changes.record(connection, AUTHOR, [fact], at)


async def correct(
    pool: Pool, told: Told, value: float | None, at: datetime, *, withdrawn: bool = False
) -> None:
    row = CorrectionRow(UNIT, "E01", told[1], value)
    async with pool.acquire() as connection, connection.transaction():
        target = (await db.corrections.list_targets(connection, [row]))[row.subject]
        if withdrawn:
            await correcting.withdraw(connection, AUTHOR, row, target, at)
        else:
            await correcting.state(connection, AUTHOR, [(row, target)], at)


async def live(
    pool: Pool, chance: random.Random, unit_id: int, meter_id: int
) -> dict[datetime, dict[Step, Sums]]:
    """Let the life of a register become known bit by bit; return what was stored at instants."""
    rate_max = chance.choice([None, 400.0, 2000.0])
    await pool.execute("UPDATE meter_epochs SET rate_max = $1", rate_max)
    waiting, epochs = life(chance, meter_id)
    if chance.random() < 0.7:
        chance.shuffle(waiting)
    known: list[Told] = []
    stored: dict[datetime, dict[Step, Sums]] = {}
    at = SINCE + timedelta(days=70)
    while waiting or epochs:
        at += timedelta(minutes=7)
        if waiting and (not epochs or chance.random() < 0.8):
            count = chance.randint(1, 25)
            some, waiting = waiting[:count], waiting[count:]
            await arrive(pool, unit_id, some, at)
            known += some
        else:
            await record(pool, epochs.pop(chance.randrange(len(epochs))), rate_max, at)
        if known and chance.random() < 0.3:
            one = chance.choice(known)
            await correct(pool, one, chance.choice([None, one[2], one[2] + 10, 0.0]), at)
        if known and chance.random() < 0.1:
            await correct(pool, chance.choice(known), None, at, withdrawn=True)
        if chance.random() < 0.5:
            await settle_all(pool)
            async with pool.acquire() as connection:
                stored[at] = {step: await sums(connection, step) for step in STEPS}
    return stored


async def sums(connection: Connection, step: Step) -> Sums:
    rows = await connection.fetch(
        "SELECT starts_at, quantity, estimated_quantity, readings_present, held, calorific_tce "
        "FROM meter_consumption WHERE step = $1 ORDER BY starts_at",
        step,
    )
    return [
        tuple(round(each, 6) if isinstance(each, float) else each for each in row) for row in rows
    ]


@pytest.mark.parametrize("seed", range(8))
async def test_sums_are_those_that_were_stored_then(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    unit_id, meter_id = await unit_with_register(pool, rollover=ROLLOVER)
    stored = await live(pool, chance, unit_id, meter_id)
    for at, then in stored.items():
        step = chance.choice(STEPS)
        async with lending.rolled_back(pool) as connection:
            caller = Caller(connection, Scope("45"), at + timedelta(days=99), "zhao")
            caller = await known_tables.facts(caller, at)
            await known_tables.sums(caller, [SPAN], {step})
            assert await sums(connection, step) == then[step], (at, step)
