"""Owns whether so much is silent at once that it is an incident. Pure."""

from __future__ import annotations

from alerts.kinds.outage.facts import UOM, OutageFacts, radius
from alerts.kinds.outage.parameters import Outage
from alerts.verdicts import State, Verdict


def judge(facts: OutageFacts, rule: Outage) -> Verdict:
    """Return whether it is an incident, and what it takes in."""
    uom = UOM[facts.scale]
    told = f"{facts.measured} of {facts.total} {uom} are silent, an incident from {facts.threshold}"
    if facts.grace is not None:
        told = f"{facts.grace.reason}: nothing is heard of {facts.total} gateways"
    if facts.is_incident:
        told += radius(facts)
    return Verdict(
        state=State.FIRING if facts.is_incident else State.OK,
        period=facts.period,
        reason=told,
        measured=float(facts.measured),
        threshold=float(facts.threshold),
        uom=uom,
        level=rule.level if facts.is_incident else None,
        coverage=1.0,
    )
