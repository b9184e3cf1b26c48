"""Owns GET /v1/balance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

import app.balance
import db.meter_sums
import db.registry
import db.statements
from app import known_tables
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, Reckoned, problems
from app.api.parameters import AsKnown, Between, CreditCode
from app.balance import CarrierBalance, Side
from app.depends import KnowingCaller
from app.errors import InvalidParameter
from energy import periods
from energy.balance import Absence, Comparison, Flow, Incomparable, Origin
from energy.factors import Basis
from energy.periods import Span, Step

DAYS_MAX = 1_100

router = APIRouter(tags=["balance"])


class BalanceQuery(Between, AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    unit: CreditCode = Field(
        description="unified social credit code of the unit", examples=["91450200MA5KF5XJ00"]
    )


class TermRow(Answer):
    """One flow of the balance. quantity is what the balance reckons with."""

    flow: Flow = Field(examples=["purchased"])
    quantity: Reckoned | None = Field(description="null: see absence", examples=[96300000.0])
    origin: Origin | None = Field(description="metered or stated", examples=["stated"])
    absence: Absence | None = Field(
        description="why there is no quantity; none_known is no gap: neither meter nor statement",
        examples=["not_stated"],
    )
    metered_quantity: Reckoned | None = Field(examples=[96100000.0])
    stated_quantity: float | None = Field(examples=[96300000.0])
    coverage: Reckoned | None = Field(
        description="share of the readings due that are there, of the meters of this flow; "
        "null: none was due, or there is no meter",
        examples=[0.995],
    )
    estimated_share: Reckoned | None = Field(
        description="share of the metered quantity that was spread over gaps", examples=[0.01]
    )
    evidence: list[str] = Field(
        description="meters or documents it rests on", examples=[["invoices of January 2026"]]
    )


class Difference(Answer):
    """Two figures of the same energy; difference is whole less part."""

    whole: Reckoned | None = Field(examples=[1000.0])
    part: Reckoned | None = Field(examples=[920.0])
    difference: Reckoned | None = Field(examples=[80.0])
    share: Reckoned | None = Field(description="difference ÷ whole", examples=[0.08])
    reason: Incomparable | None = Field(
        description="why they are not compared", examples=["no_sub_meters"]
    )


class BalanceRow(Answer):
    """The balance of one carrier, in uom."""

    energy: str = Field(examples=["raw_coal"])
    uom: str = Field(examples=["kg"])
    used: Reckoned | None = Field(
        description="opening stock + purchased + produced − sold − closing stock; null: a term "
        "is missing",
        examples=[98850000.0],
    )
    consumed: Reckoned | None = Field(
        description="the same less feedstock; null: a term is missing", examples=[98850000.0]
    )
    missing: list[Flow] = Field(
        description="terms that nobody knows: then there is no figure", examples=[["produced"]]
    )
    none_known: list[Flow] = Field(
        description="terms of which there is neither meter nor statement: taken not to exist",
        examples=[["sold"]],
    )
    terms: list[TermRow]
    metered: Reckoned | None = Field(
        description="what meters alone say: boundary and own generation less export and feedstock",
        examples=[98700000.0],
    )
    against_meters: Difference = Field(description="consumed beside metered")
    unmetered: Difference = Field(
        description="boundary and own generation less export, beside the sub-meters"
    )


class BalanceAnswer(ListOf[BalanceRow]):
    """A row for each carrier the unit has a meter or a statement of; next is always null."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    starts_at: LocalTime = Field(examples=["2026-01-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-02-01T00:00:00+08:00"])


@router.get(
    "/v1/balance",
    operation_id="list_balance",
    summary="Energy balance of a unit: purchased, produced, sold, stocks, sub-meters",
    responses=problems(401, 404, 422, 503),
)
async def list_balance(
    query: Annotated[BalanceQuery, Query()], caller: KnowingCaller
) -> BalanceAnswer:
    """Return the balance (能源实物平衡) of whole days, carrier by carrier.

    A term that nobody knows is named and there is then no figure. Stocks are those counted on the
    first day and on the day after the last; statements must cover the days exactly.
    """
    span = _days(query.span())
    caller = await known_tables.facts(caller, query.as_known_on)
    await parameters.visible_unit(caller, query.unit)
    await known_tables.sums(caller, [span], {Step.DAY}, unit=query.unit)
    meters = await db.meter_sums.list_sums(
        caller.connection,
        caller.scope,
        unit=query.unit,
        roles=app.balance.ROLES,
        span=span,
        step=Step.DAY,
        basis=Basis.CALORIFIC,
    )
    found = app.balance.balances(
        meters,
        await db.statements.list_stocks(caller.connection, caller.scope, query.unit),
        await db.statements.list_trades(caller.connection, caller.scope, unit=query.unit),
        await db.registry.list_reference_uoms(caller.connection),
        span,
        caller.now,
    )
    return BalanceAnswer(
        unit=query.unit,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        items=[_row(each) for each in found],
        next=None,
    )


def _days(span: Span) -> Span:
    for name, instant in (("from", span.starts_at), ("to", span.ends_at)):
        if periods.floor(instant, Step.DAY) != instant:
            raise InvalidParameter(
                name, "is no midnight of Asia/Shanghai: stocks and statements are of whole days"
            )
    if (span.ends_at - span.starts_at).days > DAYS_MAX:
        raise InvalidParameter("to", f"is more than {DAYS_MAX:,} days after from")
    return span


def _row(found: CarrierBalance) -> BalanceRow:
    return BalanceRow(
        energy=found.carrier,
        uom=found.uom,
        used=found.balance.used,
        consumed=found.balance.consumed,
        missing=list(found.balance.missing),
        none_known=list(found.balance.none_known),
        terms=[_term(side) for side in found.sides],
        metered=found.metered,
        against_meters=_difference(found.against_meters),
        unmetered=_difference(found.unmetered),
    )


def _term(side: Side) -> TermRow:
    metered, stated = side.metered, side.stated
    return TermRow(
        flow=side.term.flow,
        quantity=side.term.quantity,
        origin=side.term.origin,
        absence=side.term.absence,
        metered_quantity=None if metered is None else metered.term.quantity,
        stated_quantity=None if stated is None else stated.quantity,
        coverage=None if metered is None else metered.coverage,
        estimated_share=None if metered is None else metered.estimated_share,
        evidence=list(side.term.evidence),
    )


def _difference(found: Comparison) -> Difference:
    return Difference.model_validate(found)
