"""The nightly faults, `make soak`: the same promises for longer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest import broker_url
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests.faults import proxy
from tests.faults.conftest import GATEWAYS, SINCE, Works, kill, said_at, until
from tests.faults.outages import restart_broker, start_database, stop_database

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

KILLS = 20
HUNG_S = float(os.environ.get("HUNG_MINUTES", "5")) * 60
HUNG_PER_S = 100
LATE_S_MAX = 5
"""What a busy machine may take to say it."""


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def test_a_hundred_thousand_readings_and_twenty_kills(works: Works) -> None:
    """[1] in full."""
    process = works.collect()
    until(lambda: works.connected() == 1)
    threads = works.publishing(100_000 // GATEWAYS, per_s=1000)  # longer than the kills take
    restarts = []
    for _ in range(KILLS):
        time.sleep(works.random.uniform(0.2, 1.0))
        kill(process)
        before = works.received()
        process = works.collect()
        restarts.append(until(lambda before=before: works.received() > before))  # type: ignore[misc]
    join(threads)
    until(lambda: works.stored() >= 100_000, within_s=120)
    works.ledger.check(works.database_url)
    print(f"restart to first commit: at most {max(restarts):.2f} s")
    assert max(restarts) <= 5


async def _tell(works: Works, count: int, fault: Callable[[], None], faults: int) -> int:
    """Have receipt-trusting gateways tell `count` readings each while `fault` strikes."""
    broker = broker_url.parse(works.services.mqtt_url)
    gateways = [
        Gateway(broker, Address(each.city, each.unit, each.gateway), each.username, each.password)
        for each in works.logins
    ]
    for gateway in gateways:
        gateway.open()
    chunk = count // (faults * 2)
    for number in range(faults * 2):
        for gateway, login in zip(gateways, works.logins, strict=True):
            readings = []
            for n in range(number * chunk, (number + 1) * chunk):
                read_at = SINCE + timedelta(seconds=n)
                works.ledger.note(login.unit, "M0", read_at, float(n))
                readings.append(("M0", read_at, float(n)))
            gateway.put(readings)
        await asyncio.sleep(0.3)
        if number % 2:
            await asyncio.to_thread(fault)
    async with asyncio.timeout(120):
        for gateway in gateways:
            await gateway.emptied()
    for gateway in gateways:
        await gateway.close()
    return sum(gateway.sent_again for gateway in gateways)


@pytest.mark.parametrize("with_its_sessions", [True, False], ids=["persistence", "none"])
async def test_broker_and_collector_are_killed_in_turn(
    works: Works, with_its_sessions: bool
) -> None:
    """[3] 20 kills of the broker and 20 of the collector; the gateways trust receipts alone."""
    processes = [works.collect()]
    until(lambda: works.connected() == 1)

    def fault() -> None:
        restart_broker(works, with_its_sessions=with_its_sessions)
        kill(processes[-1])
        processes.append(works.collect())

    again = await _tell(works, 12_500, fault, KILLS)
    works.ledger.check(works.database_url)
    print(f"{again} batches sent again")


def test_a_minute_without_a_database_and_five_restarts(works: Works) -> None:
    """[7] in full."""
    process = works.collect()
    until(lambda: works.connected() == 1)
    threads = works.publishing(9_000, per_s=400)
    port = stop_database(works)
    time.sleep(60)
    start_database(works, port)
    for _ in range(5):
        time.sleep(works.random.uniform(0.5, 3))
        start_database(works, stop_database(works))
    join(threads)
    until(lambda: works.stored() >= 9_000 * GATEWAYS, within_s=120)
    works.ledger.check(works.database_url)
    assert process.poll() is None


def test_a_killed_database_keeps_what_was_receipted(works: Works) -> None:
    """[8] The postmaster is killed ten times under load."""
    works.collect()
    until(lambda: works.connected() == 1)
    threads = works.publishing(5_000, per_s=500)
    for _ in range(10):
        time.sleep(works.random.uniform(0.5, 2))
        running = works.pair.postgres.running()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: works.pair.postgres.running() is None)
        start_database(works, running.port)
    join(threads)
    until(lambda: works.stored() >= 5_000 * GATEWAYS, within_s=120)
    works.ledger.check(works.database_url)


@pytest.mark.parametrize("hung", ["database", "broker"])
def test_a_hung_network_is_given_up_and_recovers(works: Works, hung: str) -> None:
    """[10] A link swallows all bytes for HUNG_MINUTES; 15 s after that readings are stored again.

    All who wait give up in time: those who store, beat and hold the lock after 10 s for the
    database and 10 s for the connection they give back; the link after one and a half keepalives.
    """
    is_database = hung == "database"
    target = works.database_url if is_database else works.services.mqtt_url
    variable = "NENGHAO_DATABASE_URL" if is_database else "NENGHAO_MQTT_URL"
    count = int((HUNG_S + 30) * HUNG_PER_S / GATEWAYS)
    with proxy.before(target) as (before, url):
        works.collect(**{variable: url})
        until(lambda: works.connected() == 1)
        threads = works.publishing(count, per_s=HUNG_PER_S)
        until(lambda: works.received() > 500)
        hung_at = datetime.now(UTC)
        before.is_hung = True
        time.sleep(HUNG_S)
        before.is_hung = False
        there = works.received()
        recovered_s = until(lambda: _supervised(works, variable, url).received() > there)
        join(threads)
        total = count * GATEWAYS
        until(lambda: _supervised(works, variable, url).stored() >= total, within_s=120)
        works.stop()
    works.ledger.check(works.database_url)
    said = works.said("database_unavailable" if is_database else "disconnected")
    noticed_s = [(said_at(each) - hung_at).total_seconds() for each in said]
    print(f"given up after {noticed_s} s, recovered after {recovered_s:.1f} s")
    assert len(noticed_s) >= (3 if is_database else 1)
    assert noticed_s[2 if is_database else 0] <= (20 if is_database else 45) + LATE_S_MAX
    assert recovered_s <= 15


def _supervised(works: Works, variable: str, url: str) -> Works:
    """Start the collector again if it has ended, as a supervisor would.

    Attempts to connect that hung reach the broker after all, and take its session from it.
    """
    if works.processes[-1].poll() is not None:
        works.collect(**{variable: url})
    return works


def test_old_gateways_lose_nothing_unseen(works: Works) -> None:
    """[4] Gateways that trust a PUBACK lose with the broker; every lost number is listed."""
    works.collect()
    until(lambda: works.connected() == 1)
    login, sent = works.logins[0], 0
    for round_ in range(6):
        count = 200
        threads = [threading.Thread(target=_send_numbered, args=(works, sent, count))]
        threads[0].start()
        time.sleep(works.random.uniform(0.05, 0.3))
        restart_broker(works, with_its_sessions=False)
        threads[0].join()
        sent += count
        until(lambda round_=round_: works.connected() >= round_ + 2)  # type: ignore[misc]
    _send_numbered(works, sent, 1)
    until(lambda: _has(works, sent))
    with psycopg.connect(works.database_url) as connection:
        there = {
            row[0]
            for row in connection.execute(
                "SELECT (extract(epoch FROM read_at - %s))::int FROM readings", (SINCE,)
            )
        }
        listed = {
            row[0]
            for row in connection.execute(
                "SELECT generate_series(lower(g), upper(g) - 1) FROM sequences, "
                "unnest(int8multirange(range_merge(received)) - received) AS g"
            )
        }
    lost = set(range(min(there), sent + 1)) - there
    print(f"{len(lost)} of {sent + 1} lost by {login.username}, {len(listed)} listed")
    assert lost == listed


def _send_numbered(works: Works, first: int, count: int) -> None:
    """Publish numbered batches as an old gateway does: it trusts the broker and looks away."""
    login, broker = works.logins[0], broker_url.parse(works.services.mqtt_url)
    client = Client(CallbackAPIVersion.VERSION2, client_id=login.username, clean_session=True)
    client.username_pw_set(login.username, login.password)
    until(lambda: _connects(client, broker.host, broker.port))
    client.loop_start()
    topic = f"nenghao/v1/{login.city}/{login.unit}/{login.gateway}/readings"
    for number in range(first, first + count):
        one = {"meter": "M0", "time": (SINCE + timedelta(seconds=number)).isoformat()}
        said = {"batch": str(number), "boot": "old", "seq": number}
        payload = json.dumps(said | {"readings": [one | {"value": number}]})
        client.publish(topic, payload, qos=0)
        time.sleep(0.001)
    time.sleep(0.2)
    client.disconnect()
    client.loop_stop()


def _connects(client: Client, host: str, port: int) -> bool:
    try:
        client.connect(host, port)
    except OSError:
        return False
    return True


def _has(works: Works, number: int) -> bool:
    with psycopg.connect(works.database_url) as connection:
        read_at = SINCE + timedelta(seconds=number)
        row = connection.execute("SELECT 1 FROM readings WHERE read_at = %s", (read_at,))
        return row.fetchone() is not None
