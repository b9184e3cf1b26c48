"""Owns what an edge node said before: its session, its aliases, the order of its messages.

Births define what later messages mean; whatever they do not explain asks for a rebirth. A gap in
the order loses no reading that did arrive: it is read, and the rebirth repeats the newest values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from ingest.payload import Reason
from ingest.sparkplug import wire
from ingest.sparkplug.topics import MessageType
from ingest.sparkplug.wire import Fault, Message, Metric

SEQ_COUNT = 256
DEVICES_MAX = 1_000
METRICS_DEFINED_MAX = 20_000
HEARD_MAX = 1_000
"""Messages of one millisecond of which the order is remembered."""

BIRTH_BYTES_MAX = 1024 * 1024
"""Of all births of one edge node together: what a gateway can make the collector remember."""

NODE = ""
"""The device of messages of the edge node itself."""

CONTROL = ("Node Control/", "Device Control/", "Properties/")


class Event(StrEnum):
    """What a message did, and so what becomes of the kept births and the gateway's status."""

    NODE_BORN = "node_born"  # forget all births of the gateway, keep this one; it is online
    DEVICE_BORN = "device_born"  # keep this birth of the device
    DATA = "data"
    DEVICE_DIED = "device_died"  # forget the birth of the device
    NODE_DIED = "node_died"  # forget all births of the gateway; it is offline
    STALE_DEATH = "stale_death"  # of an earlier session: nothing changes
    NODE_REFUSED = "node_refused"  # a birth nobody can use: forget all births of the gateway
    DEVICE_REFUSED = "device_refused"  # likewise: forget the birth of the device
    REFUSED = "refused"  # any other message that nobody can read: nothing changes


class Rebirth(StrEnum):
    """Why an edge node has to be born again."""

    NODE_NOT_BORN = "node_not_born"
    DEVICE_NOT_BORN = "device_not_born"
    UNKNOWN_ALIAS = "unknown_alias"
    SEQ_GAP = "seq_gap"
    RESTORED = "restored"  # births may have been missed while nobody listened


@dataclass(frozen=True, slots=True)
class Sample:
    """A metric that should be a reading. `name` None: its alias is in no birth.

    `device` is empty for a metric of the edge node; `datatype` may come from the birth. With
    `is_before_birth` the message is older than the birth, or may be: its aliases are not known.
    """

    index: int
    device: str
    name: str | None
    datatype: int | None
    metric: Metric
    is_before_birth: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message comes to. `rebirth` stays until the node is born again: ask at a pace."""

    event: Event
    batch: str | None
    samples: list[Sample]
    rebirth: Rebirth | None
    fault: Fault | None = None
    device: str = NODE


class _Order:
    """In which order messages of one millisecond were heard: their own times do not tell.

    Births are counted; a message belongs after the births that were counted when it first came,
    however often it comes again. Only the newest millisecond is remembered.
    """

    def __init__(self) -> None:
        self._sent_ms = -1
        self._births = 0
        self._heard: dict[int, int] = {}

    def place(self, message: Message, payload: bytes, *, is_birth: bool) -> int | None:
        """Return how many births had come when `message` first did, a birth itself included.

        None: it was not heard before, and is no birth.
        """
        sent_ms, known = message.sent_ms, hash(payload)
        if sent_ms is not None and sent_ms > self._sent_ms:
            self._sent_ms = sent_ms
            self._heard.clear()
        first = self._heard.get(known) if sent_ms == self._sent_ms else None
        if first is None:
            self._births += is_birth
            if sent_ms == self._sent_ms and len(self._heard) < HEARD_MAX:
                self._heard[known] = self._births
            return self._births if is_birth else None
        return first


@dataclass(slots=True)
class _Birth:
    """What one birth defines; `place` is its own in the order of births."""

    length: int
    sent_ms: int | None
    place: int
    datatypes: dict[str, int | None] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def may_follow(self, message: Message, place: int | None, *, is_next: bool) -> bool:
        """Return whether `message` was sent after this birth, so that its aliases are of it.

        Not a redelivery, or one of a clock set back. Sent in the very millisecond of the birth, it
        followed if it was first heard after it; one not heard before, if its number `is_next`.
        """
        if self.sent_ms is None or message.sent_ms is None or message.sent_ms > self.sent_ms:
            return True
        if message.sent_ms < self.sent_ms:
            return False
        return is_next if place is None else place >= self.place


class EdgeNode:
    """The state of one edge node; a collector that knows nothing of it starts with an empty one."""

    def __init__(self) -> None:
        self._births: dict[str, _Birth] = {}
        self._bd_seq: int | None = None
        self._seq: int | None = None
        self._rebirth: Rebirth | None = None
        self._order = _Order()

    @classmethod
    def restored(cls, births: Mapping[str, bytes]) -> EdgeNode:
        """Return the state after the kept `births` by device; one that is unreadable is left out.

        The next message may have any number. A rebirth is due, but nothing waits for it.
        """
        node = cls()
        for device, payload in births.items():
            message = wire.decode(payload)
            if isinstance(message, Message) and node._define(device, message, payload) is None:
                node._rebirth = Rebirth.RESTORED
                if device == NODE:
                    node._bd_seq = message.bd_seq()
        return node

    @property
    def is_born(self) -> bool:
        return NODE in self._births

    def after(self, message_type: MessageType, device: str, payload: bytes) -> Outcome:
        """Take in a message and return what it comes to; never raises for what is in `payload`."""
        message = wire.decode(payload)
        if isinstance(message, Fault):
            return replace(self._after_unreadable(message_type, device, message), device=device)
        match message_type:
            case MessageType.NBIRTH:
                return self._after_node_birth(message, payload)
            case MessageType.DBIRTH:
                return self._after_device_birth(device, message, payload)
            case MessageType.NDATA | MessageType.DDATA:
                return self._after_data(device, message, payload)
            case MessageType.DDEATH:
                self._follow(message, NODE)
                self._births.pop(device, None)
                return Outcome(Event.DEVICE_DIED, None, [], self._rebirth, None, device)
            case MessageType.NDEATH:
                return self._after_node_death(message)
            case MessageType.NCMD | MessageType.DCMD:
                raise AssertionError("commands go to gateways; topics.parse lets none in")
            case _:
                assert_never(message_type)

    def _after_unreadable(self, message_type: MessageType, device: str, fault: Fault) -> Outcome:
        """Refuse a message. A birth ends what aliases meant, even one that nobody can read."""
        event = Event.REFUSED
        if message_type is MessageType.NBIRTH:
            event = Event.NODE_REFUSED
            self._forget()
            self._want(Rebirth.NODE_NOT_BORN)
        elif message_type is MessageType.DBIRTH:
            event = Event.DEVICE_REFUSED
            self._births.pop(device, None)
            self._want(Rebirth.DEVICE_NOT_BORN)
        return Outcome(event, None, [], self._rebirth, fault)

    def _after_node_birth(self, message: Message, payload: bytes) -> Outcome:
        self._forget()
        self._bd_seq, self._seq = message.bd_seq(), message.seq
        fault = self._define(NODE, message, payload)
        if fault is not None:
            self._want(Rebirth.NODE_NOT_BORN)
            return self._outcome(Event.NODE_REFUSED, NODE, message, fault)
        self._rebirth = None
        return self._outcome(Event.NODE_BORN, NODE, message)

    def _after_device_birth(self, device: str, message: Message, payload: bytes) -> Outcome:
        self._follow(message, NODE)
        self._births.pop(device, None)
        fault = self._define(device, message, payload)
        if fault is not None:
            self._want(Rebirth.DEVICE_NOT_BORN)
            return self._outcome(Event.DEVICE_REFUSED, device, message, fault)
        return self._outcome(Event.DEVICE_BORN, device, message)

    def _after_data(self, device: str, message: Message, payload: bytes) -> Outcome:
        is_next = self._seq is not None and message.seq == (self._seq + 1) % SEQ_COUNT
        place = self._order.place(message, payload, is_birth=False)
        birth = self._births.get(device)
        is_late = birth is not None and not birth.may_follow(message, place, is_next=is_next)
        if not is_late or place is None:  # its number is of what came before the birth
            self._follow(message, device)
        return self._outcome(Event.DATA, device, message, is_late=is_late)

    def _after_node_death(self, message: Message) -> Outcome:
        """Believe a death unless it names another session than the birth.

        The broker sends the will of a lost connection late: often after the next birth.
        """
        died = message.bd_seq()
        if died is not None and self._bd_seq is not None and died != self._bd_seq:
            return Outcome(Event.STALE_DEATH, None, [], self._rebirth)
        self._forget()
        self._rebirth = None  # nobody is there to be asked
        return Outcome(Event.NODE_DIED, None, [], None)

    def _forget(self) -> None:
        self._births.clear()
        self._bd_seq = self._seq = None

    def _define(self, device: str, message: Message, payload: bytes) -> Fault | None:
        """Keep what a birth defines, or return why it cannot be kept."""
        length, place = len(payload), self._order.place(message, payload, is_birth=True)
        assert place is not None
        birth = _Birth(length, message.sent_ms, place)
        for metric in message.metrics:
            if metric.name is None:
                continue
            birth.datatypes[metric.name] = metric.datatype
            if metric.alias is not None:
                named = birth.names.setdefault(metric.alias, metric.name)
                if named != metric.name:
                    detail = f"alias {metric.alias} names {named[:64]} and {metric.name[:64]}"
                    return Fault(Reason.INVALID_FIELD, detail)
        others = self._births.values()
        if (
            len(others) >= DEVICES_MAX + 1
            or length + sum(b.length for b in others) > BIRTH_BYTES_MAX
            or len(message.metrics) + sum(len(b.datatypes) for b in others) > METRICS_DEFINED_MAX
        ):
            detail = (
                f"the births of an edge node hold at most {DEVICES_MAX} devices, "
                f"{METRICS_DEFINED_MAX} metrics and {BIRTH_BYTES_MAX} bytes"
            )
            return Fault(Reason.TOO_LARGE, detail)
        self._births[device] = birth
        return None

    def _follow(self, message: Message, device: str) -> None:
        """Compare the number of a message with the one before; `device` should have been born.

        The number of the last message again is that message again, not a gap.
        """
        seq = message.seq
        if self._seq is not None and seq not in (self._seq, (self._seq + 1) % SEQ_COUNT):
            self._want(Rebirth.SEQ_GAP)
        self._seq = seq
        if not self.is_born:
            self._want(Rebirth.NODE_NOT_BORN)
        elif device not in self._births:
            self._want(Rebirth.DEVICE_NOT_BORN)

    def _want(self, rebirth: Rebirth) -> None:
        """Remember why a rebirth is needed; the first reason stands, a precaution gives way."""
        if self._rebirth is None or self._rebirth is Rebirth.RESTORED:
            self._rebirth = rebirth

    def _outcome(
        self,
        event: Event,
        device: str,
        message: Message,
        fault: Fault | None = None,
        *,
        is_late: bool = False,
    ) -> Outcome:
        samples = []
        birth = self._births.get(device)
        for index, metric in enumerate(message.metrics):
            sample = _sample(index, device, metric, birth, is_late=is_late)
            if sample.name is None and metric.alias is not None and event is Event.DATA:
                self._want(Rebirth.UNKNOWN_ALIAS)
            if sample.name is None or not _is_control(sample.name):
                samples.append(sample)
        session = "none" if self._bd_seq is None else self._bd_seq
        name = f"spb-{session}-{message.seq}"
        return Outcome(event, name, samples, self._rebirth, fault, device)


def _sample(
    index: int, device: str, metric: Metric, birth: _Birth | None, *, is_late: bool
) -> Sample:
    name, datatype = metric.name, metric.datatype
    if birth is not None:
        if name is None and metric.alias is not None and not is_late:
            name = birth.names.get(metric.alias)
        if datatype is None and name is not None:
            datatype = birth.datatypes.get(name)
    return Sample(index, device, name, datatype, metric, is_before_birth=is_late)


def _is_control(name: str) -> bool:
    return name == "bdSeq" or name.startswith(CONTROL)
