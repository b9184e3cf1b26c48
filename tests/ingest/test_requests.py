"""What is missing is asked for: by meter and hour, paced, a bounded number of times."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

import db.corrections
from db.corrections import CorrectionRow
from deploy.services import Services
from ingest import credentials, requests, settle
from ingest.requests import Request
from tests import factories
from tests.ingest.conftest import NOW, Plant, collecting, reading
from tests.peers import Peer

DAY = list(range(-24 * 60, -179, 15))


async def told(plant: Plant, minutes: list[int]) -> None:
    """Send the register's readings at `minutes` and settle them; the gateway was heard now."""
    await plant.send(*(reading(n, 10_000 + n) for n in minutes))
    async with plant.pool.acquire() as connection:
        while await settle.settle_one(connection):
            pass


async def due(plant: Plant, now: datetime = NOW, **where: list[str]) -> list[Request]:
    async with plant.pool.acquire() as connection:
        found = await requests.list_due(connection, now, **where)
        for each in found:
            await requests.note_asked(connection, each, now)
        return found


async def test_hours_that_lack_readings_are_asked_for(plant: Plant) -> None:
    await told(plant, [n for n in DAY if not -600 <= n < -480])
    (asked,) = await due(plant)
    topic, payload = asked.message()
    said = json.loads(payload)
    assert topic.decode().endswith("/gw1/requests")
    assert said == {
        "id": str(asked.request_id),
        "gaps": [
            {"meter": "E01", "from": "2026-11-22T20:00:00Z", "to": "2026-11-22T23:00:00Z"},
        ],
        "not_before": "2026-11-23T08:00:00Z",
    }


@pytest.mark.parametrize("kind", ["interval", "gauge"])
async def test_hours_in_which_a_meter_said_nothing_at_all_are_asked_for(
    plant: Plant, kind: str
) -> None:
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "X01", kind=kind)
    silent = range(-600, -480)
    await plant.send(*(reading(n, 5.0, "X01") for n in DAY[:-1] if n not in silent))
    await told(plant, DAY)
    (asked,) = await due(plant)
    assert [(gap.meter, gap.starts_at, gap.ends_at) for gap in asked.gaps] == [
        ("X01", NOW - timedelta(hours=11), NOW - timedelta(hours=9))
    ]


async def set_aside(plant: Plant, meter: str, minutes: list[int]) -> None:
    """Set the readings of a meter at `minutes` aside, as a person does, and settle them."""
    async with plant.pool.acquire() as connection:
        rows = [
            CorrectionRow(
                factories.unit_code(), meter, NOW + timedelta(minutes=n) - timedelta(hours=1), None
            )
            for n in minutes
        ]
        targets = await db.corrections.list_targets(connection, rows)
        assert len(targets) == len(rows)
        await db.corrections.upsert(connection, [(one, None) for one in targets.values()])
        while await settle.settle_one(connection):
            pass


@pytest.mark.puts_in("corrections")
@pytest.mark.parametrize("meter", ["E01", "X01"])
async def test_a_reading_that_a_person_set_aside_is_not_asked_for(plant: Plant, meter: str) -> None:
    """Not of an hour of which some are left, nor where the whole hour was set aside."""
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "X01", kind="interval")
    await plant.send(*(reading(n, 5.0, "X01") for n in DAY[:-1]))
    await told(plant, DAY)
    await set_aside(plant, meter, [-900, -885, *range(-600, -480, 15)])
    assert await due(plant) == []


@pytest.mark.puts_in("corrections")
@pytest.mark.parametrize("meter", ["E01", "X01"])
async def test_what_is_missing_beside_a_reading_set_aside_is_asked_for(
    plant: Plant, meter: str
) -> None:
    async with plant.pool.acquire() as connection:
        await factories.meter(connection, plant.unit_id, "X01", kind="interval")
    came = [n for n in DAY if n != -570]
    await plant.send(*(reading(n, 5.0, "X01") for n in came[:-1]))
    await told(plant, came)
    await set_aside(plant, meter, [-585])
    (asked,) = await due(plant)
    assert {(gap.meter, gap.starts_at) for gap in asked.gaps} == {
        ("E01", NOW - timedelta(hours=11)),
        ("X01", NOW - timedelta(hours=11)),
    }


async def numbered(plant: Plant, *seqs: int) -> None:
    """Send batches of these numbers, and no reading but one in each."""
    await plant.send_raw(
        [
            json.dumps(
                {"batch": f"b{n}", "boot": "b", "seq": n, "readings": [reading(n, 10_000 + n)]}
            ).encode()
            for n in seqs
        ]
    )


async def test_numbers_that_never_came_are_asked_for_though_no_hour_lacks_readings(
    plant: Plant,
) -> None:
    await numbered(plant, 1, 2, 5)
    (asked,) = await due(plant)
    said = json.loads(asked.message()[1])
    assert said["sequences"] == [{"boot": "b", "first": 3, "last": 4}]
    assert (said["gaps"], asked.address.gateway) == ([], "gw1")


async def test_a_number_that_came_late_is_asked_for_no_more(plant: Plant) -> None:
    await numbered(plant, 1, 3)
    await numbered(plant, 2)
    assert await due(plant) == []


async def test_numbers_are_asked_for_within_the_bounds_of_hours(plant: Plant) -> None:
    await numbered(plant, 1, 3)
    assert await due(plant, cities=["450300"]) == []
    asked_at = []
    for minutes in range(0, 24 * 60, 5):
        now = NOW + timedelta(minutes=minutes)
        await plant.pool.execute("UPDATE gateways SET last_seen_at = $1", now)
        if await due(plant, now):
            asked_at.append(minutes)
    assert len(asked_at) == requests.ASKED_TIMES_MAX
    pauses = [b - a for a, b in itertools.pairwise(asked_at)]
    assert pauses == sorted(pauses)
    assert pauses[0] >= 10


async def test_nothing_missing_is_nothing_asked(plant: Plant) -> None:
    await told(plant, DAY)
    assert await due(plant) == []


async def test_a_gap_is_asked_for_with_growing_pauses_and_then_no_more(plant: Plant) -> None:
    await told(plant, [n for n in DAY if not -600 <= n < -480])
    asked_at = []
    for minutes in range(0, 24 * 60, 5):
        now = NOW + timedelta(minutes=minutes)
        await plant.pool.execute("UPDATE gateways SET last_seen_at = $1", now)
        if await due(plant, now):
            asked_at.append(minutes)
    assert len(asked_at) == requests.ASKED_TIMES_MAX
    pauses = [b - a for a, b in itertools.pairwise(asked_at)]
    assert pauses == sorted(pauses)
    assert pauses[0] >= 10


async def test_a_gateway_that_is_silent_is_not_asked(plant: Plant) -> None:
    await told(plant, [n for n in DAY if not -600 <= n < -480])
    await plant.pool.execute("UPDATE gateways SET last_seen_at = $1", NOW - timedelta(hours=2))
    assert await due(plant) == []


async def test_a_shard_asks_its_own_gateways_alone(plant: Plant) -> None:
    await told(plant, [n for n in DAY if not -600 <= n < -480])
    assert await due(plant, cities=["450300"]) == []
    assert len(await due(plant, cities=["450200"])) == 1


async def test_what_came_late_is_asked_for_no_more(plant: Plant) -> None:
    await told(plant, [n for n in DAY if not -600 <= n < -480])
    await told(plant, [n for n in DAY if -600 <= n < -480])
    assert await due(plant) == []


async def test_a_lost_session_is_reason_to_ask_at_once(plant: Plant, services: Services) -> None:
    """[12] It is deleted behind the collector's back; the next round is a day away."""
    await told(plant, [n for n in DAY if not -600 <= n < -480])
    gateway = ("450200", factories.unit_code(), "gw1")
    (login,) = credentials.grant(services.mqtt_admin_url, [gateway])
    name = f"requests-{uuid4().hex[:8]}"

    def start() -> AbstractAsyncContextManager[None]:
        return collecting(plant.pool, services, name, clock=lambda: NOW)

    with Peer(services.mqtt_url, login.username, login.password) as peer:
        topic = f"nenghao/v1/{login.city}/{login.unit}/{login.gateway}/requests"
        assert peer.subscribe(topic) == "Granted QoS 1"
        for _ in range(2):  # the second finds the session of the first
            async with start():
                assert not peer.has_message()
        Peer(services.mqtt_url, client_id=name).__exit__(None, None, None)
        async with start():
            _, asked = await asyncio.to_thread(peer.next_message)
    (gap,) = json.loads(asked)["gaps"]
    assert (gap["from"], gap["to"]) == ("2026-11-22T20:00:00Z", "2026-11-22T23:00:00Z")
