"""A bare MQTT client for tests that look at what the broker allows."""

from __future__ import annotations

import queue
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest import broker_url

WAIT_S = 10.0


class RefusedError(Exception):
    """The broker did not accept the connection."""


class Peer:
    """A connection as `username`, by default that of `url`; its client id is its username."""

    def __init__(
        self,
        url: str,
        username: str | None = None,
        password: str | None = None,
        client_id: str | None = None,
        *,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        clean: bool = True,
    ) -> None:
        broker = broker_url.parse(url)
        name = username or broker.username or ""
        is_5 = version is MQTTProtocolVersion.MQTTv5
        self._answers: queue.Queue[ReasonCode] = queue.Queue()
        self._gone: queue.Queue[ReasonCode] = queue.Queue()
        self._messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name if client_id is None else client_id,
            protocol=version,
            clean_session=None if is_5 else clean,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(name, password or broker.password)
        self._client.on_connect = lambda _c, _u, _f, reason, _p: self._answers.put(reason)
        self._client.on_publish = lambda _c, _u, _i, reason, _p: self._answers.put(reason)
        self._client.on_subscribe = lambda _c, _u, _i, reasons, _p: self._answers.put(reasons[0])
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        if is_5:
            self._client.connect(broker.host, broker.port, clean_start=clean)
        else:
            self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        reason = self._answers.get(timeout=WAIT_S)
        if reason.is_failure:
            self._end()
            raise RefusedError(str(reason))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._end()

    def _end(self) -> None:
        self._client.loop_stop()
        self._client._reset_sockets()  # what paho leaves to the collector of garbage

    def publish(
        self,
        topic: str,
        payload: bytes = b"{}",
        *,
        retain: bool = False,
        expiry_s: int | None = None,
    ) -> str:
        """Publish with QoS 1; return the broker's word."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # untyped in paho
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        given = properties if self._client.protocol is MQTTProtocolVersion.MQTTv5 else None
        self._client.publish(topic, payload, qos=1, retain=retain, properties=given)
        return str(self._answers.get(timeout=WAIT_S))

    def send(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 0; nobody says what became of it."""
        self._client.publish(topic, payload, qos=0)
        self._answers.get(timeout=WAIT_S)  # paho's own word that it left

    def throw(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and wait for nothing: the broker may cut the connection."""
        self._client.publish(topic, payload, qos=1)

    def publish_as(self, alias: int, topic: str = "", payload: bytes = b"{}") -> str:
        """Publish to a topic alias (MQTT 5), with a topic to set it; return the broker's word."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # in paho
        properties.TopicAlias = alias
        self._client.publish(topic, payload, qos=1, properties=properties)
        return str(self._answers.get(timeout=WAIT_S))

    def subscribe(self, topic: str) -> str:
        """Subscribe with QoS 1; return the broker's word."""
        self._client.subscribe(topic, qos=1)
        return str(self._answers.get(timeout=WAIT_S))

    def next_message(self) -> tuple[str, bytes]:
        return self._messages.get(timeout=WAIT_S)

    def has_message(self) -> bool:
        return not self._messages.empty()

    def wait_until_cut(self) -> str:
        """Return why the broker ended the connection."""
        return str(self._gone.get(timeout=WAIT_S))

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._gone.put(reason)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._messages.put((message.topic, bytes(message.payload)))
