"""Owns what becomes of letters that are kept back: none is lost, and none goes out twice.

Pure. What is owed is why the letter would have been written. When nothing keeps it back any more
and its alert still fires, one letter goes out; where nobody was told of a beginning, nobody hears
of an end. That what was told had no reason is kept back by nothing. An incident that grows is told
to the regions that it came to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from alerts.keepers import Kept
from alerts.kinds.kind import Judged
from alerts.lifecycle import LETTERS, Reason, Transition
from alerts.verdicts import State, Verdict
from db.alerts import About, AlertState, OpenAlert
from db.kept import Owed


def settled(
    transition: Transition | None,
    owed: Owed,
    kept: Kept | None,
    alert: OpenAlert | None,
    judged: Judged,
    now: datetime,
) -> Transition | None:
    """Return what happens to an alert, with regard to what keeps its letters back."""
    if kept is not None:
        return _kept(transition, owed.letter, kept)
    if alert is None:
        return transition
    if owed.letter is not None:
        return _released(transition, owed.letter, alert, judged.verdict, now)
    if transition is None and _is_wider(owed, judged):
        return Transition(alert.state, Reason.WIDENED, now)
    return transition


def _is_wider(owed: Owed, judged: Judged) -> bool:
    """Return whether an incident that was told of takes in regions that were not."""
    if judged.verdict.state is not State.FIRING or not owed.told_regions:
        return False
    return not judged.facts.regions <= owed.told_regions


def _kept(transition: Transition | None, owed: str | None, kept: Kept) -> Transition | None:
    if transition is None or transition.reason is Reason.REMINDER:
        return None  # it is due as soon as nothing keeps it back
    if transition.state is AlertState.RESOLVED:
        return _ended(transition, owed, kept)
    if transition.reason not in LETTERS:
        return replace(transition, owed=owed)
    still = transition.reason if owed in (None, Reason.EARLY) else owed
    return replace(transition, kept=kept.reason, owed=still)


def _ended(transition: Transition, owed: str | None, kept: Kept) -> Transition:
    """Return how an alert ends while its letters are kept back: what it owed, it owes no more."""
    if transition.reason not in LETTERS:
        return transition
    if owed == Reason.FIRST:
        return replace(transition, kept=kept.reason)  # nobody was told that it began
    if transition.reason is Reason.RETRACTED:
        return transition  # who was told what is wrong is not left in it
    return replace(transition, kept=kept.reason, owed=transition.reason)


def _released(
    transition: Transition | None, owed: str, alert: OpenAlert, verdict: Verdict, now: datetime
) -> Transition | None:
    if transition is None or transition.reason is Reason.REMINDER:
        return _let_out(owed, alert, verdict, now)
    if transition.state is AlertState.RESOLVED:
        if transition.reason in LETTERS and owed == Reason.FIRST:
            return replace(transition, kept="no letter: nobody was told that it began")
        return transition
    if transition.reason not in LETTERS:
        return replace(transition, owed=owed)
    return transition


def _let_out(owed: str, alert: OpenAlert, verdict: Verdict, now: datetime) -> Transition | None:
    """Return the letter that was kept back, with the figures of now; None: none can be told."""
    if alert.state is not AlertState.FIRING or verdict.period.ends_at < alert.period.ends_at:
        return None  # no letter says what cannot be told; it is still owed
    if verdict.state is State.FIRING:
        return Transition(AlertState.FIRING, Reason.RELEASED, now, lets_out=owed)
    if verdict.state is State.WARN and owed == Reason.EARLY and alert.about is About.WARN:
        return Transition(AlertState.FIRING, Reason.EARLY, now)
    return None
