"""Owns what a rule on energy budgets may say."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from alerts.kinds.kind import REMIND_H_MAX, Kind, Parameters
from db.news import Source
from energy.budgets import OwnerKind
from energy.periods import Span

DAYS_SHOWN = 24


class Watches(StrEnum):
    """What of a budget is watched."""

    RUN_OUT = "run_out"
    PACE = "pace"


class Edge(StrEnum):
    """Which day of the run-out band must lie before the end of the period."""

    LATEST = "latest"
    EXPECTED = "expected"
    EARLIEST = "earliest"


class BudgetPace(Parameters):
    """Energy budgets (用能预算) that run out early, or are used faster than time goes by."""

    kind: ClassVar[Kind] = Kind.BUDGET_PACE
    judges_again: ClassVar[bool] = True

    owners: tuple[Annotated[OwnerKind, Field(strict=False)], ...] = Field(
        default=(OwnerKind.CITY, OwnerKind.PARK, OwnerKind.UNIT),
        strict=False,
        min_length=1,
        max_length=3,
        description="whose budgets: city, park, unit",
        examples=[["city", "park", "unit"]],
    )
    watches: Watches = Field(
        default=Watches.RUN_OUT,
        strict=False,
        description="run_out: an alert where the budget is projected to run out before its period "
        "ends (level 1); pace: where it is used faster than time goes by (level 2)",
        examples=["run_out"],
    )
    edge: Edge = Field(
        default=Edge.LATEST,
        strict=False,
        description="which day of the projected run-out band must lie before the end of the "
        "period: the latest (all of the band does), the expected one, or the earliest",
        examples=["latest"],
    )
    days_before: int = Field(
        default=0,
        ge=0,
        le=366,
        description="so many days before the end of the period, at least [days]",
        examples=[0],
    )
    pace_tolerance: float = Field(
        default=0.05,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="by how much the share of the budget that is used may be ahead of the share of "
        "the period that is over: 0.05 is 5 points",
        examples=[0.05],
    )
    remind_h: int = Field(
        default=168,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it holds and nobody has "
        "acknowledged it; 0: never [h]",
        examples=[168],
    )

    @property
    def reads(self) -> frozenset[Source]:
        """What its units used on days that are over."""
        return frozenset({Source.SETTLED})

    def look_back(self, newest: Span) -> list[Span]:
        """Return the period through each of the days before, oldest first."""
        ends = [newest.ends_at - timedelta(days=back) for back in range(DAYS_SHOWN - 1, 0, -1)]
        return [Span(newest.starts_at, each) for each in ends if each > newest.starts_at]
