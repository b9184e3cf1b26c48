"""Owns the topic names of Sparkplug B: spBv1.0/{group}/{type}/{edge node}[/{device}].

The group is the unit's credit code, the edge node is the gateway. The city is not in the topic:
the registry knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ROOT = "spBv1.0"


class MessageType(StrEnum):
    """The third level of a topic, as on the wire."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    NDATA = "NDATA"
    DDATA = "DDATA"
    NCMD = "NCMD"
    DCMD = "DCMD"


OF_A_NODE = {MessageType.NBIRTH, MessageType.NDEATH, MessageType.NDATA}
OF_A_DEVICE = {MessageType.DBIRTH, MessageType.DDEATH, MessageType.DDATA}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who published: the unit (credit code), its gateway, a device behind it ("": the gateway)."""

    unit: str
    gateway: str
    device: str = ""

    def topic(self, message_type: MessageType) -> str:
        device = f"/{self.device}" if self.device else ""
        return f"{ROOT}/{self.unit}/{message_type}/{self.gateway}{device}"


def parse(topic: str) -> tuple[Origin, MessageType] | None:
    """Return who published on `topic` and what, or None if nobody reports on it.

    Commands go to gateways and STATE comes from hosts: both are None.

    >>> parse("spBv1.0/91450200MA5K0000XA/DDATA/gw1/E01")[0].device
    'E01'
    """
    match topic.split("/"):
        case [root, unit, ("NBIRTH" | "NDEATH" | "NDATA") as name, gateway]:
            origin = Origin(unit, gateway)
        case [root, unit, ("DBIRTH" | "DDEATH" | "DDATA") as name, gateway, device] if device:
            origin = Origin(unit, gateway, device)
        case _:
            return None
    if root != ROOT or not unit or not gateway:
        return None
    return origin, MessageType(name)


def sender(topic: str) -> tuple[str, str]:
    """Return unit and gateway of a `topic` that our filters let in, also one that `parse` does not.

    >>> sender("spBv1.0/91450200MA5K0000XA/DDATA/gw1/")
    ('91450200MA5K0000XA', 'gw1')
    """
    _, unit, _, gateway, *_ = topic.split("/")
    return unit, gateway


def collector_filters(unit: str) -> list[str]:
    """Return the topic filters of a collector of one unit, or of all, "+"."""
    return [f"{ROOT}/{unit}/{name}/+" for name in sorted(OF_A_NODE)] + [
        f"{ROOT}/{unit}/{name}/+/+" for name in sorted(OF_A_DEVICE)
    ]
