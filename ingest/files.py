"""Owns how readings of a file come in: as batches on topics of their own, which no broker brings.

file/{unit}/{SHA-256 of the file}/{its name}. Who handed it in stands in the ledger of changes under
that hash; so a file has no gateway and needs no signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest import payload
from ingest.acks import Delivery
from ingest.payload import BATCH_LENGTH_MAX, PAYLOAD_BYTES_MAX, READINGS_MAX

ROOT = "file"
UNIT_LENGTH_MAX = 64
"""A longer one is none: it is cut, and no unit of that name is registered."""

NAME_LENGTH_MAX = 200
HEAD, BETWEEN, TAIL = b'{"batch":"%s","readings":[', b",", b"]}"
ROOM = PAYLOAD_BYTES_MAX - len(HEAD) - BATCH_LENGTH_MAX - len(TAIL)
"""What is left of a message for its readings. [bytes]"""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a file: where it stands, the unit it names, and the reading it is, as JSON."""

    number: int
    unit: str
    reading: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """A delivery, and the line that each of its readings stands on."""

    delivery: Delivery
    lines: Sequence[int]


def is_ours(topic: str) -> bool:
    return topic.startswith(ROOT + "/")


def topic(unit: str, sha256: str, name: str) -> str:
    named = payload.legible(name[:NAME_LENGTH_MAX])
    return f"{ROOT}/{unit[:UNIT_LENGTH_MAX].replace('/', '_')}/{sha256}/{named}"


def unit(topic: str) -> str:
    """Return the unit whose readings are on a `topic` of ours.

    >>> unit(topic("91450200MA5K0000XA", "9f86", "a/b.csv"))
    '91450200MA5K0000XA'
    """
    return topic.split("/", 2)[1]


def of_broker(topic: str) -> str:
    """Return what a topic is called that a broker brought: whatever it says, it is no file's.

    Nobody subscribes to those, and a broker that cannot be trusted could bring them all the same.
    """
    return f"/{topic}" if is_ours(topic) else topic


def batches(lines: Iterable[Line], sha256: str, name: str, received_at: datetime) -> list[Batch]:
    """Return `lines` as batches, those of a unit together in their order, none too large."""
    by_unit: dict[str, list[Line]] = {}
    for line in lines:
        by_unit.setdefault(line.unit, []).append(line)
    return [
        _batch(part, topic(code, sha256, name), received_at)
        for code, of_unit in by_unit.items()
        for part in _parts(of_unit)
    ]


def _parts(lines: Sequence[Line]) -> Iterable[Sequence[Line]]:
    first, size = 0, 0
    for place, line in enumerate(lines):
        more = len(line.reading) + len(BETWEEN)
        if place > first and (size + more > ROOM or place - first == READINGS_MAX):
            yield lines[first:place]
            first, size = place, 0
        size += more
    yield lines[first:]


def _batch(lines: Sequence[Line], topic: str, received_at: datetime) -> Batch:
    numbers = [line.number for line in lines]
    head = HEAD % b"lines %d to %d" % (numbers[0], numbers[-1])
    message = head + BETWEEN.join(line.reading for line in lines) + TAIL
    return Batch(Delivery(0, 0, topic, message, received_at), numbers)
