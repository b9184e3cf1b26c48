"""[24] Of two values for one reading both are known: which message, when, from which gateway."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from ingest.acks import Delivery
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading

ROOT = f"nenghao/v1/450200/{factories.unit_code()}"
LATER = NOW + timedelta(microseconds=1)


def delivery(gateway: str, value: float, at: datetime, *more: dict[str, object]) -> Delivery:
    said = {"batch": f"{gateway}-{value}", "readings": [reading(0, value), *more]}
    return Delivery(1, 1, f"{ROOT}/{gateway}/readings", json.dumps(said).encode(), at)


@pytest.fixture
async def two(plant: Plant) -> Plant:
    async with plant.pool.acquire() as connection:
        await factories.gateway(connection, plant.unit_id, "gw2")
    return plant


async def firsts(plant: Plant) -> list[tuple[object, ...]]:
    rows = await plant.pool.fetch(
        """
        SELECT first_value, first_received_at, gateway, first_sha256, conflicts.topic, sha256
          FROM conflicts
          LEFT JOIN gateways ON gateway_id = first_gateway_id
         ORDER BY raw_value
        """
    )
    return [tuple(row) for row in rows]


async def test_a_conflict_names_both_messages_and_both_senders(two: Plant) -> None:
    first = await two.collector.store(
        [delivery("gw1", 100, NOW), Delivery(1, 2, f"{ROOT}/gw2/readings", b"{}", NOW)]
    )
    second = await two.collector.store([delivery("gw2", 101, LATER)])
    assert await firsts(two) == [
        (100, NOW, "gw1", first.pieces[0].sha256(), f"{ROOT}/gw2/readings",
         second.pieces[0].sha256())
    ]  # fmt: skip


async def test_both_sides_are_known_when_they_arrive_together(two: Plant) -> None:
    flush = await two.collector.store([delivery("gw2", 100, NOW), delivery("gw1", 101, LATER)])
    first, second = (piece.sha256() for piece in flush.pieces)
    assert await firsts(two) == [(100, NOW, "gw2", first, f"{ROOT}/gw1/readings", second)]


async def test_which_of_two_messages_of_one_instant_came_first_is_not_guessed(two: Plant) -> None:
    other = Delivery(1, 2, f"{ROOT}/gw2/readings", delivery("", 5, NOW).payload, NOW)
    at_once = [delivery("gw1", 100, NOW), other]
    flush = await two.collector.store(at_once)
    sha256 = flush.pieces[1].sha256()
    assert await firsts(two) == [(100, NOW, None, None, f"{ROOT}/gw2/readings", sha256)]


async def test_messages_that_stored_nothing_new_leave_no_trace(two: Plant) -> None:
    for _ in range(2):
        await two.collector.store([delivery("gw1", 100, NOW)])
    assert await two.pool.fetchval("SELECT count(*) FROM arrivals") == 1
