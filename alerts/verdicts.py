"""Owns what a verdict is: what a rule says of one of its subjects, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from energy import intensity
from energy.periods import Span

HIGH_LEVEL = 1
"""The worst: of what has but one level."""

MILD_LEVEL = 3
"""The mildest: of a notice. Only contacts that ask for all levels are written to."""


class State(StrEnum):
    """What a rule says of its subject."""

    OK = "ok"
    WARN = "warn"
    FIRING = "firing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`measured` and `threshold` in `uom`; None where they are not known. `level`: 1 is the worst.

    `reason` is a sentence in English for logs and the interface; letters have their own words.
    """

    state: State
    period: Span
    reason: str
    measured: float | None = None
    threshold: float | None = None
    uom: str = ""
    level: int | None = None
    coverage: float = 0.0
    estimated_share: float = 0.0


def near(verdict: Verdict, ratio: float | None) -> Verdict:
    """Return WARN for what is in order, but over this share of its threshold; None: never.

    >>> from datetime import UTC, datetime, timedelta
    >>> at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    >>> found = Verdict(State.OK, Span(at, at + timedelta(hours=1)), "within", 114.0, 117.0)
    >>> near(found, 0.95).state, near(found, 0.98).state, near(found, None).state
    (<State.WARN: 'warn'>, <State.OK: 'ok'>, <State.OK: 'ok'>)
    """
    if ratio is None or verdict.state is not State.OK:
        return verdict
    if verdict.measured is None or verdict.threshold is None:
        return verdict
    if verdict.measured <= intensity.clear_value(verdict.threshold, ratio):
        return verdict
    reason = f"{verdict.reason}; over {ratio:.0%} of it"
    return replace(verdict, state=State.WARN, level=MILD_LEVEL, reason=reason)
