"""Owns the collector: take deliveries, store them, then receipt, then acknowledge. In that order.

The promise: a delivery is acknowledged, and its receipt published, only after the commit that
holds its readings or their rejection. While one flush is being stored, the next is assembled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog

import db.births
import db.metering
import db.patience
from db.metering import UnitEntry
from db.pool import Connection, Pool
from ingest import (
    batches,
    beats,
    decoding,
    disk,
    faults,
    requests,
    shards,
    topics,
    validate,
    writer,
)
from ingest.acks import Delivery
from ingest.batches import Flush
from ingest.broker_health import PLANNED, Queue
from ingest.broker_url import BrokerUrl
from ingest.client import Link
from ingest.decoding import Told
from ingest.faults import Point
from ingest.noise import Noise
from ingest.shards import Shard
from ingest.sparkplug import nodes
from ingest.sparkplug import topics as sparkplug
from ingest.sparkplug.nodes import Nodes
from ingest.topics import Address, Leaf
from ingest.validate import Validator
from ingest.writer import Holder

DELIVERIES_MAX = 125
"""Deliveries in one flush at most: a quarter of the window, so that all stages have work."""

FLUSH_BYTES_MAX = 2 * 1024 * 1024
"""Bytes of deliveries in one flush at most: about 25,000 readings."""

FLUSHES_WAITING_MAX = 1
"""Flushes assembled ahead of the one being stored."""

SLICE = 16
"""Deliveries decoded or judged before other tasks have their turn."""

UNIT_ENTRY_AGE_MAX = timedelta(seconds=30)
"""After this a unit is read from the registry again, so that changes there take effect."""

KEY_AGE_MAX = timedelta(seconds=1)
"""After this a unit is read again for a signature that does not hold: its key may be newer."""

SEEN_AGAIN_AFTER = timedelta(seconds=10)
"""How often it is written down that a gateway was heard."""

REQUEST_PAUSE_S = 60.0
WATCHDOG_PAUSE_S = 1.0

T = TypeVar("T")

log = structlog.get_logger("collect")


class Assembler:
    """Turns deliveries into flushes; knows the units it has seen."""

    def __init__(
        self,
        pool: Pool,
        *,
        oldest: timedelta,
        clock: Callable[[], datetime],
        key_age_max: timedelta = KEY_AGE_MAX,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._ages_max = (UNIT_ENTRY_AGE_MAX, key_age_max)  # a key may be a moment old
        self._validator = Validator(oldest)
        self._units: dict[str, UnitEntry] = {}
        self._loaded_at: dict[str, datetime] = {}
        self._seen_at: dict[int, datetime] = {}
        self.nodes = Nodes()
        self._as_of: datetime | None = None

    def go_back(self, to: datetime) -> None:
        """Judge messages that were received then: by births kept since then at the latest, and by
        gateways and keys that had not ended by then.
        """
        self.nodes = Nodes()
        self._loaded_at.clear()
        self._as_of = to

    async def assemble(self, deliveries: Sequence[Delivery]) -> Flush:
        """Return the flush of `deliveries`: every reading of them is a row or a rejection."""
        faults.reach(Point.BEFORE_PARSE)
        await self._restore({delivery.topic for delivery in deliveries})
        disbelieved = await self._disbelieved(deliveries)
        told: list[Told] = []
        for some in _slices(deliveries):
            told += decoding.decode(some, self.nodes, disbelieved)
            await asyncio.sleep(0)
        now = self._clock()
        await self._load({unit for unit in _units(told) if self._is_old(unit, now)}, now)
        flush = await self._judge(deliveries, told)
        if flush.doubtful:
            flush.forget()
            await self._load(flush.doubtful, now)
            flush = await self._judge(deliveries, told)
        self._leave_out_seen(flush, now)
        batches.put_in_order(flush)
        faults.reach(Point.AFTER_PARSE)
        return flush

    async def _judge(self, deliveries: Sequence[Delivery], told: Sequence[Told]) -> Flush:
        flush = Flush(deliveries)
        for some in _slices(told):
            batches.add(flush, some, self._units, self._validator)
            await asyncio.sleep(0)
        return flush

    def take_back(self, flush: Flush) -> None:
        """Forget what meters said that was turned away when `flush` was stored: read them again."""
        for unit in flush.turned_away & self._units.keys():
            self._validator.forget(self._units[unit].unit_id)
            self._loaded_at.pop(unit, None)

    async def is_signed(self, delivery: Delivery) -> bool:
        """Return whether `delivery` carries the signature of the gateway whose topic it names."""
        address, _ = topics.parse(delivery.topic)
        for age_max in self._ages_max:
            now = self._clock()
            if self._is_old(address.unit, now, age_max):
                await self._load([address.unit], now)
            if self._holds(delivery, address):
                return True
        return False

    async def _disbelieved(self, deliveries: Sequence[Delivery]) -> set[int]:
        """Return the `id` of Sparkplug messages whose signature does not hold.

        Asked before they are read: what they say of births would be believed of later ones.
        """
        doubted = [each for each in deliveries if nodes.is_ours(each.topic)]
        for age_max in self._ages_max:
            now = self._clock()
            units = {sparkplug.sender(each.topic)[0] for each in doubted}
            await self._load({unit for unit in units if self._is_old(unit, now, age_max)}, now)
            doubted = [each for each in doubted if self._is_forged(each)]
        return set(map(id, doubted))

    def _is_forged(self, delivery: Delivery) -> bool:
        """Return whether a registered gateway did not sign what it sends, though it had to."""
        unit_code, code = sparkplug.sender(delivery.topic)
        unit = self._units.get(unit_code)
        gateway = None if unit is None else unit.gateways.get(code)
        if unit is None or gateway is None:
            return False
        said, is_required = delivery.signature, unit.signature_required
        return bool(
            validate.signature_fault(
                said, delivery.topic, delivery.payload, gateway, is_required=is_required
            )
        )

    def _holds(self, delivery: Delivery, address: Address) -> bool:
        unit = self._units.get(address.unit)
        gateway = None if unit is None else unit.gateways.get(address.gateway)
        return gateway is not None and not validate.signature_fault(
            delivery.signature, delivery.topic, delivery.payload, gateway, is_required=True
        )

    def _is_old(self, unit: str, now: datetime, age_max: timedelta = UNIT_ENTRY_AGE_MAX) -> bool:
        loaded_at = self._loaded_at.get(unit)
        return loaded_at is None or now - loaded_at > age_max

    async def _load(self, units: Iterable[str], now: datetime) -> None:
        wanted = sorted(units)
        if not wanted:
            return
        as_of = self._as_of
        found = await db.patience.patiently(
            self._pool, lambda connection: db.metering.list_units(connection, wanted, as_of)
        )
        for unit in wanted:  # one that is not registered leaves nothing: anybody can make names up
            self._units.pop(unit, None)
            self._loaded_at.pop(unit, None)
        for entry in found:
            self._units[entry.unit] = entry
            self._loaded_at[entry.unit] = now
            self._validator.learn(entry)

    async def _restore(self, topics: Iterable[str]) -> None:
        """Teach edge nodes that are heard for the first time what they said before our start."""
        unknown = sorted(self.nodes.unknown(topics))
        if unknown:
            until = self._as_of
            births = await db.patience.patiently(
                self._pool, lambda connection: db.births.list_births(connection, unknown, until)
            )
            for name in unknown:
                self.nodes.teach(name, births[name])

    def _leave_out_seen(self, flush: Flush, now: datetime) -> None:
        """Leave out gateways that were marked as heard a moment ago: spare their rows."""
        seen_at, before = self._seen_at, now - SEEN_AGAIN_AFTER
        due = {each for each in flush.gateway_ids if seen_at.get(each, before) <= before}
        seen_at.update(dict.fromkeys(due, now))
        flush.gateway_ids = due


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield a few of `items` at a time: between them the flush before goes on being stored."""
    return (items[first : first + SLICE] for first in range(0, len(items), SLICE))


def _units(told: Sequence[Told]) -> set[str]:
    return {address.unit for _, address, _ in told}


class Collector:
    """An assembler and the name under which its flushes are stored."""

    def __init__(
        self, pool: Pool, holder: Holder, *, oldest: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._holder = holder
        self._clock = clock
        self._assembler = Assembler(pool, oldest=oldest, clock=clock)

    async def assemble(self, deliveries: Sequence[Delivery]) -> Flush:
        return await self._assembler.assemble(deliveries)

    async def commit(self, flush: Flush) -> None:
        await writer.store(self._pool, self._holder, flush)
        self._assembler.take_back(flush)

    def answers(self, flush: Flush) -> list[tuple[bytes, bytes]]:
        """Return what to publish once `flush` is committed, topics and payloads: receipts,
        and commands to edge nodes that have to be born again.
        """
        now, nodes = self._clock(), self._assembler.nodes
        receipts = [
            (
                piece.address.topic(Leaf.RECEIPTS).encode(),
                batches.encode_receipt(piece, now),
            )
            for piece in flush.pieces
            if piece.is_receipted
        ]
        commands = (nodes.command(name, reason, now) for name, reason in flush.unborn.items())
        return [*receipts, *(command for command in commands if command is not None)]

    async def store(self, deliveries: Sequence[Delivery]) -> Flush:
        """Commit `deliveries`; every reading of them is stored or named in the flush returned."""
        flush = await self.assemble(deliveries)
        await self.commit(flush)
        return flush


async def run(
    pool: Pool,
    broker: BrokerUrl,
    shard: Shard,
    *,
    receive_maximum: int,
    oldest: timedelta,
    clock: Callable[[], datetime],
    request_pause_s: float = REQUEST_PAUSE_S,
    disks: Sequence[Path] = (),
    queue: Queue = PLANNED,
) -> None:
    """Collect until cancelled; wait as a standby while another process collects this shard.

    Raises ConnectionLostError or FencedError when the process should start anew, NameFault if the
    shard names a city that is none.
    """
    await shards.require_cities(pool, shard)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(beats.beat_as_standby(pool, shard.name, clock))
        holding = await shard.hold(pool, tasks)
        waiting.cancel()
        holder = await writer.begin(pool, shard.name, clock)
        link = Link(
            broker,
            shard.name,
            shard.filters,
            receive_maximum=receive_maximum,
            clock=clock,
            session_expected=holder.epoch > 1,
            queue=queue,
        )
        collector = Collector(pool, holder, oldest=oldest, clock=clock)
        flushes: asyncio.Queue[Flush] = asyncio.Queue(FLUSHES_WAITING_MAX)
        link.open()
        try:
            async with asyncio.TaskGroup() as working:
                working.create_task(_watch(link))
                working.create_task(disk.watch(disks))
                working.create_task(beats.beat(pool, holder, link))
                working.create_task(_request(pool, shard, link, clock, request_pause_s))
                working.create_task(_assemble(link, collector, flushes))
                working.create_task(_store(link, collector, flushes))
        except asyncio.CancelledError:
            await beats.say_ended(pool, holder)  # while we hold the shard, if we still do
            raise
        finally:
            link.close()
            holding.cancel()


async def _assemble(link: Link, collector: Collector, flushes: asyncio.Queue[Flush]) -> None:
    noise = Noise()
    while True:
        deliveries = await link.take(DELIVERIES_MAX, FLUSH_BYTES_MAX)
        noise.take((each.topic for each in deliveries), deliveries[-1].received_at)
        await flushes.put(await collector.assemble(deliveries))


async def _store(link: Link, collector: Collector, flushes: asyncio.Queue[Flush]) -> None:
    while True:
        flush = await flushes.get()
        await collector.commit(flush)
        faults.reach(Point.AFTER_COMMIT)
        # Receipts and acks after the commit, never before: the broker forgets on PUBACK.
        await link.publish(collector.answers(flush))
        faults.reach(Point.AFTER_RECEIPT)
        await link.acknowledge(flush.deliveries)
        faults.reach(Point.AFTER_ACK)


async def _request(
    pool: Pool, shard: Shard, link: Link, clock: Callable[[], datetime], pause_s: float
) -> None:
    """Ask the gateways of the shard for what is missing: from time to time, and at once when the
    broker has lost what it kept for us.
    """

    async def ask(connection: Connection) -> None:
        now = clock()
        due = await requests.list_due(connection, now, cities=shard.cities, units=shard.units)
        for each in due:
            await requests.note_asked(connection, each, now)
        await link.publish([each.message() for each in due])
        link.settle_session()
        if due:
            log.info("asked_for_gaps", gateways=len(due))

    while True:
        await link.until_session_lost(pause_s)
        if link.connected:
            await db.patience.patiently(pool, ask)


async def _watch(link: Link) -> None:
    while True:
        await asyncio.sleep(WATCHDOG_PAUSE_S)
        link.check()
