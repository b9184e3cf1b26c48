"""Owns what becomes of a question to GET /v1/explain: its rows gathered, its answer, its tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import app.api.intensity
import app.explain
import app.gathering
import app.intensity
import db.figures
import db.products
import db.rulesets
from app import (
    evidence,
    evidence_stated,
    evidence_tables,
    explain_intensity,
    explain_level,
    gathering_stated,
    known_tables,
)
from app.api import explain_level_answers, parameters
from app.api.explain_answers import ConsumptionExplanation
from app.api.explain_intensity_answers import IntensityExplanation
from app.api.explain_level_answers import LevelExplanation
from app.api.explain_query import ExplainQuery, required
from app.api.intensity import IntensityQuery
from app.api.intensity_answers import IntensityRow
from app.api.warnings import RegionWarning, WarningQuery, list_warnings
from app.depends import Caller
from app.errors import NotFound
from app.evidence_tables import Sheet
from app.explain import Explained
from app.explain_intensity import IntensityLineage
from app.lineage import Figure, Question
from app.parts import MeterDetail, Part, leaves
from db.scope import Scope
from energy import intensity_uoms
from energy.factors import Basis
from energy.intensity_uoms import Energy
from energy.periods import LOCAL

LISTED_SPAN_MAX = timedelta(days=31)
"""So long a span of a single meter has its readings listed one by one."""

Explanation = ConsumptionExplanation | IntensityExplanation | LevelExplanation


@dataclass(frozen=True, slots=True)
class Case:
    """An answer, and the tables that it is computed from."""

    answer: Explanation
    sheets: Sequence[Sheet]


async def explained(caller: Caller, query: ExplainQuery) -> Case:
    query.refuse_unfitting()
    known_tables.refuse_future(caller, query.as_known_on)
    match query.figure:
        case Figure.CONSUMPTION:
            return await _consumption(caller, query)
        case Figure.INTENSITY:
            return await _intensity(caller, query)
        case Figure.LEVEL:
            return await _level(caller, query)


async def _consumption(caller: Caller, query: ExplainQuery) -> Case:
    span = query.span()
    if query.meter is not None:
        required(query.unit, "unit", query.figure)
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
    found = await asyncio.to_thread(app.explain.explained, lineage, with_readings=listed)
    details = _details(found, [])
    return Case(ConsumptionExplanation.of(found), evidence_tables.sheets(lineage, details))


def _details(found: Explained, outputs: Sequence[Part]) -> dict[int, MeterDetail]:
    """Return the details of meters by id."""
    ids = {
        (each.meter.unit, each.meter.meter): each.meter.meter_id for each in found.lineage.meters
    }
    parts = [part for _, part in leaves(found.root)] + list(outputs)
    return {
        ids[part.unit, part.code]: part.detail
        for part in parts
        if part.detail is not None and part.unit is not None and (part.unit, part.code) in ids
    }


# -- an intensity ----------------------------------------------------------------------------------


async def _intensity(caller: Caller, query: ExplainQuery) -> Case:
    bucket, step = query.bucket()
    unit = required(query.unit, "unit", query.figure)
    product = required(query.product, "product", query.figure)
    asked = IntensityQuery.model_validate(
        {"unit": unit, "product": product, "bucket": step,
         "from": bucket.starts_at.isoformat(), "to": bucket.ends_at.isoformat()}
    )  # fmt: skip
    rows = (await app.api.intensity.answered(asked, caller)).items
    if not rows:
        raise NotFound("figure")
    question = Question(
        bucket, Basis.CALORIFIC, caller.now, unit=unit, as_known_on=query.as_known_on,
        unverified=caller.unverified,
    )  # fmt: skip
    lineage = await _intensity_lineage(caller, question, product, rows[0])
    energy = await asyncio.to_thread(app.explain.explained, lineage.energy)
    outputs = [] if lineage.outputs is None else app.explain.meter_parts(lineage.outputs)
    ratio = explain_intensity.ratio(lineage, energy.root, outputs)
    row = rows[0] if query.as_known_on is None else None
    answer = IntensityExplanation.of(lineage, energy, outputs, ratio, row)
    both = evidence.together(lineage.energy, lineage.outputs)
    sheets = evidence_tables.sheets(both, _details(replace(energy, lineage=both), outputs))
    return Case(answer, [*sheets, evidence_stated.production(lineage.statements)])


async def _intensity_lineage(
    caller: Caller, question: Question, product: str, row: IntensityRow
) -> IntensityLineage:
    assert question.unit is not None
    uom = intensity_uoms.parse(row.intensity_uom)
    on = question.span.starts_at.astimezone(LOCAL).date()
    equivalents = await db.products.list_equivalents(caller.connection)
    oil = app.intensity.equivalent(equivalents, Energy.KGOE, on)
    is_oil = uom.energy is Energy.KGOE and oil is not None
    return IntensityLineage(
        product,
        uom,
        question.span,
        await app.gathering.gather(caller, question),
        await app.gathering.gather_outputs(caller, question, product),
        await gathering_stated.statements(
            caller, question.unit, product, question.span, question.as_known_on
        ),
        oil.kgce_per_uom if is_oil and oil is not None else None,
    )


# -- a level ---------------------------------------------------------------------------------------


async def _level(caller: Caller, query: ExplainQuery) -> Case:
    asked = required(query.region, "region", query.figure)
    region = await parameters.known_region(caller, asked)
    assert region is not None
    seen = await db.figures.list_regions(
        caller.connection, caller.scope, region_prefix=Scope.of_region(region).region_prefix
    )
    if region not in {each.region for each in seen}:
        raise NotFound("region")
    wanted = WarningQuery(region=region, period=query.period, indicator=query.indicator)
    rows = (await list_warnings(wanted, caller)).items
    row = next(each for each in rows if each.region == region)
    year, through_month = _period(wanted, row)
    lineage = await gathering_stated.level(
        caller, region, year, through_month, query.indicator, query.as_known_on
    )
    found = explain_level.leveled(lineage)
    answered = row if query.as_known_on is None else None
    rule_sets = await db.rulesets.list_rule_sets(caller.connection)
    answer = explain_level_answers.of(lineage, found, answered, rule_sets)
    return Case(answer, evidence_stated.level(lineage))


def _period(wanted: WarningQuery, row: RegionWarning) -> tuple[int, int | None]:
    period = wanted.when()
    return (row.year, None) if period is None else (period.year, period.through_month)
