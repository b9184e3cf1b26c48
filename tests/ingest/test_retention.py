"""Rejected messages are kept for a time, and none that was not replayed goes without a word."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import structlog.testing

import db.changes
import db.intake
import db.pool
import db.quarantine
import db.retention
from db.pool import Connection
from db.quarantine import BEGINNING, NOTHING, Part, QuarantineSize
from db.retention import NONE_GONE
from ingest import retention
from ingest.acks import Delivery
from ingest.retention import Keeper, Retention
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading

LONGEST = timedelta(days=400)
AFTER = NOW + LONGEST + timedelta(seconds=1)
ARRIVALS_LONGEST = 2 * LONGEST


def keeper(plant: Plant, now: datetime, bytes_max: int = 1 << 30) -> Keeper:
    return Keeper(plant.pool, Retention(LONGEST, bytes_max, ARRIVALS_LONGEST), lambda: now)


async def reject(plant: Plant, count: int) -> None:
    for number in range(count):
        await plant.send(reading(number, 1, "E98"), reading(number, 1, "E99"), batch=f"b{number}")


async def deliver(plant: Plant, at: datetime, *readings: dict[str, object]) -> None:
    """Store a batch that comes at an instant."""
    said = json.dumps({"batch": "b", "readings": readings}).encode()
    topic = f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
    await plant.collector.store([Delivery(1, 1, topic, said, at)])


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


async def test_what_is_deleted_is_taken_off_what_was_measured(plant: Plant) -> None:
    """So it is known when there is room, without measuring all of it again."""
    await reject(plant, 4)
    await replayed(plant, "batch = 'b0'")
    whole = await plant.pool.fetchval("SELECT sum(octet_length(payload)) FROM quarantine_messages")
    await keeper(plant, NOW).keep_once(rest_s=0)
    async with plant.pool.acquire() as connection:
        await retention.make_room(connection, whole, AFTER, after=BEGINNING)
        assert await db.quarantine.fetch_size(connection) == QuarantineSize(NOW, 4, whole, 6)
        await retention.make_room(connection, whole - 1, AFTER, after=BEGINNING)
        left = QuarantineSize(NOW, 3, whole * 3 // 4, 6)
        assert await db.quarantine.fetch_size(connection) == left


async def measured(connection: Connection) -> Part:
    """Measure in parts of two messages."""
    part = NOTHING
    while (more := await db.quarantine.measure(connection, after=part, limit=2)) is not None:
        part = more
    return part


async def test_what_there_is_is_measured_in_parts(plant: Plant) -> None:
    await reject(plant, 5)
    await replayed(plant, "meter = 'E98'")
    whole = await plant.pool.fetchval("SELECT sum(octet_length(payload)) FROM quarantine_messages")
    async with plant.pool.acquire() as connection:
        part = await measured(connection)
    assert (part.messages, part.payload_bytes, part.unreplayed) == (5, whole, 5)


async def test_measuring_has_a_time_limit_of_its_own(plant: Plant, database_url: str) -> None:
    await reject(plant, 2)
    async with (
        await db.pool.create_pool(database_url, timeout_s=0.2) as hasty,
        hasty.acquire() as connection,
        plant.pool.acquire() as other,
    ):
        async with other.transaction():
            await other.execute("LOCK TABLE quarantine_messages IN ACCESS EXCLUSIVE MODE")
            measuring = asyncio.create_task(measured(connection))
            await asyncio.wait([measuring], timeout=0.5)
        assert (await measuring).messages == 2


async def test_a_step_that_failed_is_taken_again_and_none_before_it(plant: Plant) -> None:
    await reject(plant, 2)
    places: list[Part] = []

    async def step(connection: Connection, *, after: Part) -> Part | None:
        places.append(after)
        if len(places) == 2:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return await db.quarantine.measure(connection, after=after, limit=1)

    reached = await retention.walk(plant.pool, step, NOTHING, rest_s=0)
    assert [each.messages for each in places] == [0, 1, 1, 2]
    assert reached.messages == 2


async def test_much_is_deleted_a_little_at_a_time(plant: Plant) -> None:
    many = (reading(number, 1, "E97") for number in range(retention.REJECTIONS_MAX + 1))
    await deliver(plant, NOW - timedelta(seconds=1), *many)
    await reject(plant, 2)
    left, after = list[int](), BEGINNING
    async with plant.pool.acquire() as connection:
        for _ in range(2):
            reached = await retention.expire_some(connection, LONGEST, AFTER, after=after)
            assert reached is not None
            after = reached
            left.append((await measured(connection)).messages)
    assert left == [2, 0]


async def test_a_rejection_that_comes_while_its_message_is_deleted_is_kept(plant: Plant) -> None:
    await reject(plant, 1)
    async with plant.pool.acquire() as other:
        async with other.transaction():
            await retention.expire_some(other, LONGEST, AFTER, after=BEGINNING)
            sending = asyncio.create_task(reject(plant, 1))
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        await sending
        assert (await measured(other)).unreplayed == 2


async def test_a_message_that_is_being_kept_again_is_left_for_the_next_time(plant: Plant) -> None:
    """Nobody waits for it, and it is not waited for: there is no deadlock."""
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
            expiring = asyncio.create_task(keeper(plant, AFTER).keep_once(rest_s=0))
            await asyncio.wait([expiring], timeout=5)
            again = (row[0], 0, "b0", "E98", "unknown_meter", "", 1, NOW)
            await db.intake.upsert_quarantine(other, [again])
        assert (await expiring).unreplayed == 2
        assert (await keeper(plant, AFTER).keep_once(rest_s=0)).messages == 0


async def test_a_rejection_that_came_before_its_message_was_locked_is_kept(plant: Plant) -> None:
    await reject(plant, 1)
    async with plant.pool.acquire() as connection, connection.transaction():
        (found,) = await db.retention.list_oldest(
            connection, before=AFTER, replayed_only=False, after=BEGINNING, limit=9
        )
        again = (found.place[1], 0, "b0", "E98", "replayed", "", 1, AFTER)
        async with plant.pool.acquire() as other:
            await db.intake.upsert_quarantine(other, [again])
        locked = await db.retention.lock(connection, [found.place[1]])
        assert locked
        assert not await db.retention.delete(connection, locked, before=AFTER, replayed_only=False)
        assert (await measured(connection)).unreplayed == 3


async def test_arrivals_are_kept_for_a_time_and_while_a_conflict_refers_to_them(
    plant: Plant,
) -> None:
    """Those of the value that stands, and those of the message that brought the other one."""
    instants = [NOW + timedelta(seconds=second) for second in range(5)]
    await deliver(plant, instants[0], reading(0, 100))
    await deliver(plant, instants[1], reading(1, 101))
    await deliver(plant, instants[2], reading(0, 99), reading(2, 102))
    await deliver(plant, instants[4], reading(3, 103))
    old = keeper(plant, instants[3] + ARRIVALS_LONGEST)
    assert await old.forget_arrivals(rest_s=0) == 1
    kept = await plant.pool.fetch("SELECT received_at[1] AS at FROM arrivals ORDER BY at")
    assert [row["at"] for row in kept] == [instants[0], instants[2], instants[4]]


async def test_arrivals_are_gone_through_a_little_at_a_time(plant: Plant) -> None:
    for number in range(3):
        await deliver(plant, NOW + timedelta(seconds=number), reading(number, 100 + number))
    gone, after = list[int](), NONE_GONE
    async with plant.pool.acquire() as connection:
        while found := await db.retention.delete_arrivals(
            connection, before=AFTER, after=after, limit=2
        ):
            after = found
            gone.append(found.deleted)
    assert gone == [2, 3]
