"""Owns what becomes of an alert after a verdict: pending, firing, resolved, and why.

Pure. UNKNOWN never resolves an alert: a silent meter is not a healthy one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from alerts.kinds.kind import Parameters
from alerts.verdicts import State, Verdict
from db.alerts import About, AlertState, OpenAlert
from energy import intensity


class Reason(StrEnum):
    """Why an alert changes."""

    PENDING = "pending"  # the condition holds, but not long enough yet
    WITHDRAWN = "withdrawn"  # it went away before it had held long enough
    FIRST = "first"  # the condition held long enough
    ESCALATED = "escalated"  # the level became worse while the alert was open
    EASED = "eased"  # the level became milder, but is still an alert
    REMINDER = "reminder"  # still over, written about long ago, and nobody acknowledged it
    RESOLVED = "resolved"
    RULE_ENDED = "rule_ended"  # nobody watches it any more
    UNWATCHED = "unwatched"  # its rule holds, and finds nothing of it any more that it watches
    AMENDED = "amended"  # what was told of a period is another by now: its data changed
    RETRACTED = "retracted"  # the period that opened it was not over: its data changed
    LATE = "late"  # it was over, and its data came when nobody could be warned in time
    NOTED = "noted"  # nobody is written to: nobody was told before, or lately of another late one
    EARLY = "early"  # near its threshold, and the rule asks for an early notice
    UNKNOWN = "unknown"  # nothing can be said for long, and the rule asks for a notice
    PASSED = "passed"  # what a notice was about is over
    RELEASED = "released"  # nothing keeps its letter back any more
    WIDENED = "widened"  # it takes in regions whose contacts do not know yet


LETTERS = frozenset(
    {
        Reason.FIRST,
        Reason.ESCALATED,
        Reason.REMINDER,
        Reason.RESOLVED,
        Reason.UNWATCHED,
        Reason.RETRACTED,
        Reason.EARLY,
        Reason.RELEASED,
        Reason.WIDENED,
    }
)
"""Reasons of transitions that are written to the region's contacts."""

ABOUT = {Reason.EARLY: About.WARN}
"""What an alert is about after a transition; otherwise that it is over its threshold."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What happens to an alert: the state it gets, why, and when.

    `kept`: why no letter tells of it though one would (`alerts/owed.py`); `owed`: which is to go
    out as soon as nothing keeps it back; `lets_out`: which one that was kept back this one is.
    """

    state: AlertState
    reason: Reason
    at: datetime
    kept: str | None = None
    owed: str | None = None
    lets_out: str | None = None

    @property
    def is_told(self) -> bool:
        """Whether a letter tells of it."""
        return self.reason in LETTERS and self.kept is None


def next_transition(
    alert: OpenAlert | None,
    verdict: Verdict,
    rule: Parameters,
    now: datetime,
    resolved_by: datetime | None = None,
    version: int = 1,
    *,
    held: timedelta | None = None,
) -> Transition | None:
    """Return what happens to `alert` after `verdict`, or None if nothing does.

    How long a condition has held is told by the ends of the windows it held in, not by the clock:
    judging one window many times is no proof. `held` is that as `held_for` tells it; None: from the
    first window to this one, none of which was unknown. A window older than the one the alert is
    about says nothing about it, and one older than `resolved_by`, which resolved the last one,
    opens none. Nobody is reminded of what was acknowledged, or of what cannot be told at the
    moment. Where the very window that opened an alert turns out not to be over, there was no reason
    for it: unless another `version` of the rule found it so, or what the rule finds of a window is
    how things are now. A notice that nothing is known is about no window: it keeps no warning back.
    """
    if verdict.state is State.UNKNOWN:
        return None
    over = verdict.state is State.FIRING
    ends_silence = over or rule.ends_silence
    known_until = _known_until(alert, resolved_by, ends_silence=ends_silence)
    if known_until is not None and verdict.period.ends_at < known_until:
        return None
    if alert is None or alert.about is not About.OVER:
        return _opened(rule, now) if over else _noticed(alert, verdict, rule, now)
    if alert.state is AlertState.PENDING:
        return _pending(alert, verdict, rule, now, held)
    if over:
        return _still_firing(alert, verdict, rule, now)
    opened_it = alert.opened_by == verdict.period.ends_at and alert.rule_version == version
    if rule.looks_back and opened_it:
        return Transition(AlertState.RESOLVED, Reason.RETRACTED, now)
    if _is_clear(verdict, rule):
        return Transition(AlertState.RESOLVED, Reason.RESOLVED, now)
    return None


def held_for(over: Iterable[datetime], stride: timedelta) -> timedelta:
    """Return how long a condition held that did in windows which end then, in order.

    A window follows another by `stride` at most: time of which nothing is known does not count.

    >>> hours = [datetime(2026, 11, 1, hour) for hour in (0, 1, 20, 21)]
    >>> str(held_for(hours, timedelta(hours=1)))
    '3:00:00'
    """
    return sum((min(end - before, stride) for before, end in pairwise(over)), start=timedelta(0))


def _known_until(
    alert: OpenAlert | None, resolved_by: datetime | None, *, ends_silence: bool
) -> datetime | None:
    """Return the end of the newest window that was told of; None: of none was.

    What ended before nothing was known is no end of that where who is silent since then still is.
    """
    if alert is None or (alert.about is About.UNKNOWN and ends_silence):
        return resolved_by
    return alert.period.starts_at if alert.about is About.UNKNOWN else alert.period.ends_at


def _opened(rule: Parameters, now: datetime) -> Transition:
    if rule.hold:
        return Transition(AlertState.PENDING, Reason.PENDING, now)
    return Transition(AlertState.FIRING, Reason.FIRST, now)


def _noticed(
    alert: OpenAlert | None, verdict: Verdict, rule: Parameters, now: datetime
) -> Transition | None:
    """Return what happens to a notice, or whether one is opened, by what is not over."""
    if verdict.state is State.WARN and rule.tells_early:
        early = Transition(AlertState.FIRING, Reason.EARLY, now)
        return None if alert is not None and alert.about is About.WARN else early
    if alert is None:
        return None
    if alert.about is About.WARN and not _is_far(verdict, rule):
        return None
    return Transition(AlertState.RESOLVED, Reason.PASSED, now)


def _pending(
    alert: OpenAlert, verdict: Verdict, rule: Parameters, now: datetime, held: timedelta | None
) -> Transition | None:
    if verdict.state is not State.FIRING:
        return Transition(AlertState.RESOLVED, Reason.WITHDRAWN, now)
    if held is None:
        held = verdict.period.ends_at - alert.period.ends_at
    if held >= rule.hold:
        return Transition(AlertState.FIRING, Reason.FIRST, now)
    return None


def _still_firing(
    alert: OpenAlert, verdict: Verdict, rule: Parameters, now: datetime
) -> Transition | None:
    level = verdict.level
    if level is not None and level != alert.level:
        reason = Reason.ESCALATED if level < alert.level else Reason.EASED
        return Transition(AlertState.FIRING, reason, now)
    if _is_reminder_due(alert, rule, now):
        return Transition(AlertState.FIRING, Reason.REMINDER, now)
    return None


def _is_reminder_due(alert: OpenAlert, rule: Parameters, now: datetime) -> bool:
    """Return whether the last letter is so long ago that another one asks who takes care."""
    if alert.is_acknowledged or alert.told_at is None or not rule.remind_h:
        return False
    return now - alert.told_at >= timedelta(hours=rule.remind_h)


def _is_far(verdict: Verdict, rule: Parameters) -> bool:
    """Return whether the value is far enough from where a notice is due not to flicker."""
    if rule.warn_at is None or verdict.measured is None or verdict.threshold is None:
        return True
    ratio = rule.warn_at * rule.clear_at
    return verdict.measured <= intensity.clear_value(verdict.threshold, ratio)


def _is_clear(verdict: Verdict, rule: Parameters) -> bool:
    """Return whether the value is far enough within its threshold not to flicker."""
    if rule.clear_at == 1:
        return True
    assert verdict.measured is not None
    assert verdict.threshold is not None
    return verdict.measured <= intensity.clear_value(verdict.threshold, rule.clear_at)
