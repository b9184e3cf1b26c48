"""What was rejected is replayed once the registry is mended, and nothing is counted wrong."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

import db.gateways
import db.quarantine
from app import quarantine
from app.resolve import Refusal
from db.quarantine import Choice, QuarantineEntry
from ingest import replay as replays
from ingest import validate, writer
from ingest.acks import Delivery
from ingest.payload import Reason
from ingest.replay import Replayed, Replayer
from ingest.sparkplug.datatypes import Datatype
from ingest.sparkplug.sparkplug_b_pb2 import Metric
from tests import factories
from tests.ingest import test_sparkplug_collected as sparkplug
from tests.ingest.conftest import NOW, Plant, reading


async def entries(plant: Plant, *, is_open: bool | None = True) -> list[QuarantineEntry]:
    async with plant.pool.acquire() as connection:
        return await db.quarantine.list_entries(connection, is_open=is_open, limit=100)


async def replay(plant: Plant, quarantine_id: int) -> Replayed:
    holder = await writer.begin(plant.pool, "replay", lambda: NOW)
    replayer = Replayer(plant.pool, holder, oldest=timedelta(days=400), clock=lambda: NOW)
    (sha256,) = await quarantine.find_named(plant.pool, [quarantine_id])
    replayed = await replayer.replay(sha256)
    assert replayed is not None
    return replayed


async def test_a_mended_registry_lets_the_rejected_reading_in(plant: Plant) -> None:
    await plant.send(reading(0, 1), reading(0, 2, "E02"), reading(0, 3, "E03"))
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "E02")
    first, second = await entries(plant)
    assert (first.reason, second.meter) == (Reason.UNKNOWN_METER, "E03")
    assert await replay(plant, first.quarantine_id) == Replayed(
        "stored", 1, 1, stored=1, duplicate=1
    )
    (left,) = await entries(plant)
    assert (left.meter, left.deliveries) == ("E03", 2)
    (closed,) = [each for each in await entries(plant, is_open=None) if each.outcome]
    assert (closed.meter, closed.outcome, closed.replayed_at) == ("E02", "stored", NOW)


async def test_a_replay_that_changes_nothing_closes_nothing(plant: Plant) -> None:
    await plant.send(reading(0, 2, "E02"))
    (entry,) = await entries(plant)
    assert await replay(plant, entry.quarantine_id) == Replayed("rejected", 0, 1)
    assert len(await entries(plant)) == 1


async def test_a_whole_message_is_replayed_once_its_gateway_is_enrolled(plant: Plant) -> None:
    topic = f"nenghao/v1/450200/{factories.unit_code()}/gw7/readings"
    await plant.send(reading(0, 1), reading(15, 2), topic=topic)
    (entry,) = await entries(plant)
    assert (entry.reading_index, entry.reading_count) == (None, 2)
    async with plant.pool.acquire() as connection:
        await factories.gateway(connection, plant.unit_id, "gw7")
    assert await replay(plant, entry.quarantine_id) == Replayed("stored", 1, 0, stored=2)
    assert await replay(plant, entry.quarantine_id) == Replayed("duplicate", 0, 0, duplicate=2)
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 2


@pytest.mark.parametrize("ended", ["renewed", "revoked"])
async def test_a_message_is_believed_by_the_keys_and_gateways_of_when_it_came(
    plant: Plant, ended: str
) -> None:
    key, unit = b"1" * 32, factories.unit_code()
    await plant.pool.execute("UPDATE units SET signature_required = true")
    async with plant.pool.acquire() as connection:
        await db.gateways.insert_key(connection, unit, "gw1", key, timedelta(0))
    plant.collector = plant.new_collector()
    topic, received_at = f"nenghao/v1/450200/{unit}/gw1/readings", await utc(plant)
    said = json.dumps({"batch": "b1", "readings": [reading(0, 5, "C09")]}).encode()
    (signature,) = validate.signatures(topic, said, [key])
    await plant.collector.store([Delivery(1, 1, topic, said, received_at, signature)])
    (unknown,) = await entries(plant)
    async with plant.pool.acquire() as connection:
        if ended == "revoked":
            await db.gateways.revoke(connection, unit, "gw1")
        await db.gateways.insert_key(connection, unit, "gw1", b"2" * 32, timedelta(0))
        await factories.meter(connection, plant.unit_id, "C09", kind="interval")
    await plant.collector.store([Delivery(1, 1, topic, said + b" ", await utc(plant), signature)])
    assert await replay(plant, unknown.quarantine_id) == Replayed("stored", 1, 0, stored=1)
    (forged,) = await entries(plant)
    assert (await replay(plant, forged.quarantine_id)).rejected == 1


async def utc(plant: Plant) -> datetime:
    """Return the time of the database, which gateways and keys end by."""
    found: datetime = await plant.pool.fetchval("SELECT clock_timestamp()")
    return found


async def test_a_rejection_closes_only_when_its_reading_came_in_or_was_judged(
    plant: Plant,
) -> None:
    await plant.send(reading(0, 1, "E02"), reading(0, -1, "E03"))
    (first, _) = await entries(plant)
    async with plant.pool.acquire() as connection:
        for code in ("E02", "E03"):
            await factories.meter(connection, plant.unit_id, code)
    await plant.pool.execute("UPDATE units SET signature_required = true")
    assert await replay(plant, first.quarantine_id) == Replayed("rejected", 0, 2)
    await plant.pool.execute("UPDATE units SET signature_required = false")
    assert await replay(plant, first.quarantine_id) == Replayed("stored", 3, 1, stored=1)
    told = [(each.meter, each.reason, each.outcome) for each in await entries(plant, is_open=None)]
    assert told == [
        ("E02", Reason.UNKNOWN_METER, "stored"),
        ("E03", Reason.UNKNOWN_METER, "rejected"),
        (None, Reason.BAD_SIGNATURE, "stored"),
        ("E03", Reason.VALUE_OUT_OF_RANGE, None),
    ]


async def test_a_bulk_replay_leaves_out_numbers_that_another_batch_has_used(plant: Plant) -> None:
    for batch, minute in (("b1", 0), ("b2", 15)):
        said = {"batch": batch, "boot": "x", "seq": 1, "readings": [reading(minute, 1)]}
        await plant.send_raw([json.dumps(said).encode()])
    await plant.send(reading(0, 2, "E02"), batch="b3")
    disputed, unknown = await entries(plant)
    assert (disputed.reason, unknown.reason) == (Reason.REPLAYED, Reason.UNKNOWN_METER)

    assert await chosen(plant, None) == [unknown.sha256]
    assert await chosen(plant, Reason.REPLAYED) == [disputed.sha256]
    ids = [disputed.quarantine_id] * 2
    assert await quarantine.find_named(plant.pool, ids) == [disputed.sha256]
    with pytest.raises(Refusal, match="no rejection 0, -1"):
        await quarantine.find_named(plant.pool, [0, *ids, -1])


async def chosen(plant: Plant, reason: Reason | None, page: int = 2) -> list[bytes]:
    unit, before = factories.unit_code(), NOW + timedelta(minutes=1)
    choice = Choice(before, unit, reason, quarantine.unasked(reason))
    found = [each async for each in replays.list_chosen(plant.pool, choice, page)]
    async with plant.pool.acquire() as connection:
        assert await db.quarantine.count_chosen(connection, choice) == len(found)
    return found


async def test_a_bulk_replay_goes_through_all_messages_page_by_page_each_once(
    plant: Plant,
) -> None:
    topic = f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
    for number in (3, 1, 4, 0, 2):
        said = {"batch": f"b{number}", "readings": [reading(0, 2, "E02"), reading(1, 2, "E03")]}
        at = NOW + timedelta(seconds=number)
        await plant.collector.store([Delivery(1, 1, topic, json.dumps(said).encode(), at)])
    await plant.pool.execute("DELETE FROM quarantine WHERE batch = 'b2' AND meter = 'E02'")
    rows = await plant.pool.fetch("SELECT sha256 FROM quarantine_messages ORDER BY received_at")
    assert await chosen(plant, None) == [row["sha256"] for row in rows]


async def test_a_message_that_is_no_longer_kept_is_passed_over(plant: Plant) -> None:
    await plant.send(reading(0, 2, "E02"))
    (sha256,) = await chosen(plant, None)
    holder = await writer.begin(plant.pool, "replay", lambda: NOW)
    replayer = Replayer(plant.pool, holder, oldest=timedelta(days=400), clock=lambda: NOW)
    done = quarantine.Sum()
    done.add(await replayer.replay(sha256))
    await plant.pool.execute("DELETE FROM quarantine")
    await plant.pool.execute("DELETE FROM quarantine_messages")
    done.add(await replayer.replay(sha256))
    assert (done.messages, done.rejected, done.gone) == (1, 1, 1)
    assert "; 1 no longer kept" in str(done)


async def test_a_reading_ahead_of_its_time_does_not_become_true_by_waiting(plant: Plant) -> None:
    await plant.send(reading(60 + 10, 1))
    (entry,) = await entries(plant)
    assert await replay(plant, entry.quarantine_id) == Replayed("rejected", 0, 1)


@pytest.mark.parametrize(("reborn_as", "stored"), [(None, "X01"), ("E01", None)])
async def test_an_alias_is_replayed_as_what_it_meant_or_not_at_all(
    plant: Plant, reborn_as: str | None, stored: str | None
) -> None:
    await sparkplug.deliver(plant, "NBIRTH", birth("X01"))
    await sparkplug.deliver(plant, "NDATA", sparkplug.sent(1, 1, sparkplug.value(1, 777, -30)))
    *_, entry = await entries(plant)
    if reborn_as:
        later = NOW + timedelta(seconds=1)
        topic = f"{sparkplug.ROOT}/NBIRTH/gw1"
        await plant.collector.store([Delivery(1, 0, topic, birth(reborn_as), later)])
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "X01")
    await replay(plant, entry.quarantine_id)
    meter = await plant.pool.fetchval(
        "SELECT meter FROM readings JOIN meters USING (meter_id) WHERE raw_value = 777"
    )
    assert meter == stored


def birth(name: str) -> bytes:
    at_ms = sparkplug.NOW_MS
    return sparkplug.message(
        0, Metric(name=name, alias=1, timestamp=at_ms, datatype=Datatype.DOUBLE, double_value=1)
    )


async def test_a_status_is_replayed_without_becoming_the_present_one(plant: Plant) -> None:
    await plant.pool.execute(
        "ALTER TABLE gateways ADD CONSTRAINT cursed CHECK (firmware <> 'cursed')"
    )
    topic = f"nenghao/v1/450200/{factories.unit_code()}/gw1/status"
    said = b'{"state": "online", "firmware": "cursed"}'
    await plant.collector.store([Delivery(1, 1, topic, said, NOW)])
    await plant.pool.execute("ALTER TABLE gateways DROP CONSTRAINT cursed")
    (entry,) = await entries(plant)
    assert await replay(plant, entry.quarantine_id) == Replayed("stored", 1, 0)
    assert await entries(plant) == []
    assert await plant.pool.fetchval("SELECT count(*) FROM gateways WHERE firmware = 'cursed'") == 0
