"""Owns GET /v1/benchmark_shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

import app.benchmark_shares
import app.consumption
import app.intensity
import db.capacities
import db.limits
import db.outputs
import db.production
import db.products
import db.silence
from app import known_tables, stated
from app.api import parameters
from app.api.answers import Answer, ListOf, Reckoned, problems
from app.api.consumption import Note, notes
from app.api.intensity_answers import limit_notes
from app.api.parameters import AsKnown, WithinRegion
from app.benchmark_shares import Known, Obscurity, Placed, Share, Slot
from app.consumption import Line
from app.depends import Caller, KnowingCaller
from app.intensity import Made, Reason
from db.consumption import Group, Selection
from db.limits import LimitRow
from db.outputs import Output, OutputMeter
from energy import roles
from energy.carriers import ELECTRICITY
from energy.factors import Basis
from energy.finality import State
from energy.intensity import Grade
from energy.intensity_uoms import IntensityUom
from energy.periods import LOCAL, Span, Step

router = APIRouter(tags=["consumption"])
Uoms: TypeAlias = dict[str, IntensityUom]
"""The unit of measure of the benchmark, by product."""


class SharesQuery(AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    region: WithinRegion = None
    year: int | None = Field(
        default=None,
        ge=2000,
        le=2099,
        description="the year in Asia/Shanghai; without: the present one",
        examples=[2026],
    )


class UnitPlace(Answer):
    """A unit that can make the product, and where it stands."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    unit_name: str = Field(examples=["横州水泥厂"])
    region: str = Field(examples=["450181"])
    capacity: float = Field(description="per year, in capacity_uom", examples=[1_550_000.0])
    capacity_uom: str = Field(examples=["t"])
    intensity: Reckoned | None = Field(
        description="over the months in which energy and output are known, in the benchmark's "
        "unit of measure",
        examples=[99.2],
    )
    reason: Reason | Obscurity | None = Field(
        description="why its capacity is unknown", examples=["output_missing"]
    )
    is_at_benchmark: bool | None = Field(description="null: unknown", examples=[True])
    grade: Grade | None = Field(examples=["benchmark"])
    months: int = Field(description="months that the figure rests on", examples=[10])
    state: State = Field(examples=["provisional"])


class ShareRow(Answer):
    """The capacity of a product at the benchmark."""

    product: str = Field(examples=["cement_clinker"])
    product_name: str = Field(examples=["水泥熟料"])
    product_name_en: str = Field(examples=["cement clinker"])
    required_share: float | None = Field(
        description="that must be at the benchmark; null: nobody asks for one", examples=[0.3]
    )
    required_by: str | None = Field(examples=["广西“十四五”节能减排综合实施方案 三(一)"])
    share: Reckoned | None = Field(
        description="capacity at the benchmark ÷ capacity; null while any of it is unknown",
        examples=[0.42],
    )
    share_at_least: Reckoned | None = Field(
        description="if all that is unknown failed the benchmark", examples=[0.42]
    )
    share_at_most: Reckoned | None = Field(
        description="if all that is unknown met the benchmark", examples=[0.42]
    )
    is_reached: bool | None = Field(
        description="null: nobody asks, or what is unknown decides", examples=[True]
    )
    capacity: float = Field(description="per year, in capacity_uom", examples=[3_700_000.0])
    capacity_at_benchmark: Reckoned = Field(examples=[1_550_000.0])
    capacity_unknown: Reckoned = Field(examples=[0.0])
    capacity_uom: str = Field(examples=["t"])
    benchmark: float | None = Field(description="标杆水平", examples=[100.0])
    benchmark_uom: str | None = Field(examples=["kgce/t"])
    edition: str | None = Field(examples=["标杆水平和基准水平（2023年版）"])
    verified: bool | None = Field(
        description="the benchmark was checked against its source", examples=[True]
    )
    units: list[UnitPlace]


class SharesAnswer(ListOf[ShareRow]):
    """The products that units of the region can make, all at once; next is always null."""

    year: int = Field(examples=[2026])
    notes: list[Note]


@router.get(
    "/v1/benchmark_shares",
    operation_id="list_benchmark_shares",
    summary="Share of capacity at the benchmark, by product",
    responses=problems(401, 404, 422, 503),
)
async def list_benchmark_shares(
    query: Annotated[SharesQuery, Query()], caller: KnowingCaller
) -> SharesAnswer:
    """Return capacity of units at or below the benchmark ÷ all capacity, by product.

    Capacities and limits are those of the end of the year, or of today. A unit without a figure
    is unknown, neither at the benchmark nor failing it.
    """
    caller = await known_tables.facts(caller, query.as_known_on)
    year = query.year or caller.now.astimezone(LOCAL).year
    months = app.consumption.buckets(_year(year), Step.MONTH, caller.now)
    prefix = await parameters.region_prefix(caller, query.region)
    if not months:
        return SharesAnswer(year=year, items=[], notes=[], next=None)
    on = _last_day(year, caller.now)
    capacities = await db.capacities.list_in_force(
        caller.connection, caller.scope, region_prefix=prefix, on=on
    )
    limits = await db.limits.list_limits(caller.connection)
    selection = Selection(
        span=Span(months[0].starts_at, months[-1].ends_at),
        bucket=Step.MONTH,
        basis=Basis.CALORIFIC,
        groups=frozenset({Group.UNIT}),
        region_prefix=prefix,
    )
    await known_tables.selected(caller, selection)
    known = await _known(caller, selection, months, _uoms(limits, on))
    products = await db.products.list_products(caller.connection)
    shares = app.benchmark_shares.shares(capacities, products, limits, known, on)
    used = [share.judged_by for share in shares if share.judged_by is not None]
    return SharesAnswer(
        year=year,
        items=[_item(share) for share in shares],
        notes=[*limit_notes(used, known.equivalents), *await notes(caller, selection)],
        next=None,
    )


def _year(year: int) -> Span:
    return Span(datetime(year, 1, 1, tzinfo=LOCAL), datetime(year + 1, 1, 1, tzinfo=LOCAL))


def _last_day(year: int, now: datetime) -> date:
    last = (_year(year).ends_at - timedelta(days=1)).date()
    return min(last, now.astimezone(LOCAL).date())


async def _known(caller: Caller, selection: Selection, months: list[Span], uoms: Uoms) -> Known:
    of_electricity = replace(selection, energy=ELECTRICITY)
    statements = await db.production.list_statements(
        caller.connection,
        caller.scope,
        span=selection.span,
        region_prefix=selection.region_prefix,
    )
    meters = await db.outputs.list_meters(
        caller.connection, caller.scope, region_prefix=selection.region_prefix
    )
    metered: dict[str, set[str]] = {}
    for meter in meters:
        metered.setdefault(meter.unit, set()).add(meter.product)
    return Known(
        months=months,
        lines=await _lines(caller, selection, months),
        electricity=await _lines(caller, of_electricity, months),
        silent=await _silent(caller, selection, months),
        electricity_silent=await _silent(caller, of_electricity, months),
        made=await _made(caller, selection, months, meters, uoms),
        statements=stated.by_unit(statements),
        metered=metered,
        equivalents=await db.products.list_equivalents(caller.connection),
        now=caller.now,
    )


async def _lines(caller: Caller, selection: Selection, months: list[Span]) -> dict[Slot, Line]:
    lines = await app.consumption.lines(caller, selection, months)
    return {(line.key.unit or "", line.bucket.starts_at): line for line in lines}


async def _silent(caller: Caller, selection: Selection, months: list[Span]) -> set[Slot]:
    return await db.silence.list_silent(
        caller.connection, caller.scope, selection, months, roles=roles.COUNTING
    )


async def _made(
    caller: Caller, selection: Selection, months: list[Span], meters: list[OutputMeter], uoms: Uoms
) -> dict[tuple[str, str], dict[datetime, Made]]:
    """Return what was metered, by unit and product, in the output of the product's benchmark."""
    counted = await db.outputs.list_outputs(
        caller.connection,
        caller.scope,
        region_prefix=selection.region_prefix,
        span=selection.span,
        bucket=selection.bucket,
    )
    meters_of: dict[tuple[str, str], list[OutputMeter]] = {}
    for meter in meters:
        meters_of.setdefault((meter.unit, meter.product), []).append(meter)
    counted_of: dict[tuple[str, str], list[Output]] = {}
    for output in counted:
        counted_of.setdefault((output.unit, output.product), []).append(output)
    return {
        key: app.intensity.outputs(
            months, own, counted_of.get(key, []), uoms[key[1]].per, caller.now
        )
        for key, own in meters_of.items()
        if key[1] in uoms
    }


def _uoms(limits: list[LimitRow], on: date) -> Uoms:
    """Return the unit of measure of each product's benchmark."""
    found = {}
    for product in {limit.product for limit in limits}:
        judged_by = app.benchmark_shares.benchmark(limits, product, on)
        uom = None if judged_by is None else app.intensity.parsed(judged_by.uom)
        if uom is not None:
            found[product] = uom
    return found


def _item(share: Share) -> ShareRow:
    judged = share.judged_by
    return ShareRow(
        product=share.product.product,
        product_name=share.product.name_zh,
        product_name_en=share.product.name_en,
        required_share=share.product.required_share,
        required_by=share.product.source,
        share=share.value,
        share_at_least=share.at_least,
        share_at_most=share.at_most,
        is_reached=share.is_reached,
        capacity=share.total,
        capacity_at_benchmark=share.at_benchmark,
        capacity_unknown=share.unknown,
        capacity_uom=share.product.output_uom,
        benchmark=None if judged is None else judged.benchmark,
        benchmark_uom=None if judged is None else judged.uom,
        edition=None if judged is None else judged.edition,
        verified=None if judged is None else judged.verified,
        units=[_place(placed, share.product.output_uom) for placed in share.units],
    )


def _place(placed: Placed, uom: str) -> UnitPlace:
    return UnitPlace(
        unit=placed.capacity.unit,
        unit_name=placed.capacity.unit_name,
        region=placed.capacity.region,
        capacity=placed.quantity if placed.quantity is not None else placed.capacity.capacity,
        capacity_uom=uom if placed.quantity is not None else placed.capacity.uom,
        intensity=placed.intensity,
        reason=placed.reason,
        is_at_benchmark=placed.is_at_benchmark,
        grade=placed.grade,
        months=placed.months,
        state=placed.state,
    )
