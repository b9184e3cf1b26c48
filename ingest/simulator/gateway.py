"""Owns a gateway that speaks the profile: it keeps a batch until its receipt, and sends it again.

A PUBACK is not a promise, the receipt is: only the receipt removes a batch from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import uuid4

import msgspec
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.broker_url import BrokerUrl
from ingest.topics import Address, Leaf

BATCH_READINGS = 100
WINDOW_BATCHES = 20
"""Batches sent and not yet receipted at most."""

RESEND_FIRST_S = 5.0
RESEND_LONGEST_S = 60.0
JITTER = 0.2
TICK_S = 0.5

SimulatedReading = tuple[str, datetime, float]
"""meter, time, value"""


class ReceiptRejection(msgspec.Struct, frozen=True):
    index: int | None
    meter: str | None
    reason: str


class Receipt(msgspec.Struct, frozen=True):
    """What the platform says became of a batch."""

    batch: str | None
    received: int
    stored: int
    duplicate: int
    conflicting: int
    rejected: list[ReceiptRejection]
    rejected_total: int


@dataclass(slots=True)
class Stored:
    """A batch in the gateway's store."""

    payload: bytes
    readings: int
    attempts: int = 0
    send_again_at: float = 0.0


class Gateway:
    """One simulated gateway on the running event loop; `password` is its own."""

    def __init__(
        self, broker: BrokerUrl, address: Address, username: str, password: str, seed: int = 0
    ) -> None:
        self.address = address
        self.published = 0
        self.receipts = 0
        self.sent_again = 0
        self._random = random.Random(f"{seed}/{username}")
        self._boot = uuid4().hex
        self._sequence = 0
        self._store: OrderedDict[str, Stored] = OrderedDict()
        self._emptied = asyncio.Event()
        self._emptied.set()
        self._loop = asyncio.get_running_loop()
        self._broker = broker
        self._client = self._create_client(username, password)
        self._ticker: asyncio.Task[None] | None = None

    def _create_client(self, username: str, password: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=username, protocol=MQTTProtocolVersion.MQTTv5
        )
        client.username_pw_set(username, password)
        if self._broker.tls:
            client.tls_set()
        client.reconnect_delay_set(1, 5)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.will_set(self.address.topic(Leaf.STATUS), _status("offline"), qos=1, retain=True)
        return client

    def open(self) -> None:
        """Connect, and keep connecting until `close`."""
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()
        self._ticker = self._loop.create_task(self._tick())

    async def close(self) -> None:
        """Say goodbye and stop. What is not receipted stays unsent."""
        if self._ticker is not None:
            self._ticker.cancel()
        goodbye = self._client.publish(
            self.address.topic(Leaf.STATUS), _status("offline"), qos=1, retain=True
        )
        await asyncio.to_thread(_wait_published, goodbye)
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def put(self, readings: Iterable[SimulatedReading]) -> None:
        """Take `readings` into the store; they leave it with their receipt."""
        batch: list[SimulatedReading] = []
        for reading in readings:
            batch.append(reading)
            if len(batch) == BATCH_READINGS:
                self._keep(batch)
                batch = []
        if batch:
            self._keep(batch)
        self._pump()

    @property
    def waiting(self) -> int:
        """Return how many batches have no receipt yet."""
        return len(self._store)

    async def emptied(self) -> None:
        """Return when everything put so far has its receipt."""
        await self._emptied.wait()

    def _keep(self, readings: Sequence[SimulatedReading]) -> None:
        self._sequence += 1
        batch = f"{self._boot[:8]}-{self._sequence:06d}"
        payload = msgspec.json.encode(
            {
                "batch": batch,
                "boot": self._boot,
                "seq": self._sequence,
                "readings": [
                    {"meter": meter, "time": time, "value": value}
                    for meter, time, value in readings
                ],
            }
        )
        self._store[batch] = Stored(payload, len(readings))
        self.published += len(readings)
        self._emptied.clear()

    def _pump(self) -> None:
        """Send what is due, oldest first, never more than the window."""
        if not self._client.is_connected():
            return
        now = self._loop.time()
        for stored in islice(self._store.values(), WINDOW_BATCHES):
            if stored.send_again_at <= now:
                self._send(stored, now)

    def _send(self, stored: Stored, now: float) -> None:
        self._client.publish(self.address.topic(Leaf.READINGS), stored.payload, qos=1)
        self.sent_again += stored.attempts > 0
        pause_s = min(RESEND_FIRST_S * 2**stored.attempts, RESEND_LONGEST_S)
        stored.send_again_at = now + pause_s * (1 + JITTER * self._random.random())
        stored.attempts += 1

    async def _tick(self) -> None:
        while True:
            self._pump()
            await asyncio.sleep(TICK_S)

    def _receive(self, receipt: Receipt) -> None:
        self.receipts += 1
        if receipt.batch is not None:
            self._store.pop(receipt.batch, None)
        if not self._store:
            self._emptied.set()
        self._pump()

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            return
        client.subscribe(self.address.topic(Leaf.RECEIPTS), qos=1)
        client.publish(self.address.topic(Leaf.STATUS), _status("online"), qos=1, retain=True)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        receipt = msgspec.json.decode(message.payload, type=Receipt)
        self._loop.call_soon_threadsafe(self._receive, receipt)


def _status(state: str) -> bytes:
    return msgspec.json.encode({"state": state, "firmware": "simulator"})


def _wait_published(info: MQTTMessageInfo) -> None:
    """Wait a moment for the goodbye; a broker that is away must not keep us."""
    with contextlib.suppress(RuntimeError, ValueError):
        info.wait_for_publish(timeout=2)
