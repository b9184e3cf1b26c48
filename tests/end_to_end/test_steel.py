"""The steel year through the real broker: its sum is the golden one, whatever dies on the way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

import db.intake
from app.enrolment import enrol
from db.pool import Pool
from deploy.services import Services
from ingest import broker_url, settle
from ingest.simulator import fleet, steel
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests import factories
from tests.end_to_end.conftest import Programs

STEEL_KWH = 959_636.71
STEEL_TCE = 117.94
READINGS = 35_041


async def steel_gateway(pool: Pool, services: Services, unit: str) -> Gateway:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection, unit, region="450200")
        await factories.meter(connection, unit_id, rollover=steel.ROLLOVER_KWH)
        (login,) = await enrol(connection, services.mqtt_admin_url, [(unit, "gw1")])
    broker = broker_url.parse(services.mqtt_url)
    gateway = Gateway(broker, Address("450200", unit, "gw1"), login.username, login.password)
    gateway.open()
    return gateway


async def stored(pool: Pool) -> int:
    async with pool.acquire() as connection:
        return (await db.intake.fetch_totals(connection)).stored


async def test_the_steel_year_survives_kills_of_the_collector(
    programs: Programs, pool: Pool, services: Services
) -> None:
    gateway = await steel_gateway(pool, services, factories.unit_code(77))
    collector = programs.start("collect")
    ends_at = fleet.floor_slot(datetime.now(UTC))
    gateway.put(("E01", read_at, value) for read_at, value in steel.register(ends_at))
    for threshold in (2_000, 9_000, 20_000):
        while await stored(pool) < threshold:
            await asyncio.sleep(0.01)
        programs.kill(collector)
        collector = programs.start("collect")
    await asyncio.wait_for(gateway.emptied(), 120)
    await gateway.close()
    async with pool.acquire() as connection:
        totals = await db.intake.fetch_totals(connection)
        while await settle.settle_one(connection):
            pass
    assert (totals.stored, totals.conflicting, totals.rejected) == (READINGS, 0, 0)
    assert totals.received == totals.stored + totals.duplicate
    for step in ("hour", "day", "month"):
        row = await pool.fetchrow(
            "SELECT sum(quantity) AS kwh, sum(calorific_tce) AS tce, sum(readings_present) AS seen "
            "FROM unit_consumption WHERE step = $1",
            step,
        )
        assert row is not None
        assert row["kwh"] == pytest.approx(STEEL_KWH, abs=0.01)
        assert row["tce"] == pytest.approx(STEEL_TCE, abs=0.01)
        assert row["seen"] >= READINGS - 1
