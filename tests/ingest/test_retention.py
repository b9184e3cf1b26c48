"""Rejected messages are kept for a time, and none that was not replayed goes without a word."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import asyncpg
import pytest
import structlog.testing

import db.changes
import db.intake
import db.quarantine
from ingest import retention
from ingest.retention import Keeper, Retention
from tests.ingest.conftest import NOW, Plant, reading

LONGEST = timedelta(days=400)
AFTER = NOW + LONGEST + timedelta(seconds=1)


def keeper(plant: Plant, now: datetime, bytes_max: int = 1 << 30) -> Keeper:
    return Keeper(plant.pool, Retention(LONGEST, bytes_max), lambda: now)


async def reject(plant: Plant, count: int) -> None:
    for number in range(count):
        await plant.send(reading(number, 1, "E98"), reading(number, 1, "E99"), batch=f"b{number}")


async def replayed(plant: Plant, condition: str) -> None:
    await plant.pool.execute(
        f"UPDATE quarantine SET replayed_at = received_at, outcome = 'stored' WHERE {condition}"
    )


async def lines(plant: Plant) -> list[dict[str, object] | None]:
    subjects = await plant.pool.fetch("SELECT subject FROM changes WHERE noun = 'quarantine'")
    async with plant.pool.acquire() as connection:
        stated = [
            await db.changes.list_history(connection, "quarantine", row["subject"])
            for row in subjects
        ]
    return [change.fact.content for changes in stated for change in changes]


async def test_what_is_too_old_is_deleted_and_the_ledger_says_how_much(plant: Plant) -> None:
    await reject(plant, 3)
    await replayed(plant, "meter = 'E98'")
    with structlog.testing.capture_logs() as logs:
        assert (await keeper(plant, NOW + LONGEST).keep_once()).messages == 3
        assert (await keeper(plant, AFTER).keep_once()).messages == 0
    assert [(log["event"], log["unreplayed"]) for log in logs] == [("quarantine_expired", 3)]
    at = NOW.isoformat()
    assert await lines(plant) == [
        {"rejections": 3, "readings": 3, "reasons": {"unknown_meter": 3},
         "first_received_at": at, "last_received_at": at}
    ]  # fmt: skip


async def test_what_was_replayed_goes_without_a_line(plant: Plant) -> None:
    await reject(plant, 2)
    await replayed(plant, "true")
    await keeper(plant, AFTER).keep_once()
    assert await lines(plant) == []


async def test_want_of_room_ends_what_was_replayed_and_nothing_else(plant: Plant) -> None:
    await reject(plant, 4)
    await replayed(plant, "batch <> 'b3' AND NOT (batch = 'b2' AND meter = 'E98')")
    crowded = keeper(plant, NOW + timedelta(hours=1), bytes_max=1)
    with structlog.testing.capture_logs() as logs:
        sizes = [await crowded.keep_once(rest_s=0) for _ in range(2)]
    assert [(size.messages, size.unreplayed) for size in sizes] == [(2, 3), (2, 3)]
    assert [log["event"] for log in logs] == ["quarantine_over_bound"]


async def test_a_message_that_came_again_for_another_reason_stays(plant: Plant) -> None:
    await reject(plant, 1)
    await plant.pool.execute("UPDATE quarantine SET received_at = $1 WHERE meter = 'E99'", AFTER)
    assert (await keeper(plant, AFTER).keep_once()).messages == 1


async def test_much_is_deleted_a_little_at_a_time(plant: Plant) -> None:
    await reject(plant, 3)
    async with plant.pool.acquire() as connection:
        for left in (2, 1, 0):
            found = await db.quarantine.delete(
                connection, before=AFTER, replayed_only=False, limit=2
            )
            assert sum(each.rejections for each in found) == 2
            assert (await db.quarantine.measure(connection, NOW)).messages == left


async def test_a_rejection_that_comes_while_its_message_is_deleted_is_kept(plant: Plant) -> None:
    await reject(plant, 1)
    async with plant.pool.acquire() as other:
        async with other.transaction():
            await db.quarantine.delete(other, before=AFTER, replayed_only=False, limit=9)
            sending = asyncio.create_task(reject(plant, 1))
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        await sending
        assert (await db.quarantine.measure(other, NOW)).unreplayed == 2


async def test_a_message_that_is_being_kept_again_is_not_deleted(plant: Plant) -> None:
    await reject(plant, 1)
    async with plant.pool.acquire() as other:
        async with other.transaction():
            row = await other.fetchrow(
                "SELECT sha256, topic, payload, signature, received_at, said_sha256"
                "  FROM quarantine_messages"
            )
            assert row is not None
            await db.intake.insert_quarantined_messages(
                other, [(row[0], row[1], row[2], row[3], row[4], row[5])]
            )
            deleting = asyncio.create_task(retention_once(plant))
            await asyncio.sleep(0.1)
            again = (row[0], 0, "b0", "E98", "replayed", "", 1, AFTER)
            await db.intake.upsert_quarantine(other, [again])
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await deleting
        assert (await db.quarantine.measure(other, NOW)).unreplayed == 3


async def retention_once(plant: Plant) -> bool:
    async with plant.pool.acquire() as connection:
        return await retention.expire_some(connection, LONGEST, AFTER)
