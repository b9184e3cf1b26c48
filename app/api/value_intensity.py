"""Owns GET /v1/value_intensity."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, ConfigDict, Field

import app.consumption
import app.value_intensity
import db.changes
import db.makers
import db.production
import db.restatements
import db.silence
from app import known_tables, stated
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, Reckoned, problems
from app.api.consumption import BucketParameter, Note, notes
from app.api.parameters import AsKnown, Selecting
from app.depends import Caller, KnowingCaller
from app.intensity import Reason
from app.value_intensity import Known, Row, Together
from db.consumption import Group, Selection
from energy import roles
from energy.factors import Basis
from energy.finality import Cause, Restated, State
from energy.periods import Span, Step
from energy.production import PRODUCT_REMEMBERED

NAMED_MAX = 100
GROUPS = (Group.REGION, Group.INDUSTRY, Group.UNIT)
router = APIRouter(tags=["consumption"])


def parse_groups(text: str) -> str:
    for name in text.split(","):
        if name not in GROUPS:
            raise ValueError(f"{name!r} is none of {', '.join(GROUPS)} (a comma list)")
    return text


class ValueIntensityQuery(Selecting, AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    bucket: BucketParameter = Field(
        default=Step.MONTH,
        description="length of a row; days, months and years are those of Asia/Shanghai",
        examples=["month"],
    )
    group_by: Annotated[str, AfterValidator(parse_groups)] | None = Field(
        default=None,
        max_length=100,
        description="comma list of region, industry, unit; without: one total",
        examples=["region"],
    )


class LeftOut(Answer):
    """A unit that is in no sum."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    unit_name: str = Field(examples=["柳州某钢铁厂"])
    reason: Reason = Field(examples=["output_missing"])


class ValueSum(Answer):
    """Energy per 10,000 yuan of the units of which energy and value are both known."""

    intensity: Reckoned | None = Field(description="tce per 10,000 yuan", examples=[1.49])
    reason: Reason | None = Field(description="why there is no intensity", examples=[None])
    energy_tce: Reckoned | None = Field(description="of those units", examples=[5452.0])
    value_cny: Reckoned | None = Field(description="of the same units", examples=[36_500_000.0])
    energy_share: Reckoned | None = Field(
        description="their energy as a share of all that is known of the group", examples=[0.93]
    )
    units: int = Field(description="how many they are", examples=[14])
    left_out_total: int = Field(description="units that are not in the sum", examples=[1])
    left_out: list[LeftOut] = Field(description=f"the first {NAMED_MAX} of them")
    state: State = Field(examples=["provisional"])
    waits_for: list[Cause] = Field(
        description="what makes it provisional", examples=[["not_stated"]]
    )
    restated_by: list[Restated] = Field(
        description="what makes it restated: output, or the value of it, or energy that is another "
        "one than when the figure was final before",
        examples=[[]],
    )


class ValueRow(Answer):
    """One bucket; the names it is grouped by are there, the others are null."""

    starts_at: LocalTime = Field(examples=["2026-10-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    region: str | None = Field(examples=["450200"])
    region_name: str | None = Field(examples=["柳州市"])
    industry: str | None = Field(examples=["C31"])
    industry_name: str | None = Field(examples=["黑色金属冶炼和压延加工业"])
    unit: str | None = Field(examples=["91450200MA5KF5XJ00"])
    unit_name: str | None = Field(examples=["柳州某钢铁厂"])
    per_output_value: ValueSum
    per_value_added: ValueSum


class ValueAnswer(ListOf[ValueRow]):
    """All rows at once, in order of time and group; next is always null."""

    bucket: Step = Field(examples=["month"])
    basis: Basis = Field(description="of the energy", examples=["calorific"])
    notes: list[Note]


@router.get(
    "/v1/value_intensity",
    operation_id="list_value_intensity",
    summary="Energy per 10,000 yuan of output value and of value added, by time and group",
    responses=problems(401, 404, 422, 503),
)
async def list_value_intensity(
    query: Annotated[ValueIntensityQuery, Query()], caller: KnowingCaller
) -> ValueAnswer:
    """Return every bucket that touches `[from, to)`, in full, up to now.

    Only units of which energy and value are both known are in a sum, with both; the others are
    named with the reason, and the sum is provisional while there are any.
    """
    caller = await known_tables.facts(caller, query.as_known_on)
    within = app.consumption.buckets(query.span(), query.bucket, caller.now)
    selection = await _selection(caller, query, within)
    groups = {Group(name) for name in query.group_by.split(",")} if query.group_by else set()
    known = await _known(caller, query, selection, within) if within else None
    found = [] if known is None else app.value_intensity.rows(within, groups, known)
    return ValueAnswer(
        bucket=query.bucket,
        basis=selection.basis,
        items=[_row(row, groups) for row in found],
        notes=await notes(caller, selection) if within else [],
        next=None,
    )


async def _selection(caller: Caller, query: ValueIntensityQuery, within: list[Span]) -> Selection:
    if query.unit is not None:
        await parameters.visible_unit(caller, query.unit)
    return Selection(
        span=Span(within[0].starts_at, within[-1].ends_at) if within else query.span(),
        bucket=query.bucket,
        basis=Basis.CALORIFIC,
        groups=frozenset({Group.UNIT}),
        region_prefix=await parameters.region_prefix(caller, query.region),
        unit=query.unit,
        industry=query.industry or "",
    )


async def _known(
    caller: Caller, query: ValueIntensityQuery, selection: Selection, within: list[Span]
) -> Known:
    await known_tables.selected(caller, selection)
    lines = await app.consumption.lines(caller, selection, within)
    statements = await db.production.list_statements(
        caller.connection,
        caller.scope,
        span=Span(selection.span.starts_at - PRODUCT_REMEMBERED, selection.span.ends_at),
        region_prefix=selection.region_prefix,
        industry=selection.industry,
        unit=selection.unit,
    )
    return Known(
        makers=await db.makers.list_makers(
            caller.connection,
            caller.scope,
            tier=query.region_level,
            region_prefix=selection.region_prefix,
            industry=selection.industry,
            unit=selection.unit,
        ),
        lines={(line.key.unit or "", line.bucket.starts_at): line for line in lines},
        silent=await db.silence.list_silent(
            caller.connection, caller.scope, selection, within, roles=roles.COUNTING
        ),
        statements=stated.by_unit(statements),
        changes=await db.changes.list_changed(caller.connection, db.production.NOUN),
        restated=await db.restatements.list_noted(caller.connection, caller.scope, selection),
        now=caller.now,
    )


def _row(row: Row, groups: set[Group]) -> ValueRow:
    maker = row.maker
    by_region, by_industry, by_unit = (group in groups for group in GROUPS)
    return ValueRow(
        starts_at=row.bucket.starts_at,
        ends_at=row.bucket.ends_at,
        region=maker.region if by_region else None,
        region_name=maker.region_name if by_region else None,
        industry=maker.industry if by_industry else None,
        industry_name=maker.industry_name if by_industry else None,
        unit=maker.unit if by_unit else None,
        unit_name=maker.unit_name if by_unit else None,
        per_output_value=_sum(row.per_output_value),
        per_value_added=_sum(row.per_value_added),
    )


def _sum(together: Together) -> ValueSum:
    return ValueSum(
        intensity=together.figure.value,
        reason=together.figure.reason,
        energy_tce=together.energy_tce,
        value_cny=together.value_cny,
        energy_share=together.energy_share,
        units=together.units,
        left_out_total=len(together.left_out),
        left_out=[LeftOut.model_validate(left) for left in together.left_out[:NAMED_MAX]],
        state=together.state,
        waits_for=list(together.waits_for),
        restated_by=list(together.restated_by),
    )
