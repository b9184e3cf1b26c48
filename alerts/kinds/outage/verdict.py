"""Owns whether so much is silent at once that it is an incident. Pure."""

from __future__ import annotations

from alerts.kinds.outage.facts import OutageFacts, Scale, silent_meters
from alerts.kinds.outage.parameters import Outage
from alerts.verdicts import State, Verdict
from db.outages import Site

UOM = {Scale.BROKER: "gateways", Scale.CITY: "gateways", Scale.UNIT: "meters"}


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


def radius(facts: OutageFacts) -> str:
    """Return what an incident takes in, as far as it is named."""
    named = ", ".join(_site(site) for site in facts.shown)
    more = f" and {facts.left_out} more" if facts.left_out else ""
    return f": {named}{more}" if named else ""


def _site(site: Site) -> str:
    gateways = ", ".join(site.silent_gateways)
    behind = f"{silent_meters(site)} of {site.meters} meters"
    return f"{site.unit} ({gateways}; {behind})" if gateways else f"{site.unit} ({behind})"
