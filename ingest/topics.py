"""Owns the topic names: nenghao/v1/{city}/{unit}/{gateway}/{leaf}."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ROOT = "nenghao/v1"
LEVELS = 6


class Leaf(StrEnum):
    """The last level of a topic."""

    READINGS = "readings"
    STATUS = "status"
    RECEIPTS = "receipts"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message comes from: city (GB/T 2260), unit (credit code), gateway."""

    city: str
    unit: str
    gateway: str

    def topic(self, leaf: Leaf) -> str:
        return f"{ROOT}/{self.city}/{self.unit}/{self.gateway}/{leaf}"


def parse(topic: str) -> tuple[Address, Leaf] | None:
    """Return who published on `topic` and what, or None if it is not one of ours.

    >>> parse("nenghao/v1/450200/91450200MA5K0000XX/gw1/readings")[1]
    <Leaf.READINGS: 'readings'>
    """
    if not topic.startswith(ROOT + "/"):
        return None
    levels = topic.split("/")
    if len(levels) != LEVELS or levels[5] not in set(Leaf) or not all(levels):
        return None
    return Address(levels[2], levels[3], levels[4]), Leaf(levels[5])


def collector_filters() -> list[str]:
    """Return the topic filters of a collector."""
    return [f"{ROOT}/+/+/+/{Leaf.READINGS}", f"{ROOT}/+/+/+/{Leaf.STATUS}"]
