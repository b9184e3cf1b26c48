"""Owns GET /v1/meters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

import db.catalogue
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import OfUnit, Where
from app.depends import AuthenticatedCaller

router = APIRouter(tags=["registry"])


class MeterWhere(Where):
    """Meters, also those of one unit."""

    unit: OfUnit = None


class Meter(Answer):
    """A meter: what its values mean."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    unit_name: str = Field(examples=["柳州某钢铁厂"])
    meter: str = Field(description="the unit's own code of it", examples=["E01"])
    name: str = Field(examples=["总进线"])
    energy: str | None = Field(
        description="energy carrier; null: it measures output", examples=["electricity"]
    )
    kind: str = Field(
        description="register (cumulative), interval (used in the interval that starts at time) "
        "or gauge (a rate)",
        examples=["register"],
    )
    uom: str = Field(description="unit of measure of its values", examples=["kWh"])
    multiplier: float = Field(description="by which its values count, at present", examples=[1.0])
    rollover: float | None = Field(
        description="the value at which the register wraps", examples=[1000000.0]
    )
    interval_s: int = Field(
        description="a reading is due every so often, at present [s]", examples=[900]
    )
    role: str = Field(
        description="boundary, sub, output, feedstock, renewable or export", examples=["boundary"]
    )
    product: str | None = Field(description="what an output meter counts", examples=["crude_steel"])
    data_code: str | None = Field(
        description="采集数据编码, 16 digits", examples=["0000000002340080"]
    )
    installed_at: LocalTime = Field(examples=["2020-01-01T08:00:00+08:00"])


class Meters(ListOf[Meter]):
    """A page of meters, by unit and code."""


@router.get(
    "/v1/meters",
    operation_id="list_meters",
    summary="Meters within the scope of the key",
    responses=problems(401, 404, 422, 503),
)
async def list_meters(where: Annotated[MeterWhere, Query()], caller: AuthenticatedCaller) -> Meters:
    """Return meters. A unit that is named must be visible, else the answer is 404."""
    unit, meter = cursor.decode(where.cursor, 2)
    if where.unit is not None:
        await parameters.visible_unit(caller, where.unit)
    entries = await db.catalogue.list_meters(
        caller.connection,
        caller.scope,
        filters=await parameters.filters(caller, where),
        unit=where.unit,
        after=(unit, meter),
        limit=where.limit + 1,
    )
    page = entries[: where.limit]
    last = page[-1] if len(entries) > len(page) else None
    return Meters(
        items=[Meter.model_validate(entry) for entry in page],
        next=None if last is None else cursor.encode(last.unit, last.meter),
    )
