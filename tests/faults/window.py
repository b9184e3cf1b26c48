"""What a client of the broker has in hand, counted on the wire: delivered, not yet acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

PUBLISH, PUBACK = 0x30, 0x40
QOS = 0x06


@dataclass
class Window:
    """Told all bytes of one connection in both directions, in the order in which they pass."""

    in_hand: int = 0
    highest: int = 0
    delivered: int = 0
    _begun: dict[str, bytes] = field(default_factory=lambda: {"client": b"", "server": b""})

    def take(self, sender: str, chunk: bytes) -> None:
        for first in self._packets(sender, chunk):
            if sender == "client":
                self.in_hand -= first & 0xF0 == PUBACK
            elif first & 0xF0 == PUBLISH and first & QOS:
                self.in_hand += 1
                self.delivered += 1
                self.highest = max(self.highest, self.in_hand)

    def _packets(self, sender: str, chunk: bytes) -> Iterator[int]:
        """Yield the first byte of each packet that is whole now (MQTT 5, 2.1)."""
        stream, at = self._begun[sender] + chunk, 0
        while (end := _end(stream, at)) <= len(stream):
            yield stream[at]
            at = end
        self._begun[sender] = stream[at:]


def _end(stream: bytes, start: int) -> int:
    """Return where the packet at `start` ends; beyond the stream if that is not known yet."""
    size = shift = 0
    for at in range(start + 1, min(start + 5, len(stream))):
        size |= (stream[at] & 0x7F) << shift
        shift += 7
        if stream[at] < 0x80:
            return at + 1 + size
    return len(stream) + 1
