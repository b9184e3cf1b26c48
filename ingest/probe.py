"""Owns trying a broker out: what is sent to an absent collector must be there when it comes back.

Several settings lose such messages while every publisher sees success; a file cannot show all of
them, ten messages do.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest import broker_url, credentials
from ingest.broker_url import BrokerUrl
from ingest.topics import Address, Leaf

MESSAGES = 10
SESSION_S = 300
WITHIN_S = 10.0
CITY, UNIT = "450000", "000000000000PROBE0"


class ProbeError(Exception):
    """The broker does not keep what it acknowledged, or could not be asked."""


def probe(collector_url: str, admin_url: str) -> int:
    """Return how many of MESSAGES came back to a session that was away while they were sent."""
    gateway = f"probe-{secrets.token_hex(4)}"
    broker = broker_url.parse(collector_url)
    topic = Address(CITY, UNIT, gateway).topic(Leaf.READINGS)
    (login,) = credentials.grant(admin_url, [(CITY, UNIT, gateway)])
    try:
        absent = f"{gateway}-session"
        _visit(broker, absent, SESSION_S, topic, lambda told: bool(told.subscribed))
        sender = BrokerUrl(broker.host, broker.port, login.username, login.password, broker.tls)
        _send(sender, topic)
        back = _visit(broker, absent, 0, None, lambda told: len(told.payloads) >= MESSAGES)
        return len(back.payloads)
    except OSError as error:
        raise ProbeError(f"no broker answers at {broker.host}:{broker.port}: {error}") from None
    finally:
        credentials.withdraw(admin_url, UNIT, gateway)


class _Told:
    """What a broker said on one visit."""

    def __init__(self) -> None:
        self.subscribed: list[object] = []
        self.published: list[object] = []
        self.payloads: set[bytes] = set()


def _visit(
    broker: BrokerUrl,
    client_id: str,
    expiry_s: int,
    topic: str | None,
    is_done: Callable[[_Told], bool],
) -> _Told:
    """Take up a session, subscribe to `topic` if there is one, and leave when `is_done`."""
    client, told = _client(broker, client_id)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
    properties.SessionExpiryInterval = expiry_s
    if topic is not None:
        filters = [(topic, 1)]
        client.on_connect = lambda c, *_: _subscribe(c, filters)
    client.connect(broker.host, broker.port, clean_start=False, properties=properties)
    _drive(client, lambda: is_done(told))
    return told


def _subscribe(client: Client, filters: list[tuple[str, int]]) -> None:
    client.subscribe(filters)


def _send(broker: BrokerUrl, topic: str) -> None:
    client, told = _client(broker, broker.username or "")
    client.connect(broker.host, broker.port)
    for number in range(MESSAGES):
        client.publish(topic, f"probe {number}".encode(), qos=1)
    _drive(client, lambda: len(told.published) >= MESSAGES)


def _client(broker: BrokerUrl, client_id: str) -> tuple[Client, _Told]:
    told = _Told()
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.username_pw_set(broker.username or "", broker.password)
    if broker.tls:
        client.tls_set()
    client.on_subscribe = lambda *_: told.subscribed.append(True)
    client.on_publish = lambda *_: told.published.append(True)
    client.on_message = lambda _c, _u, message: told.payloads.add(bytes(message.payload))
    return client, told


def _drive(client: Client, is_done: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not is_done() and time.monotonic() < until:
        client.loop(0.1)
    client.disconnect()
    client.loop(0.1)
