"""The connection of a collector, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from deploy.services import Services
from ingest import broker_url, credentials
from ingest.client import ConnectionLostError, Link
from ingest.readiness import Readiness
from ingest.simulator.gateway import Gateway
from ingest.topics import Address
from tests import factories
from tests.peers import Peer


def now() -> datetime:
    return datetime.now(UTC)


def broken_clock() -> datetime:
    raise RuntimeError("no clock")


class Wire:
    """A gateway with its login, and collectors of one name that listen to it alone."""

    def __init__(self, services: Services) -> None:
        self._broker = broker_url.parse(services.mqtt_url)
        self._name = f"link-{uuid4().hex[:8]}"
        self.address = Address("450200", factories.unit_code(), f"gw-{uuid4().hex[:8]}")
        (login,) = credentials.grant(
            services.mqtt_admin_url,
            [(self.address.city, self.address.unit, self.address.gateway)],
        )
        self.gateway = Gateway(self._broker, self.address, login.username, login.password)
        self._links: list[Link] = []

    def link(
        self,
        *,
        session_expected: bool = False,
        clock: Callable[[], datetime] = now,
        filters: Sequence[str] = ("nenghao/v1/+/+/+/readings",),
    ) -> Link:
        made = Link(
            self._broker,
            self._name,
            list(filters),
            receive_maximum=5,
            clock=clock,
            session_expected=session_expected,
        )
        made.open()
        self._links.append(made)
        return made

    def publish_another(self, services: Services, count: int) -> None:
        """Publish as one more gateway of the unit; return when the broker has it all."""
        name = (self.address.city, self.address.unit, f"gw-{uuid4().hex[:8]}")
        (login,) = credentials.grant(services.mqtt_admin_url, [name])
        with Peer(services.mqtt_url, login.username, login.password) as gateway:
            for _ in range(count):
                assert gateway.publish(f"nenghao/v1/{'/'.join(name)}/readings") == "Success"

    def close(self) -> None:
        for link in self._links:
            link.close()


@pytest.fixture
async def wire(services: Services) -> AsyncIterator[Wire]:
    made = Wire(services)
    made.gateway.open()
    yield made
    await made.gateway.close()
    made.close()


async def until(condition: Callable[[], bool], *, within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def take(link: Link, count: int) -> list[str]:
    """Return the payloads of the next `count` deliveries, none of them acknowledged."""
    taken: list[str] = []
    async with asyncio.timeout(15):
        while len(taken) < count:
            taken += [delivery.payload.decode() for delivery in await link.take(count, 10_000)]
    return taken


async def test_what_was_not_acknowledged_comes_again_in_order(wire: Wire) -> None:
    link = wire.link()
    await until(lambda: link.connected)
    for number in range(5):
        wire.gateway.put([("E01", now(), float(number))])
    first = await take(link, 5)
    link.close()
    again = wire.link(session_expected=True)
    assert await take(again, 5) == first
    assert not again.session_lost


async def test_messages_that_come_in_one_read_have_each_their_own_time(
    wire: Wire, services: Services
) -> None:
    """Each read takes a second, so those of one second came in one read."""
    instants = (datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=n) for n in count())
    link = wire.link(clock=lambda: next(instants))
    await until(lambda: link.connected)
    link.close()
    await asyncio.to_thread(wire.publish_another, services, 5)
    read_at: set[datetime] = set()
    async with asyncio.timeout(15):
        while len(read_at) in (0, 5):  # nothing is acknowledged: all of it comes again
            again = wire.link(clock=lambda: next(instants), session_expected=True)
            taken = [each.received_at for _ in range(5) for each in await again.take(1, 10_000)]
            again.close()
            read_at = {each.replace(microsecond=0) for each in taken}
    assert len(set(taken)) == 5


async def test_receive_maximum_bounds_what_is_under_way(wire: Wire) -> None:
    link = wire.link()
    await until(lambda: link.connected)
    for number in range(12):
        wire.gateway.put([("E01", now(), float(number))])
    await take(link, 5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await link.take(1, 10_000)


async def test_a_session_that_is_gone_is_noticed(wire: Wire) -> None:
    link = wire.link(session_expected=True)
    await until(lambda: link.connected)
    assert link.session_lost
    await until(lambda: link.readiness is Readiness.SESSION_LOST)
    link.settle_session()
    await until(lambda: link.readiness is Readiness.SESSION_LOST)  # somebody has still to be told
    await link.until_session_lost(0)
    link.settle_session()
    await until(lambda: link.readiness is Readiness.READY)


async def test_a_filter_that_the_broker_refuses_is_said(wire: Wire) -> None:
    refused = "nenghao/v1/+/+/+/secrets"
    with capture_logs() as logs:
        link = wire.link(filters=["nenghao/v1/+/+/+/readings", refused])
        await until(lambda: any(each["event"] == "subscription_refused" for each in logs))
    (said,) = (each for each in logs if each["event"] == "subscription_refused")
    assert list(said["filters"]) == [refused]
    assert link.connected
    await until(lambda: link.readiness is Readiness.SUBSCRIPTION_REFUSED)


async def test_a_collector_is_ready_when_its_subscription_is_answered(wire: Wire) -> None:
    link = wire.link()
    while link.readiness is not Readiness.READY:
        await asyncio.sleep(0)
    assert link.subscribed_in == link.generation
    link.close()
    await until(lambda: link.readiness is Readiness.NO_BROKER)


async def test_a_collector_whose_network_thread_broke_is_not_ready(wire: Wire) -> None:
    link = wire.link(clock=broken_clock)
    await until(lambda: link.readiness is Readiness.STUCK)  # it hears figures of the broker


async def test_receipts_that_the_broker_refuses_are_said_once_for_each_kind(wire: Wire) -> None:
    kinds = ("receipts", "receipts", "secrets", "secrets", "secrets", "others")
    messages = [(f"nenghao/v1/450200/u/gw/{kind}".encode(), b"{}") for kind in kinds]
    with capture_logs() as logs:
        link = wire.link()
        await until(lambda: link.connected)
        await link.publish(messages)
        await until(lambda: sum(each["event"] == "receipts_refused" for each in logs) > 1)
        link.close()
    said = [each for each in logs if each["event"] == "receipts_refused"]
    assert [each["topic"].split("/")[-1] for each in said] == ["secrets", "others"]
    assert {(each["reason"], each["log_level"]) for each in said} == {("0x87", "error")}
    assert all("publish" in each["help"] for each in said)


async def test_a_callback_that_breaks_ends_the_collector(wire: Wire) -> None:
    link = wire.link(clock=broken_clock)
    await until(lambda: link.connected)
    wire.gateway.put([("E01", now(), 1.0)])

    def never() -> bool:
        link.check()
        return False

    with pytest.raises(ConnectionLostError, match="no clock"):
        await until(never)


async def test_a_network_thread_that_ended_is_noticed(wire: Wire) -> None:
    link = wire.link()
    await until(lambda: link.connected)
    link.check()
    link.close()
    with pytest.raises(ConnectionLostError, match="thread"):
        link.check()


async def test_the_loser_of_a_takeover_ends(wire: Wire) -> None:
    loser = wire.link()
    await until(lambda: loser.connected)
    winner = wire.link()

    def never() -> bool:
        loser.check()
        return False

    with pytest.raises(ConnectionLostError):
        await until(never)
    loser.close()
    await until(lambda: winner.connected)
    winner.check()
