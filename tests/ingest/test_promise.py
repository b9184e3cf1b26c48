"""The promise: nothing is acknowledged, and no receipt leaves, before the commit."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import db.intake
from app.enrolment import enrol
from db.pool import Pool
from deploy.services import Services
from tests import factories
from tests.ingest.conftest import collecting
from tests.peers import Peer

UNIT = factories.unit_code(42)
READINGS = f"nenghao/v1/450200/{UNIT}/gw1/readings"
RECEIPTS = f"nenghao/v1/450200/{UNIT}/gw1/receipts"


async def stored(pool: Pool) -> int:
    async with pool.acquire() as connection:
        return (await db.intake.fetch_totals(connection)).stored


async def test_a_delivery_is_neither_acknowledged_nor_receipted_before_its_commit(
    pool: Pool, services: Services
) -> None:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection, UNIT, region="450200")
        await factories.meter(connection, unit_id)
        (login,) = await enrol(connection, services.mqtt_admin_url, [(UNIT, "gw1")])
    read_at = datetime.now(UTC).isoformat()
    batch = {"batch": "once", "readings": [{"meter": "E01", "time": read_at, "value": 1}]}
    name = f"promise-{uuid4().hex[:8]}"
    with Peer(services.mqtt_url, login.username, login.password) as gateway:
        gateway.subscribe(RECEIPTS)
        async with pool.acquire() as blocker, asyncio.timeout(30):
            transaction = blocker.transaction()
            async with collecting(pool, services, name):
                await transaction.start()
                await blocker.execute("LOCK TABLE ingest_totals IN ACCESS EXCLUSIVE MODE")
                await asyncio.to_thread(gateway.publish, READINGS, json.dumps(batch).encode())
                await asyncio.sleep(1)
                assert not gateway.has_message()
            await transaction.rollback()
        assert await stored(pool) == 0

        async with collecting(pool, services, name), asyncio.timeout(15):
            while await stored(pool) < 1:
                await asyncio.sleep(0.05)
            _, receipt = await asyncio.to_thread(gateway.next_message)
    assert json.loads(receipt)["stored"] == 1
