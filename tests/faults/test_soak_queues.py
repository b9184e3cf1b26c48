"""Queues of the broker, nightly: one that overflows, one that drains. [RELIABILITY 5, 6]"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle

import psycopg
import pytest

from ingest import credentials
from ingest.broker_health import PLANNED
from tests.deploy import leaky
from tests.faults import proxy
from tests.faults.conftest import GATEWAYS, INSTANCE, Works, kill, rss_mb, said_at, until
from tests.faults.window import Window
from tests.peers import Peer

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

FULL_S = 80
"""The queue is full after so long: the broker speaks of it eight times meanwhile."""

PER_S = 25
FITS = FULL_S * PER_S
OVERFLOWS = FITS // 5
SYS_INTERVAL_S = 10
"""As in our profiles."""

BACKLOG = 200_000
RECEIVE_MAXIMUM = 500

Message = tuple[str, bytes]


@pytest.mark.parametrize("limit", ["messages", "bytes"])
def test_a_queue_says_that_it_fills_before_it_overflows(works: Works, limit: str) -> None:
    """[5] A shard is away for 1.2 times as long as its queue lasts; another collector tells.

    The gateways trust the broker, which says "Success" to every message it drops.
    """
    messages = [works.messages(number % GATEWAYS, 1)[0] for number in range(FITS)]
    promised = set(works.ledger.sent)
    beyond = [works.messages(number % GATEWAYS, 1)[0] for number in range(OVERFLOWS)]
    size = sum(len(payload) for _, payload in messages)
    full = {"messages": FITS} if limit == "messages" else {"size_bytes": size}
    queue = replace(PLANNED, **full)
    with leaky.running(works.services, INSTANCE, queue, SYS_INTERVAL_S) as (url, admin_url):
        works.services = replace(works.services, mqtt_url=url, mqtt_admin_url=admin_url)
        fleet = [(each.city, each.unit, each.gateway) for each in works.logins]
        works.logins[:] = credentials.grant(admin_url, fleet)
        away = works.collect(log="away", shard="450200")
        until(lambda: works.connected("away") == 1)
        kill(away)
        works.collect(
            log="other",
            shard="450300",
            NENGHAO_BROKER_QUEUE_MESSAGES=str(queue.messages),
            NENGHAO_BROKER_QUEUE_BYTES=str(queue.size_bytes),
        )
        until(lambda: works.connected("other") == 1)
        _tell(works, messages)
        said = works.said("broker_queue_filling", "other")
        shares = [float(str(each["share"])) for each in said]
        dropped_before = works.said("broker_dropped", "other")
        first_drop_at = datetime.now(UTC)
        _tell(works, beyond)
        until(lambda: _dropped(works) == OVERFLOWS, what="word of all that was dropped")
        works.collect(log="away", shard="450200")
        until(lambda: works.stored() >= FITS)
        works.stop()
    critical_at = said_at(works.said("broker_dropped", "other")[0])
    critical_s = (critical_at - first_drop_at).total_seconds()
    print(f"said at {shares} of the queue; of the first drop after {critical_s:.1f} s")
    works.ledger.check(works.database_url, promised=promised)
    assert works.stored() == FITS
    assert dropped_before == []
    assert [share >= 0.8 for share in shares] == [False, True]
    assert critical_s <= 30


def test_a_backlog_drains_in_order_with_bounded_memory(works: Works) -> None:
    """[6] 200,000 messages wait; the collector never has more than 500 of them in hand."""
    first = works.collect()
    until(lambda: works.connected() == 1)
    idle_mb = rss_mb(first.pid)
    kill(first)
    for thread in works.publishing(BACKLOG // GATEWAYS, per_s=1e9):
        thread.join()
    window, highest_mb = Window(), 0.0
    with proxy.before(works.services.mqtt_url) as (before, url):
        before.listener = window.take
        process = works.collect(NENGHAO_MQTT_URL=url)
        begun = time.monotonic()
        while works.received() < BACKLOG:
            assert time.monotonic() - begun < 300
            highest_mb = max(highest_mb, rss_mb(process.pid))
            time.sleep(0.05)
        works.stop()
    works.ledger.check(works.database_url)
    print(f"memory {idle_mb:.0f} MB idle, at most {highest_mb:.0f} MB draining")
    print(f"at most {window.highest} of {window.delivered} in hand")
    assert highest_mb - idle_mb <= 100
    assert window.delivered >= BACKLOG  # the wire was read; publishers send again what was slow
    assert window.highest <= RECEIVE_MAXIMUM
    assert _out_of_order(works) == 0


def _tell(works: Works, messages: Sequence[Message]) -> None:
    """Publish `messages` of all gateways in turn, PER_S a second; the broker takes each."""
    url = works.services.mqtt_url
    gateways = [Peer(url, each.username, each.password) for each in works.logins]
    begun = time.monotonic()
    for number, (gateway, message) in enumerate(zip(cycle(gateways), messages, strict=False)):
        time.sleep(max(0.0, begun + number / PER_S - time.monotonic()))
        assert gateway.publish(*message) == "Success"
    for gateway in gateways:
        gateway.__exit__(None, None, None)


def _dropped(works: Works) -> int:
    return sum(int(str(each["messages"])) for each in works.said("broker_dropped", "other"))


def _out_of_order(works: Works) -> int:
    """Return how many readings were stored by a flush before that of the meter's reading before."""
    with psycopg.connect(works.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE is_back) FROM (SELECT link_id < lag(link_id) "
            "OVER (PARTITION BY meter_id ORDER BY read_at) AS is_back FROM readings) AS pairs"
        ).fetchone()
    assert row is not None
    return int(row[0])
