"""Owns what an expression rule may say, and which facts there are to name in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from alerts import expressions
from alerts.expressions import LENGTH_MAX, Expression
from alerts.kinds.kind import Kind, Parameters
from db.news import Source
from energy.factors import Basis
from energy.periods import Span

WINDOW_H_MAX = 744


class Whose(StrEnum):
    """Whose facts an expression is about."""

    PRODUCT = "product"  # a unit and one of its products that has a verified limit
    UNIT = "unit"
    REGION = "region"  # each region with published figures


NAMES: Mapping[Whose, frozenset[str]] = {
    Whose.PRODUCT: frozenset(
        {"energy_tce", "output", "intensity", "limit", "baseline", "benchmark", "coverage",
         "estimated_share"}
    ),
    Whose.UNIT: frozenset(
        {"energy_tce", "quantity", "coverage", "estimated_share", "growth", "index", "annual_tce"}
    ),
    Whose.REGION: frozenset({"energy_growth", "gdp_growth", "rate", "required_rate", "index"}),
}  # fmt: skip
"""What may be named, by whose facts they are; docs/api.md says what each is."""


class ExpressionRule(Parameters):
    """What no other kind watches: a comparison of facts, as in intensity > 1.1 * limit."""

    kind: ClassVar[Kind] = Kind.EXPRESSION
    follows_hours: ClassVar[bool] = True
    judges_again: ClassVar[bool] = True

    of: Whose = Field(
        strict=False,
        description="whose facts: of a product of a unit (energy_tce, output, intensity, limit, "
        "baseline, benchmark, coverage, estimated_share), of a unit (energy_tce, quantity, "
        "coverage, estimated_share, growth, index, annual_tce), of a region by its published "
        "figures (energy_growth, gdp_growth, rate, required_rate, index)",
        examples=["product"],
    )
    expression: str = Field(
        min_length=1,
        max_length=LENGTH_MAX,
        description="an alert while it holds: comparisons of facts and numbers, with + - * /, "
        "min, max, abs, and, or, not. While a fact that it names is missing it is unknown",
        examples=["intensity > 1.1 * limit and estimated_share < 0.2"],
    )
    window_h: int = Field(
        default=24,
        ge=1,
        le=WINDOW_H_MAX,
        description="length of the window of a product or a unit, whole hours [h]",
        examples=[24],
    )
    basis: Basis = Field(
        default=Basis.CALORIFIC,
        strict=False,
        description="of the energy: calorific (当量值) or equivalent (等价值)",
        examples=["calorific"],
    )
    carrier: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="of which `quantity` is, in its reference unit; with of unit alone",
        examples=["electricity"],
    )
    level: int = Field(
        default=3, ge=1, le=3, description="of its alerts; 1 is the worst", examples=[3]
    )
    for_h: int = Field(
        default=0,
        ge=0,
        le=WINDOW_H_MAX,
        description="how much later a window must still be so before a letter goes out; time of "
        "which nothing is known does not count [h]",
        examples=[0],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = self.parsed.names
        if "quantity" in names and self.carrier is None:
            raise ValueError("quantity is that of one carrier: say which (carrier)")
        if self.carrier is not None and "quantity" not in names:
            raise ValueError("carrier is for quantity, which the expression does not name")
        return self

    @property
    def parsed(self) -> Expression:
        """Return the expression, read. Raises ExpressionError."""
        return expressions.parse(self.expression, NAMES[self.of])

    @property
    def reads(self) -> frozenset[Source]:
        """The index is counted by the assessment."""
        return frozenset({Source.ASSESSED} if "index" in self.parsed.names else ())

    @property
    def is_restated(self) -> bool:
        return self.of is Whose.REGION

    @property
    def drifts(self) -> bool:
        """The index of a region is that of the last days, whichever month has figures."""
        return self.of is Whose.REGION and "index" in self.parsed.names

    @property
    def ends_silence(self) -> bool:
        return self.of is Whose.REGION

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.window_h)

    @property
    def hold(self) -> timedelta:
        return timedelta(hours=self.for_h)

    def look_back(self, newest: Span) -> list[Span]:
        """Return the hours before; none of a region: its months are in the letters of its level."""
        return [] if self.of is Whose.REGION else super().look_back(newest)
