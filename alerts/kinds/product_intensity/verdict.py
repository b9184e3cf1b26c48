"""Owns whether a product is in order, over its threshold, or cannot be told.

Pure. Missing data never reads as good: a verdict below its coverage floor is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts.kinds.product_intensity.facts import ProductFacts
from alerts.kinds.product_intensity.parameters import Against
from alerts.kinds.words import beside, left_open
from alerts.verdicts import State, Verdict
from energy import intensity

LEVELS = {Against.LIMIT: 1, Against.BASELINE: 1, Against.BENCHMARK: 2, Against.ADVANCED: 3}
"""How severe it is to miss a value: nobody has to reach the benchmark or the advanced one."""


def newest(
    candidates: Iterable[ProductFacts], coverage_floor: float
) -> tuple[ProductFacts, Verdict] | None:
    """Return the facts and verdict of the newest window that can be judged.

    The hour that has just ended is often not all there yet: then the one before it still stands.
    `candidates` are newest first; if none can be judged, the newest is UNKNOWN. None: no
    candidates.
    """
    newest_unknown = None
    for facts in candidates:
        verdict = product(facts, coverage_floor)
        if verdict.state is not State.UNKNOWN:
            return facts, verdict
        newest_unknown = newest_unknown or (facts, verdict)
    return newest_unknown


def product(facts: ProductFacts, coverage_floor: float) -> Verdict:
    """Return whether the energy per unit of product is over its threshold.

    Where readings are missing, it is over only if it would be with all output counted, and in
    order only if it would be with all energy counted.
    """
    obstacle = _obstacle(facts, coverage_floor)
    measured = intensity.intensity(facts.energy, facts.output)
    if obstacle is None and measured.missing is not None:
        obstacle = f"there is no intensity: {measured.missing}"
    if obstacle is not None or measured.value is None or facts.yardstick is None:
        return _verdict(facts, State.UNKNOWN, measured.value, obstacle or "there is no limit")
    threshold = facts.yardstick.value
    low, high = intensity.bounds(facts.energy_bounds, facts.output_bounds)
    meets = facts.yardstick.levels.meets
    if meets(low, threshold) and not meets(high, threshold):
        reason = left_open(low, high, threshold)
        return _verdict(facts, State.UNKNOWN, measured.value, reason)
    over = not meets(low, threshold)
    state = State.FIRING if over else State.OK
    return _verdict(facts, state, measured.value, _comparison(facts, measured.value, over=over))


def _obstacle(facts: ProductFacts, coverage_floor: float) -> str | None:
    """Return why the facts allow no verdict, the cause a user can mend first."""
    if facts.unverified:
        return (
            f"the limit is not verified (edition {_listed(facts.unverified)}): have it checked "
            "against its source and imported as verified"
        )
    if facts.yardstick is None:
        return f"units of measure do not lead to those of the limit: {_listed(facts.foreign_uoms)}"
    if facts.other_products:
        return (
            "the energy of the unit is not metered by product; it also makes "
            f"{_listed(facts.other_products)}"
        )
    if facts.without_factor:
        return f"no coal equivalent factor for {_listed(facts.without_factor)}"
    if facts.held:
        return f"a register step waits for review: {_listed(facts.held)}"
    if facts.silent:
        return f"no data from {_listed(facts.silent)}"
    if facts.coverage < coverage_floor:
        return f"coverage {facts.coverage:.1%} is below {coverage_floor:.1%}"
    return None


def _comparison(facts: ProductFacts, measured: float, *, over: bool) -> str:
    yardstick = facts.yardstick
    assert yardstick is not None
    relation = "within" if not over else "not below" if yardstick.limit.exclusive else "over"
    value, threshold = beside(measured, yardstick.value)
    return (
        f"{value} {yardstick.limit.uom}, {relation} the {yardstick.against} of {threshold} "
        f"(edition {yardstick.limit.edition})"
    )


def _verdict(facts: ProductFacts, state: State, measured: float | None, reason: str) -> Verdict:
    yardstick = facts.yardstick
    return Verdict(
        state=state,
        period=facts.window,
        reason=reason,
        measured=measured,
        threshold=yardstick.value if yardstick else None,
        uom=yardstick.limit.uom if yardstick else "",
        level=LEVELS[yardstick.against] if yardstick and state is State.FIRING else None,
        coverage=facts.coverage,
        estimated_share=facts.estimated_share,
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
