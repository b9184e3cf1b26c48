"""A persistent session that is left and taken up again, as a collector's is."""

from __future__ import annotations

import time

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest import broker_url

WITHIN_S = 20.0


def _client(url: str, client_id: str) -> Client:
    broker = broker_url.parse(url)
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.username_pw_set(broker.username or "", broker.password)
    return client


def _connect(client: Client, url: str, expiry: int, *, clean: bool) -> None:
    broker = broker_url.parse(url)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
    properties.SessionExpiryInterval = expiry
    client.connect(broker.host, broker.port, clean_start=clean, properties=properties)


def make_session(url: str, client_id: str, expiry: int) -> None:
    client, done = _client(url, client_id), []
    client.on_connect = lambda c, *_: c.subscribe("nenghao/v1/+/+/+/readings", qos=1)
    client.on_subscribe = lambda *_: done.append(True)
    _connect(client, url, expiry, clean=False)  # 2.0.21 does not save one begun clean
    while not done:
        client.loop(0.1)
    client.disconnect()
    client.loop(0.1)


def come_back(url: str, client_id: str, count: int) -> list[bytes]:
    """Return the payloads that waited in the session."""
    client, waited = _client(url, client_id), []
    client.on_message = lambda _c, _u, message: waited.append(bytes(message.payload))
    _connect(client, url, 60, clean=False)
    until = time.monotonic() + WITHIN_S
    while len(waited) < count and time.monotonic() < until:
        client.loop(0.1)
    client.disconnect()
    client.loop(0.1)
    return waited
