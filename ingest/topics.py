"""Owns the topic names: nenghao/v1/{city}/{unit}/{gateway}/{leaf}."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

ROOT = "nenghao/v1"
LEVELS = 6
TOPICS_REMEMBERED_MAX = 10_000


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


@lru_cache(TOPICS_REMEMBERED_MAX)
def parse(topic: str) -> tuple[Address, Leaf]:
    """Return who published on `topic` and what. Raises ValueError if it is not one of ours.

    A level may be empty, as our filters allow: then nobody of that name is registered.

    >>> parse("nenghao/v1/450200/91450200MA5K0000XA/gw1/readings")[1]
    <Leaf.READINGS: 'readings'>
    """
    levels = topic.split("/")
    if not topic.startswith(ROOT + "/") or len(levels) != LEVELS:
        raise ValueError(f"{topic} is not {ROOT}/city/unit/gateway/leaf")
    return Address(levels[2], levels[3], levels[4]), Leaf(levels[5])


def collector_filters(city: str, unit: str) -> list[str]:
    """Return the topic filters of a collector of one city and unit, or of all, "+"."""
    return [f"{ROOT}/{city}/{unit}/+/{leaf}" for leaf in (Leaf.READINGS, Leaf.STATUS)]
