"""Owns the collector: take deliveries, store them, then receipt, then acknowledge. In that order.

The promise: a delivery is acknowledged, and its receipt published, only after the commit that
holds its readings or their rejection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog

import db.heartbeats
import db.intake
import db.metering
import db.patience
from db.metering import UnitEntry
from db.pool import Connection, Pool
from ingest import acks, batches, topics, writer
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.broker_url import BrokerUrl
from ingest.client import Link
from ingest.topics import Leaf
from ingest.validate import Validator

DELIVERIES_MAX = 200
"""Deliveries in one flush at most."""

UNIT_ENTRY_AGE_MAX = timedelta(seconds=30)
"""After this a unit is read from the registry again, so that changes there take effect."""

WATCHDOG_PAUSE_S = 1.0
HEARTBEAT_S = 5.0

log = structlog.get_logger("collect")


class Collector:
    """One collector: the units it has seen, and what it does with deliveries."""

    def __init__(
        self, pool: Pool, name: str, *, oldest: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._name = name
        self._clock = clock
        self._validator = Validator(oldest)
        self._units: dict[str, UnitEntry] = {}
        self._loaded_at: dict[str, datetime] = {}

    async def store(self, deliveries: Sequence[Delivery]) -> Flush:
        """Commit `deliveries`; every reading of them is stored or named in the flush returned."""
        decoded = batches.decode(deliveries)
        await self._load({address.unit for _, address, _ in decoded if self._is_old(address.unit)})
        await self._load(batches.missing_units(decoded, self._units))
        flush = batches.assemble(decoded, self._units, self._validator)
        await writer.store(self._pool, self._name, flush)
        return flush

    def _is_old(self, unit: str) -> bool:
        loaded_at = self._loaded_at.get(unit)
        return loaded_at is None or self._clock() - loaded_at > UNIT_ENTRY_AGE_MAX

    async def _load(self, units: Iterable[str]) -> None:
        wanted = sorted(units)
        if not wanted:
            return
        found = await db.patience.patiently(
            self._pool, lambda connection: db.metering.list_units(connection, wanted)
        )
        for unit in wanted:
            self._units.pop(unit, None)
            self._loaded_at[unit] = self._clock()
        for entry in found:
            self._units[entry.unit] = entry
            self._validator.learn(entry)


async def run(
    pool: Pool,
    broker: BrokerUrl,
    name: str,
    *,
    receive_maximum: int,
    oldest: timedelta,
    clock: Callable[[], datetime],
) -> None:
    """Collect until cancelled. Raises ConnectionLostError when the process should start anew."""
    session_expected = await db.patience.patiently(
        pool, lambda connection: db.intake.has_totals(connection, name)
    )
    link = Link(
        broker,
        name,
        topics.collector_filters(),
        receive_maximum=receive_maximum,
        clock=clock,
        session_expected=session_expected,
    )
    collector = Collector(pool, name, oldest=oldest, clock=clock)
    link.open()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_watch(link))
            tasks.create_task(_beat(pool, name, link, clock))
            tasks.create_task(_collect(link, collector, clock))
    finally:
        link.close()


async def _collect(link: Link, collector: Collector, clock: Callable[[], datetime]) -> None:
    while True:
        deliveries = await link.take(DELIVERIES_MAX)
        flush = await collector.store(deliveries)
        committed_at = clock()
        for piece in flush.pieces:
            receipt = batches.encode_receipt(piece, committed_at)
            link.publish(piece.address.topic(Leaf.RECEIPTS), receipt)
        # Ack after commit, never before: the broker forgets on PUBACK.
        for packet_id in acks.due(deliveries, link.generation):
            link.acknowledge(packet_id)


async def _watch(link: Link) -> None:
    while True:
        await asyncio.sleep(WATCHDOG_PAUSE_S)
        link.check()


async def _beat(pool: Pool, name: str, link: Link, clock: Callable[[], datetime]) -> None:
    async def beat(connection: Connection) -> None:
        detail = "connected" if link.connected else "no broker"
        await db.heartbeats.beat(connection, "collect", name, clock(), detail)

    while True:
        await db.patience.patiently(pool, beat)
        await asyncio.sleep(HEARTBEAT_S)
