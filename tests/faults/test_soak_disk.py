"""Full disks, nightly: under the database, under its log (WAL), under the broker. [RELIABILITY 17]

The database's disk has 192 MB: an empty cluster with TimescaleDB does not fit into 64.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import db.migrate
from deploy import processes
from deploy.services import Services
from ingest import broker_url, credentials
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests.faults import small
from tests.faults.conftest import SINCE, Works, kill, register, until
from tests.faults.outages import restart_broker

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

FULL_S = 10.0
QUEUE_BYTES_MIN = 20_000
"""The broker's file with the queue of this test in it would be larger by far."""

READINGS = 50
"""Readings of a gateway at a time, ten times a second."""


@asynccontextmanager
async def telling(works: Works) -> AsyncIterator[list[Gateway]]:
    """Gateways that trust receipts alone tell readings all the while; in the end all are told."""
    broker = broker_url.parse(works.services.mqtt_url)
    gateways = [
        Gateway(broker, Address(each.city, each.unit, each.gateway), each.username, each.password)
        for each in works.logins
    ]

    async def tell() -> None:
        while True:
            seconds = range(works.told, works.told + READINGS)
            works.told += READINGS
            for gateway, login in zip(gateways, works.logins, strict=True):
                readings = [("M0", SINCE + timedelta(seconds=n), float(n)) for n in seconds]
                for meter, read_at, value in readings:
                    works.ledger.note(login.unit, meter, read_at, value)
                gateway.put(readings)
            await asyncio.sleep(0.1)

    for gateway in gateways:
        gateway.open()
    teller = asyncio.create_task(tell())
    try:
        yield gateways
        teller.cancel()
        async with asyncio.timeout(120):
            for gateway in gateways:
                await gateway.emptied()
    finally:
        teller.cancel()
        for gateway in gateways:
            await gateway.close()


async def eventually(condition: Callable[[], bool], what: str, within_s: float = 30) -> float:
    return await asyncio.to_thread(until, condition, within_s=within_s, what=what)


async def test_a_full_disk_stops_the_database_and_loses_nothing(works: Works) -> None:
    """[17] Rows find no room and wait; room is made, and the same collector goes on."""
    password = urlsplit(works.services.database_url).password or ""
    with small.database(works.pair.postgres, password) as (disk, server, url):
        port = _move(works, url)
        process = works.collect(NENGHAO_DISK_PATHS=str(disk))
        await eventually(lambda: works.connected() == 1, "a connection")
        small.fill(disk, 0.76)
        await eventually(lambda: bool(works.said("disk_filling")), "an alarm")
        percent = works.said("disk_filling")[0]["percent"]
        async with telling(works) as gateways:
            await eventually(lambda: works.received() > 1000, "a commit")
            small.fill(disk)
            await eventually(lambda: bool(works.said("database_unavailable")), "a full disk", 60)
            receipts = await _stay_full(disk, gateways)
            small.relieve(disk)
            begun, there = time.monotonic(), works.received()
            assert await asyncio.to_thread(small.start_if_down, server, port, password)
            await eventually(lambda: works.received() > max(there, 0), "a commit")
            recovered_s = time.monotonic() - begun
        assert process.poll() is None
        works.ledger.check(works.database_url)
        works.stop()
    why = works.said("database_unavailable")[0]["error"]
    print(
        f"alarm at {percent} %, {why}, {receipts} receipts while full, back in {recovered_s:.1f} s"
    )
    assert isinstance(percent, int)
    assert percent <= 80
    assert receipts == 0


async def test_a_full_disk_under_the_log_of_the_database_loses_nothing(works: Works) -> None:
    """[17] No room for the log (WAL) ends the server; collector and broker forget as well.

    So whatever had a receipt without a commit would be in nobody's hands any more.
    """
    password = urlsplit(works.services.database_url).password or ""
    with small.database(works.pair.postgres, password) as (disk, server, url):
        port = _move(works, url)
        process = works.collect()
        await eventually(lambda: works.connected() == 1, "a connection")
        async with telling(works) as gateways:
            await eventually(lambda: works.received() > 1000, "a commit")
            small.fill(disk)
            await asyncio.to_thread(_use_up_the_log, url)
            receipts = await _stay_full(disk, gateways)
            was_down = not await asyncio.to_thread(small.start_if_down, server, port, password)
            assert process.poll() is None
            kill(process)
            await asyncio.to_thread(restart_broker, works, with_its_sessions=False)
            small.relieve(disk)
            assert await asyncio.to_thread(small.start_if_down, server, port, password)
            works.collect()
            again = sum(gateway.sent_again for gateway in gateways)
        again = sum(gateway.sent_again for gateway in gateways) - again
        works.ledger.check(works.database_url)
        works.stop()
    print(f"down: {was_down}, {receipts} receipts while full, {again} batches sent again after it")
    assert was_down
    assert receipts == 0


async def test_a_full_disk_under_the_broker_loses_nothing_receipted(works: Works) -> None:
    """[17] It says "got it", cannot write, and forgets its queue at a clean restart [E13]."""
    with small.broker_on(works.pair.broker, works.services) as (disk, broker, url, admin_url):
        works.services = _elsewhere(works, url, admin_url)
        fleet = [(each.city, each.unit, each.gateway) for each in works.logins]
        works.logins[:] = credentials.grant(admin_url, fleet)
        process = works.collect(NENGHAO_DISK_PATHS=str(disk))
        await eventually(lambda: works.connected() == 1, "a connection")
        small.fill(disk, 0.77)
        await eventually(lambda: bool(works.said("disk_filling")), "an alarm")
        percent = works.said("disk_filling")[0]["percent"]
        async with telling(works) as gateways:
            await eventually(lambda: works.received() > 1000, "a commit")
            small.fill(disk)
            kill(process)
            await asyncio.sleep(FULL_S / 2)  # its queue has no room on the disk
            running = broker.running()
            assert running is not None
            saved = disk / "mosquitto.db"
            processes.stop(running.pid, signal.SIGTERM, signal.SIGKILL, timeout_s=30)
            left = saved.stat().st_size if saved.exists() else 0
            small.relieve(disk)
            await asyncio.to_thread(broker.start, running.port, {}, print)
            works.collect(NENGHAO_DISK_PATHS=str(disk))
            await eventually(lambda: works.connected() == 2, "a connection")
        again = sum(gateway.sent_again for gateway in gateways)
        works.ledger.check(works.database_url)
        works.stop()
    print(f"alarm at {percent} %, {left} bytes left of the broker's state, {again} sent again")
    assert left < QUEUE_BYTES_MIN
    assert isinstance(percent, int)
    assert percent < 80


async def _stay_full(disk: Path, gateways: list[Gateway]) -> int:
    """Keep the disk full for a while; return how many receipts came meanwhile."""
    await asyncio.sleep(1)  # what was committed before is receipted now
    before = sum(gateway.receipts for gateway in gateways)
    until_s = time.monotonic() + FULL_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(small.fill, disk)
        await asyncio.sleep(0.2)
    return sum(gateway.receipts for gateway in gateways) - before


def _use_up_the_log(url: str) -> None:
    """Begin new files of the log until there is no room for another one."""
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
        for _ in range(100):
            connection.execute("SELECT pg_logical_emit_message(false, 'ballast', 'x')")
            connection.execute("SELECT pg_switch_wal()")
        pytest.fail("a full disk has room for a hundred files of the log")


def _move(works: Works, url: str) -> int:
    """Let `works` use the database at `url`; return its port."""
    db.migrate.upgrade(url)
    register(url, [login.unit for login in works.logins])
    works.database_url = url
    port = urlsplit(url).port
    assert port is not None
    return port


def _elsewhere(works: Works, mqtt_url: str, admin_url: str) -> Services:
    return replace(works.services, mqtt_url=mqtt_url, mqtt_admin_url=admin_url)
