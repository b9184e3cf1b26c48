"""Owns whether a unit is connected as it should be by now. Pure."""

from __future__ import annotations

from alerts.kinds.not_connected.facts import ConnectionFacts
from alerts.kinds.not_connected.parameters import NotConnected, Until
from alerts.verdicts import State, Verdict

UOM = "d"


def judge(facts: ConnectionFacts, rule: NotConnected) -> Verdict:
    """Return whether something of a unit is not connected though its days are over.

    What was not looked at is unknown: readings that came since the last assessment do not show.
    """
    lacks = lacking(facts, rule.until)
    state, reason = State.OK, f"{facts.heard} of {facts.boundary} boundary meters deliver"
    if not facts.is_fresh:
        state = State.UNKNOWN
        reason = "the unit was not assessed lately: is `nenghao settle` running?"
    elif lacks and facts.days >= rule.days:
        state = State.FIRING
        reason = f"{facts.days} days after it was commissioned: {lacks}"
    return Verdict(
        state=state,
        period=facts.period,
        reason=reason,
        measured=float(facts.days),
        threshold=float(rule.days),
        uom=UOM,
        level=rule.level if state is State.FIRING else None,
        coverage=facts.heard / facts.boundary if facts.boundary else 0.0,
    )


def lacking(facts: ConnectionFacts, until: Until) -> str:
    """Return what is not connected; empty: nothing."""
    if not facts.boundary:
        return "no boundary meter is registered"
    if until is Until.ANY:
        return "" if facts.heard else "nothing was ever heard"
    found = []
    if facts.silent:
        found.append(f"never heard: {', '.join(facts.silent)}")
    if until is Until.FILED and facts.unmetered:
        found.append(f"filed without a boundary meter: {', '.join(facts.unmetered)}")
    return "; ".join(found)
