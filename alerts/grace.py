"""Owns whether it was ourselves who heard nothing: then what is silent accuses nobody.

Pure. Signs of life tell when a program of ours was away. While it is, and for a while after, so
that what waited can come in, a verdict that rests on silence is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.verdicts import State, Verdict
from db.downtimes import Downtime
from db.metrics import Heartbeat

LASTS = timedelta(minutes=30)
"""What NENGHAO_GRACE_MIN is if nothing is set."""

COLLECT, SETTLE, EVALUATE = "collect", "settle", "alert"

READY, ENDED, STANDBY_MARK = "ready", "ended", "@"
"""What collectors say of themselves (`ingest/readiness.py`), and the name of a standby."""

SILENT_AFTER = timedelta(seconds=15)
"""Of a collector: it gives a sign of life every five seconds."""

ROUND_MAX = timedelta(minutes=10)
"""Longest time between two signs of life of who settles or judges."""

COUNTS_FROM = timedelta(minutes=2)
"""A shorter absence, as at a restart, makes nobody look silent."""

FORGOTTEN_AFTER = timedelta(days=1)
"""A collector that was silent for longer was given up, if another one collects."""


@dataclass(frozen=True, slots=True)
class Grace:
    """A program of ours was away; `back_at` and `until` None: it still is."""

    program: str
    went_at: datetime
    back_at: datetime | None
    until: datetime | None

    @property
    def reason(self) -> str:
        if self.back_at is None or self.until is None:
            return f"our own `nenghao {self.program}` is away since {_minute(self.went_at)}"
        return (
            f"our own `nenghao {self.program}` was away from {_minute(self.went_at)} to "
            f"{_minute(self.back_at)}; until {_minute(self.until)} silence is held against nobody"
        )


def noticed(beats: Sequence[Heartbeat], known: Sequence[Downtime], now: datetime) -> list[Downtime]:
    """Return what is new: a program that went, or one that is back.

    The evaluator notices of itself that it was away when it is back; so also after the database
    was: nobody else could have written that down.
    """
    found = []
    open_since = {each.program: each.went_at for each in known if each.back_at is None}
    for program, went_at in ((COLLECT, _deaf_since(beats, now)), (SETTLE, _idle(beats, now))):
        began = open_since.get(program)
        if went_at is not None and began is None:
            found.append(Downtime(program, went_at, None))
        elif went_at is None and began is not None:
            found.append(Downtime(program, began, max(now, began)))
    own = max((beat.beat_at for beat in beats if beat.program == EVALUATE), default=now)
    is_noted = any(each.program == EVALUATE and each.went_at == own for each in known)
    if now - own > ROUND_MAX and not is_noted:
        found.append(Downtime(EVALUATE, own, now))
    return found


def over(known: Iterable[Downtime], now: datetime, lasts: timedelta) -> Grace | None:
    """Return the absence of ours that excuses silence now, the one that does so longest."""
    found = []
    for each in known:
        if (each.back_at or now) - each.went_at < COUNTS_FROM:
            continue
        until = None if each.back_at is None else each.back_at + lasts
        if until is None or until > now:
            found.append(Grace(each.program, each.went_at, each.back_at, until))
    still_away = [each for each in found if each.until is None]
    if still_away:
        return min(still_away, key=lambda each: each.went_at)
    return max(found, key=lambda each: each.until or now, default=None)


def excused(verdict: Verdict, grace: Grace | None) -> Verdict:
    """Return a verdict that rests on silence, as long as we may have been deaf ourselves."""
    if grace is None or verdict.state in (State.OK, State.UNKNOWN):
        return verdict
    return replace(
        verdict, state=State.UNKNOWN, level=None, reason=f"{grace.reason} ({verdict.reason})"
    )


def _deaf_since(beats: Sequence[Heartbeat], now: datetime) -> datetime | None:
    """Return since when collectors do not hear all; None: they do, or none was ever there."""
    holders = [
        beat for beat in beats if beat.program == COLLECT and STANDBY_MARK not in beat.instance
    ]
    hearing = [
        beat for beat in holders if beat.detail == READY and now - beat.beat_at <= SILENT_AFTER
    ]
    deaf = [
        beat
        for beat in holders
        if beat not in hearing and beat.detail != ENDED and now - beat.beat_at <= FORGOTTEN_AFTER
    ]
    if not holders or (hearing and not deaf):
        return None
    return min(beat.beat_at for beat in deaf or holders)


def _idle(beats: Sequence[Heartbeat], now: datetime) -> datetime | None:
    newest = max((beat.beat_at for beat in beats if beat.program == SETTLE), default=now)
    return newest if now - newest > ROUND_MAX else None


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%MZ}"
