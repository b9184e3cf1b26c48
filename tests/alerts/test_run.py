"""The whole path at work: readings in, a letter in the mailbox; failures are said once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from alerts import cycle, smtp
from alerts.episodes import Episodes
from db.pool import Pool
from ingest import settle, writer
from ingest.acks import Delivery
from ingest.collect import Collector
from tests import factories
from tests.alerts.conftest import (
    FLOOR,
    MAIL_FROM,
    NOW,
    PUBLIC_URL,
    Post,
    Works,
    contact,
    limit,
    plain,
)

pytestmark = pytest.mark.puts_in("contacts", "limits")

HOURS = 3
INTERVAL = timedelta(minutes=15)


@pytest.fixture
async def plant(pool: Pool) -> Works:
    """A works with electricity by register and coal by weight, and no hour settled yet."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection, name="水泥厂", industry="C3011")
        await factories.gateway(connection, unit_id)
        energy_id = await factories.meter(connection, unit_id, multiplier=100.0)
        await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg"
        )
        output_id = await factories.meter(
            connection, unit_id, "P01", uom="t", role="output", product="clinker"
        )
    await limit(pool, "clinker", baseline=117.0)
    await contact(pool, "450200", "liuzhou@desk.example")
    return Works(pool, unit_id, energy_id, output_id)


async def tell(pool: Pool, coal_kg_per_t: float) -> None:
    """Deliver the last hours: 50 t a slot, 60 kWh/t, so much coal; then settle them."""
    since = NOW.replace(minute=0) - timedelta(hours=HOURS)
    readings = [
        {"meter": meter, "time": (since + slot * INTERVAL).isoformat(), "value": value}
        for slot in range(4 * HOURS + 1)
        for meter, value in (
            ("E01", 30.0 * slot),
            ("C01", 50 * coal_kg_per_t),
            ("P01", 50.0 * slot),
        )
    ]
    payload = json.dumps({"batch": "b1", "readings": readings}).encode()
    topic = f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
    holder = await writer.begin(pool, "test", lambda: NOW)
    collector = Collector(pool, holder, oldest=timedelta(days=400), clock=lambda: NOW)
    await collector.store([Delivery(1, 1, topic, payload, NOW)])
    async with pool.acquire() as connection:
        while await settle.settle_one(connection):
            pass


async def run_until_mail(pool: Pool, post: Post, letters: int) -> None:
    program = asyncio.create_task(
        cycle.run(
            pool,
            instance="test",
            pause_s=0.01,
            coverage_floor=FLOOR,
            public_url=PUBLIC_URL,
            smtp_url=post.url,
            mail_from="desk@nenghao.example",
            clock=lambda: NOW,
        )
    )
    async with asyncio.timeout(20):
        while post.count() < letters and not program.done():
            await asyncio.sleep(0.02)
        beats = "SELECT count(*) FROM heartbeats WHERE program = 'alert'"
        while not await pool.fetchval(beats) and not program.done():
            await asyncio.sleep(0.02)
    program.cancel()
    with pytest.raises(asyncio.CancelledError):
        await program


async def test_readings_of_an_overrun_become_a_letter(plant: Works, post: Post) -> None:
    await tell(plant.pool, coal_kg_per_t=185.0)
    await run_until_mail(plant.pool, post, 1)
    (letter,) = post.received()
    measured = 60 * 0.1229 + 185 * 0.7143
    assert f"单耗 {measured:.2f} kgce/t" in letter["Subject"]
    assert "产量：200 t" in plain(letter)
    rows = await plant.pool.fetch("SELECT program FROM heartbeats WHERE instance = 'test'")
    assert {row["program"] for row in rows} == {"alert", "send"}


async def test_a_plant_in_order_gets_no_letter(plant: Works) -> None:
    await tell(plant.pool, coal_kg_per_t=135.0)
    assert await plant.evaluate() == 0


async def test_an_address_that_is_none_stops_the_program_at_its_start(pool: Pool) -> None:
    with pytest.raises(ValueError, match="mail server"):
        await cycle.run(
            pool,
            instance="test",
            pause_s=1,
            coverage_floor=FLOOR,
            public_url=PUBLIC_URL,
            smtp_url="mail.example.cn",
            mail_from="desk@nenghao.example",
            clock=lambda: NOW,
        )


@contextmanager
def logged() -> Iterator[list[str]]:
    events: list[str] = []
    with capture_logs() as entries:
        yield events
    events.extend(entry["event"] for entry in entries)


async def test_a_server_that_is_away_is_said_once_and_its_return_too(
    works: Works, post: Post
) -> None:
    await works.made(140.0)
    await works.evaluate()
    episodes = Episodes()
    nowhere = "smtp://127.0.0.1:9"
    with logged() as events:
        for minute, url in enumerate((nowhere, nowhere, nowhere, post.url)):
            link = smtp.Link(smtp.parse(url), MAIL_FROM)
            await cycle.send_once(
                works.pool,
                link,
                now=NOW + timedelta(minutes=minute),
                instance="test",
                episodes=episodes,
            )
            await link.rest()
    assert events == ["mail_server_away", "mail_server_back", "letter_sent"]


async def test_a_verdict_that_cannot_be_given_is_said_once(works: Works) -> None:
    await works.made(None)
    episodes = Episodes()
    with logged() as events:
        for _ in range(3):
            await cycle.evaluate_once(
                works.pool,
                now=NOW,
                coverage_floor=FLOOR,
                public_url=PUBLIC_URL,
                episodes=episodes,
            )
    assert events == ["verdict_unknown"]


async def test_settlement_marks_what_rules_have_not_looked_at_and_the_evaluator_does(
    plant: Works,
) -> None:
    """[56] Late readings of a closed hour are settled, judged again, and told late."""
    marks = "SELECT count(*) FROM fresh_hours"
    await tell(plant.pool, coal_kg_per_t=135.0)
    assert await plant.pool.fetchval(marks) == 1
    assert await plant.evaluate() == 0
    assert await plant.pool.fetchval(marks) == 0
