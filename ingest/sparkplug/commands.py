"""Owns what a host says in Sparkplug: asking for a rebirth, at a pace, and its own STATE."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from ingest.sparkplug import sparkplug_b_pb2
from ingest.sparkplug.datatypes import Datatype
from ingest.sparkplug.topics import ROOT, MessageType, Origin

REBIRTH = "Node Control/Rebirth"
PAUSE = timedelta(seconds=30)
PAUSE_MAX = timedelta(hours=1)


class Pace:
    """When an edge node may be asked again: after a pause that doubles until it is born."""

    def __init__(self, pause: timedelta = PAUSE) -> None:
        self._first = self._pause = pause
        self._due_at: datetime | None = None

    def may_ask(self, now: datetime) -> bool:
        """Return whether to ask now; then it counts as asked."""
        if self._due_at is not None and now < self._due_at:
            return False
        self._due_at = now + self._pause
        self._pause = min(self._pause * 2, PAUSE_MAX)
        return True

    def born(self) -> None:
        """Ask at the first pace again; the pause that runs still ends when it would have."""
        self._pause = self._first


def rebirth(unit: str, gateway: str, now: datetime) -> tuple[str, bytes]:
    """Return topic and payload that ask an edge node for its births (QoS 0, not retained)."""
    at_ms = _ms(now)
    payload = sparkplug_b_pb2.Payload(timestamp=at_ms)
    payload.metrics.add(
        name=REBIRTH, timestamp=at_ms, datatype=Datatype.BOOLEAN, boolean_value=True
    )
    return Origin(unit, gateway).topic(MessageType.NCMD), payload.SerializeToString()


def state(host: str, started_at: datetime, *, online: bool) -> tuple[str, bytes]:
    """Return topic and payload of the STATE of a host (QoS 1, retained).

    The will says offline with the `started_at` of the connection it belongs to, and is handed
    to the broker before online is said: gateways compare the two.
    """
    said = {"online": online, "timestamp": _ms(started_at)}
    return f"{ROOT}/STATE/{host}", json.dumps(said, separators=(",", ":")).encode()


def _ms(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
