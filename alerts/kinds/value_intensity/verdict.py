"""Owns whether the energy of a unit per 10,000 yuan is in order, over, or cannot be told.

Pure. A value that is not stated never reads as good: without it the verdict is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts.kinds.value_intensity.facts import Used, ValueFacts
from alerts.kinds.value_intensity.parameters import Per, ValueIntensity
from alerts.kinds.words import beside, left_open
from alerts.verdicts import HIGH_LEVEL, State, Verdict
from energy import intensity
from energy.intensity_uoms import CNY_PER_UNIT, OUTPUT_VALUE, VALUE_ADDED, Energy, IntensityUom

UOMS = {
    Per.OUTPUT_VALUE: str(IntensityUom(Energy.TCE, OUTPUT_VALUE)),
    Per.VALUE_ADDED: str(IntensityUom(Energy.TCE, VALUE_ADDED)),
}


def newest(
    candidates: Iterable[ValueFacts], parameters: ValueIntensity, coverage_floor: float
) -> tuple[ValueFacts, Verdict] | None:
    """Return the facts and verdict of the newest period that can be judged.

    Values are stated weeks later: until then the month before still stands. If none can be judged,
    the newest is UNKNOWN. None: no candidates.
    """
    newest_unknown = None
    for facts in candidates:
        verdict = unit(facts, parameters, coverage_floor)
        if verdict.state is not State.UNKNOWN:
            return facts, verdict
        newest_unknown = newest_unknown or (facts, verdict)
    return newest_unknown


def unit(facts: ValueFacts, parameters: ValueIntensity, coverage_floor: float) -> Verdict:
    """Return whether a unit uses more per 10,000 yuan than it may."""
    used, before = facts.used, facts.before
    obstacle = _obstacle(used, facts.per, coverage_floor)
    threshold = parameters.limit_tce
    if before is not None:
        earlier = _obstacle(before, facts.per, coverage_floor)
        if earlier is not None:
            obstacle = obstacle or f"of the year before: {earlier}"
        elif (was := figure(before)) is not None:
            threshold = was * (1 + parameters.required_change)
    measured = figure(used)
    if obstacle is not None or measured is None or threshold is None:
        reason = obstacle or "there is nothing to hold it against"
        return _verdict(facts, State.UNKNOWN, measured, threshold, reason)
    assert used.value_cny is not None
    low, high = (each / (used.value_cny / CNY_PER_UNIT) for each in used.energy_bounds)
    if low <= threshold < high:
        reason = left_open(low, high, threshold)
        return _verdict(facts, State.UNKNOWN, measured, threshold, reason)
    over = low > threshold
    against = "the limit" if before is None else "what is required against the year before,"
    value, limit = beside(measured, threshold)
    reason = (
        f"{value} {UOMS[facts.per]}, {'over' if over else 'within'} {against} "
        f"{'of ' if before is None else ''}{limit}"
    )
    return _verdict(facts, State.FIRING if over else State.OK, measured, threshold, reason)


def figure(used: Used) -> float | None:
    """Return the energy per 10,000 yuan; None: one of the two is not known. [tce/1e4CNY]"""
    value = None if used.value_cny is None else used.value_cny / CNY_PER_UNIT
    return intensity.intensity(used.energy_tce, value).value


def _obstacle(used: Used, per: Per, coverage_floor: float) -> str | None:
    """Return why there is no verdict, the cause a user can mend first."""
    if used.value_cny is None:
        return f"the {_named(per)} is not stated for all of it"
    if used.value_cny <= 0:
        return f"the {_named(per)} is not above zero"
    if used.without_factor:
        return f"no coal equivalent factor for {_listed(used.without_factor)}"
    if used.held:
        return f"a register step waits for review: {_listed(used.held)}"
    if used.silent:
        return f"no data from {_listed(used.silent)}"
    if used.energy_tce is None:
        return "there is no energy"
    if used.coverage < coverage_floor:
        return f"coverage {used.coverage:.1%} is below {coverage_floor:.1%}"
    return None


def _verdict(
    facts: ValueFacts, state: State, measured: float | None, threshold: float | None, reason: str
) -> Verdict:
    return Verdict(
        state=state,
        period=facts.used.span,
        reason=reason,
        measured=measured,
        threshold=threshold,
        uom=UOMS[facts.per],
        level=HIGH_LEVEL if state is State.FIRING else None,
        coverage=facts.used.coverage,
        estimated_share=facts.used.estimated_share,
    )


def _named(per: Per) -> str:
    return "output value" if per is Per.OUTPUT_VALUE else "value added"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
