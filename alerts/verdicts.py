"""Owns what a verdict is: what a rule says of one of its subjects, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from energy.periods import Span

HIGH_LEVEL = 1
"""The worst: of what has but one level."""


class State(StrEnum):
    """What a rule says of its subject."""

    OK = "ok"
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
