"""Owns who is noisy: a gateway that sends far more messages than it can have to say.

It is named, not refused: after a long outage an honest gateway may be as loud for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache

import structlog

from ingest import topics
from ingest.sparkplug import topics as sparkplug_topics

MINUTE = timedelta(minutes=1)
MESSAGES_PER_MINUTE_MAX = 6_000
"""Messages of one gateway in a minute that are still no noise: 100 a second."""

NAMES_REMEMBERED_MAX = 10_000

Name = tuple[str, str]
"""unit, gateway"""

log = structlog.get_logger("collect")


class Noise:
    """Counts what each gateway sends, minute by minute; says once an episode who is noisy."""

    def __init__(self, messages_per_minute_max: int = MESSAGES_PER_MINUTE_MAX) -> None:
        self._max = messages_per_minute_max
        self._began: datetime | None = None
        self._counts: Counter[Name] = Counter()
        self._noisy: dict[Name, int] = {}

    def take(self, heard: Iterable[str], now: datetime) -> None:
        """Count messages on the topics `heard`."""
        if self._began is None or now - self._began >= MINUTE:
            self._end_minute()
            self._began = now
        for name, count in Counter(map(sender, heard)).items():
            self._counts[name] += count
            if self._counts[name] > self._max and name not in self._noisy:
                self._noisy[name] = 0
                unit, gateway = name
                log.warning(
                    "noisy_gateway",
                    unit=unit,
                    gateway=gateway,
                    messages_per_minute_max=self._max,
                    help="unless it catches up after an outage, mend it or shut it out with "
                    "`nenghao gateways revoke`: all gateways share the broker's queue",
                )

    def _end_minute(self) -> None:
        """Add up the episodes; those that were no longer noisy in this minute have ended."""
        for name in list(self._noisy):
            self._noisy[name] += self._counts[name]
            if self._counts[name] <= self._max:
                unit, gateway = name
                messages = self._noisy.pop(name)
                log.info("noisy_gateway_ended", unit=unit, gateway=gateway, messages=messages)
        self._counts.clear()


@lru_cache(NAMES_REMEMBERED_MAX)
def sender(topic: str) -> Name:
    """Return whose topic it is.

    >>> sender("spBv1.0/91450200MA5K0000XA/DDATA/gw1/E01")
    ('91450200MA5K0000XA', 'gw1')
    """
    if topic.startswith(sparkplug_topics.ROOT + "/"):
        return sparkplug_topics.sender(topic)
    address, _ = topics.parse(topic)
    return address.unit, address.gateway
