"""Database, broker and network come and go; nothing acknowledged is lost. [RELIABILITY 7, 11–16]"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest

from ingest import broker_url, shards
from ingest.acks import Delivery
from ingest.client import Link
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests.faults.conftest import GATEWAYS, SINCE, Works, kill, until
from tests.faults.outages import restart_broker, start_database, stop_database
from tests.peers import Peer

AWAY_S = 10.0
ROUNDS = 50
ROUNDS_OF_A_COLLECTOR = [5, pytest.param(ROUNDS, marks=pytest.mark.soak)]
"""It pauses for a second before it connects again: five with every commit, fifty at night."""

SESSIONS = 10


def test_a_database_that_is_away_is_waited_for(works: Works) -> None:
    """[7] Stopped for 10 s under load: nothing lost, nothing acknowledged, one process."""
    process = works.collect()
    until(lambda: works.connected() == 1)
    threads = works.publishing(1500, per_s=400)
    until(lambda: works.received() > 500)
    port = stop_database(works)
    time.sleep(AWAY_S)
    start_database(works, port)
    resumed_s = until(lambda: works.received() >= 0)
    before = works.received()
    resumed_s += until(lambda: works.received() > before)
    for thread in threads:
        thread.join()
    until(lambda: works.stored() >= 1500 * GATEWAYS)
    works.ledger.check(works.database_url)
    assert resumed_s <= 10
    assert process.poll() is None
    assert works.connected() == 1


def test_a_database_that_is_restarted_again_and_again_is_no_reason_to_end(works: Works) -> None:
    process = works.collect()
    until(lambda: works.connected() == 1)
    threads = works.publishing(300, per_s=200)
    for _ in range(3):
        start_database(works, stop_database(works))
        time.sleep(works.random.uniform(0.2, 0.8))
    for thread in threads:
        thread.join()
    until(lambda: works.stored() >= 300 * GATEWAYS)
    works.ledger.check(works.database_url)
    assert process.poll() is None


@pytest.mark.parametrize("rounds", ROUNDS_OF_A_COLLECTOR)
async def test_acknowledgements_of_a_lost_session_harm_nothing(works: Works, rounds: int) -> None:
    """[11] The broker forgets everything between delivery and commit; packet ids begin anew."""
    works.collect(NENGHAO_RECEIVE_MAXIMUM="5")
    until(lambda: works.connected() == 1)
    broker = broker_url.parse(works.services.mqtt_url)
    (login, *_) = works.logins
    gateway = Gateway(
        broker,
        Address(login.city, login.unit, login.gateway),
        login.username,
        login.password,
    )
    gateway.open()
    with psycopg.connect(works.database_url, autocommit=True) as blocker:
        for number in range(rounds):
            blocker.execute("BEGIN")
            blocker.execute("LOCK TABLE ingest_totals IN ACCESS EXCLUSIVE MODE")
            for n in range(10):
                read_at = SINCE.replace(minute=number, second=n)
                works.ledger.note(login.unit, "M0", read_at, float(number * 10 + n))
                gateway.put([("M0", read_at, float(number * 10 + n))])
            await asyncio.sleep(0.3)
            restart_broker(works, with_its_sessions=False)
            blocker.execute("COMMIT")
            await connected(works, number + 2)
    await gateway.emptied()
    await gateway.close()
    works.ledger.check(works.database_url)
    assert len(works.said("session_lost")) == rounds


async def test_an_acknowledgement_never_crosses_to_another_session(works: Works) -> None:
    """[11] On the wire: packet ids of a lost session would remove new messages from the broker."""
    for _ in range(ROUNDS):
        old, new = works.messages(0, 5), works.messages(0, 5)
        link = _link(works)
        async with asyncio.timeout(30):
            await _connected(link)
            await asyncio.to_thread(_publish, works, old)
            first = await _take(link, 5)
            restart_broker(works, with_its_sessions=False)
            while link.subscribed_in < 2:  # an attempt that failed counts, too
                await asyncio.sleep(0.02)
            await asyncio.to_thread(_publish, works, new)
            assert len(await _take(link, 5)) == 5
            await link.acknowledge(first)
            link.close()
            again = _link(works)
            taken = await _take(again, 5)
            assert [each.payload for each in taken] == [text for _, text in new]
            await again.acknowledge(taken)
            again.close()


def test_the_session_is_there_at_every_start_and_its_loss_is_an_alarm(works: Works) -> None:
    """[12] Restarted ten times; then the session is deleted behind our back."""
    for _ in range(SESSIONS):
        count = works.connected()
        process = works.collect()
        until(lambda count=count: works.connected() > count)  # type: ignore[misc]
        kill(process)
    present = [each["session_present"] for each in works.said("connected")]
    assert present == [False] + [True] * (SESSIONS - 1)
    assert works.said("session_lost") == []
    Peer(works.services.mqtt_url, client_id=works.name).__exit__(None, None, None)
    works.collect()
    until(lambda: bool(works.said("session_lost")), within_s=10)
    assert works.said("session_lost")[0]["level"] == "critical"


def test_a_standby_takes_over_within_20_s_and_the_thawed_one_ends(works: Works) -> None:
    """[15, 16] Two of one name: the second waits. The first is frozen, and later thawed."""
    first = works.collect(log="first")
    until(lambda: works.connected("first") == 1)
    second = works.collect(log="second")
    until(lambda: bool(works.said("standby", "second")))
    threads = works.publishing(1500, per_s=400)
    until(lambda: works.received() > 200)
    first.send_signal(signal.SIGSTOP)
    frozen_at = works.received()
    taken_over_s = until(lambda: works.received() > frozen_at + 100)
    first.send_signal(signal.SIGCONT)
    assert first.wait(timeout=20) != 0
    for thread in threads:
        thread.join()
    until(lambda: works.stored() >= 1500 * GATEWAYS)
    works.ledger.check(works.database_url)
    print(f"taken over after {taken_over_s:.1f} s")
    assert taken_over_s <= 20
    assert second.poll() is None
    assert (works.connected("first"), works.connected("second")) == (1, 1)


def test_the_loser_of_a_client_id_ends_and_there_is_no_ping_pong(works: Works) -> None:
    """[16] The same client id from a platform with another database: nobody waits there."""
    ours = works.collect(log="first")
    until(lambda: works.connected("first") == 1)
    intruder = Peer(works.services.mqtt_url, client_id=works.name)
    assert ours.wait(timeout=20) == 2
    assert "took over" in (works.folder / "first.log").read_text()
    assert works.connected("first") == 1
    intruder.__exit__(None, None, None)


@pytest.mark.parametrize("trouble", ["raise", "block"])
def test_a_network_thread_in_trouble_ends_the_process(works: Works, trouble: str) -> None:
    """[14] The thread of paho breaks or hangs in its callback: the process ends within 30 s."""
    process = works.collect(fault=f"in_callback_{trouble}")
    until(lambda: works.connected() == 1)
    sender = threading.Thread(target=_publish_one, args=(works,), daemon=True)
    sender.start()
    assert process.wait(timeout=30) == 2
    works.collect()
    until(lambda: works.received() == 1)
    works.ledger.check(works.database_url)


def _link(works: Works) -> Link:
    link = Link(
        broker_url.parse(works.services.mqtt_url),
        works.name,
        shards.whole(works.name).filters,
        receive_maximum=5,
        clock=lambda: datetime.now(UTC),
        reconnect_s=(0, 1),
    )
    link.open()
    return link


async def _connected(link: Link) -> None:
    while not link.subscribed_in:
        await asyncio.sleep(0.02)


async def _take(link: Link, count: int) -> list[Delivery]:
    taken: list[Delivery] = []
    while len(taken) < count:
        taken += await link.take(count - len(taken), 100_000)
    return taken


def _publish(works: Works, messages: list[tuple[str, bytes]]) -> None:
    login = works.logins[0]
    with Peer(works.services.mqtt_url, login.username, login.password) as gateway:
        for topic, payload in messages:
            gateway.publish(topic, payload)


def _publish_one(works: Works) -> None:
    _publish(works, works.messages(0, 1))


async def connected(works: Works, times: int) -> None:
    async with asyncio.timeout(30):
        while works.connected() < times:
            await asyncio.sleep(0.05)
