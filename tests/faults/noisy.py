"""Gateways for a noisy neighbourhood: one that floods and reconnects, others that take the time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ingest.broker_url import BrokerUrl
from ingest.credentials import Login
from ingest.simulator.gateway import Gateway, Receipt, SimulatedReading
from ingest.topics import Address
from tests.faults.conftest import SINCE, Works

OVERSIZE = b"\x30" + b"\xc0\x84\x3d" + bytes(1_000_000)
"""A packet of a megabyte: the profile's limit is 300,000 bytes."""

ANSWER_S_MAX = 2.0


class Timed(Gateway):
    """A gateway that notes how long each batch waits for its receipt."""

    def __init__(self, broker: BrokerUrl, login: Login, address: Address) -> None:
        super().__init__(broker, address, login.username, login.password)
        self.waited_s: list[float] = []
        self._kept_at: dict[str, float] = {}

    def _keep(self, batch: Sequence[SimulatedReading]) -> None:
        super()._keep(batch)
        self._kept_at[next(reversed(self._store))] = self._loop.time()

    def _receive(self, receipt: Receipt) -> None:
        kept_at = self._kept_at.pop(receipt.batch or "", None)
        if kept_at is not None:
            self.waited_s.append(self._loop.time() - kept_at)
        super()._receive(receipt)


@dataclass
class Neighbour:
    """Connects `connections_per_s` times a second and each time sends its share of `messages`,
    then something on topics of others, then a packet that is too large.
    """

    broker: BrokerUrl
    login: Login
    messages: Sequence[tuple[str, bytes]]
    wild: Sequence[tuple[str, bytes]]
    seconds: float
    connections_per_s: float
    connections: int = 0
    sent: int = 0
    cut: int = 0
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        share = -(-len(self.messages) // int(self.seconds * self.connections_per_s))
        begun = time.monotonic()
        for first in range(0, len(self.messages), share):
            due = begun + self.connections / self.connections_per_s
            if time.monotonic() - begun > self.seconds:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                self._shout([*self.messages[first : first + share], *self.wild])
                self.sent += len(self.messages[first : first + share])
            self.connections += 1

    def _shout(self, messages: Sequence[tuple[str, bytes]]) -> None:
        with socket.create_connection((self.broker.host, self.broker.port), ANSWER_S_MAX) as link:
            link.sendall(_connect(self.login))
            if link.recv(4)[3:] != b"\0":
                return
            numbered = zip(itertools.count(1), messages)  # count has no end
            link.sendall(b"".join(_publish(*message, number) for number, message in numbered))
            with contextlib.suppress(ConnectionError):
                link.sendall(OVERSIZE)
                while link.recv(65_536):
                    pass  # acknowledgements, until the broker has had enough
            self.cut += 1


async def talk(
    works: Works, gateways: Sequence[Timed], per_s: float, seconds: float
) -> list[float]:
    """Let each gateway tell `per_s` readings a second; return how long they waited. [s]"""
    for gateway in gateways:
        gateway.waited_s.clear()
    for _ in range(int(seconds * per_s)):
        works.told += 1
        read_at = SINCE + timedelta(seconds=works.told)
        for gateway in gateways:
            works.ledger.note(gateway.address.unit, "M0", read_at, float(works.told))
            gateway.put([("M0", read_at, float(works.told))])
        await asyncio.sleep(1 / per_s)
    async with asyncio.timeout(60):
        for gateway in gateways:
            await gateway.emptied()
    return [waited for gateway in gateways for waited in gateway.waited_s]


def p99(waited: Sequence[float]) -> float:
    return sorted(waited)[int(len(waited) * 0.99)]


def _connect(login: Login) -> bytes:
    said = (login.username, login.username, login.password)
    body = _text("MQTT") + bytes((4, 0xC2)) + struct.pack(">H", 60) + b"".join(map(_text, said))
    return b"\x10" + _length(len(body)) + body


def _publish(topic: str, payload: bytes, packet_id: int) -> bytes:
    body = _text(topic) + struct.pack(">H", packet_id) + payload
    return b"\x32" + _length(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _length(size: int) -> bytes:
    encoded = bytearray()
    while size >= 0x80:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)
