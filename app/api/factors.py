"""Owns GET /v1/factors."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, ConfigDict, Field

import db.factors
from app import known_tables
from app.api import parameters
from app.api.answers import Answer, ListOf, problems
from app.api.parameters import AsKnown, CreditCode
from app.depends import Caller, KnowingCaller
from app.errors import InvalidParameter, NotFound
from app.left_out import LeftOut
from db.factors import CarrierRow
from energy.factors import Basis, Factor, FactorTable, MissingFactor, Origin
from energy.periods import LOCAL

router = APIRouter(tags=["registry"])

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_day(text: object) -> date:
    """Return the day in `text`; nothing but the plain form is taken for one."""
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError("is a day as in 2026-11-01")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"is not a day of the calendar: {error}") from error
    if not parameters.EARLIEST.year <= day.year < parameters.LATEST.year:
        years = f"{parameters.EARLIEST.year} to {parameters.LATEST.year - 1}"
        raise ValueError(f"must be in the years {years}")
    return day


class FactorsQuery(AsKnown):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    carrier: str | None = Field(
        default=None,
        pattern="^[a-z0-9_]{1,40}$",
        description="energy carrier; without: all",
        examples=["natural_gas"],
    )
    on: Annotated[date, BeforeValidator(parse_day)] | None = Field(
        default=None,
        description="the day on which they hold, of Asia/Shanghai; without: today",
        examples=["2026-11-01"],
    )
    basis: Basis | None = Field(
        default=None,
        description="calorific value (当量值) or coal-equivalent value (等价值); without: both",
        examples=["calorific"],
    )
    unit: CreditCode | None = Field(
        default=None,
        description="unified social credit code of a unit: what it declared or had measured too",
        examples=["91450200MA5KF5XJ00"],
    )


class FactorItem(Answer):
    """A factor that holds on the day; those of higher precedence come first."""

    carrier: str = Field(examples=["natural_gas"])
    carrier_name: str = Field(examples=["天然气"])
    basis: Basis = Field(examples=["calorific"])
    kgce_per_uom: float = Field(
        description="standard coal per uom, the unit of measure the carrier is accounted in",
        examples=[1.2143],
    )
    uom: str = Field(examples=["m3"])
    origin: Origin = Field(
        description="measured by batch, declared by the unit, or the reference for everyone",
        examples=["declared"],
    )
    is_used: bool = Field(
        description="this one values the quantity; the others would if it were not there",
        examples=[True],
    )
    unit: str | None = Field(
        description="whose own it is; null: for everyone", examples=["91450200MA5KF5XJ00"]
    )
    batch: str | None = Field(description="of a measured value", examples=["2026-10-A"])
    valid_from: date = Field(examples=["2026-01-01"])
    valid_to: date | None = Field(
        description="the first day on which it does not hold; null: no end", examples=[None]
    )
    edition: str = Field(examples=["GB/T 2589-2020"])
    source: str = Field(examples=["gas quality report of the supplier, contract 17"])
    verified: bool = Field(description="somebody has compared it with its source", examples=[True])
    note: str | None = Field(
        description="where the figure was found, if nobody compared it with its source",
        examples=["second-hand copy"],
    )


class MissingItem(Answer):
    """A carrier that has no factor on the day: its quantities have no coal equivalent."""

    carrier: str = Field(examples=["natural_gas"])
    basis: Basis = Field(examples=["calorific"])
    reason: MissingFactor = Field(examples=["range_only"])
    detail: str = Field(
        examples=["natural_gas, calorific: GB/T 2589-2020 gives only a range, 1.1 to 1.33 kgce …"]
    )


class FactorsAnswer(ListOf[FactorItem]):
    """All rows at once, by carrier, basis and precedence; next is always null."""

    on: date = Field(examples=["2026-11-01"])
    missing: list[MissingItem]


@router.get(
    "/v1/factors",
    operation_id="list_factors",
    summary="Coal equivalent factors that hold on a day",
    responses=problems(401, 404, 422, 503),
)
async def list_factors(
    query: Annotated[FactorsQuery, Query()], caller: KnowingCaller
) -> FactorsAnswer:
    """Return the factors for everyone and, of a unit that is named, its own.

    What holds on a day is one row of each origin at most; `is_used` is the one of highest
    precedence, unless it is unverified and the platform refuses those. A unit that is named must
    be visible, else the answer is 404.
    """
    caller = await known_tables.facts(caller, query.as_known_on)
    on = query.on or caller.now.astimezone(LOCAL).date()
    unit_id = await _unit_id(caller, query.unit)
    table = FactorTable(
        await db.factors.list_visible(
            caller.connection, caller.scope, unit_ids=[] if unit_id is None else [unit_id]
        ),
        await db.factors.list_ranges(caller.connection),
        unverified=caller.unverified,
    )
    items, missing = [], []
    for carrier in await _carriers(caller, query.carrier):
        for basis in Basis if query.basis is None else (query.basis,):
            used = table.look_up(carrier.carrier, basis, unit_id, on)
            items += [
                _item(factor, carrier, query.unit, is_used=factor is used)
                for factor in table.holding(carrier.carrier, basis, unit_id, on)
            ]
            if isinstance(used, MissingFactor):
                detail = LeftOut(table, basis, caller.now).sentence(carrier.carrier, used)
                missing.append(
                    MissingItem(carrier=carrier.carrier, basis=basis, reason=used, detail=detail)
                )
    return FactorsAnswer(items=items, next=None, on=on, missing=missing)


async def _unit_id(caller: Caller, unit: str | None) -> int | None:
    if unit is None:
        return None
    unit_id = await db.factors.fetch_unit_id(caller.connection, caller.scope, unit)
    if unit_id is None:
        raise NotFound("unit")
    return unit_id


async def _carriers(caller: Caller, carrier: str | None) -> list[CarrierRow]:
    known = await db.factors.list_carriers(caller.connection)
    found = [row for row in known if carrier in (None, row.carrier)]
    if not found:
        raise InvalidParameter("carrier", f"{carrier} is not an energy carrier that is accounted")
    return found


def _item(factor: Factor, carrier: CarrierRow, unit: str | None, *, is_used: bool) -> FactorItem:
    return FactorItem(
        carrier=carrier.carrier,
        carrier_name=carrier.name_zh,
        basis=factor.basis,
        kgce_per_uom=factor.kgce_per_uom,
        uom=carrier.reference_uom,
        origin=factor.origin,
        is_used=is_used,
        unit=None if factor.unit_id is None else unit,
        batch=factor.batch,
        valid_from=factor.valid_from,
        valid_to=factor.valid_to,
        edition=factor.edition,
        source=factor.source,
        verified=factor.verified,
        note=factor.note,
    )
