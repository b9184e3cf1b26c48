"""Owns which deliveries may be acknowledged: those of the connection they came in on.

Packet identifiers are used again after a reconnect: an acknowledgement of an earlier connection
would remove another, new message from the broker (MQTT 5, 2.2.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message as it came from the broker; `generation` counts the connections.

    `packet_id` 0 is a message of QoS 0, which nobody waits to see acknowledged.
    """

    generation: int
    packet_id: int
    topic: str
    payload: bytes
    received_at: datetime
    signature: str | None = None


def due(deliveries: Iterable[Delivery], generation: int) -> list[int]:
    """Return the packet ids to acknowledge on the connection `generation`, in order of arrival."""
    return [
        delivery.packet_id
        for delivery in deliveries
        if delivery.packet_id and delivery.generation == generation
    ]
