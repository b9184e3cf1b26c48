"""The nightly faults, `make soak`: the same promises for longer (SOAK_MINUTES: the mixed one)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest import broker_url, credentials
from ingest.faults import Point
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests.deploy import leaky
from tests.faults import proxy
from tests.faults.conftest import GATEWAYS, INSTANCE, SINCE, Works, kill, until
from tests.faults.test_outages import restart_broker, start_database, stop_database

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

KILLS = 20
SOAK_MINUTES = float(os.environ.get("SOAK_MINUTES", "5"))


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


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


@pytest.mark.parametrize("point", [each for each in Point if "callback" not in each])
def test_twenty_crashes_at_every_point(works: Works, point: Point) -> None:
    """[2] in full: 160 crashes in all."""
    first = works.collect()
    until(lambda: works.connected() == 1)
    kill(first)
    for times in range(1, KILLS + 1):
        join(works.publishing(25, per_s=5000))
        dying = works.collect(fault=f"{point}:{times}", NENGHAO_RECEIVE_MAXIMUM="4")
        assert dying.wait(timeout=30) == -9
    works.collect()
    until(lambda: works.stored() >= KILLS * GATEWAYS * 25)
    works.ledger.check(works.database_url)


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


def test_a_backlog_drains_with_bounded_memory(works: Works) -> None:
    """[6] 200,000 messages wait; the collector takes them 500 at a time."""
    first = works.collect()
    until(lambda: works.connected() == 1)
    kill(first)
    join(works.publishing(200_000 // GATEWAYS, per_s=1e9))
    process = works.collect()
    until(lambda: works.connected() == 2)
    begun, highest = rss_mb(process.pid), 0.0
    while works.received() < 200_000:
        highest = max(highest, rss_mb(process.pid))
        time.sleep(0.05)
    works.ledger.check(works.database_url)
    print(f"memory {begun:.0f} MB, at most {highest:.0f} MB")
    assert highest - begun <= 100


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
    """[10] A link swallows all bytes for 75 s; 15 s after that readings are stored again."""
    target = works.database_url if hung == "database" else works.services.mqtt_url
    variable = "NENGHAO_DATABASE_URL" if hung == "database" else "NENGHAO_MQTT_URL"
    with proxy.before(target) as (before, url):
        works.collect(**{variable: url})
        until(lambda: works.connected() == 1)
        threads = works.publishing(6_000, per_s=250)
        until(lambda: works.received() > 500)
        before.is_hung = True
        time.sleep(75)
        before.is_hung = False
        there = works.received()
        recovered_s = until(lambda: works.received() > there, within_s=60)
        join(threads)
        until(lambda: works.stored() >= 6_000 * GATEWAYS, within_s=120)
        works.stop()
    works.ledger.check(works.database_url)
    print(f"recovered after {recovered_s:.1f} s")
    assert recovered_s <= 15


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


def test_a_queue_that_overflows_is_an_alarm(works: Works) -> None:
    """[5] A shard is away and its queue is full: the collector of another one says so in 30 s."""
    with leaky.running(works.services, INSTANCE) as (collector_url, admin_url):
        works.services = replace(works.services, mqtt_url=collector_url)
        gateways = [(each.city, each.unit, each.gateway) for each in works.logins]
        works.logins[:] = credentials.grant(admin_url, gateways)
        away = works.collect(log="away", shard="450200")
        other = works.collect(log="other", shard="450300")
        until(lambda: works.connected("away") == 1 and works.connected("other") == 1)
        kill(away)
        join(works.publishing(50, per_s=1000))
        until(lambda: bool(works.said("broker_dropped", "other")), within_s=30)
        assert works.said("broker_dropped", "other")[0]["level"] == "critical"
        other.terminate()
        other.wait(timeout=20)


async def test_mixed_faults_from_one_seed(works: Works) -> None:
    """[65] Kills, stops, restarts and pauses in any order; all invariants hold at the end."""
    processes = [works.collect()]
    until(lambda: works.connected() == 1)

    def collector() -> None:
        kill(processes[-1])
        processes.append(works.collect())

    def pause() -> None:
        processes[-1].send_signal(signal.SIGSTOP)
        time.sleep(works.random.uniform(0.1, 3))
        processes[-1].send_signal(signal.SIGCONT)

    faults: list[Callable[[], object]] = [
        collector,
        pause,
        lambda: restart_broker(works, with_its_sessions=True),
        lambda: restart_broker(works, with_its_sessions=False),
        lambda: start_database(works, stop_database(works)),
    ]
    struck = 0

    def strike() -> None:
        nonlocal struck
        struck += 1
        works.random.choice(faults)()
        if processes[-1].poll() is not None:
            processes.append(works.collect())  # as the supervisor would
        time.sleep(works.random.uniform(0.2, 1.5))

    rounds = max(4, int(SOAK_MINUTES * 60 / 4))
    again = await _tell(works, rounds * 100, strike, rounds)
    works.ledger.check(works.database_url)
    print(f"{struck} faults, {again} batches sent again, {len(processes)} collectors")
