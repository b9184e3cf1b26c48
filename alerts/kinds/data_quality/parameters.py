"""Owns what a rule on data quality may say: what it checks, and from where on it is an alert."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from operator import ge, gt, le, lt
from typing import ClassVar, Self

from pydantic import Field, model_validator

from alerts.kinds.kind import Kind, Parameters
from db.news import Source
from energy.periods import Span
from energy.quality import Index
from energy.repairs import Fault

DAYS_MAX = 92
HOLD_H_MAX = 744


class Check(StrEnum):
    """What of the data is watched, and of whom."""

    OFFLINE = "offline"  # of a meter
    GAP = "gap"  # of a meter
    FLAT = "flat"  # of a meter
    CLOCK = "clock"  # of a gateway
    INDEX = "index"  # of a unit or a region
    REPAIR = "repair"  # of a fault of a meter or a gateway
    VERIFICATION = "verification"  # of a meter


class Of(StrEnum):
    """Whose index is watched."""

    UNIT = "unit"
    COUNTY = "county"
    CITY = "city"
    PROVINCE = "province"


class Scored(StrEnum):
    """Which index is watched: the composite or one of the six of DB53/T 1116-2022."""

    COMPOSITE = "composite"
    COMPLETENESS = Index.COMPLETENESS.value
    ACCURACY = Index.ACCURACY.value
    TIMELINESS = Index.TIMELINESS.value
    VERIFIABILITY = Index.VERIFIABILITY.value
    VALIDITY = Index.VALIDITY.value
    NORMATIVITY = Index.NORMATIVITY.value


@dataclass(frozen=True, slots=True)
class Measure:
    """What a check measures: its unit of measure, the bound it has if none is said, and which
    bounds make sense; `is_over` compares what was measured with it. `days`: of its window.
    """

    uom: str
    bound: float
    least: float
    most: float
    is_over: Callable[[float, float], bool]
    days: int | None = None
    faults: tuple[Fault, ...] = ()


MEASURES: Mapping[Check, Measure] = {
    Check.OFFLINE: Measure("intervals", 4, 4, 35_040, ge, faults=(Fault.SILENCE,)),
    Check.GAP: Measure("share", 0.1, 0, 0.999, gt, days=1),
    Check.FLAT: Measure("intervals", 8, 8, 35_040, ge, days=3),
    Check.CLOCK: Measure("s", 60, 60, 86_400, gt, faults=(Fault.CLOCK_OFFSET,)),
    Check.INDEX: Measure("share", 0.9, 0.001, 1, lt, days=30),
    Check.REPAIR: Measure("d", 0, 0, 365, ge, faults=tuple(Fault)),
    Check.VERIFICATION: Measure("d", 30, 0, 730, le),
}
"""The least bounds are those from which on the assessment sees anything (energy.repairs,
energy.suspicion, energy.clocks)."""


class DataQuality(Parameters):
    """The data of meters, gateways, units or regions, from what the assessment found."""

    kind: ClassVar[Kind] = Kind.DATA_QUALITY

    judged_every: ClassVar[timedelta] = timedelta(minutes=5)
    """What is offline, or overdue, becomes so as time passes, whatever the assessment finds."""

    check: Check = Field(
        strict=False,
        description="offline: a meter that owes readings; gap: share of readings missing; flat: a "
        "meter that stands still while its unit produces; clock: a gateway's clock; index: an "
        "index of DB53/T 1116 or the composite; repair: a fault past its 3 working days; "
        "verification: of a meter, expired or about to",
        examples=["offline"],
    )
    bound: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="an alert is offline, flat: at least so many intervals (default 4, 8); gap: "
        "more than this share (0.1); clock: more than so many seconds (60); index: less than this "
        "(0.9); repair: at least so many days overdue (0); verification: at most so many days "
        "left (30)",
        examples=[4],
    )
    index: Scored = Field(
        default=Scored.COMPOSITE, strict=False, description="which index; with check index alone",
        examples=["composite"],
    )  # fmt: skip
    of: Of = Field(
        default=Of.UNIT, strict=False, description="whose index; with check index alone",
        examples=["unit"],
    )  # fmt: skip
    days: int | None = Field(
        default=None,
        ge=1,
        le=DAYS_MAX,
        description="length of the window of gap (default 1), flat (3) and index (30): whole days "
        "that are over [d]",
        examples=[1],
    )
    level: int = Field(
        default=3, ge=1, le=3, description="of its alerts; 1 is the worst", examples=[3]
    )
    for_h: int = Field(
        default=0,
        ge=0,
        le=HOLD_H_MAX,
        description="how much longer it must be so before a letter goes out [h]",
        examples=[0],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        measure = MEASURES[self.check]
        if self.bound is not None and not measure.least <= self.bound <= measure.most:
            raise ValueError(
                f"bound of {self.check} is from {measure.least:g} to {measure.most:g} "
                f"[{measure.uom}]"
            )
        if self.days is not None and measure.days is None:
            raise ValueError(f"days is for gap, flat and index; {self.check} looks at what is now")
        if self.check is not Check.INDEX and (self.index, self.of) != (Scored.COMPOSITE, Of.UNIT):
            raise ValueError("index and of are for check index; leave them out")
        return self

    @property
    def measure(self) -> Measure:
        return MEASURES[self.check]

    @property
    def limit(self) -> float:
        return self.measure.bound if self.bound is None else self.bound

    @property
    def window_days(self) -> int:
        return self.days or self.measure.days or 1

    @property
    def hold(self) -> timedelta:
        return timedelta(hours=self.for_h)

    @property
    def reads(self) -> frozenset[Source]:
        """What the assessment found."""
        return frozenset({Source.ASSESSED})

    def look_back(self, newest: Span) -> list[Span]:
        """Return no windows: a letter about data has no chart."""
        return []
