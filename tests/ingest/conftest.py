"""A collector on a fresh database, spoken to without a broker between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from db.pool import Pool
from deploy.services import Services
from ingest import broker_url, collect, shards, writer
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.collect import Collector
from ingest.receipts import Tally
from ingest.writer import Holder
from tests import factories

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass
class Plant:
    """A registered unit with register E01, interval meter C01 and the gateway gw1."""

    pool: Pool
    unit_id: int
    register_id: int
    interval_id: int
    holder: Holder
    collector: Collector

    def new_collector(self) -> Collector:
        return Collector(self.pool, self.holder, oldest=timedelta(days=400), clock=lambda: NOW)

    async def send(
        self, *readings: dict[str, object], batch: str = "b1", topic: str | None = None
    ) -> Flush:
        """Deliver one batch as the broker would; return what came of it."""
        payload = json.dumps({"batch": batch, "readings": readings}).encode()
        return await self.send_raw([payload], topic)

    async def send_raw(self, payloads: Sequence[bytes], topic: str | None = None) -> Flush:
        where = topic or f"nenghao/v1/450200/{factories.unit_code()}/gw1/readings"
        return await self.collector.store(
            [Delivery(1, number, where, text, NOW) for number, text in enumerate(payloads)]
        )


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def collecting(
    pool: Pool, services: Services, name: str, *, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[None]:
    """A collector that runs inside the block and is gone after it, as if it had been killed."""
    program = asyncio.create_task(
        collect.run(
            pool,
            broker_url.parse(services.mqtt_url),
            shards.whole(name),
            receive_maximum=500,
            oldest=timedelta(days=400),
            clock=clock,
            request_pause_s=86_400,
        )
    )
    await asyncio.sleep(0.5)
    try:
        yield
    finally:
        program.cancel()
        await asyncio.wait([program])


def reading(minutes: int, value: float, meter: str = "E01") -> dict[str, object]:
    """Return a reading `minutes` after 07:00 UTC of the day of the tests."""
    read_at = NOW - timedelta(hours=1) + timedelta(minutes=minutes)
    return {"meter": meter, "time": read_at.isoformat(), "value": value}


def tally(flush: Flush, number: int = 0) -> tuple[int, int, int, int, int]:
    """Return (received, stored, duplicate, conflicting, rejected) of a delivery."""
    found: Tally = flush.pieces[number].tally
    return found.received, found.stored, found.duplicate, found.conflicting, found.rejected


@pytest.fixture
async def plant(pool: Pool) -> Plant:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        await factories.gateway(connection, unit_id)
        register_id = await factories.meter(connection, unit_id, rollover=1_000_000.0)
        interval_id = await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg"
        )
    holder = await writer.begin(pool, "test", lambda: NOW)
    made = Plant(pool, unit_id, register_id, interval_id, holder, None)  # type: ignore[arg-type]  # next line
    made.collector = made.new_collector()
    return made
