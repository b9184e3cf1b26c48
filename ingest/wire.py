"""Owns the bytes of the hot path: deliveries in, acknowledgements and receipts out.

A `Wire` stands in for the socket of paho's client. It takes PUBLISH packets, and the PUBACKs of
receipts, out of the stream and leaves all else to paho: connecting, logging in, subscribing,
keeping alive. paho spends 50 µs on a message and 35 µs on a receipt; here each takes about 5 µs.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

READ_BYTES = 256 * 1024
RECEIPT_ID_FIRST = 0x8000
"""Packet ids from here on are those of receipts; paho counts its few own ones from 1."""

RECEIPT_IDS = 0x8000
RECEIPTS_WAITING_MAX = 100_000
"""Receipts kept for a broker that does not take them; the oldest go, and gateways send again."""

REFUSED_FROM = 0x80
"""Reason codes of a PUBACK from here on: the broker did not take the receipt (MQTT 5, 2.4)."""

_PUBLISH, _PUBACK = 0x30, 0x40
_PUBLISH_QOS_1 = 0x32
_RETAIN = 0x01
_NO_PROPERTIES = b"\0"
_U16 = struct.Struct(">H")
_ACK = struct.Struct(">BBH")
_USER_PROPERTY = 0x26
_EXPIRY = 0x02
_PROPERTY_BYTES = {0x01: 1, _EXPIRY: 4, 0x23: 2}
_PROPERTIES_WITH_LENGTH = {0x03, 0x08, 0x09}
_SUBSCRIPTION_IDENTIFIER = 0x0B


class MalformedPacketError(Exception):
    """The broker sent what is not MQTT 5; the connection must end."""


class Publication(NamedTuple):
    """A PUBLISH packet. `packet_id` 0: QoS 0, not to be acknowledged."""

    packet_id: int
    topic: bytes
    payload: bytes
    properties: bytes
    is_retained: bool


class Refusal(NamedTuple):
    """A receipt, or another message of ours, that the broker did not take, and its reason code."""

    topic: bytes
    code: int


class Wire:
    """The socket of one connection, as paho sees it; `deliver` gets what arrived in one read.

    `refuse` gets what the broker did not take of `publish`: it will not be sent again.
    """

    def __init__(
        self,
        connected: socket.socket | ssl.SSLSocket,
        generation: int,
        deliver: Callable[[int, Sequence[Publication]], None],
        refuse: Callable[[Sequence[Refusal]], None],
        silent_s_max: float,
    ) -> None:
        self.generation = generation
        self._socket = connected
        self._deliver = deliver
        self._refuse = refuse
        self._silent_s_max = silent_s_max
        self._heard_at_s = time.monotonic()
        self._lock = threading.Lock()  # OpenSSL must not read and write at once
        self._arrived = b""  # the beginning of a packet whose end is still to come
        self._for_paho = bytearray()
        self._unsent = bytearray()
        self._receipts: deque[tuple[bytes, bytes]] = deque(maxlen=RECEIPTS_WAITING_MAX)
        self._next_receipt = 0
        self._in_flight: dict[int, bytes] = {}  # topics by packet id
        self.looked_at_s = time.monotonic()
        self.receipts_in_flight_max = 0
        """How many receipts the broker takes unacknowledged; 0 until it has accepted us."""

    # -- what paho asks of a socket ---------------------------------------------------------------

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def close(self) -> None:
        self._socket.close()

    def pending(self) -> int:
        """Return how many bytes need no waiting for; 1: `recv` will say that none come any more."""
        self.looked_at_s = time.monotonic()  # paho asks each time it goes round its loop
        inner = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return len(self._for_paho) + inner or int(self._is_silent)

    @property
    def _is_silent(self) -> bool:
        return time.monotonic() - self._heard_at_s > self._silent_s_max

    def recv(self, most: int) -> bytes:
        """Return bytes that are paho's business; BlockingIOError when there are none."""
        if not self._for_paho and not self._read():
            return b""
        if not self._for_paho:
            raise BlockingIOError
        taken = bytes(self._for_paho[:most])
        del self._for_paho[:most]
        return taken

    def send(self, data: bytes) -> int:
        """Send a whole packet of paho's behind what waits already."""
        with self._lock:
            self._unsent += data
            self._flush()
        return len(data)

    # -- what the collector asks ------------------------------------------------------------------

    def publish(self, receipts: Sequence[tuple[bytes, bytes]]) -> None:
        """Send `receipts`, pairs of topic and payload, as the broker takes them."""
        with self._lock:
            self._receipts.extend(receipts)
            self._append_receipts()
            self._flush()

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        with self._lock:
            self._unsent += b"".join([_ACK.pack(_PUBACK, 2, each) for each in packet_ids])
            self._flush()

    def flush(self) -> None:
        """Send on what the broker did not take before."""
        with self._lock:
            self._append_receipts()
            self._flush()

    # -- how --------------------------------------------------------------------------------------

    def _read(self) -> bool:
        """Take in what has arrived; False: the broker has closed the connection.

        Raises TimeoutError when nothing has come for too long: the network hangs.
        """
        with self._lock:
            try:
                chunk = self._socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if self._is_silent:
                    raise TimeoutError(f"silent for {self._silent_s_max:g} s") from None
                raise BlockingIOError from None
        self._heard_at_s = time.monotonic()
        if not chunk:
            return False
        publications, acknowledged = self._sort(self._arrived + chunk if self._arrived else chunk)
        if publications:
            self._deliver(self.generation, publications)
        if acknowledged:
            refused = []
            with self._lock:
                for packet_id, code in acknowledged:
                    topic = self._in_flight.pop(packet_id, b"")
                    if code >= REFUSED_FROM:
                        refused.append(Refusal(topic, code))
                self._append_receipts()
                self._flush()
            if refused:
                self._refuse(refused)
        return True

    def _sort(self, stream: bytes) -> tuple[list[Publication], list[tuple[int, int]]]:
        """Take the whole packets of `stream`: publications, ids and reason codes of receipts."""
        publications: list[Publication] = []
        acknowledged: list[tuple[int, int]] = []
        start, end = 0, len(stream)
        while True:
            body, size = _remaining_length(stream, start, end)
            if size < 0 or body + size > end:
                break
            kind = stream[start] & 0xF0
            if kind == _PUBLISH:
                publications.append(_publication(stream, start, body, body + size))
            elif kind == _PUBACK and _U16.unpack_from(stream, body)[0] >= RECEIPT_ID_FIRST:
                code = stream[body + 2] if size > 2 else 0  # left out: success (MQTT 5, 3.4.2.1)
                acknowledged.append((_U16.unpack_from(stream, body)[0], code))
            else:
                self._for_paho += stream[start : body + size]
            start = body + size
        self._arrived = stream[start:]
        return publications, acknowledged

    def _append_receipts(self) -> None:
        receipts, room = self._receipts, self.receipts_in_flight_max - len(self._in_flight)
        for _ in range(min(room, len(receipts))):
            topic, payload = receipts.popleft()
            packet_id = RECEIPT_ID_FIRST + self._next_receipt
            self._next_receipt = (self._next_receipt + 1) % RECEIPT_IDS
            self._in_flight[packet_id] = topic
            self._unsent += publish_packet(topic, payload, packet_id)

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return  # `flush` is called again from time to time
            del self._unsent[:sent]

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)


def _remaining_length(stream: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the body of the packet at `start` begins and its size; size -1: not yet here."""
    size, position = 0, start + 1
    for shift in (0, 7, 14, 21):
        if position >= end:
            return position, -1
        byte = stream[position]
        position += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return position, size
    raise MalformedPacketError("a packet's length has more than four bytes")


def _publication(stream: bytes, start: int, body: int, end: int) -> Publication:
    """Return the PUBLISH packet whose fixed header is at `start` (MQTT 5, 3.3)."""
    at = body + 2 + (stream[body] << 8 | stream[body + 1])
    topic = stream[body + 2 : at]
    packet_id = 0
    if stream[start] & 0x06:
        packet_id = stream[at] << 8 | stream[at + 1]
        at += 2
    properties = b""
    if stream[at]:
        at, size = _remaining_length(stream, at - 1, end)
        properties = stream[at : at + size]
        at += size
    else:
        at += 1
    is_retained = stream[start] & _RETAIN == _RETAIN
    return Publication(packet_id, topic, stream[at:end], properties, is_retained)


def publish_packet(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH packet with QoS 1 and no properties (MQTT 5, 3.3)."""
    size = 2 + len(topic) + 2 + 1 + len(payload)
    header = bytearray((_PUBLISH_QOS_1,))
    while size >= 0x80:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    header.append(size)
    parts = (header, _U16.pack(len(topic)), topic, _U16.pack(packet_id), _NO_PROPERTIES, payload)
    return b"".join(parts)


def user_property(properties: bytes, name: str) -> str | None:
    """Return the last user property `name` of a PUBLISH, or None (MQTT 5, 2.2.2.2 and 3.3.2.3)."""
    found, wanted = None, name.encode()
    for identifier, at in _properties(properties):
        if identifier == _USER_PROPERTY:
            key, at = _text(properties, at)
            if key == wanted:
                value, _ = _text(properties, at)
                found = value.decode("utf-8", "replace")
    return found


def expires(properties: bytes) -> bool:
    """Return whether a PUBLISH was sent with a message expiry (MQTT 5, 3.3.2.3.3)."""
    return any(identifier == _EXPIRY for identifier, _ in _properties(properties))


def _properties(properties: bytes) -> Iterator[tuple[int, int]]:
    """Yield the identifier of each property of a PUBLISH, and where its value begins."""
    at = 0
    while at < len(properties):
        identifier = properties[at]
        at += 1
        yield identifier, at
        if identifier in _PROPERTY_BYTES:
            at += _PROPERTY_BYTES[identifier]
        elif identifier in _PROPERTIES_WITH_LENGTH:
            _, at = _text(properties, at)
        elif identifier == _USER_PROPERTY:
            _, at = _text(properties, at)
            _, at = _text(properties, at)
        elif identifier == _SUBSCRIPTION_IDENTIFIER:
            at, _ = _remaining_length(properties, at - 1, len(properties))
        else:
            raise MalformedPacketError(f"PUBLISH has no property 0x{identifier:02x}")


def _text(properties: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(properties[at : at + 2], "big")
    return properties[at + 2 : end], end
