"""Owns whether collectors are ready: connected, subscribed, their session asserted, the database
writable. Each says so itself, every few seconds; who says nothing is not ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from db.metrics import Heartbeat

PROGRAM = "collect"
SILENT_AFTER = timedelta(seconds=15)
FORGOTTEN_AFTER = timedelta(days=1)
"""Who was silent for so long was given up: another name, another division into shards."""


class Readiness(StrEnum):
    """What keeps a collector from collecting, or nothing."""

    STANDBY = "standby"  # another process collects this shard; well so
    NO_BROKER = "no_broker"
    STUCK = "stuck"  # the network thread is dead or stands still
    NOT_SUBSCRIBED = "not_subscribed"  # the broker has not answered yet
    SUBSCRIPTION_REFUSED = "subscription_refused"  # some filters are not heard
    SESSION_LOST = "session_lost"  # the gateways were not asked yet for what was lost with it
    SILENT = "silent"  # no sign of life: it is gone, or cannot write to the database
    ENDED = "ended"  # it was told to stop, and did
    READY = "ready"


@dataclass(frozen=True, slots=True)
class CollectorState:
    """What a collector, or a standby for it, said last."""

    collector: str
    readiness: Readiness
    beat_at: datetime

    @property
    def is_standby(self) -> bool:
        return "@" in self.collector

    @property
    def is_expected(self) -> bool:
        """Return whether it should collect: no standby, and nobody told it to stop."""
        return not self.is_standby and self.readiness is not Readiness.ENDED


def standby_name(collector: str, host: str) -> str:
    """Return the name of a standby's signs of life; the holder's is that of the collector."""
    return f"{collector}@{host}"


def states(beats: Iterable[Heartbeat], now: datetime) -> list[CollectorState]:
    """Return the state of each collector that was heard within a day."""
    return [
        CollectorState(beat.instance, _readiness(beat, now), beat.beat_at)
        for beat in beats
        if beat.program == PROGRAM and now - beat.beat_at <= FORGOTTEN_AFTER
    ]


def _readiness(beat: Heartbeat, now: datetime) -> Readiness:
    if now - beat.beat_at > SILENT_AFTER and beat.detail != Readiness.ENDED:
        return Readiness.SILENT
    try:
        return Readiness(beat.detail)
    except ValueError:  # of another release
        return Readiness.SILENT


def is_collected(found: Iterable[CollectorState]) -> bool:
    """Return whether there are collectors and each is ready.

    Standbys do not count, nor who was told to stop.
    """
    holders = [each for each in found if each.is_expected]
    return bool(holders) and all(each.readiness is Readiness.READY for each in holders)
