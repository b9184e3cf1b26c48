"""Owns GET /v1/units and /v1/units/{unit}."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

import db.catalogue
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import NoParameters, Where
from app.depends import AuthenticatedCaller
from energy import codes

router = APIRouter(tags=["registry"])


class Unit(Answer):
    """A key energy-consuming unit (重点用能单位)."""

    unit: str = Field(
        description="unified social credit code (统一社会信用代码)", examples=["91450200MA5KF5XJ00"]
    )
    name: str = Field(examples=["柳州某钢铁厂"])
    region: str = Field(description="where the plant stands", examples=["450202"])
    region_name: str = Field(examples=["城中区"])
    city: str = Field(description="the city of its MQTT topics", examples=["450200"])
    industry: str = Field(description="GB/T 4754 code", examples=["C3120"])
    industry_name: str = Field(description="of the division", examples=["黑色金属冶炼和压延加工业"])
    annual_tce: float | None = Field(
        description="registered yearly consumption [tce]", examples=[52000.0]
    )
    commissioned_on: date | None = Field(examples=["2012-05-01"])
    signature_required: bool = Field(
        description="what its gateways send without a signature is rejected", examples=[False]
    )
    energies: list[str] = Field(
        description="carriers it has meters for", examples=[["coke", "electricity"]]
    )


class Gateway(Answer):
    """A gateway (端设备) that may send for the unit."""

    gateway: str = Field(examples=["gw1"])
    connection: str | None = Field(
        description="online or offline, as it last said; null: it never did", examples=["online"]
    )
    connection_at: LocalTime | None = Field(examples=["2026-11-23T08:00:00+08:00"])
    last_seen_at: LocalTime | None = Field(examples=["2026-11-23T08:15:02+08:00"])
    firmware: str | None = Field(examples=["2.4.1"])
    revoked: bool = Field(description="its readings are rejected", examples=[False])


class UnitDetail(Unit):
    """A unit with what only its own page shows."""

    contact_email: str | None = Field(examples=["energy@example.com"])
    gateways: list[Gateway]


class Units(ListOf[Unit]):
    """A page of units, by code."""


@router.get(
    "/v1/units",
    operation_id="list_units",
    summary="Units within the scope of the key",
    responses=problems(401, 422, 503),
)
async def list_units(where: Annotated[Where, Query()], caller: AuthenticatedCaller) -> Units:
    """Return units. Filtered by energy: only those with a meter of it."""
    (after,) = cursor.decode(where.cursor, 1)
    entries = await db.catalogue.list_units(
        caller.connection,
        caller.scope,
        filters=await parameters.filters(caller, where),
        after=after,
        limit=where.limit + 1,
    )
    page = entries[: where.limit]
    return Units(
        items=[Unit.model_validate(entry) for entry in page],
        next=cursor.encode(page[-1].unit) if len(entries) > len(page) else None,
    )


@router.get(
    "/v1/units/{unit}",
    operation_id="fetch_unit",
    summary="One unit with its gateways",
    responses=problems(401, 404, 422, 503),
)
async def fetch_unit(
    unit: Annotated[
        str,
        Path(
            description="unified social credit code", examples=["91450200MA5KF5XJ00"], max_length=64
        ),
    ],
    _: Annotated[NoParameters, Query()],
    caller: AuthenticatedCaller,
) -> UnitDetail:
    """Return a unit, with its gateways and when each was last heard."""
    unit = codes.normalised(unit)
    entry = await parameters.visible_unit(caller, unit)
    gateways = await db.catalogue.list_gateways(caller.connection, caller.scope, unit)
    return UnitDetail(
        **Unit.model_validate(entry).model_dump(),
        contact_email=entry.contact_email,
        gateways=[Gateway.model_validate(gateway) for gateway in gateways],
    )
