"""What people state is applied as they stated it, and at a time that nobody can choose."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from app import correcting
from db import changes, corrections
from db.changes import Fact
from db.corrections import CorrectionRow
from ingest import heads
from tests import factories
from tests.app.books import CHANGES_MADE, ZHAO, verified
from tests.app.tamperings_of_facts import backdate_change
from tests.ingest.conftest import NOW, Plant

FACT = Fact("targets", "450200/2021", {"required_rate": -0.01})


@pytest.mark.tampers("a correction")
async def test_a_correction_that_nobody_stated_is_found(books: Plant) -> None:
    time = NOW - timedelta(hours=1)
    row = CorrectionRow(factories.unit_code(), "C01", time, 9.0)
    async with books.pool.acquire() as connection:
        targets = await corrections.list_targets(connection, [row])
        await correcting.state(connection, ZHAO, [(row, targets[row.subject])], NOW)
        assert (await verified(connection)).findings == []
        await connection.execute("UPDATE corrections SET value = 1")
        (changed,) = (await verified(connection)).findings
        await connection.execute("DELETE FROM corrections")
        (gone,) = (await verified(connection)).findings
    assert "is applied as 1.0; the ledger says 9.0" in changed.fault
    assert "is not applied" in gone.fault


async def test_two_writers_keep_the_order_of_time_whoever_looked_at_the_clock_first(
    books: Plant,
) -> None:
    later = NOW + timedelta(seconds=5)
    async with books.pool.acquire() as one, books.pool.acquire() as other:
        async with one.transaction():
            await changes.record(one, ZHAO, [FACT], later)
            waiting = asyncio.create_task(changes.record(other, ZHAO, [FACT], NOW))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await waiting
        times = [
            each.changed_at for each in await changes.list_history(one, "targets", "450200/2021")
        ]
        assert times[-2:] == [later, later]
        assert (await verified(one)).findings == []


async def test_a_change_that_was_under_way_when_a_head_was_kept_is_dated_after_it(
    books: Plant,
) -> None:
    kept_at = NOW + timedelta(days=1)
    async with books.pool.acquire() as connection:
        await heads.note_once(connection, kept_at)
        await changes.record(
            connection, ZHAO, [FACT], NOW
        )  # its writer had looked at the clock before
        assert await changes.fetch_latest(connection) == kept_at
        assert (await verified(connection)).findings == []


async def test_a_head_is_kept_when_no_change_is_under_way(books: Plant) -> None:
    async with books.pool.acquire() as one, books.pool.acquire() as other:
        async with one.transaction():
            await changes.record(one, ZHAO, [FACT], NOW)
            keeping = asyncio.create_task(heads.note_once(other, NOW + timedelta(days=1)))
            await asyncio.sleep(0.05)
            assert not keeping.done()
        await keeping
        links = await one.fetchval("SELECT links FROM heads WHERE chain = 'changes'")
    assert links == CHANGES_MADE + 1


@pytest.mark.tampers("the time of a change")
async def test_a_change_that_says_it_is_older_than_a_head_without_it_is_named(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        await heads.note_once(connection, NOW + timedelta(days=1))
        chain, number = await backdate_change(connection, random.Random(1))
        (found,) = (await verified(connection)).findings
    assert (found.chain, found.number) == (chain, number)
    assert "the head kept then does not contain it: it was backdated" in found.fault
