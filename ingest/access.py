"""Owns what the broker lets gateways with certificates do beyond the patterns of its profile.

A pattern cannot take unit and gateway out of a certificate's name, as the topics of Sparkplug would
need it: such gateways have lines of their own, written anew at each enrolment and revocation.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest import names
from ingest.sparkplug.topics import OF_A_DEVICE, OF_A_NODE, MessageType, Origin

Gateway = tuple[str, str, str]
"""city, unit, gateway"""

HEADING = "# Sparkplug gateways: written by `nenghao gateways`, above is acl.base."


def rules(base: str, gateways: Iterable[Gateway]) -> str:
    """Return the broker's acl file: `base`, and a section for each gateway that speaks Sparkplug.

    >>> rules("", [("450200", "91450200MA5K0000XA", "gw1")]).splitlines()[1:4:2]
    ['user 450200/91450200MA5K0000XA/gw1', 'topic write spBv1.0/91450200MA5K0000XA/NDATA/gw1']
    """
    return "\n".join([base.rstrip(), HEADING, *map(_section, gateways)]).lstrip() + "\n"


def _section(gateway: Gateway) -> str:
    city, unit, name = gateway
    names.check(city, unit, name)  # a line break in one of them would be a rule
    node, devices = Origin(unit, name), Origin(unit, name, "+")
    sent = [
        *(node.topic(each) for each in sorted(OF_A_NODE)),
        *(devices.topic(each) for each in sorted(OF_A_DEVICE)),
    ]
    lines = [f"user {city}/{unit}/{name}", *(f"topic write {topic}" for topic in sent)]
    return "\n".join([*lines, f"topic read {node.topic(MessageType.NCMD)}"])
