"""Owns what the broker says of itself: how much waits in it, and what it has dropped.

Mosquitto drops without a word to the publisher. Whoever collects hears it in `$SYS`, also for the
collectors of other shards that are away, and says so before and after.
"""

from __future__ import annotations

import structlog

DROPPED = "$SYS/broker/publish/messages/dropped"
WAITING = "$SYS/broker/store/messages/count"
TOPICS = (DROPPED, WAITING)
QUEUE_MESSAGES_PLANNED = 2_000_000
"""As `max_queued_messages` of our profiles."""

STEPS = (0.5, 0.8)
"""Shares of the planned queue at which an alarm is due, while there is still time."""

log = structlog.get_logger("collect")


class BrokerHealth:
    """What the broker said last, and what of it was said on."""

    def __init__(self, planned: int = QUEUE_MESSAGES_PLANNED) -> None:
        self._planned = planned
        self._dropped: int | None = None
        self._step = 0.0

    def take(self, topic: str, payload: bytes) -> None:
        """Take a figure of `$SYS`; raise the alarm when it calls for one."""
        if not payload.isdigit():
            return
        if topic == DROPPED:
            self._take_dropped(int(payload))
        elif topic == WAITING:
            self._take_waiting(int(payload))

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

    def _take_waiting(self, count: int) -> None:
        share = count / self._planned
        step = max((each for each in STEPS if share >= each), default=0.0)
        if step > self._step:
            log.critical(
                "broker_queue_filling",
                waiting=count,
                share=round(share, 2),
                help="start the collectors that are away before the broker drops messages",
            )
        self._step = step
