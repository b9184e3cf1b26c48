"""Owns the collector's connection to the broker: paho in its own thread; a `Wire` only enqueues.

MQTT 5, QoS 1, a session that never expires, manual acknowledgement, Receive Maximum as the
back-pressure. Each connection has a generation, and every delivery carries its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import cast

import structlog
from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest import acks, broker_health, faults, files
from ingest.acks import Delivery
from ingest.broker_health import PLANNED, BrokerHealth, Queue
from ingest.broker_url import BrokerUrl
from ingest.faults import Point
from ingest.inbox import Inbox
from ingest.manners import Manners
from ingest.readiness import Readiness
from ingest.sparkplug import nodes
from ingest.wire import RECEIPT_IDS, Publication, Refusal, Wire, expires, user_property

INSTANT = timedelta(microseconds=1)
"""What lies between messages that came in one read: the time of a reading tells which it was in."""

KEEPALIVE_S = 30
BROKER_SILENT_S_MAX = 1.5 * KEEPALIVE_S
"""Each keepalive is answered: after this the connection is made anew (paho alone waits for two)."""

SESSION_NEVER_EXPIRES = 0xFFFFFFFF
RECONNECT_S = (1, 5)
"""The first pause before connecting again, which doubles, and the longest."""

SIGNATURE = "sig"
"""The user property that carries the signature of a message."""

FLUSH_PAUSE_S = 0.005
FLUSH_S_MAX = 45.0
LOOP_SILENT_S_MAX = 10.0
"""paho goes round its loop every second; after this its thread is stuck in a callback."""
STUCK_AFTER_S = 4.0
"""From then on it is not ready; it may come round yet."""

TAKEN_OVER = 0x8E
UNREACHABLE_HELP = "start the broker (`nenghao services up`) or mend NENGHAO_MQTT_URL; trying on"
REFUSED_HELP = "check the user and the password in NENGHAO_MQTT_URL; trying on"
FILTERS_HELP = "let the login in NENGHAO_MQTT_URL subscribe to them: nothing is heard there"
PUBLISH_HELP = "let the login in NENGHAO_MQTT_URL publish there: gateways wait for it in vain"

log = structlog.get_logger("collect")


class ConnectionLostError(Exception):
    """The connection to the broker cannot go on; end the process and let it start anew."""


class _Client(Client):
    """paho's client on a `Wire` instead of a bare socket."""

    wrap: Callable[[socket.socket | ssl.SSLSocket], Wire]

    def discard(self) -> None:
        """Close what paho closes only when it is collected: the sockets that wake its thread."""
        self._reset_sockets()

    def _create_socket(self) -> Wire:  # type: ignore[override]  # a Wire is what paho asks of one
        return self.wrap(cast(socket.socket, super()._create_socket()))


class Link:
    """The connection of one collector. Create it inside the running event loop."""

    def __init__(
        self,
        broker: BrokerUrl,
        client_id: str,
        filters: list[str],
        *,
        receive_maximum: int,
        clock: Callable[[], datetime],
        session_expected: bool = False,
        queue: Queue = PLANNED,
        reconnect_s: tuple[int, int] = RECONNECT_S,
    ) -> None:
        self.generation = 0
        self.subscribed_in = 0
        """The generation in which the broker last answered our subscription."""

        self.session_lost = False
        # Sessions lost so far, of them told, and of them settled: what was lost was asked for.
        # Counts, since the network thread knows of a loss before anybody can be told of it.
        self._losses = self._told = self._settled = 0
        self._is_refused = False  # some of our filters were
        self._broker = broker
        self._filters = filters
        self._receive_maximum = receive_maximum
        self._clock = clock
        self._session_expected = session_expected
        self._reconnect_s = reconnect_s
        self._inbox = Inbox()
        self._wire: Wire | None = None
        self._health = BrokerHealth(queue)
        self._manners = Manners()
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._waiting = False
        self._said: str | None = None
        self._refused: Counter[str] = Counter()  # of this connection, by leaf of the topic
        self._failure: BaseException | None = None
        self._subscriptions: dict[int | None, Sequence[str]] = {}  # by packet id
        self._thread_name = f"paho-mqtt-client-{client_id}"  # what loop_start calls it
        self._client = self._create_client(client_id)

    def _create_client(self, client_id: str) -> _Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls:
            client.tls_set()
        client.reconnect_delay_set(*self._reconnect_s)
        client.wrap = self._wrap
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        return client

    def open(self) -> None:
        """Connect, and keep connecting until `close`."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
        properties.SessionExpiryInterval = SESSION_NEVER_EXPIRES
        properties.ReceiveMaximum = self._receive_maximum
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            keepalive=KEEPALIVE_S,
            clean_start=False,
            properties=properties,
        )
        self._client.loop_start()

    def close(self) -> None:
        """Leave the broker; it keeps the session and what is not acknowledged.

        A network thread that is stuck is not waited for: it ends with the process.
        """
        is_stuck = self._is_stuck()
        self._client.disconnect()
        if not is_stuck:
            self._client.loop_stop()
            self._client.discard()

    async def take(self, deliveries_max: int, bytes_max: int) -> list[Delivery]:
        """Return the next deliveries in order of arrival: one, or more within both bounds."""
        while not self._inbox:
            self._arrived.clear()
            self._waiting = True
            if not self._inbox:
                await self._arrived.wait()
            self._waiting = False
        return self._inbox.take(deliveries_max, bytes_max)

    async def publish(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Publish `messages`, pairs of topic and payload, with QoS 1.

        What is lost with the connection is made again: the broker delivers again what was not
        acknowledged, and a gateway without its receipt sends again.
        """
        if self._wire is not None:
            await self._write(self._wire, partial(self._wire.publish, messages))

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge those of `deliveries` that came on the present connection, in order.

        The others will be delivered again, and be duplicates.
        """
        wire = self._wire
        if wire is not None:
            due = acks.due(deliveries, wire.generation)
            await self._write(wire, partial(wire.acknowledge, due))

    async def _write(self, wire: Wire, write: Callable[[], None]) -> None:
        try:
            write()
            until = self._loop.time() + FLUSH_S_MAX
            while wire.has_unsent and wire is self._wire and self.connected:
                await asyncio.sleep(FLUSH_PAUSE_S)  # the broker takes no more: back-pressure
                wire.flush()
                if self._loop.time() > until:
                    raise ConnectionLostError(f"the broker took nothing for {FLUSH_S_MAX:g} s")
        except OSError as error:
            log.warning("not_sent", reason=str(error))

    async def until_session_lost(self, limit_s: float) -> None:
        """Return when a session was lost since the last call, after `limit_s` at the latest."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._lost.wait()
        self._lost.clear()
        self._told = self._losses

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    @property
    def readiness(self) -> Readiness:
        """Return what keeps deliveries from coming, or READY."""
        if not self.connected:
            return Readiness.NO_BROKER
        if self._failure is not None or self._is_stuck(STUCK_AFTER_S):
            return Readiness.STUCK
        if self.subscribed_in != self.generation:
            return Readiness.NOT_SUBSCRIBED
        if self._is_refused:
            return Readiness.SUBSCRIPTION_REFUSED
        return Readiness.SESSION_LOST if self._losses > self._settled else Readiness.READY

    def settle_session(self) -> None:
        """Take note that the gateways were asked for what was lost with the sessions told of."""
        self._settled = self._told

    def check(self) -> None:
        """Raise if the network thread is dead, or the broker gave our session to another."""
        if self._failure is not None:
            raise ConnectionLostError(str(self._failure)) from self._failure
        if not any(thread.name == self._thread_name for thread in threading.enumerate()):
            raise ConnectionLostError("the network thread of the MQTT client has ended")
        if self._is_stuck():
            raise ConnectionLostError(f"the network thread is stuck for {LOOP_SILENT_S_MAX:g} s")

    def _is_stuck(self, silent_s: float = LOOP_SILENT_S_MAX) -> bool:
        if self._wire is None or not self.connected:
            return False
        return time.monotonic() - self._wire.looked_at_s > silent_s

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._say_once("broker_refused", help=REFUSED_HELP, reason=str(reason))
            return
        self._said = None
        assert self._wire is not None
        in_flight_max: int = getattr(properties, "ReceiveMaximum", RECEIPT_IDS)
        self._wire.receipts_in_flight_max = min(in_flight_max, RECEIPT_IDS)
        self._wire.flush()
        is_lost = self._session_expected and not flags.session_present
        if is_lost:
            self.session_lost = True
            self._losses += 1
            log.critical("session_lost", help="the gateways will send again what was under way")
        self._session_expected = True
        self._subscriptions.clear()
        for qos, filters in ((1, self._filters), (0, broker_health.TOPICS)):
            options = SubscribeOptions(qos=qos, retainAsPublished=True)  # to see who retains what
            _, packet_id = client.subscribe([(topic, options) for topic in filters])
            self._subscriptions[packet_id] = filters
        if is_lost:
            self._loop.call_soon_threadsafe(self._lost.set)
        log.info("connected", generation=self.generation, session_present=flags.session_present)

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        """Say which of our filters the broker refused: nothing will ever be heard there."""
        filters = self._subscriptions.get(packet_id, ())
        pairs = zip(filters, reasons, strict=False)
        refused = {topic: str(reason) for topic, reason in pairs if reason.is_failure}
        if refused:
            log.critical("subscription_refused", filters=refused, help=FILTERS_HELP)
        if filters is self._filters:
            self._is_refused = bool(refused)
            self.subscribed_in = self.generation

    def _on_connect_fail(self, _client: Client, _userdata: object) -> None:
        self._say_once("broker_unreachable", help=UNREACHABLE_HELP)

    def _say_once(self, event: str, **facts: str) -> None:
        """Say why there is no connection, once until there is one."""
        if event != self._said:
            log.error(event, looked_at=f"{self._broker.host}:{self._broker.port}", **facts)
        self._said = event

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._said is None:
            log.warning("disconnected", reason=str(reason), receipts_refused=dict(self._refused))
        if reason.value == TAKEN_OVER:
            self._failure = ConnectionLostError("another client took over our client id")

    def _wrap(self, connected: socket.socket | ssl.SSLSocket) -> Wire:
        """Begin a new generation: deliveries may arrive before paho has seen the CONNACK."""
        self.generation += 1
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._refused.clear()
        self._wire = Wire(
            connected, self.generation, self._deliver, self._refuse, BROKER_SILENT_S_MAX
        )
        return self._wire

    def _refuse(self, refused: Sequence[Refusal]) -> None:
        """Say what the broker does not take of ours, once a connection for each kind of topic."""
        for topic, code in refused:
            kind = _kind(topic.decode())
            if not self._refused[kind]:
                log.error(
                    "receipts_refused",
                    help=PUBLISH_HELP,
                    topic=topic.decode(),
                    reason=f"0x{code:02x}",
                )
            self._refused[kind] += 1

    def _deliver(self, generation: int, publications: Sequence[Publication]) -> None:
        """Enqueue, nothing else: an exception here would end the network thread in silence."""
        try:
            faults.reach(Point.IN_CALLBACK_RAISE)
            faults.reach(Point.IN_CALLBACK_BLOCK)
            now = self._clock()
            for _, topic, payload, properties, is_retained in publications:
                if topic.startswith(b"$"):
                    self._health.take(topic.decode(), payload)
                elif properties or is_retained:
                    name = topic.decode("utf-8", "replace")
                    is_expiring = expires(properties)
                    self._manners.take(name, is_retained=is_retained, is_expiring=is_expiring)
            self._inbox.put(
                Delivery(
                    generation,
                    packet_id,
                    files.of_broker(topic.decode("utf-8", "replace")),
                    payload,
                    now + number * INSTANT,
                    user_property(properties, SIGNATURE) if properties else None,
                )
                for number, (packet_id, topic, payload, properties, _) in enumerate(publications)
                if not topic.startswith(b"$")
            )
            if self._waiting:
                self._loop.call_soon_threadsafe(self._arrived.set)
        except BaseException as error:
            self._failure = error


def _kind(topic: str) -> str:
    """Return what topics have in common that one line of the broker's rules allows."""
    levels = topic.split("/")
    return levels[2] if nodes.is_ours(topic) else levels[-1]
