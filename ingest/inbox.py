"""Owns the deliveries that arrived and were not taken up yet: in order, and bounded.

Those of QoS 1 are bounded by the Receive Maximum. Nothing bounds those of QoS 0, which Sparkplug
uses, while the database is away: beyond a bound they are dropped, which QoS 0 allows, and said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import structlog

from ingest.acks import Delivery

FLEETING_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of deliveries of QoS 0 that wait at most."""

OVERHEAD_BYTES = 500
"""What a delivery takes beside its payload."""

log = structlog.get_logger("collect")


class Inbox:
    """`put` by the network thread alone, `take` by the collector alone: no lock is needed."""

    def __init__(self, fleeting_bytes_max: int = FLEETING_BYTES_MAX) -> None:
        self._waiting: deque[Delivery] = deque()
        self._max = fleeting_bytes_max
        self._fleeting_put = 0
        self._fleeting_taken = 0
        self._dropped = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, arrived: Iterable[Delivery]) -> None:
        for delivery in arrived:
            if delivery.packet_id or self._has_room(delivery):
                self._waiting.append(delivery)

    def take(self, deliveries_max: int, bytes_max: int) -> list[Delivery]:
        """Return the next deliveries: one, or more within both bounds."""
        taken, size = [self._waiting.popleft()], 0
        while self._waiting and len(taken) < deliveries_max:
            size += len(taken[-1].payload)
            if size > bytes_max:
                break
            taken.append(self._waiting.popleft())
        self._fleeting_taken += sum(_size(each) for each in taken if not each.packet_id)
        return taken

    def _has_room(self, delivery: Delivery) -> bool:
        size = _size(delivery)
        if self._fleeting_put - self._fleeting_taken + size > self._max:
            if not self._dropped:
                log.error("qos_0_dropped", help="readings come faster than they are stored")
            self._dropped += 1
            return False
        if self._dropped:
            log.warning("qos_0_taken_again", dropped=self._dropped)
            self._dropped = 0
        self._fleeting_put += size
        return True


def _size(delivery: Delivery) -> int:
    return len(delivery.payload) + OVERHEAD_BYTES
