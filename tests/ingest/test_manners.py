"""What the broker's profile cannot refuse is named when it arrives: expiry, the retain flag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import structlog.testing
from paho.mqtt.enums import MQTTProtocolVersion
from structlog.typing import EventDict

from deploy.services import Services
from ingest import broker_url, credentials
from ingest.client import Link
from ingest.credentials import Login
from ingest.manners import Manners
from ingest.topics import Address, Leaf
from tests import factories
from tests.peers import Peer

EXPIRED_AFTER_S = 2.5
"""The broker counts in whole seconds."""


@dataclass
class Scene:
    """A gateway's login, and collectors of one name that hear it alone."""

    services: Services
    login: Login
    links: list[Link]

    def topic(self, leaf: Leaf) -> str:
        return Address(self.login.city, self.login.unit, self.login.gateway).topic(leaf)

    def link(self) -> Link:
        filters = [self.topic(Leaf.READINGS), self.topic(Leaf.STATUS)]
        made = Link(
            broker_url.parse(self.services.mqtt_url),
            f"manners-{self.login.gateway}",
            filters,
            receive_maximum=50,
            clock=lambda: datetime.now(UTC),
        )
        made.open()
        self.links.append(made)
        return made

    def gateway(self, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5) -> Peer:
        login = self.login
        return Peer(self.services.mqtt_url, login.username, login.password, version=version)


@pytest.fixture
async def scene(services: Services) -> AsyncIterator[Scene]:
    unit, gateway = factories.unit_code(), f"gw-{uuid4().hex[:8]}"
    (login,) = credentials.grant(services.mqtt_admin_url, [("450200", unit, gateway)])
    made = Scene(services, login, [])
    yield made
    with made.gateway() as peer:
        for leaf in (Leaf.READINGS, Leaf.STATUS):
            peer.publish(made.topic(leaf), b"", retain=True)  # forgotten by the broker
    for link in made.links:
        link.close()
    credentials.withdraw(services.mqtt_admin_url, unit, gateway)


async def subscribed(link: Link) -> None:
    async with asyncio.timeout(15):
        while not link.subscribed_in:
            await asyncio.sleep(0.02)


async def take(link: Link, count: int) -> list[bytes]:
    taken: list[bytes] = []
    async with asyncio.timeout(15):
        while len(taken) < count:
            some = await link.take(count, 100_000)
            await link.acknowledge(some)
            taken += [each.payload for each in some]
    return taken


def named(logs: list[EventDict]) -> list[tuple[str, int]]:
    said = [log for log in logs if log["event"] == "against_contract"]
    return sorted((log["fault"], log["messages"]) for log in said)


async def test_the_broker_takes_both_and_the_collector_names_who_sends_them(scene: Scene) -> None:
    link = scene.link()
    await subscribed(link)
    readings, status = scene.topic(Leaf.READINGS), scene.topic(Leaf.STATUS)
    with structlog.testing.capture_logs() as logs:
        with scene.gateway() as peer:
            words = [
                peer.publish(status, b"0", retain=True),
                peer.publish(readings, b"1", expiry_s=60),
                peer.publish(readings, b"2"),
            ]
        assert await take(link, 3) == [b"0", b"1", b"2"]
        assert named(logs) == [("expiring", 1)]
        with scene.gateway() as peer:
            words += [
                peer.publish(readings, b"3", retain=True),
                peer.publish(readings, b"4"),
            ]
        with scene.gateway(MQTTProtocolVersion.MQTTv311) as peer:
            words.append(peer.publish(readings, b"5", retain=True))
        assert await take(link, 3) == [b"3", b"4", b"5"]
    assert set(words) == {"Success"}
    assert named(logs) == [("expiring", 1), ("retained", 1)]
    assert {log["gateway"] for log in logs if log["event"] == "against_contract"} == {
        scene.login.gateway
    }


async def test_what_expires_while_nobody_collects_is_gone_without_a_word(scene: Scene) -> None:
    link = scene.link()
    await subscribed(link)
    link.close()
    with scene.gateway() as peer:
        word = peer.publish(scene.topic(Leaf.READINGS), b"lost", expiry_s=1)
        peer.publish(scene.topic(Leaf.READINGS), b"kept")
    await asyncio.sleep(EXPIRED_AFTER_S)
    assert (word, await take(scene.link(), 1)) == ("Success", [b"kept"])


def test_it_is_said_again_whenever_it_is_ten_times_as_much() -> None:
    manners = Manners()
    with structlog.testing.capture_logs() as logs:
        for _ in range(150):
            manners.take("spBv1.0/U/NDATA/gw1", is_retained=True, is_expiring=False)
    assert [log["messages"] for log in logs] == [1, 10, 100]
