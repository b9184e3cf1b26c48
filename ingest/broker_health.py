"""Owns what the broker says of itself: how much waits in it, and what it has dropped.

Mosquitto drops without a word to the publisher. Whoever collects hears it in `$SYS`, also for the
collectors of other shards that are away, and says so before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

DROPPED = "$SYS/broker/publish/messages/dropped"
WAITING = "$SYS/broker/store/messages/count"
WAITING_BYTES = "$SYS/broker/store/messages/bytes"
TOPICS = (DROPPED, WAITING, WAITING_BYTES)

STEPS = (0.5, 0.8)
"""Shares of a full queue at which an alarm is due, while there is still time."""

log = structlog.get_logger("collect")


@dataclass(frozen=True, slots=True)
class Queue:
    """What the broker keeps for an absent collector at most: it drops beyond either limit."""

    messages: int
    size_bytes: int


PLANNED = Queue(2_000_000, 1024**3)
"""As `max_queued_messages` and `max_queued_bytes` of our profiles."""


class BrokerHealth:
    """What the broker said last, and what of it was said on."""

    def __init__(self, queue: Queue) -> None:
        self._full = {WAITING: queue.messages, WAITING_BYTES: queue.size_bytes}
        self._waiting = dict.fromkeys(self._full, 0)
        self._dropped: int | None = None
        self._step = 0.0

    def take(self, topic: str, payload: bytes) -> None:
        """Take a figure of `$SYS`; raise the alarm when it calls for one."""
        if not payload.isdigit():
            return
        if topic == DROPPED:
            self._take_dropped(int(payload))
        elif topic in self._waiting:
            self._waiting[topic] = int(payload)
            self._look_at_queue()

    def _take_dropped(self, count: int) -> None:
        """The counter begins anew with the broker; what it shows first is not ours to judge."""
        if self._dropped is not None and count > self._dropped:
            log.critical(
                "broker_dropped",
                messages=count - self._dropped,
                help="its queues are full: start the collectors that are away; gateways with "
                "receipts will send again",
            )
        self._dropped = count

    def _look_at_queue(self) -> None:
        """All that waits counts as one queue: the alarm may come early, never late."""
        share = max(waiting / self._full[topic] for topic, waiting in self._waiting.items())
        step = max((each for each in STEPS if share >= each), default=0.0)
        if step > self._step:
            log.critical(
                "broker_queue_filling",
                waiting=self._waiting[WAITING],
                waiting_bytes=self._waiting[WAITING_BYTES],
                share=round(share, 2),
                help="start the collectors that are away before the broker drops messages",
            )
        self._step = step
