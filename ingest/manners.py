"""Owns naming gateways that publish as the contract forbids: retained, or with an expiry.

No setting of the broker refuses either while `status` has to be retained. What did arrive is good
and is stored; what the broker threw away before, nobody saw: so its sender is named.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

import structlog

from ingest import noise
from ingest.topics import Leaf

COUNTED_MAX = 10_000

log = structlog.get_logger("collect")


class Fault(StrEnum):
    """What a message must not be."""

    EXPIRING = "expiring"
    RETAINED = "retained"


HELP = {
    Fault.EXPIRING: "have the gateway publish without message expiry: the broker discards such "
    "messages while nobody collects, and says nothing",
    Fault.RETAINED: "have the gateway publish without the retain flag: the broker would send the "
    "last one again at each start; only its status is retained",
}


class Manners:
    """Counts such messages by gateway; says so at the first, the tenth, the hundredth…"""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, Fault]] = Counter()

    def take(self, topic: str, *, is_retained: bool, is_expiring: bool) -> None:
        if is_expiring:
            self._count(topic, Fault.EXPIRING)
        if is_retained and not topic.endswith(f"/{Leaf.STATUS}"):
            self._count(topic, Fault.RETAINED)

    def _count(self, topic: str, fault: Fault) -> None:
        unit, gateway = noise.sender(topic)
        if len(self._counts) >= COUNTED_MAX:
            self._counts.clear()
        self._counts[unit, gateway, fault] += 1
        messages = self._counts[unit, gateway, fault]
        if str(messages).strip("0") == "1":
            log.warning(
                "against_contract",
                unit=unit,
                gateway=gateway,
                fault=str(fault),
                messages=messages,
                help=HELP[fault],
            )
