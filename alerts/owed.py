"""Owns what becomes of letters that are kept back: none is lost, and none goes out twice.

Pure. What is owed is why the letter would have been written. When nothing keeps it back any more
and its alert still fires, one letter goes out; who was never told of a beginning hears no end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from alerts.keepers import Kept
from alerts.lifecycle import LETTERS, Reason, Transition
from alerts.verdicts import State, Verdict
from db.alerts import AlertState, OpenAlert


def settled(
    transition: Transition | None,
    owed: str | None,
    kept: Kept | None,
    alert: OpenAlert | None,
    verdict: Verdict,
    now: datetime,
) -> Transition | None:
    """Return what happens to an alert, with regard to what keeps its letters back.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 23, tzinfo=UTC)
    >>> first = Transition(AlertState.FIRING, Reason.FIRST, now)
    >>> verdict = Verdict(State.FIRING, None, "")
    >>> told = settled(first, None, None, None, verdict, now)
    >>> told.is_told, told.owed
    (True, None)
    >>> kept = settled(first, None, Kept(silenced_by=5), None, verdict, now)
    >>> kept.is_told, str(kept.owed)
    (False, 'first')
    """
    if kept is not None:
        return _kept(transition, owed, kept)
    if owed is None or alert is None:
        return transition
    return _released(transition, owed, alert, verdict, now)


def _kept(transition: Transition | None, owed: str | None, kept: Kept) -> Transition | None:
    if transition is None or transition.reason is Reason.REMINDER:
        return None  # it is due as soon as nothing keeps it back
    if transition.reason not in LETTERS:
        return replace(transition, owed=owed)
    if transition.state is AlertState.RESOLVED and owed == Reason.FIRST:
        return replace(transition, kept=kept.reason, owed=None)
    if transition.state is not AlertState.RESOLVED and owed is not None:
        return replace(transition, kept=kept.reason, owed=owed)
    return replace(transition, kept=kept.reason, owed=transition.reason)


def _released(
    transition: Transition | None, owed: str, alert: OpenAlert, verdict: Verdict, now: datetime
) -> Transition | None:
    if transition is None or transition.reason is Reason.REMINDER:
        if verdict.state is not State.FIRING or alert.state is not AlertState.FIRING:
            return None  # no letter says what cannot be told; it is still owed
        if verdict.period.ends_at < alert.period.ends_at:
            return None
        return Transition(AlertState.FIRING, Reason.RELEASED, now)
    if transition.reason not in LETTERS:
        return replace(transition, owed=owed)
    if transition.state is AlertState.RESOLVED and owed == Reason.FIRST:
        return replace(transition, kept="no letter: nobody was told that it began")
    return transition
