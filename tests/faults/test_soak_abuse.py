"""Abuse of the broker, nightly: a noisy neighbour, silent sockets. [RELIABILITY 48, 49]"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.installation import MOSQUITTO
from ingest import broker_url
from ingest.authority import Issued
from ingest.topics import Address
from tests.deploy.certificates import Certified, CertifiedPeer, running
from tests.faults.conftest import INSTANCE, SINCE, Works, kill, until
from tests.faults.crowded import CrowdedBroker, has_place, silence
from tests.faults.noisy import Neighbour, Timed, p99, talk

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

QUIET_S = 10.0
NOISY_S = 20.0
PER_S = 10.0
"""Batches a second of a gateway that behaves; its neighbour sends a hundred times as many."""

CONNECTIONS_PER_S = 17.0
"""A thousand a minute."""

LATENCY_FLOOR_S = 1.0
"""Below this nothing is judged: the machine is shared."""

FREE_AGAIN_S_MAX = 90 + 15
"""The broker gives a silent socket one and a half keepalives of 60 s; and a margin."""


async def test_a_noisy_neighbour_costs_the_others_nothing_and_is_named(works: Works) -> None:
    """[48] A hundred times the rate, packets too large, topics of others, reconnecting always."""
    works.collect()
    until(lambda: works.connected() == 1)
    broker = broker_url.parse(works.services.mqtt_url)
    noisy, *others = works.logins
    topics = [
        f"nenghao/v1/450200/{others[0].unit}/gw1/readings",
        f"nenghao/v1/450200/{noisy.unit}/gw1/receipts",
        "$SYS/broker/uptime",
        "a/b/c",
    ]
    wild = [(topic, _message("M0", 86_399)) for topic in topics]
    flood = works.messages(0, int(100 * PER_S * NOISY_S))
    neighbour = Neighbour(broker, noisy, flood, wild, NOISY_S, CONNECTIONS_PER_S)
    gateways = [Timed(broker, each, Address(each.city, each.unit, each.gateway)) for each in others]
    for gateway in gateways:
        gateway.open()
    await talk(works, gateways, PER_S, 2)  # connected, and everything is warm
    quiet = await talk(works, gateways, PER_S, QUIET_S)
    neighbour.start()
    disturbed = await talk(works, gateways, PER_S, NOISY_S)
    await asyncio.to_thread(neighbour.join)
    for gateway in gateways:
        await gateway.close()
    print(f"{neighbour.connections} connections, {neighbour.cut} cut, {neighbour.sent} messages")
    print(f"p99 {p99(quiet) * 1000:.0f} ms alone, {p99(disturbed) * 1000:.0f} ms beside it")
    names = {each.unit for each in others}
    works.ledger.check(works.database_url, promised={k for k in works.ledger.sent if k[0] in names})
    assert p99(disturbed) <= max(2 * p99(quiet), LATENCY_FLOOR_S)
    assert {each["unit"] for each in works.said("noisy_gateway")} == {noisy.unit}
    log = works.pair.broker.installation.read(MOSQUITTO, works.pair.broker.log) or ""
    assert f"Client {noisy.username} disconnected due to oversize packet" in log
    assert neighbour.connections >= NOISY_S * CONNECTIONS_PER_S * 0.8


def test_silent_sockets_keep_no_collector_out_and_gateways_not_for_long(
    works: Works, tmp_path: Path
) -> None:
    """[49] The gateways' listener is full of silent sockets; the collectors have their own."""
    with running(works.services, tmp_path, INSTANCE, CrowdedBroker) as certified:
        ours = {"NENGHAO_MQTT_URL": certified.collector_url, "NENGHAO_COLLECTOR": "collector"}
        process = works.collect(**ours)
        until(lambda: works.connected() == 1)
        first, second = (certified.issue("gw1", login.unit) for login in works.logins[:2])
        inside = _connect(certified, first)
        kill(process)  # else its place would be kept for it
        with silence(certified.port):
            begun = time.monotonic()
            assert not has_place(certified.port)
            works.collect(**ours)
            collector_s = until(lambda: works.connected() == 2, within_s=15)
            _publish(works, inside, 0)
            until(lambda: works.received() == 1)
            _until_let_in(works, certified, second, 1)
            free_s = time.monotonic() - begun
        with silence(certified.port):
            assert not has_place(certified.port)
        closed_s = _until_let_in(works, certified, second, 1)
        until(lambda: works.received() == 3)
        inside.close()
        works.ledger.check(works.database_url)
        works.stop()
    print(f"collector in after {collector_s:.1f} s, gateway after {free_s:.0f} s of silence")
    print(f"gateway in {closed_s:.1f} s after the silent sockets were closed")
    assert free_s <= FREE_AGAIN_S_MAX
    assert closed_s <= 10


def _message(meter: str, second: int) -> bytes:
    reading = {"meter": meter, "time": (SINCE + timedelta(seconds=second)).isoformat()}
    return json.dumps({"batch": str(second), "readings": [reading | {"value": second}]}).encode()


def _connect(certified: Certified, issued: Issued) -> CertifiedPeer:
    peer = CertifiedPeer(certified, issued)
    assert peer.connect() == "Success"
    return peer


def _publish(works: Works, peer: CertifiedPeer, gateway: int) -> None:
    ((topic, payload),) = works.messages(gateway, 1)
    assert peer.publish(topic, payload) == "Success"


def _until_let_in(works: Works, certified: Certified, issued: Issued, gateway: int) -> float:
    """Wait for a place, connect, tell a reading; return how long it took. [s]"""
    begun = time.monotonic()
    until(lambda: has_place(certified.port), within_s=FREE_AGAIN_S_MAX + 30, what="a place")
    peer = _connect(certified, issued)
    _publish(works, peer, gateway)
    peer.close()
    return time.monotonic() - begun
