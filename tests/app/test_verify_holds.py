"""What nobody touched holds; readings from before the ledger hold once they are sealed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app import verification
from db import changes
from ingest import writer
from tests.app.books import CHANGES_MADE, FLUSHES, READINGS, WEEK_MINUTES, ZHAO, quiet, verified
from tests.ingest.conftest import NOW, Plant, reading


async def test_what_nobody_touched_holds(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert report.findings == []
    assert report.links == {
        "changes": CHANGES_MADE,
        "readings/one": FLUSHES,
        "readings/two": FLUSHES,
    }
    assert report.notes == []


async def test_a_flush_over_several_weeks_has_a_link_for_each(books: Plant) -> None:
    await books.send(*(reading(-n * WEEK_MINUTES - 1, 5, "C01") for n in range(5)), batch="late")
    weeks = await books.pool.fetchval("SELECT count(DISTINCT week_at) FROM links WHERE number > 12")
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert (weeks, report.links["readings/two"], report.findings) == (5, FLUSHES + 5, [])


async def test_duplicates_and_conflicts_are_vouched_for_by_the_link_that_stored_them(
    books: Plant,
) -> None:
    again = [reading(-15 * n, 1, "C01") for n in range(3)]  # stored by the other collector
    await books.send(*again, reading(-5, 7, "C01"), reading(-15, 2, "C01"), batch="again")
    await books.send(*again, batch="again and again")  # nothing is new: no link
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert (report.findings, report.links["readings/two"]) == ([], FLUSHES + 1)


@pytest.mark.tampers("a reading that nobody sent")
async def test_readings_that_nothing_vouches_for_are_found_however_old_they_say_they_are(
    books: Plant,
) -> None:
    await books.pool.execute(
        "INSERT INTO readings VALUES ($1, $2, 1, 'good', $3)",
        books.register_id,
        NOW - timedelta(seconds=11),
        NOW - timedelta(days=300),
    )
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert [(each.chain, each.number) for each in report.findings] == [("readings", None)]


async def test_readings_from_before_the_ledger_are_vouched_for_once_they_are_sealed(
    books: Plant,
) -> None:
    insert = "INSERT INTO readings VALUES ($1, $2, 1, 'good', $2)"
    old = NOW - timedelta(days=300)
    await books.pool.execute(insert, books.register_id, old)
    async with books.pool.acquire() as connection, connection.transaction():
        seals = await verification.list_seals(connection, quiet)
        await changes.record(connection, ZHAO, seals, NOW)
        assert (await verified(connection)).findings == []
        for touch in (
            "UPDATE readings SET raw_value = 2 WHERE link_id IS NULL",
            "DELETE FROM readings WHERE link_id IS NULL",
            f"INSERT INTO readings SELECT 1, '{old - timedelta(days=9)}', 1, 'good', '{old}'",
        ):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(touch)
            (found,) = (await verified(connection)).findings
            await transaction.rollback()
            assert "are not those sealed" in found.fault


async def test_a_chain_goes_on_where_the_last_holder_left_it(books: Plant) -> None:
    books.holder = await writer.begin(books.pool, "two", lambda: NOW)
    books.collector = books.new_collector()
    await books.send(reading(-1, 3, "C01"), batch="next")
    async with books.pool.acquire() as connection:
        report = await verified(connection)
    assert (report.findings, report.links["readings/two"]) == ([], FLUSHES + 1)


@pytest.mark.tampers("the head of a collector")
async def test_a_chain_that_somebody_else_has_gone_on_with_is_not_forked(books: Plant) -> None:
    await books.pool.execute("UPDATE ingest_totals SET links = links + 1 WHERE collector = 'two'")
    with pytest.raises(writer.FencedError):
        await books.send(reading(-1, 3, "C01"), batch="next")
    assert await books.pool.fetchval("SELECT count(*) FROM readings") == 2 * FLUSHES * READINGS
