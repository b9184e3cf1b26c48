"""Owns whether an expression holds of a subject, does not, or cannot be told. Pure."""

from __future__ import annotations

from alerts import expressions
from alerts.kinds.expression.facts import ExpressionFacts
from alerts.kinds.expression.parameters import ExpressionRule
from alerts.verdicts import State, Verdict


def judge(facts: ExpressionFacts, rule: ExpressionRule, coverage_floor: float) -> Verdict:
    """Return whether the expression of a rule holds.

    It is unknown while a fact that it names is missing; below the coverage floor, unless it names
    the coverage itself; and where what is missing could turn it over.
    """
    expression = rule.parsed
    answer = expressions.evaluate(expression, facts.known)
    state = State.FIRING if answer.holds else State.OK
    reason = f"{rule.expression}: {'holds' if answer.holds else 'does not hold'}"
    if answer.holds is None:
        state, reason = State.UNKNOWN, f"{answer.reason}{_why(facts, expression.names)}"
    elif facts.is_metered and "coverage" not in expression.names:
        others = {expressions.evaluate(expression, world).holds for world in facts.worlds}
        if facts.coverage < coverage_floor:
            state = State.UNKNOWN
            reason = f"coverage {facts.coverage:.1%} is below {coverage_floor:.1%}"
        elif others - {answer.holds}:
            state, reason = State.UNKNOWN, "it depends on readings that are missing"
    return Verdict(
        state=state,
        period=facts.period,
        reason=reason,
        measured=answer.left,
        threshold=answer.right,
        level=rule.level if state is State.FIRING else None,
        coverage=facts.coverage,
        estimated_share=facts.estimated_share,
    )


def _why(facts: ExpressionFacts, names: tuple[str, ...]) -> str:
    causes = {facts.why[name] for name in names if name in facts.why}
    return f" ({'; '.join(sorted(causes))})" if causes else ""
