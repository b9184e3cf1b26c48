"""[56] Much that changed at once: units are gone through together, letters are written in turns."""

from __future__ import annotations

import time

import pytest

from alerts.judging import Progress
from db.pool import Pool
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, Works, contact, limit

AGO = LAST_HOUR - 30 * HOUR


async def registered(pool: Pool, units: int) -> list[Works]:
    await limit(pool, "clinker", baseline=117.0)
    await contact(pool, "450200", "liuzhou@desk.example")
    made = []
    for number in range(units):
        async with pool.acquire() as connection:
            unit_id = await factories.unit(connection, factories.unit_code(number))
            energy_id = await factories.meter(connection, unit_id)
            output_id = await factories.meter(
                connection, unit_id, "P01", uom="t", role="output", product="clinker"
            )
        made.append(Works(pool, unit_id, energy_id, output_id))
    return made


async def watched(works: list[Works]) -> None:
    """Let each have been in order at the hour before AGO, and now."""
    for each in works:
        await each.made(110.0, starts_at=AGO - HOUR)
        await each.made(110.0)
    await works[0].evaluate(now=AGO)
    await works[0].evaluate()


async def test_what_is_written_about_in_turns_is_all_written_about(pool: Pool) -> None:
    """Late overruns of five units, two of them in an evaluation; then all withdrawn."""
    works = await registered(pool, 5)
    await watched(works)
    progress = Progress(letters_max=2)
    for intensity, kind in ((140.0, "late"), (110.0, "retracted")):
        for each in works:
            await each.came_late(intensity, starts_at=AGO)
        told = []
        for _ in range(4):
            await works[0].evaluate(progress=progress)
            told.append((await works[0].events()).count(kind))
        assert told == [2, 4, 5, 5]
        assert not progress.has_more
        assert await pool.fetchval("SELECT count(*) FROM fresh_hours") == 0
    assert await pool.fetchval("SELECT count(DISTINCT alert_id) FROM outbox") == 5


async def test_who_is_over_now_is_written_about_in_turns_too(pool: Pool) -> None:
    works = await registered(pool, 5)
    for each in works:
        await each.made(140.0)
    progress, opened = Progress(letters_max=2), []
    for _ in range(4):
        opened.append(await works[0].evaluate(progress=progress))
    assert opened == [2, 2, 1, 0]
    assert not progress.has_more


async def test_units_are_gone_through_together(pool: Pool) -> None:
    """[56] Statements of an evaluation: hardly more for 12 units than for 2; what is found is the
    same as unit by unit.
    """
    works = await registered(pool, 12)
    await watched(works)
    counts = []
    for some in (works[:2], works):
        for each in some:
            for hour in range(3):
                await each.came_late(112.0 + hour, starts_at=AGO + hour * HOUR)
        counts.append(await _statements(works[0]))
    assert counts[1] <= counts[0] + 4
    rows = await pool.fetch(
        "SELECT subject, measured FROM judgements WHERE ends_at = $1", AGO + 3 * HOUR
    )
    assert [row["measured"] for row in rows] == [pytest.approx(114.0)] * 12


@pytest.mark.soak
async def test_late_data_of_many_units_cost_what_they_are(pool: Pool) -> None:
    """200 units with 24 late hours each; in order, and over: for docs/decisions/0042."""
    works = await registered(pool, 200)
    await watched(works)
    for intensity in (112.0, 140.0):
        for each in works:
            for hour in range(24):
                await each.came_late(intensity, starts_at=AGO + hour * HOUR)
        rounds = 0
        while await pool.fetchval("SELECT count(*) FROM fresh_hours"):
            begun = time.monotonic()
            statements = await _statements(works[0])
            rounds += 1
            print(f"{intensity:g} kgce/t, round {rounds}: {statements} transactions, "
                  f"{time.monotonic() - begun:.1f} s")  # fmt: skip


async def _statements(works: Works) -> int:
    """Return how many transactions an evaluation makes: as many as statements, or fewer."""
    before = await _transactions(works.pool)
    await works.evaluate()
    return await _transactions(works.pool) - before


async def _transactions(pool: Pool) -> int:
    await pool.execute("SELECT pg_stat_force_next_flush()")
    made: int = await pool.fetchval(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    )
    return made
