"""Owns what a figure is made of: the rows it comes from, none of which anybody computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from db.changes import Change
from db.explanations import ArrivedReading, LinkRow, MeterRow
from db.stored_sums import StoredSum
from energy import periods
from energy.explanation import Correction
from energy.factors import Basis, Factor, FactorRange, Unverified
from energy.periods import Span, Step
from energy.registers import Epoch


class Figure(StrEnum):
    """What can be explained."""

    CONSUMPTION = "consumption"
    INTENSITY = "intensity"
    LEVEL = "level"


class Source(StrEnum):
    """What a figure is computed from anew."""

    READINGS = "readings"
    METER_SUMS = "meter_sums"
    """The sums that are stored for single meters: there are too many readings for one answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which consumption is asked for. `span` is whole hours.

    With `as_known_on` it is the figure as it would have been computed at that instant.
    """

    span: Span
    basis: Basis
    now: datetime
    region: str | None = None
    unit: str | None = None
    meter: str | None = None
    industry: str = ""
    energy: str | None = None
    as_known_on: datetime | None = None
    unverified: Unverified = Unverified.NOTE

    @property
    def computed_at(self) -> datetime:
        """Return the instant that what is due is counted to."""
        return self.now if self.as_known_on is None else min(self.now, self.as_known_on)

    def steps(self) -> list[Step]:
        """Return the steps whose buckets fill the span exactly, the coarsest first."""
        ends = (self.span.starts_at, self.span.ends_at)
        return [
            step for step in reversed(Step) if all(periods.floor(end, step) == end for end in ends)
        ]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Who stated a fact, when, why and on what evidence."""

    actor: str
    reason: str
    evidence: str
    recorded_at: datetime

    @classmethod
    def of(cls, change: Change) -> Recorded:
        author = change.author
        return cls(author.actor, author.reason, author.evidence, change.changed_at)


@dataclass(frozen=True, slots=True)
class RecordedEpoch:
    epoch: Epoch
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class RecordedFactor:
    factor: Factor
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class RecordedCorrection:
    correction: Correction
    recorded: Recorded | None


@dataclass(frozen=True, slots=True)
class MeterLineage:
    """A meter with all that bears on a span; `readings` None: they are not looked at.

    `rejected` counts readings that were turned away when they arrived in the span.
    """

    meter: MeterRow
    epochs: Sequence[RecordedEpoch] = ()
    readings: Sequence[ArrivedReading] | None = None
    corrections: Mapping[datetime, RecordedCorrection] = field(default_factory=dict)
    conflicts: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Lineage:
    """All rows behind a figure. `waiting` ranges of its meters wait to be settled anew.

    `unit_codes` has the code of each unit that a factor belongs to.
    """

    question: Question
    meters: Sequence[MeterLineage]
    factors: Sequence[RecordedFactor]
    ranges: Sequence[FactorRange] = ()
    unit_codes: Mapping[int, str] = field(default_factory=dict)
    links: Mapping[tuple[str, int], LinkRow] = field(default_factory=dict)
    meter_sums: Sequence[StoredSum] = ()
    unit_sums: Sequence[StoredSum] = ()
    waiting: int = 0

    @property
    def source(self) -> Source:
        deep = all(each.readings is not None for each in self.meters)
        return Source.READINGS if deep else Source.METER_SUMS
