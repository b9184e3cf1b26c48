"""Owns GET /v1/intensity."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

import app.comparison
import app.consumption
import app.intensity
import app.left_out
import db.changes
import db.limits
import db.outputs
import db.production
import db.products
import db.restatements
import db.silence
from app import exports, intensity_export, intensity_rows, known_tables, stated
from app.api import comparing, parameters
from app.api.answers import problems
from app.api.comparing import ComparingByDate
from app.api.consumption import BucketParameter, Note, missing, notes
from app.api.intensity_answers import IntensityAnswer, compared, item, limit_notes
from app.api.parameters import AsKnown, Between, CreditCode
from app.comparison import Asked, Plan
from app.consumption import Line
from app.depends import Caller, KnowingCaller
from app.errors import NotFound
from app.exports import Format
from app.intensity_rows import Known, Question, Row
from db.consumption import Selection
from db.outputs import OutputMeter
from db.production import ProductionRow
from db.products import Product
from energy import roles
from energy.carriers import ELECTRICITY
from energy.comparison import Calendar
from energy.factors import Basis
from energy.periods import Span, Step
from energy.production import PRODUCT_REMEMBERED

router = APIRouter(tags=["consumption"])


class IntensityQuery(Between, AsKnown, ComparingByDate):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    unit: CreditCode = Field(
        description="unified social credit code of the unit", examples=["91450200MA5KF5XJ00"]
    )
    product: str = Field(
        min_length=1,
        max_length=100,
        description="product of the unit's output meters, or one it stated output of",
        examples=["cement_clinker"],
    )
    bucket: BucketParameter = Field(
        default=Step.MONTH,
        description="length of a row; days, months and years are those of Asia/Shanghai",
        examples=["month"],
    )
    format: Format = Field(
        default=Format.JSON,
        description="csv, xlsx, parquet: the rows as a file, without notes, and of limits the "
        "editions that are met or not",
        examples=["json"],
    )


@router.get(
    "/v1/intensity",
    operation_id="list_intensity",
    summary="Energy per unit of product and per 10,000 yuan, with the limits that apply",
    response_model=IntensityAnswer,
    responses={**problems(401, 404, 422, 503), **exports.responses()},
)
async def list_intensity(
    query: Annotated[IntensityQuery, Query()], caller: KnowingCaller
) -> IntensityAnswer | Response:
    """Return every bucket that touches `[from, to)`, in full, up to now.

    The energy is that of the whole unit, calorific. The output is the one that was stated; until
    then what the output meters of the product counted, and the figure is provisional. It is in the
    unit of measure of the newest limit where that converts.
    """
    answer = await answered(query, caller)
    if query.format is Format.JSON:
        return answer
    file = await exports.of_items(
        query.format,
        intensity_export.columns(query.bucket, is_compared=query.compare is not None),
        exports.in_batches(answer.items, partial(intensity_export.cells, answer)),
    )
    return exports.answer(file, query.format, "intensity")


async def answered(query: IntensityQuery, caller: Caller) -> IntensityAnswer:
    """Return the answer, whatever format is asked for."""
    caller = await known_tables.facts(caller, query.as_known_on)
    within = app.consumption.buckets(query.span(), query.bucket, caller.now)
    await parameters.visible_unit(caller, query.unit)
    meters = await db.outputs.list_meters(caller.connection, caller.scope, unit=query.unit)
    selection = _selection(caller, query, within)
    asked = None if query.compare is None else Asked(query.compare, Calendar.PLAIN)
    plan = None if asked is None else app.comparison.planned(asked, selection, within)
    await known_tables.selected(caller, selection, *(() if plan is None else plan.selections))
    statements = await _statements(caller, selection)
    named = (await db.products.list_products(caller.connection)).get(query.product)
    question = await _question(caller, query.product, named, meters, statements)
    known = await _known(caller, selection, within, question, meters, statements)
    made = {meter.product for meter in meters} | stated.products(statements)
    rows = intensity_rows.rows(within, question, known)
    why = await app.left_out.fetch(caller, selection, [row.used.total for row in rows])
    items = [item(row, question.uom, why) for row in rows]
    if plan is not None:
        then = await _earlier(caller, plan, question, meters)
        items = [
            each.model_copy(update={"compared": compared(row, other, then.get(other.span))})
            for each, row in zip(items, rows, strict=True)
            if (other := plan.others[row.bucket.starts_at])
        ]
    return IntensityAnswer(
        unit=query.unit,
        product=query.product,
        product_name=None if named is None else named.name_zh,
        product_name_en=None if named is None else named.name_en,
        bucket=query.bucket,
        basis=selection.basis,
        items=items,
        notes=[
            *(
                Note(code=code, energy=None, detail=detail)
                for code, detail in comparing.sentences(asked).items()
            ),
            *_other_products(query.product, made),
            *limit_notes(question.limits, question.equivalents),
            *missing(why, (each.left_out_reasons for each in items)),
            *(await notes(caller, selection) if within else []),
        ],
        next=None,
    )


def _selection(caller: Caller, query: IntensityQuery, within: list[Span]) -> Selection:
    return Selection(
        span=Span(within[0].starts_at, within[-1].ends_at) if within else query.span(),
        bucket=query.bucket,
        basis=Basis.CALORIFIC,
        unit=query.unit,
    )


async def _statements(caller: Caller, selection: Selection) -> list[ProductionRow]:
    span = selection.span
    return await db.production.list_statements(
        caller.connection,
        caller.scope,
        span=Span(span.starts_at - PRODUCT_REMEMBERED, span.ends_at),
        unit=selection.unit,
    )


async def _earlier(
    caller: Caller, plan: Plan, question: Question, meters: list[OutputMeter]
) -> dict[Span | None, Row]:
    """Return the rows that others are compared with, by their bucket."""
    found: dict[Span | None, Row] = {}
    for read in plan.reads:
        spans, statements = list(read.spans), await _statements(caller, read.selection)
        known = await _known(caller, read.selection, spans, question, meters, statements)
        found |= {row.bucket: row for row in intensity_rows.rows(spans, question, known)}
    return found


async def _question(
    caller: Caller,
    product: str,
    named: Product | None,
    meters: list[OutputMeter],
    statements: list[ProductionRow],
) -> Question:
    """Return what is asked of a product. Raises NotFound where the unit never made it."""
    uoms = [meter.uom for meter in meters if meter.product == product]
    said = [row for row in statements if row.product == product]
    if not uoms and not said:
        raise NotFound("product of this unit")
    limits = [
        limit
        for limit in await db.limits.list_limits(caller.connection)
        if limit.product == product
    ]
    return Question(
        product=product,
        uom=app.intensity.output_uom(
            uoms or [row.uom for row in said if row.uom is not None],
            limits,
            None if named is None else named.output_uom,
        ),
        limits=limits,
        equivalents=await db.products.list_equivalents(caller.connection),
        metered=sorted({meter.product for meter in meters}),
        now=caller.now,
    )


async def _known(
    caller: Caller,
    selection: Selection,
    within: list[Span],
    question: Question,
    meters: list[OutputMeter],
    statements: list[ProductionRow],
) -> Known:
    of_electricity = replace(selection, energy=ELECTRICITY)
    counted = await db.outputs.list_outputs(
        caller.connection,
        caller.scope,
        unit=selection.unit,
        product=question.product,
        span=selection.span,
        bucket=selection.bucket,
    )
    own = [meter for meter in meters if meter.product == question.product]
    return Known(
        lines=await _lines(caller, selection, within),
        electricity=await _lines(caller, of_electricity, within),
        silent=await _silent(caller, selection, within),
        electricity_silent=await _silent(caller, of_electricity, within),
        made=app.intensity.outputs(within, own, counted, question.uom.per, caller.now),
        statements=statements,
        requests=stated.requests(
            await db.changes.list_stated(
                caller.connection, db.production.NOUN, f"{selection.unit}/"
            )
        ),
        restated=await db.restatements.list_noted(caller.connection, caller.scope, selection),
    )


async def _lines(caller: Caller, selection: Selection, within: list[Span]) -> dict[datetime, Line]:
    lines = await app.consumption.lines(caller, selection, within) if within else []
    return {line.bucket.starts_at: line for line in lines}


async def _silent(caller: Caller, selection: Selection, within: list[Span]) -> frozenset[datetime]:
    silent = await db.silence.list_silent(
        caller.connection, caller.scope, selection, within, roles=roles.COUNTING
    )
    return frozenset(starts_at for _, starts_at in silent)


def _other_products(product: str, made: set[str]) -> list[Note]:
    others = sorted(made - {product})
    if not others:
        return []
    detail = (
        f"The energy of the whole unit is divided by its output of {product} alone, though it "
        f"also makes {', '.join(others)}."
    )
    return [Note(code="several_products", energy=None, detail=detail)]
