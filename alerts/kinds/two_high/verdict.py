"""Owns whether two-high projects are under review where their review is suspended. Pure."""

from __future__ import annotations

from alerts.kinds.region_level import verdict as level
from alerts.kinds.two_high.facts import TwoHighFacts
from alerts.verdicts import HIGH_LEVEL, State, Verdict

UOM = "projects"


def region(facts: TwoHighFacts) -> Verdict:
    """Return whether a region at the worst level has such projects under review.

    Without a level it is UNKNOWN, whatever is under review.
    """
    found = level.finding(facts.region)
    if found.band is None or found.measured is None:
        return Verdict(State.UNKNOWN, facts.region.period, found.reason, uom=UOM)
    count = len(facts.projects)
    is_high = found.band.severity == HIGH_LEVEL
    return Verdict(
        state=State.FIRING if is_high and count else State.OK,
        period=facts.region.period,
        reason=f"energy per GDP {found.measured:+.3%} (level {found.band.level}), "
        f"{count} two-high projects under review",
        measured=float(count),
        threshold=0.0,
        uom=UOM,
        level=HIGH_LEVEL if is_high and count else None,
        coverage=1.0,
    )
