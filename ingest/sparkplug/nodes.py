"""Owns the edge nodes a collector hears: their states, and when each may be asked for a rebirth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from ingest.payload import Reason
from ingest.sparkplug import commands, topics
from ingest.sparkplug.commands import Pace
from ingest.sparkplug.edge_node import EdgeNode, Event, Outcome, Rebirth
from ingest.sparkplug.topics import Origin
from ingest.sparkplug.wire import Fault

DEVICE_LENGTH_MAX = 128
"""A longer name would not fit into the index of births."""

Name = tuple[str, str]
"""unit, gateway"""


def is_ours(topic: str) -> bool:
    return topic.startswith(topics.ROOT + "/")


class Nodes:
    """Edge nodes by name. Teach one its kept births before its first message is taken in."""

    def __init__(self) -> None:
        self._nodes: dict[Name, EdgeNode] = {}
        self._paces: dict[Name, Pace] = {}

    def unknown(self, heard: Iterable[str]) -> set[Name]:
        """Return the edge nodes that sent on the topics `heard` and were not taught yet."""
        names = (topics.sender(topic) for topic in heard if is_ours(topic))
        return {name for name in names if name not in self._nodes}

    def teach(self, name: Name, births: Mapping[str, bytes]) -> None:
        self._nodes[name] = EdgeNode.restored(births)
        self._paces[name] = Pace()

    def after(
        self, topic: str, payload: bytes, *, is_believed: bool = True
    ) -> tuple[Origin, Outcome]:
        """Take in a message: once each, in the order of arrival.

        One that is not believed, its signature does not hold, is read as if nothing was ever
        heard of its edge node, and changes nothing.
        """
        name = topics.sender(topic)
        parsed = topics.parse(topic)
        if parsed is None or len(parsed[0].device) > DEVICE_LENGTH_MAX:
            detail = f"a level of the topic is empty, or over {DEVICE_LENGTH_MAX} characters long"
            fault = Fault(Reason.INVALID_FIELD, detail)
            return Origin(*name), Outcome(Event.REFUSED, None, [], None, fault)
        origin, message_type = parsed
        if not is_believed:
            outcome = EdgeNode().after(message_type, origin.device, payload)
            return origin, replace(outcome, event=Event.REFUSED, rebirth=None)
        outcome = self._nodes[name].after(message_type, origin.device, payload)
        if outcome.event is Event.NODE_BORN:
            self._paces[name].born()
        return origin, outcome

    def command(self, name: Name, reason: Rebirth, now: datetime) -> tuple[bytes, bytes] | None:
        """Return what asks for a rebirth, topic and payload, or None: it was asked a while ago.

        After a restart of ours nobody is asked as a precaution: what cannot be read will tell.
        """
        if reason is Rebirth.RESTORED or not self._paces[name].may_ask(now):
            return None
        topic, payload = commands.rebirth(*name, now)
        return topic.encode(), payload
