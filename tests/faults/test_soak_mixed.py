"""Faults of every kind in an order of the seed, nightly; all promises hold. [RELIABILITY 65]

SOAK_MINUTES says for how long.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg
import pytest

import db.migrate
from deploy.local import Pair
from ingest import broker_url
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests.faults import proxy, small
from tests.faults.conftest import GATEWAYS, METERS, SINCE, Works, register
from tests.faults.trouble import Pulse, Trouble

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
MESSAGES_PER_S = 300
TICK_S = 0.1
CATCH_UP_MAX = 20
"""Messages of a gateway in a tick at most: a busy machine tells fewer, and goes on."""

DISK_MB = small.DATABASE_MB + int(12 * MINUTES)
"""Readings, their index and their links take some 10 MB a minute."""

AHEAD = timedelta(days=1)
RSS_MB_PER_H_MAX = 1.0
RSS_NOISE_MB = 1.0
"""What the allocator may still keep after warming up; 0.1 to 0.4 MB were seen."""

FILES_NOISE = 2
"""The pool of the database has as many connections as it needs at the moment: 16–20 files seen."""


async def test_faults_of_every_kind_from_one_seed(works: Works, tmp_path: Path) -> None:
    """[65] Processes, links, disk and clocks at 300 messages a second; nothing is lost.

    Nothing leaks either: see what the elder collector holds, which lives all the while.
    """
    with troubled(works, tmp_path / "clock") as trouble:
        await asyncio.to_thread(trouble.begin)
        async with telling(trouble):
            supervisor = asyncio.create_task(_supervise(trouble))
            await _strike(trouble, time.monotonic() + MINUTES * 60)
            supervisor.cancel()
        print(f"{trouble.struck.total()} faults, ended by themselves: {trouble.ended}")
        works.ledger.check(works.database_url)
        assert _missing_numbers(works) == 0
        assert _said_to_be_ahead(works) == trouble.gateways_ahead * GATEWAYS
        _leaks_nothing(trouble.pulses)
        works.stop()


@contextmanager
def troubled(works: Works, clock: Path) -> Iterator[Trouble]:
    """A database on a small disk, proxies before it and the broker, two collectors, a clock."""
    clock.write_text("0")
    password = urlsplit(works.services.database_url).password or ""
    with small.database(works.pair.postgres, password, DISK_MB) as (disk, server, url):
        db.migrate.upgrade(url)
        register(url, [login.unit for login in works.logins])
        works.database_url = url
        works.pair = Pair(server, works.pair.broker)
        units = [f"{each.city}/{each.unit}" for each in works.logins]
        shards = ("+".join(units[:2]), "+".join(units[2:]))
        with (
            proxy.before(url) as (database, database_url),
            proxy.before(works.services.mqtt_url) as (broker, mqtt_url),
        ):
            urls = {"NENGHAO_DATABASE_URL": database_url, "NENGHAO_MQTT_URL": mqtt_url}
            yield Trouble(works, disk, database, broker, clock, shards, urls)


async def _strike(trouble: Trouble, until_s: float) -> None:
    """Let all kinds strike in turn, in a new order each time."""
    chosen = trouble.works.random
    while time.monotonic() < until_s:
        kinds = sorted(trouble.kinds())
        for kind in chosen.sample(kinds, len(kinds)):
            await asyncio.to_thread(trouble.strike, kind)
            await asyncio.sleep(chosen.uniform(0.2, 1.5))


async def _supervise(trouble: Trouble) -> None:
    while True:
        trouble.look()
        await asyncio.sleep(1)


@asynccontextmanager
async def telling(trouble: Trouble) -> AsyncIterator[None]:
    """Gateways that trust receipts tell one reading a message; in the end all are receipted."""
    works = trouble.works
    broker = broker_url.parse(works.services.mqtt_url)
    gateways = [
        Gateway(broker, Address(each.city, each.unit, each.gateway), each.username, each.password)
        for each in works.logins
    ]
    for gateway in gateways:
        gateway.open()
    teller = asyncio.create_task(_tell(trouble, gateways))
    try:
        yield
        teller.cancel()
        async with asyncio.timeout(120):
            for gateway in gateways:
                await gateway.emptied()
    finally:
        teller.cancel()
        for gateway in gateways:
            await gateway.close()
    print(f"{sum(each.published for each in gateways)} readings")
    print(f"{sum(each.sent_again for each in gateways)} batches sent again")


async def _tell(trouble: Trouble, gateways: Sequence[Gateway]) -> None:
    works, begun, told, ahead = trouble.works, time.monotonic(), 0, 0
    while True:
        due = int((time.monotonic() - begun) * MESSAGES_PER_S / GATEWAYS)
        due = min(due, told + CATCH_UP_MAX)
        for number in range(told, due):
            read_at, meter = SINCE + timedelta(seconds=number // METERS), f"M{number % METERS}"
            for gateway in gateways:
                works.ledger.note(gateway.address.unit, meter, read_at, float(number))
                gateway.put([(meter, read_at, float(number))])
        told = due
        for _ in range(ahead, trouble.gateways_ahead):
            for gateway in gateways:
                gateway.put([("M0", datetime.now(UTC) + AHEAD, 0.0)])
            ahead += 1
        await asyncio.sleep(TICK_S)


def _missing_numbers(works: Works) -> int:
    """Return how many numbers of batches the platform still waits for."""
    return _count(
        works,
        "SELECT count(*) FROM (SELECT generate_series(lower(gap), upper(gap) - 1) FROM sequences, "
        "unnest(int8multirange(range_merge(received)) - received) AS gap) AS missing",
    )


def _said_to_be_ahead(works: Works) -> int:
    return _count(works, "SELECT count(*) FROM quarantine WHERE reason = 'time_in_future'")


def _count(works: Works, statement: str) -> int:
    with psycopg.connect(works.database_url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _leaks_nothing(pulses: Sequence[Pulse]) -> None:
    """Compare the last quarter of a life with its second one; the first warms up."""
    quarter = len(pulses) // 4
    early, late = pulses[quarter : 2 * quarter], pulses[3 * quarter :]
    hours = (late[0].at_s - early[0].at_s) / 3600
    files = [median(each.open_files for each in some) for some in (early, late)]
    memory = [median(each.memory_mb for each in some) for some in (early, late)]
    slope = (memory[1] - memory[0]) / hours
    print(f"{memory[0]:.1f} → {memory[1]:.1f} MB, {slope:.1f} MB/h; {files[0]} → {files[1]} files")
    assert pulses[-1].at_s > MINUTES * 60 / 2, "the elder has lived long enough to be judged"
    assert memory[1] - memory[0] <= RSS_MB_PER_H_MAX * hours + RSS_NOISE_MB
    assert files[1] - files[0] <= FILES_NOISE
