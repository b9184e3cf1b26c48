"""Owns a shard: which gateways a collector hears, under which name, and that it alone does.

Not shared subscriptions: Mosquitto drops what a dead member was given. A shard is a fixed set of
topics, a fixed client id and a lock in the database; further processes for it wait as standbys.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

import structlog

import db.collectors
import db.patience
import db.regions
from db.pool import Connection, Pool
from ingest import topics
from ingest.names import NameFault
from ingest.sparkplug import topics as sparkplug

STANDBY_PAUSE_S = 1.0
HOLDER_SILENT_S = 10
"""A holder without a sign of life for so long loses its lock, and a transaction it has open: it is
frozen, or its host is gone.
"""

LOCK_CHECK_S = 2.0
_PART = re.compile(r"(?P<city>[0-9]{6})(/(?P<unit>[0-9A-Z]{18}))?")

log = structlog.get_logger("collect")


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of the gateways that one collector hears. `name` is also its MQTT client id.

    `cities` and `units` say which; None: all.
    """

    name: str
    filters: list[str]
    cities: list[str] | None = None
    units: list[str] | None = None

    async def hold(self, pool: Pool, tasks: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Wait until nobody else holds the shard, then hold it until the task is cancelled."""
        held = asyncio.Event()
        task = tasks.create_task(self._keep(pool, held))
        await held.wait()
        return task

    async def _keep(self, pool: Pool, held: asyncio.Event) -> None:
        """Hold the lock; take it again after the database was away.

        Should another process have been faster, the epoch fences ours off at its next flush.
        """

        async def keep(connection: Connection) -> None:
            await self._wait(connection)
            held.set()
            while True:
                await asyncio.sleep(LOCK_CHECK_S)
                await connection.execute("SELECT")  # fails when the session, and the lock, is gone

        while True:
            await db.patience.patiently(pool, keep, limit_s=None)

    async def _wait(self, connection: Connection) -> None:
        is_said = False
        while not await db.collectors.try_lock(connection, self.name):
            if not is_said:
                log.info("standby", shard=self.name)
                is_said = True
            if await db.collectors.break_lock(connection, self.name, HOLDER_SILENT_S):
                log.warning("lock_broken", shard=self.name, silent_s=HOLDER_SILENT_S)
            await asyncio.sleep(STANDBY_PAUSE_S)
        log.info("holding", shard=self.name)


async def require_cities(pool: Pool, shard: Shard) -> None:
    """Raise NameFault if the shard names a city that is none: nothing would ever be heard of it."""
    cities = shard.cities or []
    known = await db.patience.patiently(
        pool, lambda connection: db.regions.list_known_cities(connection, cities)
    )
    if unknown := sorted(set(cities) - known):
        raise NameFault(
            f"--shard names {', '.join(unknown)}, which is no city of the platform's regions; give "
            "the six digits of a prefecture-level city, as in the topics of its gateways"
        )


def whole(name: str) -> Shard:
    """Return the shard of all gateways."""
    return Shard(name, topics.collector_filters("+", "+") + sparkplug.collector_filters("+"))


def parse(name: str, text: str) -> Shard:
    """Return the shard that `text` names: cities, or units of a city, with + between them.

    >>> parse("collector", "450200+450300").name
    'collector-450200-450300'
    """
    parts = [_PART.fullmatch(part) for part in text.split("+")]
    if not all(parts):
        raise ValueError(
            f"{text!r} is no shard: give city codes, 450200+450300, or units, 450200/9145…"
        )
    places = sorted((part["city"], part["unit"] or "+") for part in parts if part)
    filters = [each for city, unit in places for each in topics.collector_filters(city, unit)]
    for _, unit in places:
        if unit != "+":  # the topics of Sparkplug do not name the city
            filters += sparkplug.collector_filters(unit)
    label = "-".join(city if unit == "+" else unit for city, unit in places)
    cities = sorted({city for city, _ in places})
    units = [unit for _, unit in places]
    return Shard(f"{name}-{label}", filters, cities, None if "+" in units else units)
