"""Owns whether the warning level of a region is an alert, or cannot be told.

Pure. Missing figures never read as good: without one of them there is no level.
"""

from __future__ import annotations

from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.verdicts import State, Verdict
from energy import levels
from energy.targets import Path

UOM = "share"


def region(facts: RegionFacts, rule: RegionLevel) -> Verdict:
    """Return whether the warning level of a region is one that letters are sent for."""
    found = levels.assess(facts.energy_growth, facts.gdp_growth, facts.required_rate)
    if found.level is None or found.rate is None or facts.required_rate is None:
        return Verdict(State.UNKNOWN, facts.period, found.reason, uom=UOM)
    is_high = levels.NATIONAL.is_as_severe(str(found.level), str(rule.letters_from_level))
    from_rise = rule.letters_from_level == levels.ROSE
    return Verdict(
        state=State.FIRING if is_high else State.OK,
        period=facts.period,
        reason=f"energy per GDP {found.rate:+.3%}, {found.reason} (level {found.level}); "
        f"the year requires {facts.required_rate:+.3%}"
        + (" (default of the plan, not filed)" if facts.path is Path.GEOMETRIC_DEFAULT else ""),
        measured=found.rate,
        threshold=0.0 if from_rise else facts.required_rate,
        uom=UOM,
        level=found.level,
        coverage=1.0,
    )
