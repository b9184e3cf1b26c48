"""Owns the load: batches of a made-up fleet, and gateways that send them as fast as a broker takes.

The gateways are bare sockets (MQTT 3.1.1, QoS 1): a load generator must cost less than what it
measures. They publish 50,000 to 150,000 messages a second here.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from energy import codes
from ingest.broker_url import BrokerUrl
from ingest.credentials import Login

UNITS, METERS = 20, 20
FIRST_AT = datetime(2026, 10, 1, tzinfo=UTC)
STEP = timedelta(minutes=1)
WINDOW = 400
"""Messages a gateway has under way at most."""

BURST = 50
"""Messages handed to the kernel at once."""

Message = tuple[str, bytes]
"""topic, payload"""


def unit_code(number: int) -> str:
    first17 = f"91450200MB{number:07d}"
    return first17 + codes.check_character(first17)


def city(number: int) -> str:
    """Return the city of a unit: every other one lies in Guilin, so that shards have work."""
    return ("450200", "450300")[number % 2]


@dataclass(frozen=True)
class Load:
    """`messages` batches of `readings` each, from UNITS units with METERS registers each."""

    messages: int
    readings: int

    @property
    def total(self) -> int:
        return self.messages * self.readings

    def batches(self, unit: int) -> Iterator[Message]:
        """Yield what the gateway of a unit sends: its meters in turn, minute by minute."""
        topic = f"nenghao/v1/{city(unit)}/{unit_code(unit)}/gw1/readings"
        count = 0
        for number in range(unit, self.messages, UNITS):
            readings = []
            for each in range(count, count + self.readings):
                minute, meter = divmod(each, METERS)
                read_at = (FIRST_AT + minute * STEP).isoformat()
                value = 1000.0 + minute * 1.25
                readings.append({"meter": f"M{meter:02d}", "time": read_at, "value": value})
            count += self.readings
            batch = {"batch": f"b{number}", "readings": readings}
            yield topic, json.dumps(batch, separators=(",", ":")).encode()


class Gateway:
    """One gateway on a bare socket."""

    def __init__(self, broker: BrokerUrl, login: Login) -> None:
        self._socket = socket.create_connection((broker.host, broker.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        said = (login.username, login.username, login.password)
        body = _text("MQTT") + bytes((4, 0xC2)) + struct.pack(">H", 60)
        body += b"".join(map(_text, said))
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        assert self._socket.recv(4)[3] == 0, "the broker refused the load generator"
        self._acknowledged = 0
        self._changed = threading.Condition()

    def send(self, messages: Sequence[Message], *, per_s: float | None = None) -> None:
        """Send all `messages`, at most `per_s` of them a second; return when all are taken."""
        reader = threading.Thread(target=self._read, args=(len(messages),), daemon=True)
        reader.start()
        begun = time.monotonic()
        for first in range(0, len(messages), BURST):
            packets = b"".join(
                _publish(topic, payload, number % 65_535 + 1)
                for number, (topic, payload) in enumerate(messages[first : first + BURST], first)
            )
            with self._changed:
                while first - self._acknowledged > WINDOW:
                    self._changed.wait()
            if per_s is not None:
                time.sleep(max(0.0, begun + first / per_s - time.monotonic()))
            self._socket.sendall(packets)
        reader.join()

    def _read(self, count: int) -> None:
        size = 0
        while size < 4 * count:
            chunk = self._socket.recv(65_536)
            assert chunk, "the broker ended the connection of the load generator"
            size += len(chunk)
            with self._changed:
                self._acknowledged = size // 4
                self._changed.notify()
        self._acknowledged = 0

    def close(self) -> None:
        self._socket.close()


def send_all(broker: BrokerUrl, logins: Sequence[Login], load: Load) -> None:
    """Send the whole load, one gateway after the other."""
    for number, login in enumerate(logins):
        gateway = Gateway(broker, login)
        gateway.send(list(load.batches(number)))
        gateway.close()


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
