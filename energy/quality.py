"""Owns the six indices of data quality and their composite, after DB53/T 1116-2022.

Each index is a share of two counts, and the counts are what is kept: those of a unit are the sums
over its meters, those of a region the sums over its units, never a mean of means. The standard's
weights were not to be had; they are data (`Scheme`), and a scheme says whether it is official.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum


class Index(StrEnum):
    """The indices of DB53/T 1116-2022, chapter 3."""

    COMPLETENESS = "completeness"
    ACCURACY = "accuracy"
    TIMELINESS = "timeliness"
    VERIFIABILITY = "verifiability"
    VALIDITY = "validity"
    NORMATIVITY = "normativity"


class Unscored(StrEnum):
    """Why an index has no value."""

    NOT_MEASURED = "not_measured"
    NOTHING_DUE = "nothing_due"
    NOTHING_ARRIVED = "nothing_arrived"
    VERIFICATION_UNKNOWN = "verification_unknown"
    INDEX_MISSING = "index_missing"
    NO_WEIGHT = "no_weight"


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted over meters and days; tallies are added. [meter-days, readings]

    `due` readings were owed and `present` of them are there. `arrived` readings came, of which
    `on_time` within their limit, `traceable` from the meter itself and uncontested, `valid` within
    the item's limits and not bad or held. Of `meter_days`, `verified` lay inside a verification,
    `verification_known` had any on record, `normative` were registered by the rules. Of `opened`
    meter-days with a reading about 00:00, `on_boundary` had it within a minute.
    """

    meter_days: int = 0
    due: int = 0
    present: int = 0
    arrived: int = 0
    on_time: int = 0
    traceable: int = 0
    valid: int = 0
    verified: int = 0
    verification_known: int = 0
    normative: int = 0
    opened: int = 0
    on_boundary: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def pooled(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of `tallies`: what a unit or a region is scored by."""
    return sum(tallies, Tally())


@dataclass(frozen=True, slots=True)
class Score:
    """An index: `numerator` ÷ `denominator`; `value` is None for `reason`. [0–1]"""

    value: float | None
    numerator: int
    denominator: int
    reason: Unscored | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """How quality is scored from a day on. Weights are relative; 0 leaves an index out.

    `completeness_pass` and `agreement_max` are those of the national upload rules (0.9, 0.05).
    `lateness_allowance_s` is what a reading may take beyond one interval of its meter. What is
    stated after day `monthly_deadline_day` of the month that follows is late.
    """

    weights: Mapping[Index, float] = field(default_factory=lambda: dict.fromkeys(Index, 1.0))
    completeness_pass: float = 0.9
    agreement_max: float = 0.05
    lateness_allowance_s: int = 300
    monthly_deadline_day: int = 10
    source: str = "equal weights, a choice of this platform: the standard's were not to be had"
    is_official: bool = False


def scores(tally: Tally) -> dict[Index, Score]:
    """Return the six indices of `tally`. [0–1] (DB53/T 1116-2022, 3.5 to 3.10)

    completeness: readings present ÷ due. accuracy: meter-days inside a verification ÷ all; where
    no verification of any meter is on record it is unknown, not zero. timeliness, verifiability,
    validity: ÷ readings that arrived, so that a missing one is held against completeness alone.
    normativity: meter-days registered by the rules ÷ all.

    >>> scores(Tally(due=96, present=90))[Index.COMPLETENESS]
    Score(value=0.9375, numerator=90, denominator=96, reason=None)
    """
    unmeasured = Unscored.NOT_MEASURED
    silent = Unscored.NOTHING_ARRIVED if tally.meter_days else unmeasured
    accuracy = _score(tally.verified, tally.meter_days, unmeasured)
    if tally.meter_days and not tally.verification_known:
        accuracy = Score(None, 0, tally.meter_days, Unscored.VERIFICATION_UNKNOWN)
    nothing_due = Unscored.NOTHING_DUE if tally.meter_days else unmeasured
    return {
        Index.COMPLETENESS: _score(tally.present, tally.due, nothing_due),
        Index.ACCURACY: accuracy,
        Index.TIMELINESS: _score(tally.on_time, tally.arrived, silent),
        Index.VERIFIABILITY: _score(tally.traceable, tally.arrived, silent),
        Index.VALIDITY: _score(tally.valid, tally.arrived, silent),
        Index.NORMATIVITY: _score(tally.normative, tally.meter_days, unmeasured),
    }


@dataclass(frozen=True, slots=True)
class Composite:
    """The weighted mean of the indices; None for `reason`, of which `missing` are the cause."""

    value: float | None
    reason: Unscored | None = None
    missing: tuple[Index, ...] = ()


def composite(found: Mapping[Index, Score], scheme: Scheme) -> Composite:
    """Return the composite index (综合指数) of `found`. [0–1]

    An index that is unknown makes the composite unknown, unless its weight is 0: what is missing
    must not read as average.
    """
    weights = {index: weight for index, weight in scheme.weights.items() if weight > 0}
    if not weights:
        return Composite(None, Unscored.NO_WEIGHT)
    missing = tuple(index for index in Index if index in weights and found[index].value is None)
    if missing:
        return Composite(None, Unscored.INDEX_MISSING, missing)
    weighted = sum(weight * (found[index].value or 0.0) for index, weight in weights.items())
    return Composite(min(1.0, weighted / sum(weights.values())))


def passes(score: Score, scheme: Scheme) -> bool | None:
    """Return whether a completeness passes; None: it is not known. (≥ 90 %, national upload rules)

    >>> passes(Score(0.9, 90, 100), Scheme()), passes(Score(0.89, 89, 100), Scheme())
    (True, False)
    """
    return None if score.value is None else score.value >= scheme.completeness_pass


def _score(numerator: int, denominator: int, reason: Unscored) -> Score:
    if denominator == 0:
        return Score(None, numerator, denominator, reason)
    return Score(numerator / denominator, numerator, denominator)
