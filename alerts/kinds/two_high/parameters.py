"""Owns what a rule on two-high projects may say."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from alerts.kinds.kind import REMIND_H_MAX, Kind, Parameters
from energy.periods import Span
from energy.two_high import GUIDED_FROM_TCE


class TwoHigh(Parameters):
    """Two-high projects (两高) under review in a city or county whose energy intensity rose."""

    kind: ClassVar[Kind] = Kind.TWO_HIGH

    from_tce: float = Field(
        default=GUIDED_FROM_TCE,
        ge=0,
        allow_inf_nan=False,
        description="only projects of so much energy a year, or more [tce]",
        examples=[GUIDED_FROM_TCE],
    )
    remind_h: int = Field(
        default=168,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it holds and nobody has "
        "acknowledged it; 0: never [h]",
        examples=[168],
    )

    def look_back(self, newest: Span) -> list[Span]:
        """Return nothing: a list of projects has no course."""
        return []
