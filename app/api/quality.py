"""Owns GET /v1/quality."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

import app.quality
import db.filings
import db.repairs
import db.schemes
import db.scores
import db.suspicions
from app import cursor
from app.api import parameters
from app.api.answers import problems
from app.api.parameters import CreditCode, Page, WithinRegion
from app.api.quality_answers import (
    Filing,
    IndexScore,
    Indices,
    MeterState,
    QualityAnswer,
    QualityRow,
    Repair,
    Scoring,
    SuspicionItem,
)
from app.depends import AuthenticatedCaller, Caller
from app.errors import InvalidParameter
from app.quality import MonthCheck, Period, QualityGroup, Row
from db.repairs import RepairEntry
from db.suspicions import SuspicionEntry
from energy import agreement, quality, verification
from energy.periods import LOCAL, Step
from energy.quality import Index, Scheme, Score, Unscored
from energy.repairs import Fault
from energy.suspicion import Sureness, Suspicion
from energy.verification import Verification
from energy.workdays import NoDeadline

router = APIRouter(tags=["quality"])

LISTED_MAX = 200
"""Repairs and suspicions in an answer; `…_more` says that there are others."""


class QualityQuery(Page):
    """What is asked for."""

    region: WithinRegion = None
    unit: CreditCode | None = Field(
        default=None, description="unified social credit code", examples=["91450200MA5KF5XJ00"]
    )
    period: str | None = Field(
        default=None,
        max_length=10,
        description="a year, a month or a day of Asia/Shanghai; the month of now if not given",
        examples=["2026-11"],
    )
    group_by: QualityGroup = Field(
        default=QualityGroup.UNIT,
        description="what a row is about; meters are those of a `unit`, regions are cities or, "
        "within a city, counties",
        examples=["unit"],
    )


@router.get(
    "/v1/quality",
    operation_id="list_quality",
    summary="Data quality: indices, league, repair clock, suspicions",
    responses=problems(401, 404, 422, 503),
)
async def list_quality(
    query: Annotated[QualityQuery, Query()], caller: AuthenticatedCaller
) -> QualityAnswer:
    """Return the scores of a period so far, as the assessment last counted them.

    Those of a unit rest on the sums over its meters, those of a region on the sums over its units.
    """
    asked = _period(query, caller)
    prefix = await parameters.region_prefix(caller, query.region)
    if query.unit is not None:
        await parameters.visible_unit(caller, query.unit)
    elif query.group_by is QualityGroup.METER:
        raise InvalidParameter("unit", "is needed: meters are listed by unit")
    day = asked.span.starts_at.astimezone(LOCAL).date()
    scheme = db.schemes.in_force(await db.schemes.list_schemes(caller.connection), day).scheme()
    rows, total = await _rows(caller, query, prefix, asked, scheme)
    page, after = _page(query, rows)
    filed = await _filings(caller, query, page, asked, scheme)
    repairs = await _repairs(caller, query, prefix, asked)
    suspicions = await _suspicions(caller, query, prefix, asked)
    return QualityAnswer(
        items=[_item(row, query.group_by, scheme, filed) for row in page],
        next=after,
        period=asked.name,
        starts_at=asked.span.starts_at,
        ends_at=asked.span.ends_at,
        group_by=query.group_by,
        total=None if total is None else _item(total, QualityGroup.REGION, scheme, {}),
        scheme=Scoring(
            weights=dict(scheme.weights),
            completeness_pass=scheme.completeness_pass,
            agreement_max=scheme.agreement_max,
            official=scheme.is_official,
            source=scheme.source,
        ),
        repairs=[_repair(entry, caller) for entry in repairs[:LISTED_MAX]],
        repairs_more=len(repairs) > LISTED_MAX,
        suspicions=[_suspicion(entry) for entry in suspicions[:LISTED_MAX]],
        suspicions_more=len(suspicions) > LISTED_MAX,
    )


def _period(query: QualityQuery, caller: Caller) -> Period:
    try:
        return app.quality.period(query.period, caller.now)
    except ValueError as error:
        raise InvalidParameter("period", str(error)) from error


async def _rows(
    caller: Caller, query: QualityQuery, prefix: str, asked: Period, scheme: Scheme
) -> tuple[list[Row], Row | None]:
    """Return the league of what is grouped, and the sums of all units."""
    span = app.quality.so_far(asked, caller.now)
    if span is None:
        return [], None
    units = await db.scores.list_units(
        caller.connection, caller.scope, span=span, region_prefix=prefix, unit=query.unit
    )
    if not units:
        return [], None
    total = app.quality.total(units, query.region or "", scheme)
    match query.group_by:
        case QualityGroup.UNIT:
            rows = [app.quality.row_of(unit, scheme) for unit in units]
        case QualityGroup.REGION:
            within = prefix or caller.scope.region_prefix
            rows = app.quality.by_region(units, 4 if len(within) == 2 else 6, scheme)
        case QualityGroup.METER:
            meters = await db.scores.list_meters(
                caller.connection,
                caller.scope,
                span=span,
                unit=query.unit or "",
                begins_within_s=agreement.DAY_BEGINS_WITHIN.total_seconds(),
            )
            rows = [app.quality.row_of(meter, scheme) for meter in meters]
    return app.quality.league(rows), total


def _page(query: QualityQuery, rows: list[Row]) -> tuple[list[Row], str | None]:
    (after,) = cursor.decode(query.cursor, 1)
    keys = [row.key for row in rows]
    first = keys.index(after) + 1 if after in keys else 0
    page = rows[first : first + query.limit]
    more = first + query.limit < len(rows)
    return page, cursor.encode(page[-1].key) if more else None


async def _filings(
    caller: Caller, query: QualityQuery, page: list[Row], asked: Period, scheme: Scheme
) -> dict[str, list[MonthCheck]]:
    if query.group_by is not QualityGroup.UNIT or asked.step is Step.DAY:
        return {}
    filed: dict[str, list[MonthCheck]] = {}
    for one in await db.filings.list_filed_months(
        caller.connection,
        caller.scope,
        units=[row.key for row in page],
        first=asked.span.starts_at.astimezone(LOCAL).date(),
        last=asked.span.ends_at.astimezone(LOCAL).date(),
    ):
        if one.month < asked.span.ends_at.astimezone(LOCAL).date():
            filed.setdefault(one.unit, []).append(app.quality.checked(one, scheme))
    return filed


async def _repairs(
    caller: Caller, query: QualityQuery, prefix: str, asked: Period
) -> list[RepairEntry]:
    return await db.repairs.list_entries(
        caller.connection,
        caller.scope,
        span=asked.span,
        region_prefix=prefix,
        unit=query.unit,
        limit=LISTED_MAX + 1,
    )


async def _suspicions(
    caller: Caller, query: QualityQuery, prefix: str, asked: Period
) -> list[SuspicionEntry]:
    return await db.suspicions.list_entries(
        caller.connection,
        caller.scope,
        span=asked.span,
        region_prefix=prefix,
        unit=query.unit,
        limit=LISTED_MAX + 1,
    )


def _item(
    row: Row, group: QualityGroup, scheme: Scheme, filed: dict[str, list[MonthCheck]]
) -> QualityRow:
    one = row.counted
    begins = Score(
        row.tally.on_boundary / row.tally.opened if row.tally.opened else None,
        row.tally.on_boundary,
        row.tally.opened,
        None if row.tally.opened else Unscored.NOTHING_ARRIVED,
    )
    return QualityRow(
        rank=row.rank,
        region=row.region or None,
        unit=None if one is None else one.unit,
        unit_name=None if one is None else one.unit_name,
        meter=None if one is None else one.meter,
        units=row.units,
        composite=row.composite.value,
        composite_reason=row.composite.reason,
        composite_missing=list(row.composite.missing),
        completeness_passes=quality.passes(row.scores[Index.COMPLETENESS], scheme),
        indices=Indices(
            **{index.value: IndexScore.model_validate(row.scores[index]) for index in Index}
        ),
        day_begins=IndexScore.model_validate(begins),
        coverage=min(1.0, row.tally.meter_days / row.expected) if row.expected else None,
        measured_at=row.measured_at,
        meter_state=_meter_state(row) if group is QualityGroup.METER else None,
        filings=[_filing(check) for check in filed.get(row.key, [])],
    )


def _meter_state(row: Row) -> MeterState:
    one = row.counted
    assert one is not None
    faults = verification.irregularities(one.data_code, one.uom or "", is_energy=one.is_energy)
    return MeterState(
        verification=None if one.verification is None else Verification(one.verification),
        valid_until=one.valid_until,
        irregularities=list(faults),
    )


def _filing(check: MonthCheck) -> Filing:
    filed, found = check.filed, check.comparison
    return Filing(
        energy=filed.carrier,
        month=f"{filed.month:%Y-%m}",
        filed=filed.filed,
        summed=found.summed,
        uom=filed.uom,
        difference=found.difference,
        agreement=found.agreement,
        reason=found.reason,
        days=len(filed.days),
        days_known=sum(day is not None for day in filed.days),
        begins_in_time=check.begins_in_time,
        ends_in_time=check.ends_in_time,
    )


def _repair(entry: RepairEntry, caller: Caller) -> Repair:
    return Repair(
        id=entry.repair_id,
        unit=entry.unit,
        subject=entry.subject,
        fault=Fault(entry.fault),
        state=entry.state(caller.now),
        opened_at=entry.opened_at,
        due_at=entry.due_at,
        due_reason=None if entry.due_reason is None else NoDeadline(entry.due_reason),
        filed_at=entry.filed_at,
        repaired_at=entry.repaired_at,
    )


def _suspicion(entry: SuspicionEntry) -> SuspicionItem:
    evidence = json.loads(entry.evidence)
    if entry.concerns_other and entry.other_unit is None:
        evidence.pop("other_meter", None)
    return SuspicionItem(
        id=entry.suspicion_id,
        kind=Suspicion(entry.kind),
        unit=entry.unit,
        subject=entry.subject,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        sureness=Sureness(entry.sureness),
        evidence=evidence,
        concerns_other=entry.concerns_other,
        other_unit=entry.other_unit,
        found_at=entry.found_at,
    )
