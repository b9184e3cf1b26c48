"""Owns GET /v1/intensity."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

import app.consumption
import app.intensity
import app.left_out
import db.limits
import db.outputs
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.consumption import BucketParameter, Note, missing, notes
from app.api.parameters import Between, CreditCode
from app.depends import AuthenticatedCaller, Caller
from app.errors import NotFound
from app.intensity import Reason, Row
from app.left_out import LeftOut
from db.consumption import Group, Selection, Sum
from db.limits import LimitRow
from db.outputs import OutputMeter
from energy.factors import Basis, MissingFactor
from energy.periods import Span, Step

router = APIRouter(tags=["consumption"])


class IntensityQuery(Between):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    unit: CreditCode = Field(
        description="unified social credit code of the unit", examples=["91450200MA5KF5XJ0B"]
    )
    product: str = Field(
        min_length=1,
        max_length=100,
        description="product of the unit's output meters",
        examples=["crude_steel"],
    )
    bucket: BucketParameter = Field(
        default=Step.MONTH,
        description="length of a row; days, months and years are those of Asia/Shanghai",
        examples=["month"],
    )


class Limit(Answer):
    """What the product may need; lower is better."""

    edition: str = Field(examples=["GB 21256-2013"])
    uom: str = Field(examples=["kgce/t"])
    limit: float | None = Field(examples=[635.0])
    baseline: float | None = Field(description="基准水平", examples=[361.0])
    benchmark: float | None = Field(description="标杆水平", examples=[361.0])
    advanced: float | None = Field(description="先进值", examples=[360.0])
    valid_from: date = Field(examples=["2014-10-01"])
    source: str = Field(examples=["GB 21256-2013"])


class IntensityRow(Answer):
    """The energy of the unit per unit of the product, in one bucket."""

    starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-12-01T00:00:00+08:00"])
    intensity: float | None = Field(
        description="in intensity_uom; null: not known, see reason", examples=[545.2]
    )
    intensity_uom: str = Field(examples=["kgce/t"])
    reason: Reason | None = Field(
        description="why there is no intensity", examples=["output_missing"]
    )
    energy_tce: float | None = Field(
        description="standard coal of the whole unit [tce]", examples=[5452.0]
    )
    output_quantity: float | None = Field(examples=[10000.0])
    output_uom: str = Field(examples=["t"])
    coverage: float | None = Field(
        description="share of the readings due that are there, of the energy meters; "
        "null: none was due yet",
        examples=[0.995],
    )
    output_coverage: float | None = Field(
        description="the same of the output meters", examples=[1.0]
    )
    estimated_share: float | None = Field(
        description="share of the energy that was spread over gaps between readings",
        examples=[0.01],
    )
    held: bool = Field(
        description="a step of a register could not be explained and waits for review",
        examples=[False],
    )
    left_out: list[str] = Field(
        description="carriers whose quantity has no factor: the energy is not known",
        examples=[[]],
    )
    left_out_reasons: dict[str, list[MissingFactor]] = Field(
        description="of each carrier in left_out, why there is no factor", examples=[{}]
    )
    limits: list[Limit] = Field(description="that apply when the bucket starts")


class IntensityAnswer(ListOf[IntensityRow]):
    """All rows at once, in order of time; next is always null."""

    unit: str = Field(examples=["91450200MA5KF5XJ0B"])
    product: str = Field(examples=["crude_steel"])
    bucket: Step = Field(examples=["month"])
    basis: Basis = Field(description="of the energy", examples=["calorific"])
    notes: list[Note]


@router.get(
    "/v1/intensity",
    operation_id="list_intensity",
    summary="Energy per unit of product, with the limits that apply",
    responses=problems(401, 404, 422, 503),
)
async def list_intensity(
    query: Annotated[IntensityQuery, Query()], caller: AuthenticatedCaller
) -> IntensityAnswer:
    """Return every bucket that touches `[from, to)`, in full, up to now.

    The energy is that of the whole unit, calorific; the output is what its output meters of the
    product counted, in the unit of measure of the limit where that converts.
    """
    within = app.consumption.buckets(query.span(), query.bucket, caller.now)
    await parameters.visible_unit(caller, query.unit)
    meters = await db.outputs.list_meters(caller.connection, caller.scope, query.unit)
    counting = [meter for meter in meters if meter.product == query.product]
    if not counting:
        raise NotFound("product of this unit")
    limits = [
        limit
        for limit in await db.limits.list_limits(caller.connection)
        if limit.product == query.product
    ]
    uom = app.intensity.output_uom(counting, limits)
    selection = _selection(caller, query, within)
    rows = await _rows(caller, selection, within, counting, limits, uom) if within else []
    why = await app.left_out.fetch(caller, selection, [_used(row) for row in rows])
    items = [_item(row, uom, why) for row in rows]
    return IntensityAnswer(
        unit=query.unit,
        product=query.product,
        bucket=query.bucket,
        basis=selection.basis,
        items=items,
        notes=[
            *_other_products(query.product, meters),
            *missing(why, (item.left_out_reasons for item in items)),
            *await notes(caller, selection),
        ],
        next=None,
    )


def _selection(caller: Caller, query: IntensityQuery, within: list[Span]) -> Selection:
    return Selection(
        span=Span(within[0].starts_at, within[-1].ends_at) if within else query.span(),
        bucket=query.bucket,
        basis=Basis.CALORIFIC,
        unit=query.unit,
        now=caller.now,
        unverified=caller.unverified,
    )


async def _rows(
    caller: Caller,
    selection: Selection,
    within: list[Span],
    meters: list[OutputMeter],
    limits: list[LimitRow],
    uom: str,
) -> list[Row]:
    lines = await app.consumption.lines(caller, selection, within)
    counted = await db.outputs.list_outputs(
        caller.connection,
        caller.scope,
        unit=selection.unit or "",
        product=meters[0].product,
        span=selection.span,
        bucket=selection.bucket,
    )
    made = app.intensity.outputs(within, meters, counted, uom, caller.now)
    by_meter = replace(selection, groups=frozenset({Group.METER}))
    silent = app.intensity.silent(await app.consumption.lines(caller, by_meter, within))
    return app.intensity.rows(within, lines, made, limits, silent)


def _other_products(product: str, meters: list[OutputMeter]) -> list[Note]:
    others = sorted({meter.product for meter in meters} - {product})
    if not others:
        return []
    detail = (
        f"The energy of the whole unit is divided by its output of {product} alone, though it "
        f"also makes {', '.join(others)}."
    )
    return [Note(code="several_products", energy=None, detail=detail)]


def _used(row: Row) -> Sum | None:
    return None if row.line is None else row.line.used


def _item(row: Row, uom: str, why: LeftOut) -> IntensityRow:
    line, used = row.line, _used(row)
    return IntensityRow(
        starts_at=row.bucket.starts_at,
        ends_at=row.bucket.ends_at,
        intensity=row.intensity,
        intensity_uom=app.intensity.LIMIT_PREFIX + uom,
        reason=row.reason,
        energy_tce=None if used is None else used.energy_tce,
        output_quantity=row.made.quantity,
        output_uom=uom,
        coverage=None if line is None else line.coverage,
        output_coverage=row.made.coverage,
        estimated_share=app.consumption.estimated_share(used),
        held=row.made.held or (used is not None and used.held),
        left_out=[] if used is None else used.left_out,
        left_out_reasons=why.reasons(used, row.bucket),
        limits=[Limit.model_validate(limit) for limit in row.limits],
    )
