"""Owns whether the data of somebody is bad enough for an alert, in order, or cannot be told.

Pure. What was not assessed is not in order: it is unknown, and resolves nothing.
"""

from __future__ import annotations

from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.data_quality.parameters import Check, DataQuality
from alerts.kinds.words import share
from alerts.verdicts import State, Verdict

MILDEST = 3

SHARES = (Check.GAP, Check.INDEX)
MEASURED = {
    Check.OFFLINE: "owes {0:.0f} intervals",
    Check.GAP: "lacks {0} of its readings",
    Check.FLAT: "stood still for {0:.0f} intervals while its unit produced",
    Check.CLOCK: "clock off by {0:.0f} s",
    Check.INDEX: "is at {0}",
    Check.REPAIR: "{0:+.1f} days after its deadline",
    Check.VERIFICATION: "verification holds for {0:.0f} days more",
}
BOUND = {
    Check.OFFLINE: "an alert from {0:g} on",
    Check.GAP: "an alert above {0:.1%}",
    Check.FLAT: "an alert from {0:g} on",
    Check.CLOCK: "an alert above {0:g}",
    Check.INDEX: "an alert below {0:.1%}",
    Check.REPAIR: "an alert from {0:+g} on",
    Check.VERIFICATION: "an alert from {0:g} down",
}


def judge(facts: QualityFacts, rule: DataQuality, coverage_floor: float) -> Verdict:
    """Return whether what was measured is on the wrong side of the rule's bound."""
    obstacle = facts.obstacle
    if not obstacle and facts.check is Check.INDEX and facts.coverage < coverage_floor:
        obstacle = (
            f"{facts.coverage:.1%} of the meter-days are measured, below {coverage_floor:.1%}"
        )
    measured = facts.measured
    if obstacle or measured is None:
        return _verdict(facts, rule, State.UNKNOWN, obstacle or "nothing was measured")
    shown = share(measured, rule.limit) if facts.check in SHARES else measured
    told = f"{MEASURED[facts.check].format(shown)}; {BOUND[facts.check].format(rule.limit)}"
    if facts.in_order:
        return _verdict(facts, rule, State.OK, f"{facts.in_order}: {told}")
    is_over = rule.measure.is_over(measured, rule.limit)
    return _verdict(facts, rule, State.FIRING if is_over else State.OK, told)


def _verdict(facts: QualityFacts, rule: DataQuality, state: State, reason: str) -> Verdict:
    return Verdict(
        state=state,
        period=facts.period,
        reason=reason,
        measured=facts.measured,
        threshold=rule.limit,
        uom=rule.measure.uom,
        level=_level(facts, rule) if state is State.FIRING else None,
        coverage=facts.coverage,
    )


def _level(facts: QualityFacts, rule: DataQuality) -> int:
    """Return the level of an alert; a verification that has not expired yet is a mild one."""
    if facts.check is Check.VERIFICATION and facts.measured is not None and facts.measured >= 0:
        return MILDEST
    return rule.level
