"""Owns what a rule on the energy per 10,000 yuan may say."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from alerts.kinds import windows
from alerts.kinds.kind import REMIND_H_MAX, Kind, Parameters
from db.news import Source
from energy import periods
from energy.factors import Basis
from energy.periods import Span, Step

MONTHS_SHOWN = 12


class Per(StrEnum):
    """What the energy of a unit is divided by."""

    OUTPUT_VALUE = "output_value"
    VALUE_ADDED = "value_added"


class Period(StrEnum):
    """Which months are judged, once they are over."""

    MONTH = "month"
    YEAR_TO_DATE = "year_to_date"


class ValueIntensity(Parameters):
    """Energy of a unit per 10,000 yuan of its output value or value added (万元产值能耗)."""

    kind: ClassVar[Kind] = Kind.VALUE_INTENSITY
    judges_again: ClassVar[bool] = True

    per: Per = Field(
        default=Per.OUTPUT_VALUE,
        strict=False,
        description="output_value (产值) or value_added (增加值), as stated",
        examples=["output_value"],
    )
    period: Period = Field(
        default=Period.YEAR_TO_DATE,
        strict=False,
        description="month: the last month of which the value is stated; year_to_date: January "
        "until then",
        examples=["year_to_date"],
    )
    limit_tce: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="what it is held against [tce per 10,000 yuan]; null: what it was in the same "
        "months a year before",
        examples=[None],
    )
    required_change: float = Field(
        default=0.0,
        gt=-1,
        le=1,
        allow_inf_nan=False,
        description="against the year before, as a share: -0.03 is to be 3 % less",
        examples=[0.0],
    )
    industry: str = Field(
        default="",
        pattern=r"^([A-T]\d{0,4})?$",
        description="GB/T 4754: only units of this industry; empty: all",
        examples=["C31"],
    )
    clear_ratio: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="over is over until the value is at this share of its threshold",
        examples=[1.0],
    )
    basis: Basis = Field(
        default=Basis.CALORIFIC,
        strict=False,
        description="of the energy: calorific (当量值) or equivalent (等价值)",
        examples=["calorific"],
    )
    remind_h: int = Field(
        default=168,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it is over and nobody has "
        "acknowledged it; 0: never [h]",
        examples=[168],
    )

    @property
    def clear_at(self) -> float:
        return self.clear_ratio

    @property
    def reads(self) -> frozenset[Source]:
        """The energy of months, and what their output is worth."""
        return frozenset({Source.SETTLED, Source.STATED})

    def reads_before(self, now: datetime) -> datetime:
        """Return the end of the last month that is over."""
        return periods.floor(now, Step.MONTH)

    @property
    def step(self) -> Step:
        return Step.DAY

    def end_of(self, hour_end: datetime) -> datetime:
        """Return the end of its month."""
        return periods.ceiling(hour_end, Step.MONTH)

    def periods(self, now: datetime) -> list[Span]:
        """Return the periods that are looked at, the newest first."""
        whole_year = self.period is Period.YEAR_TO_DATE
        return windows.years_to_date(now) if whole_year else windows.months(now)

    def look_back(self, newest: Span) -> list[Span]:
        """Return the months before the newest one, oldest first; January to each in its year."""
        found = [newest]
        while len(found) < MONTHS_SHOWN:
            found.append(self.periods(found[-1].ends_at)[1])
        if self.period is Period.YEAR_TO_DATE:
            found = [each for each in found if each.starts_at == newest.starts_at]
        return found[:0:-1]
