"""Owns what deliveries say: the batch, the status or the Sparkplug message in each.

It never raises: a message that our own code breaks on is rejected and kept, and stops no other.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import structlog

from ingest import files, payload, topics
from ingest.acks import Delivery
from ingest.payload import Batch, Reason
from ingest.sparkplug import nodes
from ingest.sparkplug.edge_node import Outcome
from ingest.sparkplug.nodes import Nodes
from ingest.topics import Address, Leaf

CLOCK_ERROR_MAX = timedelta(days=1)


class Status(msgspec.Struct, frozen=True):
    """What a gateway, or its last will, says of its connection."""

    state: str
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    firmware: Annotated[str, msgspec.Meta(max_length=100)] | None = None

    def reported_at(self, received_at: datetime) -> datetime:
        """Return what the gateway says, if its clock can be believed, else `received_at`."""
        if self.at is None or abs(received_at - self.at) > CLOCK_ERROR_MAX:
            return received_at
        return self.at


NOBODY = Address("", "", "")
"""Who sent a message whose topic nobody could read."""

log = structlog.get_logger("collect")

Told = tuple[Delivery, Address, Batch | Status | Outcome]
"""A delivery, who sent it, and what it says. That of an edge node has no city yet, that of a
file neither city nor gateway."""


def decode(
    deliveries: Iterable[Delivery], edge_nodes: Nodes, disbelieved: Container[int] = ()
) -> list[Told]:
    """Return what the deliveries say; one on a topic that is not ours cannot come here.

    `disbelieved` are the `id` of Sparkplug messages that must not change what is known.
    """
    return [
        _decoded(delivery, edge_nodes, is_believed=id(delivery) not in disbelieved)
        for delivery in deliveries
    ]


def _decoded(delivery: Delivery, edge_nodes: Nodes, *, is_believed: bool) -> Told:
    address = NOBODY
    try:
        if nodes.is_ours(delivery.topic):
            origin, outcome = edge_nodes.after(
                delivery.topic, delivery.payload, is_believed=is_believed
            )
            return delivery, Address("", origin.unit, origin.gateway), outcome
        if files.is_ours(delivery.topic):
            address = Address("", files.unit(delivery.topic), "")
            return delivery, address, payload.decode(delivery.payload)
        address, leaf = topics.parse(delivery.topic)
        if leaf is Leaf.STATUS:
            return delivery, address, _status(delivery.payload)
        return delivery, address, payload.decode(delivery.payload)
    except Exception as error:
        return delivery, address, not_understood(delivery, error)


def not_understood(delivery: Delivery, error: Exception) -> Batch:
    """Return what stands for a message that our code broke on: it must not stop the others."""
    log.critical("message_not_understood", topic=delivery.topic, error=repr(error))
    detail = f"the platform broke on it and keeps it: {payload.legible(type(error).__name__)}"
    return payload.refused(None, Reason.INVALID_FIELD, detail)


def _status(message: bytes) -> Status:
    """Return what a status says; one that cannot be read says nothing, as offline would."""
    try:
        return msgspec.json.decode(message, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Status("offline")
