"""Owns saying a failure once: when it begins, and how often it happened when it ends."""

from __future__ import annotations

import structlog

log = structlog.get_logger("alert")


class Episodes:
    """What is going on in this process, by a key that names it."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def happened(self, key: str, event: str, **facts: object) -> None:
        """Log `event` if it is the first one of its episode; count it in any case."""
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._counts[key] == 1:
            log.warning(event, **facts)

    def over(self, key: str, event: str, **facts: object) -> None:
        """Log the end of an episode, with its count; nothing if there was none."""
        times = self._counts.pop(key, 0)
        if times:
            log.info(event, times=times, **facts)
