"""Owns GET /v1/explain."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

import app.explain
import app.gathering
from app.api import parameters
from app.api.answers import problems
from app.api.explain_answers import ConsumptionExplanation
from app.api.parameters import CreditCode, IndustryCode, Instant, RegionCode
from app.depends import AuthenticatedCaller, Caller
from app.errors import InvalidParameter
from app.lineage import Figure, Question
from energy import periods
from energy.factors import Basis
from energy.periods import Span, Step

SPAN_MAX = timedelta(days=1_100)
LISTED_SPAN_MAX = timedelta(days=31)
"""So long a span of a single meter has its readings listed one by one."""

router = APIRouter(tags=["consumption"])


class ExplainQuery(BaseModel):
    """The parameters that lead to the figure in its own call."""

    model_config = ConfigDict(extra="forbid")

    figure: Figure = Field(description="what is to be explained", examples=["consumption"])
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
        default=None, description="GB/T 2260 code: what is within", examples=["450200"]
    )
    unit: CreditCode | None = Field(
        default=None,
        description="unified social credit code of a unit",
        examples=["91450200MA5KF5XJ0B"],
    )
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
    energy: str | None = Field(
        default=None,
        pattern="^[a-z0-9_]{1,40}$",
        description="energy carrier",
        examples=["electricity"],
    )
    basis: Basis = Field(
        default=Basis.CALORIFIC,
        description="calorific value (当量值) or coal-equivalent value (等价值)",
        examples=["calorific"],
    )
    as_known_on: Instant | None = Field(
        default=None,
        description="the figure as it would have been computed then; RFC 3339 with an offset",
        examples=["2026-12-01T00:00:00+08:00"],
    )

    def span(self) -> Span:
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


@router.get(
    "/v1/explain",
    operation_id="explain_figure",
    summary="Where a figure comes from: readings, epochs, factors, corrections, gaps",
    responses=problems(401, 404, 422, 503),
)
async def explain_figure(
    query: Annotated[ExplainQuery, Query()], caller: AuthenticatedCaller
) -> ConsumptionExplanation:
    """Return the figure as a tree that ends in what nobody computed.

    Everything is computed anew from the parts and compared with what is stored.
    """
    return ConsumptionExplanation.of(await _consumption(caller, query))


async def _consumption(caller: Caller, query: ExplainQuery) -> app.explain.Explained:
    span = query.span()
    if query.meter is not None and query.unit is None:
        raise InvalidParameter("unit", "is required with meter: its code is the unit's own")
    if query.unit is not None:
        await parameters.visible_unit(caller, query.unit)
    question = Question(
        span,
        query.basis,
        caller.now,
        region=await parameters.known_region(caller, query.region),
        unit=query.unit,
        meter=query.meter,
        industry=query.industry or "",
        energy=await parameters.known_energy(caller, query.energy),
        as_known_on=query.as_known_on,
        unverified=caller.unverified,
    )
    prefix = await parameters.region_prefix(caller, query.region)
    lineage = await app.gathering.gather(caller, question, region_prefix=prefix)
    listed = query.meter is not None and span.ends_at - span.starts_at <= LISTED_SPAN_MAX
    return await asyncio.to_thread(app.explain.explained, lineage, with_readings=listed)
