"""Owns whether an energy budget lasts, runs out early, or cannot be told.

Pure. There is no forecast on figures that are known to be incomplete: then the verdict is UNKNOWN.
"""

from __future__ import annotations

from datetime import date, timedelta

from alerts.kinds.budget_pace.facts import BudgetFacts
from alerts.kinds.budget_pace.parameters import BudgetPace, Edge, Watches
from alerts.kinds.words import PERCENT, share
from alerts.verdicts import State, Verdict
from energy.budgets import Obstacle
from energy.forecast import Outlook, Projection

RUNS_OUT = 1
AHEAD = 2

STILL_COUNTED = (None, Obstacle.COVERAGE_TOO_LOW, Obstacle.TOO_FEW_DAYS)
"""What is missing there can only add: a budget that is used up is."""


def budget(facts: BudgetFacts, parameters: BudgetPace) -> Verdict | None:
    """Return whether a budget lasts, or is used in time; None: it has not begun.

    Level 1 where it runs out before its period ends, 2 where it is used faster than time goes by.
    """
    if facts.through is None:
        return None
    if parameters.watches is Watches.PACE:
        return _pace(facts, parameters.pace_tolerance)
    return _run_out(facts, parameters)


def _run_out(facts: BudgetFacts, parameters: BudgetPace) -> Verdict:
    standing, row = facts.standing, facts.row
    used, projection = standing.used_share, standing.projection
    if used is not None and used >= 1 and standing.obstacle in STILL_COUNTED:
        comes_to = used if projection is None else projection.expected_tce / row.amount_tce
        return _verdict(facts, State.FIRING, comes_to, 1.0, f"{used:.1%} of it are used", RUNS_OUT)
    if projection is None:
        return _verdict(facts, State.UNKNOWN, None, 1.0, f"no forecast: {standing.obstacle}")
    comes_to = total_at(projection, parameters.edge) / row.amount_tce
    runs_out_on = day_of(projection, parameters.edge)
    is_early = runs_out_on is not None and runs_out_on < row.ends_on - timedelta(
        days=parameters.days_before
    )
    if is_early:
        said = f"it runs out on {runs_out_on} ({parameters.edge} day of the forecast)"
        return _verdict(facts, State.FIRING, comes_to, 1.0, said, RUNS_OUT)
    said = f"it comes to {share(comes_to, 1.0)} of the budget by the end of its period"
    return _verdict(facts, State.OK, comes_to, 1.0, said)


def _pace(facts: BudgetFacts, tolerance: float) -> Verdict:
    standing, elapsed = facts.standing, facts.elapsed_share
    used, may = standing.used_share, facts.elapsed_share + tolerance
    obstacle = standing.obstacle
    if used is None or obstacle not in STILL_COUNTED:
        return _verdict(facts, State.UNKNOWN, used, may, f"it cannot be told: {obstacle}")
    said = f"{share(used, elapsed)} are used while {share(elapsed)} of its period are over"
    if used > may:
        return _verdict(facts, State.FIRING, used, may, said, AHEAD)
    if obstacle is Obstacle.COVERAGE_TOO_LOW:
        return _verdict(facts, State.UNKNOWN, used, may, f"it cannot be told: {obstacle}")
    return _verdict(facts, State.OK, used, may, said)


def day_of(projection: Projection, edge: Edge) -> date | None:
    """Return that day of the run-out band; None: not within the period."""
    match edge:
        case Edge.LATEST:
            return projection.latest_on
        case Edge.EXPECTED:
            return projection.runs_out_on
        case Edge.EARLIEST:
            return projection.earliest_on


def total_at(projection: Projection, edge: Edge) -> float:
    """Return what the period comes to on that side of the band. [tce]"""
    if projection.outlook is Outlook.EXHAUSTED:
        return projection.expected_tce
    match edge:
        case Edge.LATEST:
            return projection.low_tce
        case Edge.EXPECTED:
            return projection.expected_tce
        case Edge.EARLIEST:
            return projection.high_tce


def _verdict(
    facts: BudgetFacts,
    state: State,
    share: float | None,
    threshold: float,
    reason: str,
    level: int | None = None,
) -> Verdict:
    assert facts.through is not None
    return Verdict(
        state=state,
        period=facts.through,
        reason=reason,
        measured=None if share is None else 100 * share,
        threshold=100 * threshold,
        uom=PERCENT,
        level=level,
        coverage=facts.standing.coverage or 0.0,
        estimated_share=facts.standing.estimated_share or 0.0,
    )
