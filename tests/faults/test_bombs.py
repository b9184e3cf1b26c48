"""Bombs on the wire: named or refused, no memory, the others notice nothing. [RELIABILITY 46]

What the decoder makes of them is in test_inputs.py; over HTTPS: tests/app/test_uploads.py.
"""

from __future__ import annotations

import asyncio
import json

import psycopg

from deploy.installation import MOSQUITTO
from ingest import broker_url
from ingest.payload import PAYLOAD_BYTES_MAX
from ingest.topics import Address
from tests.faults.conftest import Works, rss_mb, until
from tests.faults.noisy import Timed, p99, talk
from tests.peers import Peer

PER_S, QUIET_S = 10.0, 3.0
LATENCY_FLOOR_S = 1.0
RSS_MB_MAX = 50
ROUNDS = 3
MB = 1_000_000

NAMED = {  # each within the limit of the broker
    "depth": (b'{"batch":"b","readings":' + b"[" * 100_000 + b"]" * 100_000, "malformed_json"),
    "objects": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "malformed_json"),
    "keys": (
        json.dumps({"batch": "b", "readings": [{f"k{n}": n for n in range(1000)}]}).encode(),
        "invalid_field",
    ),
    "text": (json.dumps({"batch": "b" * 200_000, "readings": []}).encode(), "invalid_field"),
    "elements": (b'{"batch":"b","readings":[' + b"1," * 100_000 + b"1]}", "too_large"),
    "bytes": (b"x" * (PAYLOAD_BYTES_MAX + 1), "too_large"),
}
CUT_OFF = [
    json.dumps({"batch": "b" * 10 * MB, "readings": []}).encode(),
    b'{"batch":"b","readings":[' + b"1," * MB + b"1]}",
]


async def test_bombs_on_the_wire_cost_no_memory_and_the_others_nothing(works: Works) -> None:
    """Depth 100,000, 1,000 keys, elements to the limit; 10 MB and a million elements are cut."""
    process = works.collect()
    until(lambda: works.connected() == 1)
    cut_before = _cut_off(works)
    others = works.logins[1:]
    broker = broker_url.parse(works.services.mqtt_url)
    gateways = [Timed(broker, each, Address(each.city, each.unit, each.gateway)) for each in others]
    for gateway in gateways:
        gateway.open()
    await talk(works, gateways, PER_S, 1)  # connected, and everything is warm
    quiet = await talk(works, gateways, PER_S, QUIET_S)
    before = rss_mb(process.pid)
    bombing = asyncio.create_task(asyncio.to_thread(_bomb, works))
    disturbed = await talk(works, gateways, PER_S, QUIET_S)
    await bombing
    until(lambda: sum(_named(works).values()) >= ROUNDS * len(NAMED))
    grown = rss_mb(process.pid) - before
    for gateway in gateways:
        await gateway.close()
    print(f"p99 {p99(quiet) * 1000:.0f} ms alone, {p99(disturbed) * 1000:.0f} ms; {grown:.1f} MB")
    assert grown <= RSS_MB_MAX
    assert p99(disturbed) <= max(2 * p99(quiet), LATENCY_FLOOR_S)
    works.ledger.check(works.database_url)
    assert _named(works) == dict.fromkeys((reason for _, reason in NAMED.values()), 2 * ROUNDS)
    assert _cut_off(works) - cut_before == ROUNDS * len(CUT_OFF)


def _bomb(works: Works) -> None:
    login = works.logins[0]
    topic = f"nenghao/v1/{login.city}/{login.unit}/{login.gateway}/readings"
    for _ in range(ROUNDS):
        with Peer(works.services.mqtt_url, login.username, login.password) as bomber:
            for payload, _ in NAMED.values():
                assert bomber.publish(topic, payload) == "Success"
        for payload in CUT_OFF:
            with Peer(works.services.mqtt_url, login.username, login.password) as bomber:
                bomber.throw(topic, payload)
                bomber.wait_until_cut()


def _cut_off(works: Works) -> int:
    """Return how often the broker ever cut the bomber off for the size of a packet."""
    log = works.pair.broker.installation.read(MOSQUITTO, works.pair.broker.log) or ""
    return log.count(f"Client {works.logins[0].username} disconnected due to oversize packet")


def _named(works: Works) -> dict[str, int]:
    """Return how often messages were delivered that were rejected, by reason."""
    with psycopg.connect(works.database_url) as connection:
        return dict(
            connection.execute(
                "SELECT reason, sum(deliveries)::int FROM quarantine GROUP BY reason"
            ).fetchall()
        )
