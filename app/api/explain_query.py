"""Owns the parameters of GET /v1/explain: those that lead to the figure in its own call."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from app.api.parameters import IndustryCode, Instant, OfUnit, RegionCode, Valued
from app.api.warnings import parse_period
from app.errors import InvalidParameter
from app.lineage import Figure
from energy import periods
from energy.indicators import Indicator
from energy.periods import Span, Step

SPAN_MAX = timedelta(days=1_100)

FITTING = {
    Figure.CONSUMPTION: {"from_", "to", "region", "unit", "meter", "industry", "energy", "basis"},
    Figure.INTENSITY: {"from_", "to", "unit", "product"},
    Figure.LEVEL: {"region", "period", "indicator"},
}
"""Which parameters lead to a figure, besides those that all have."""

SHARED = {"figure", "as_known_on", "format", "lang"}


class Format(StrEnum):
    """How it is answered."""

    JSON = "json"
    ZIP = "zip"


class Language(StrEnum):
    """Of the page in the evidence file."""

    ZH = "zh"
    EN = "en"


class ExplainQuery(Valued):
    """What is to be explained."""

    model_config = ConfigDict(extra="forbid")

    figure: Figure = Field(
        description="consumption: of a meter, a unit, a region; intensity; level",
        examples=["consumption"],
    )
    from_: Instant | None = Field(
        default=None,
        alias="from",
        description="starts_at of the row, a full hour; RFC 3339 with an offset",
        examples=["2026-11-01T00:00:00+08:00"],
    )
    to: Instant | None = Field(
        default=None,
        description="ends_at of the row, a full hour; this instant is not included",
        examples=["2026-12-01T00:00:00+08:00"],
    )
    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code: of a consumption what is within, of a level the region itself",
        examples=["450200"],
    )
    unit: OfUnit = None
    meter: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        description="code of a meter, the unit's own",
        examples=["E01"],
    )
    industry: IndustryCode | None = Field(
        default=None, description="GB/T 4754 code, or the beginning of one", examples=["C31"]
    )
    product: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="product of an intensity",
        examples=["cement_clinker"],
    )
    period: Annotated[str, AfterValidator(parse_period)] | None = Field(
        default=None,
        description="of a level: a year, or January to a month of it",
        examples=["2026-09"],
    )
    indicator: Indicator = Field(
        default=Indicator.ENERGY_PER_GDP,
        description="of a level",
        examples=["energy_per_gdp"],
    )
    as_known_on: Instant | None = Field(
        default=None,
        description="the figure as it would have been computed then; RFC 3339 with an offset",
        examples=["2026-12-01T00:00:00+08:00"],
    )
    format: Format = Field(
        default=Format.JSON, description="zip: one evidence file", examples=["json"]
    )
    lang: Language = Field(
        default=Language.ZH, description="of the page in the evidence file", examples=["zh"]
    )

    def refuse_unfitting(self) -> None:
        """Refuse a parameter that would be ignored."""
        for name in sorted(self.model_fields_set - SHARED - FITTING[self.figure]):
            known = ", ".join(sorted(FITTING[self.figure])).replace("from_", "from")
            raise InvalidParameter(
                name.rstrip("_"), f"leads to no {self.figure}; these do: {known}"
            )

    def span(self) -> Span:
        """Return the span of the row. Raises InvalidParameter where it is none."""
        for name, given in (("from", self.from_), ("to", self.to)):
            if given is None:
                raise InvalidParameter(name, "is required: starts_at and ends_at of the row")
            if periods.floor(given, Step.HOUR) != given:
                raise InvalidParameter(
                    name, "is no full hour: give starts_at and ends_at of the row"
                )
        assert self.from_ is not None
        assert self.to is not None
        if self.to <= self.from_:
            raise InvalidParameter("to", "must be after from")
        if self.to - self.from_ > SPAN_MAX:
            raise InvalidParameter("to", f"is more than {SPAN_MAX.days:,} days after from")
        return Span(self.from_, self.to)

    def bucket(self) -> tuple[Span, Step]:
        """Return the row of an intensity: one hour, day, month or year."""
        span = self.span()
        for step in Step:
            starts_at = periods.floor(span.starts_at, step)
            if (starts_at, periods.following(starts_at, step)) == (span.starts_at, span.ends_at):
                return span, step
        raise InvalidParameter(
            "to", "is not the end of the hour, day, month or year that begins at from"
        )


def required(value: str | None, name: str, figure: Figure) -> str:
    if value is None:
        raise InvalidParameter(name, f"is required of figure={figure}")
    return value
