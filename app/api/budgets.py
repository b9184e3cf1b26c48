"""Owns GET /v1/budgets."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

import app.budgets
import db.budgets
from alerts.kinds.budget_pace import charges
from app import cursor, known_tables, state
from app.api import parameters
from app.api.answers import Answer, ListOf, Reckoned, problems
from app.api.parameters import AsKnown, CreditCode, Instant, Page, RegionCode
from app.budgets import Charged
from app.depends import Caller, KnowingCaller
from app.errors import InvalidParameter
from db.budgets import BudgetEntry
from energy.budgets import Obstacle, OwnerKind
from energy.factors import Basis
from energy.forecast import Outlook

router = APIRouter(tags=["targets"])

BUDGET_ID_MAX = 2**31 - 1
PAGE_MAX = 100
"""Budgets at a time: each is a year of days."""


class BudgetQuery(Page, AsKnown):
    """What is asked for."""

    limit: int = Field(
        default=PAGE_MAX, ge=1, le=PAGE_MAX, description="items at most", examples=[100]
    )
    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code: budgets of owners within",
        examples=["450200"],
    )
    unit: CreditCode | None = Field(
        default=None,
        description="budgets that this unit is charged to: its own, its park's, its city's",
        examples=["91450200MA5KF5XJ00"],
    )
    at: Instant | None = Field(
        default=None,
        description="how they stood then, by the data there are now; without: now",
        examples=["2026-11-23T08:00:00+08:00"],
    )


class Forecast(Answer):
    """What the use comes to at the end of the period, and the day the budget runs out."""

    outlook: Outlook = Field(examples=["runs_out"])
    expected_tce: Reckoned = Field(examples=[2650.0])
    low_tce: Reckoned = Field(examples=[2480.0])
    high_tce: Reckoned = Field(examples=[2900.0])
    runs_out_on: date | None = Field(
        description="the day in which it is used up; null: not within the period",
        examples=["2026-11-09"],
    )
    earliest_on: date | None = Field(examples=["2026-10-08"])
    latest_on: date | None = Field(examples=["2026-12-02"])


class Budget(Answer):
    """An energy budget (用能预算) and how it stands."""

    owner_kind: OwnerKind = Field(examples=["unit"])
    owner: str = Field(
        description="code of the city, park or unit", examples=["91450200MA5KF5XJ00"]
    )
    owner_name: str = Field(examples=["柳州某钢铁厂"])
    starts_on: date = Field(examples=["2026-01-01"])
    ends_on: date = Field(description="no longer included", examples=["2027-01-01"])
    amount_tce: float = Field(examples=[2400.0])
    basis: Basis = Field(examples=["calorific"])
    source: str = Field(examples=["柳发改环资〔2026〕1号"])
    unit_count: int = Field(
        description="registered units charged to it: of a city, not all its energy", examples=[1]
    )
    silent_units: list[str] = Field(
        description="units of which nothing is known in the period", examples=[[]]
    )
    through_on: date | None = Field(
        description="last day that is counted, a whole one", examples=["2026-11-22"]
    )
    used_tce: Reckoned | None = Field(
        description="of what is known; null: nothing is known", examples=[2310.0]
    )
    used_share: Reckoned | None = Field(description="of the budget", examples=[0.9625])
    coverage: Reckoned | None = Field(
        description="share of the readings due that are there; null: none was due",
        examples=[0.995],
    )
    estimated_share: Reckoned | None = Field(examples=[0.01])
    held: bool = Field(
        description="a step of a register waits for review and is in no figure", examples=[False]
    )
    left_out: list[str] = Field(description="carriers without a factor", examples=[[]])
    unverified_factors: list[str] = Field(
        description="carriers whose coal equivalent factor nobody verified against its source",
        examples=[[]],
    )
    pace_tce: Reckoned | None = Field(
        description="today's rate: mean of the last seven days, a day", examples=[7.1]
    )
    forecast: Forecast | None = Field(description="null: see reason")
    reason: Obstacle | None = Field(
        description="why there is no forecast", examples=["coverage_too_low"]
    )
    sentence_zh: str = Field(
        examples=["按目前用能水平，2,400 tce 预算将于11月9日用完（10月8日—12月2日）"]
    )
    sentence_en: str = Field(
        examples=["at today's rate the 2,400 tce budget ends on 9 Nov (8 Oct – 2 Dec)"]
    )


class Budgets(ListOf[Budget]):
    """A page of budgets."""


@router.get(
    "/v1/budgets",
    operation_id="list_budgets",
    summary="Energy budgets: what is used of them, and when they run out",
    responses=problems(401, 404, 422, 503),
)
async def list_budgets(
    query: Annotated[BudgetQuery, Query()], caller: KnowingCaller, request: Request
) -> Budgets:
    """Return the budgets whose period holds the day of `at`.

    A budget is shown to keys that may see all the units charged to it. The forecast repeats the
    use of late by kind of day (weekdays, holidays); its band is what that has missed by in the
    last eight weeks. There is none on figures that lack something: `reason` says what.
    """
    caller = await known_tables.facts(caller, query.as_known_on)
    at = query.at or caller.now
    if at > caller.now:
        raise InvalidParameter("at", "is in the future")
    (after,) = cursor.decode(query.cursor, 1)
    if query.unit is not None:
        await parameters.visible_unit(caller, query.unit)
    prefix = await parameters.region_prefix(caller, query.region)
    entries = await _entries(caller, query, prefix, at, _number(after))
    if caller.known_at is not None and entries:
        span = app.budgets.span([entry.row for entry in entries[: query.limit]], at)
        await known_tables.budgets(caller, [entry.budget_id for entry in entries], span)
        entries = await _entries(caller, query, prefix, at, _number(after))
    page = entries[: query.limit]
    found = await app.budgets.charged(
        caller,
        page,
        at,
        coverage_floor=state.of(request)["coverage_floor"],
        is_workday=charges.is_workday,
    )
    more = len(entries) > len(page)
    return Budgets(
        items=[_item(each) for each in found],
        next=cursor.encode(str(page[-1].budget_id)) if more else None,
    )


async def _entries(
    caller: Caller, query: BudgetQuery, region_prefix: str, at: datetime, after: int
) -> list[BudgetEntry]:
    """Return a page and one more. Which units are silent is known once the sums are there."""
    return await db.budgets.list_budgets(
        caller.connection,
        caller.scope,
        region_prefix=region_prefix,
        unit=query.unit,
        at=at,
        after=after,
        limit=query.limit + 1,
    )


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or int(text) > BUDGET_ID_MAX:
        raise InvalidParameter("cursor", cursor.REFUSAL)
    return int(text)


def _item(each: Charged) -> Budget:
    row, standing = each.entry.row, each.standing
    found = standing.projection
    return Budget(
        owner_kind=row.owner_kind,
        owner=row.owner,
        owner_name=each.entry.owner_name,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        amount_tce=row.amount_tce,
        basis=row.basis,
        source=row.source,
        unit_count=each.entry.unit_count,
        silent_units=each.entry.silent_units,
        through_on=standing.through_on,
        used_tce=standing.used_tce,
        used_share=standing.used_share,
        coverage=standing.coverage,
        estimated_share=standing.estimated_share,
        held=standing.held,
        left_out=list(standing.left_out),
        unverified_factors=each.unverified,
        pace_tce=standing.pace_tce,
        forecast=None if found is None else Forecast.model_validate(found),
        reason=standing.obstacle,
        sentence_zh=app.budgets.sentence_zh(row.amount_tce, standing),
        sentence_en=app.budgets.sentence_en(row.amount_tce, standing),
    )
