"""Owns GET /v1/verdicts: what rules find of their subjects now, and since when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

import db.evaluators
import db.standings
from alerts import standing
from alerts.verdicts import State
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import OfUnit, Page, WithinRegion
from app.depends import AuthenticatedCaller
from db.standings import StandingRow, Unjudged

RULE_ID_MAX = 2**31 - 1

router = APIRouter(tags=["alerts"])


class VerdictWhere(Page):
    """Which verdicts."""

    state: State | None = Field(
        default=None,
        description="ok, warn (near its threshold), firing (over), unknown",
        examples=["unknown"],
    )
    rule_id: int | None = Field(
        default=None, ge=1, le=RULE_ID_MAX, description="only of this rule", examples=[1]
    )
    region: WithinRegion = None
    unit: OfUnit = None


class VerdictAnswer(Answer):
    """What a rule finds of one of its subjects now."""

    rule_id: int = Field(description="see /v1/rules/{rule_id}", examples=[1])
    rule_version: int = Field(description="the version that judged", examples=[1])
    subject: str = Field(
        description="what is watched: unit/product, or region/year",
        examples=["91450200MA5KF5XJ00/crude_steel"],
    )
    unit: str | None = Field(description="null: it is a region", examples=["91450200MA5KF5XJ00"])
    unit_name: str | None = Field(examples=["柳州某钢铁厂"])
    region: str = Field(examples=["450202"])
    state: State = Field(
        description="unknown where data lack, or a meter says nothing now: that is not ok",
        examples=["ok"],
    )
    since_at: LocalTime = Field(
        description="since when it has been in this state", examples=["2026-11-23T08:00:12+08:00"]
    )
    told_at: LocalTime | None = Field(
        description="when a notice told that it is unknown (unknown_h of the rule); null: none did",
        examples=["2026-11-24T08:00:12+08:00"],
    )
    period_starts_at: LocalTime = Field(
        description="of the newest period of which something can be said",
        examples=["2026-11-23T07:00:00+08:00"],
    )
    period_ends_at: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    measured: float | None = Field(description="in uom; null: not known", examples=[655.2])
    threshold: float | None = Field(description="in uom; null: not known", examples=[635.0])
    uom: str = Field(examples=["kgce/t"])
    level: int | None = Field(description="1 is the worst; null: none", examples=[1])
    coverage: float = Field(
        description="share of the readings due that are there", examples=[0.995]
    )
    estimated_share: float = Field(
        description="share that was spread over gaps between readings", examples=[0.01]
    )
    reason: str = Field(description="a sentence", examples=["no data from E01"])
    judged_at: LocalTime = Field(
        description="when this was found first", examples=["2026-11-23T08:00:12+08:00"]
    )


class VerdictCounts(Answer):
    """How many subjects are in each state, of the rule and region that are asked for."""

    ok: int = Field(examples=[120])
    warn: int = Field(examples=[4])
    firing: int = Field(examples=[2])
    unknown: int = Field(examples=[1])


class Verdicts(ListOf[VerdictAnswer]):
    """A page of verdicts, in order of rule and subject."""

    counts: VerdictCounts
    evaluated_at: LocalTime | None = Field(
        description="when all rules had been judged last; null: never yet",
        examples=["2026-11-23T16:00:20+08:00"],
    )
    is_stale: bool = Field(
        description="nobody judges the rules: all is unknown, figures are those of before",
        examples=[False],
    )
    stale_reason: str | None = Field(
        description="a sentence, with whom to ask; null: rules are judged", examples=[None]
    )


@router.get(
    "/v1/verdicts",
    operation_id="list_verdicts",
    summary="What alert rules find now",
    responses=problems(401, 404, 422, 503),
)
async def list_verdicts(
    where: Annotated[VerdictWhere, Query()], caller: AuthenticatedCaller
) -> Verdicts:
    """Return how each subject of a rule stands, also where there is no alert.

    A subject is unknown when its data do not suffice, and within two intervals of a meter that
    says nothing any more; an alert stays open meanwhile. So is everything while nobody judges.
    """
    prefix = await parameters.region_prefix(caller, where.region)
    if where.unit is not None:
        await parameters.visible_unit(caller, where.unit)
    evaluated_at = await db.evaluators.fetch_ended_at(caller.connection)
    reason = standing.nobody_judges(evaluated_at, caller.now)
    unjudged = None if reason is None else Unjudged(evaluated_at, reason)
    rows = await db.standings.list_visible(
        caller.connection,
        caller.scope,
        rule_id=where.rule_id,
        region_prefix=prefix,
        unit=where.unit,
        state=where.state,
        after=_after(where.cursor),
        limit=where.limit + 1,
        unjudged=unjudged,
    )
    counts = await db.standings.count_visible(
        caller.connection, caller.scope, rule_id=where.rule_id, region_prefix=prefix
    )
    if unjudged is not None:
        counts = {State.UNKNOWN: sum(counts.values())}
    page = rows[: where.limit]
    last = cursor.encode(str(page[-1].rule_id), page[-1].subject) if page else None
    return Verdicts(
        items=[_answer(row) for row in page],
        next=last if len(rows) > len(page) else None,
        counts=VerdictCounts(**{str(state): counts.get(state, 0) for state in State}),
        evaluated_at=evaluated_at,
        is_stale=unjudged is not None,
        stale_reason=reason,
    )


def _after(text: str | None) -> tuple[int, str]:
    rule_id, subject = cursor.decode(text, 2)
    return (cursor.number(rule_id, RULE_ID_MAX) if text else 0), subject


def _answer(row: StandingRow) -> VerdictAnswer:
    return VerdictAnswer(
        rule_id=row.rule_id,
        rule_version=row.rule_version,
        subject=row.subject,
        unit=row.unit,
        unit_name=row.unit_name,
        region=row.region,
        state=State(row.state),
        since_at=row.since_at,
        told_at=row.told_at,
        period_starts_at=row.period.starts_at,
        period_ends_at=row.period.ends_at,
        measured=row.measured,
        threshold=row.threshold,
        uom=row.uom,
        level=row.level,
        coverage=row.coverage,
        estimated_share=row.estimated_share,
        reason=row.reason,
        judged_at=row.judged_at,
    )
