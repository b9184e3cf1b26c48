"""Every night all is verified, part by part: who is stopped goes on with the next part."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

import db.nightly
from app import nightly
from db.pool import Connection, Pool
from tests.ingest.conftest import NOW, Plant

NIGHT = timedelta(days=1)


@pytest.fixture(autouse=True)
async def made_before(pool: Pool) -> None:
    """The database is a day old."""
    await pool.execute("UPDATE reconciliations SET reconciled_at = $1", NOW - NIGHT)


async def parts_of(connection: Connection) -> list[tuple[str, int]]:
    newest = await db.nightly.list_newest(connection, date.max)
    return [(each.part, each.findings) for each in newest]


async def test_a_night_has_every_part_and_every_recent_week_once(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        done = 0
        while await nightly.check_one(connection, NOW):
            done += 1
        parts = await parts_of(connection)
        assert not await nightly.check_one(connection, NOW + timedelta(hours=5))  # the same night
        assert await nightly.check_one(connection, NOW + NIGHT)
    assert len(parts) == done
    assert {part for part, _ in parts} >= {"chains", "corrections", "facts", "readings/2026-11-19Z"}
    assert {findings for _, findings in parts} == {0}


async def test_the_night_in_which_the_database_was_made_has_none(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        assert not await nightly.check_one(connection, NOW - NIGHT)


async def test_who_was_stopped_goes_on_with_the_next_part(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        await nightly.check_one(connection, NOW)
        (first,) = await parts_of(connection)
        await nightly.check_one(connection, NOW)  # as another settler would
        assert [first[0], "corrections"] == [part for part, _ in await parts_of(connection)]


async def test_of_two_settlers_one_is_at_a_check(books: Plant) -> None:
    async with books.pool.acquire() as one, books.pool.acquire() as other:
        async with one.transaction():
            assert await db.nightly.try_lock(one)
            assert not await nightly.check_one(other, NOW)
        assert await nightly.check_one(other, NOW)


@pytest.mark.tampers("a reading, a change, a reference row")
@pytest.mark.parametrize(
    ("tampering", "part"),
    [
        ("UPDATE readings SET raw_value = 7 WHERE meter_id = 1", "readings/2026-11-19Z"),
        ("UPDATE changes SET actor = 'sun' WHERE change_id = 2", "chains"),
        ("UPDATE factors SET kgce_per_uom = 0.12 WHERE carrier = 'electricity'", "facts"),
        (
            "INSERT INTO corrections SELECT meter_id, read_at, 1 FROM readings LIMIT 1",
            "corrections",
        ),
    ],
)
async def test_what_was_touched_is_found_at_night(books: Plant, tampering: str, part: str) -> None:
    async with books.pool.acquire() as connection:
        await connection.execute("ALTER TABLE changes DISABLE TRIGGER changes_append_only")
        await connection.execute(tampering)
        while await nightly.check_one(connection, NOW):
            pass
        found = dict(await parts_of(connection))
    assert found.pop(part) > 0
    assert set(found.values()) == {0}


@pytest.mark.tampers("links of weeks without readings")
async def test_old_weeks_take_turns(books: Plant) -> None:
    """Those that were looked at longest ago come first, some each night."""
    later = NOW + timedelta(days=300)
    async with books.pool.acquire() as connection:
        for week in range(3 * nightly.OLD_WEEKS_A_NIGHT):
            await connection.execute(
                "INSERT INTO links SELECT 'one', 100 + $1::int, 9000 + $1::int, stored_at, "
                "week_at + (100 + $1::int) * interval '-7 days', readings, content, sha256 "
                "FROM links WHERE number = 1 AND chain = 'one'",
                week,
            )  # weeks without a reading
        seen: list[set[str]] = []
        for night in range(4):
            before = set()
            while await nightly.check_one(connection, later + night * NIGHT):
                pass
            for each in await db.nightly.list_newest(connection, date.max):
                if each.part.startswith("readings/") and each.night == nightly.night_of(
                    later + night * NIGHT
                ):
                    before.add(each.part)
            seen.append(before)
    assert [len(weeks) for weeks in seen] == [nightly.OLD_WEEKS_A_NIGHT] * 4
    assert not seen[0] & seen[1]
    assert len(set.union(*seen)) >= 3 * nightly.OLD_WEEKS_A_NIGHT


@pytest.mark.tampers("a change that cannot be read")
async def test_a_part_that_fails_neither_keeps_the_others_waiting_nor_goes_unheard(
    books: Plant,
) -> None:
    tries = nightly.Tries()
    async with books.pool.acquire() as connection:
        while await nightly.check_one(connection, NOW, tries):
            pass
        await connection.execute("ALTER TABLE changes DISABLE TRIGGER changes_append_only")
        await connection.execute("UPDATE changes SET content = '{' WHERE noun = 'targets'")
        failed = 0
        for _ in range(20):
            try:
                await nightly.check_one(connection, NOW + 2 * NIGHT, tries)
            except nightly.UncheckedError:
                failed += 1
        newest = await db.nightly.list_newest(connection, date.max)
        late = {each.part for each in newest if each.night <= nightly.night_of(NOW)}
        age = await nightly.fetch_night(connection, NOW + 2 * NIGHT)
    assert (late, failed > 0) == ({"facts"}, True)
    assert age.verified_at == NOW


@pytest.mark.parametrize("part", ["corrections", "readings/2026-11-19Z"])
async def test_a_part_that_was_never_checked_is_as_old_as_what_it_is_owed_for(
    books: Plant, part: str
) -> None:
    async with books.pool.acquire() as connection:
        while await nightly.check_one(connection, NOW):
            pass
        await connection.execute("DELETE FROM nightly_checks WHERE part = $1", part)
        await connection.execute("UPDATE nightly_checks SET checked_at = $1", NOW + NIGHT)
        seen = await nightly.fetch_night(connection, NOW + NIGHT)
    assert seen.verified_at == (NOW - NIGHT if part == "corrections" else NOW)


async def test_a_night_to_come_switches_no_part_off(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO nightly_checks VALUES ('corrections', $1, $2, 0, NULL)",
            date(2036, 1, 1), NOW + 10 * 365 * NIGHT,
        )  # fmt: skip
        while await nightly.check_one(connection, NOW):
            pass
        found = await connection.fetchval(
            "SELECT checked_at FROM nightly_checks WHERE part = 'corrections' AND night < $1",
            date(2036, 1, 1),
        )
        seen = await nightly.fetch_night(connection, NOW)
    assert (found, seen.verified_at) == (NOW, NOW)
