"""Owns whether the warning level of a region is an alert, or cannot be told.

Pure. Missing figures never read as good: without one of them there is no level. Which level is
worse is told by the severities of its scheme.
"""

from __future__ import annotations

from alerts.kinds.region_level.facts import DECEMBER, RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.words import PERCENT, SHARE
from alerts.verdicts import State, Verdict
from energy import assessment
from energy.assessment import Figures, Finding
from energy.indicators import DESCRIPTIONS, Indicator
from energy.levels import Scheme
from energy.targets import Path, Target, TargetKind


def region(facts: RegionFacts, rule: RegionLevel) -> Verdict:
    """Return whether the warning level of a region is one that letters are sent for."""
    found, scheme = finding(facts), facts.scheme
    is_total = facts.indicator is Indicator.TOTAL_ENERGY
    uom = PERCENT if is_total else SHARE
    if found.band is None or found.measured is None or scheme is None:
        return Verdict(State.UNKNOWN, facts.period, found.reason, uom=uom)
    is_high = found.band.severity <= min(rule.letters_from_level, len(scheme.bands) - 1)
    scale = 100 if is_total else 1
    return Verdict(
        state=State.FIRING if is_high and not facts.is_exempt else State.OK,
        period=facts.period,
        reason=_reason(facts, found, found.measured),
        measured=scale * found.measured,
        threshold=scale * _threshold(facts, scheme, rule.letters_from_level),
        uom=uom,
        level=found.band.severity,
        coverage=1.0,
    )


def finding(facts: RegionFacts) -> Finding:
    """Return the level of a region with what it rests on, or the input that is missing."""
    of = DESCRIPTIONS[facts.indicator]
    growth = {of.numerator: facts.energy_growth}
    if of.denominator is not None:
        growth[of.denominator] = facts.gdp_growth
    has_target = facts.required_rate is not None or facts.cap_tce is not None
    target = Target(
        facts.indicator, TargetKind.BASE, facts.year, facts.year, facts.required_rate,
        facts.cap_tce, None, "",
    )  # fmt: skip
    found = assessment.findings(
        Figures(facts.year, facts.through_month, growth),
        [Figures(facts.year - 1, DECEMBER, {}, facts.base_year_tce)],
        [target] if has_target else [],
        {} if facts.scheme is None else {facts.indicator: facts.scheme},
        facts.year,
    )
    return next(one for one in found if one.indicator is facts.indicator)


def _threshold(facts: RegionFacts, scheme: Scheme, from_level: int) -> float:
    """Return the value up to which there is no alert, in the measure of the finding."""
    bound = scheme.bands[min(from_level, len(scheme.bands) - 1)].bound
    assert bound is not None
    if facts.required_rate is None:
        return bound
    return bound * min(facts.required_rate, 0.0) + 0.0  # no -0.0


def _reason(facts: RegionFacts, found: Finding, measured: float) -> str:
    assert found.band is not None
    name, level = DESCRIPTIONS[facts.indicator].name_en, f"(level {found.band.level})"
    if facts.required_rate is None:
        exempt = "; exempt: the incentive target is reached" if facts.is_exempt else ""
        return (
            f"{name} comes to {measured:.2%} of the cap of {facts.cap_tce:,.0f} tce, "
            f"{found.reason} {level}{exempt}"
        )
    return (
        f"{name} {measured:+.3%}, {found.reason} {level}; "
        f"the year requires {facts.required_rate:+.3%}"
        + (" (default of the plan, not filed)" if facts.path is Path.GEOMETRIC_DEFAULT else "")
    )
