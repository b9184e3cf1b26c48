"""Owns GET /v1/alerts and /v1/alerts/{alert_id}."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

import db.alerts
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import CreditCode, NoParameters, Page, RegionCode
from app.depends import AuthenticatedCaller
from app.errors import InvalidParameter, NotFound
from db.alerts import AlertRow, AlertState

ALERT_ID_MAX = 2**63 - 1

router = APIRouter(tags=["alerts"])


class AlertWhere(Page):
    """Which alerts."""

    state: AlertState | None = Field(
        default=None,
        description="pending (not over for long enough), firing or resolved",
        examples=["firing"],
    )
    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code of a province, city or county: what is within",
        examples=["450200"],
    )
    unit: CreditCode | None = Field(
        default=None,
        description="unified social credit code of a unit",
        examples=["91450200MA5KF5XJ00"],
    )


class Alert(Answer):
    """An early warning: something is, or was, over its threshold."""

    alert_id: int = Field(examples=[17])
    kind: str = Field(description="of its rule", examples=["product_intensity"])
    rule: str = Field(description="name of its rule", examples=["单位产品能耗限额"])
    region: str = Field(examples=["450202"])
    region_name: str = Field(examples=["城中区"])
    unit: str | None = Field(
        description="null: the alert is about the region", examples=["91450200MA5KF5XJ00"]
    )
    unit_name: str | None = Field(examples=["柳州某钢铁厂"])
    subject: str = Field(
        description="what is watched: unit/product, or region/year",
        examples=["91450200MA5KF5XJ00/crude_steel"],
    )
    level: int = Field(description="1 is the worst", examples=[1])
    state: AlertState = Field(examples=["firing"])
    period_starts_at: LocalTime = Field(
        description="start of the period that led to its present state",
        examples=["2026-11-23T07:00:00+08:00"],
    )
    period_ends_at: LocalTime = Field(
        description="end of that period", examples=["2026-11-23T08:00:00+08:00"]
    )
    measured: float = Field(description="in uom", examples=[655.2])
    threshold: float = Field(description="in uom", examples=[635.0])
    uom: str = Field(examples=["kgce/t"])
    coverage: float = Field(
        description="share of the readings due that are there", examples=[0.995]
    )
    estimated_share: float = Field(
        description="share that was spread over gaps between readings", examples=[0.01]
    )
    reason: str = Field(
        description="a sentence", examples=["655.2 kgce/t, over the limit of 635 (edition 2013)"]
    )
    pending_at: LocalTime = Field(
        description="when it was first over", examples=["2026-11-23T08:00:12+08:00"]
    )
    fired_at: LocalTime | None = Field(
        description="when letters were written; null: not (yet)",
        examples=["2026-11-23T09:00:12+08:00"],
    )
    resolved_at: LocalTime | None = Field(examples=["2026-11-23T12:00:12+08:00"])
    updated_at: LocalTime = Field(examples=["2026-11-23T09:00:12+08:00"])


class Event(Answer):
    """Something that happened to an alert."""

    event_id: int = Field(examples=[42])
    happened_at: LocalTime = Field(examples=["2026-11-23T09:00:12+08:00"])
    kind: str = Field(examples=["fired"])
    measured: float | None = Field(description="in the uom of the alert", examples=[655.2])
    reason: str = Field(
        description="a sentence", examples=["655.2 kgce/t, over the limit of 635 (edition 2013)"]
    )


class AlertDetail(Alert):
    """An alert with its history, oldest first."""

    events: list[Event]


class Alerts(ListOf[Alert]):
    """A page of alerts, newest first."""


@router.get(
    "/v1/alerts",
    operation_id="list_alerts",
    summary="Early warnings, newest first",
    responses=problems(401, 404, 422, 503),
)
async def list_alerts(where: Annotated[AlertWhere, Query()], caller: AuthenticatedCaller) -> Alerts:
    """Return alerts. A unit that is named must be visible, else the answer is 404."""
    if where.unit is not None:
        await parameters.visible_unit(caller, where.unit)
    rows = await db.alerts.list_alerts(
        caller.connection,
        caller.scope,
        state=where.state,
        region=await parameters.known_region(caller, where.region),
        unit=where.unit,
        limit=where.limit + 1,
        before_alert_id=_before(where.cursor),
    )
    page = rows[: where.limit]
    return Alerts(
        items=[Alert.model_validate(_fields(row)) for row in page],
        next=cursor.encode(str(page[-1].alert_id)) if len(rows) > len(page) else None,
    )


@router.get(
    "/v1/alerts/{alert_id}",
    operation_id="fetch_alert",
    summary="One early warning with its history",
    responses=problems(401, 404, 422, 503),
)
async def fetch_alert(
    alert_id: Annotated[
        int, Path(description="number of the alert", examples=[17], ge=1, le=ALERT_ID_MAX)
    ],
    _: Annotated[NoParameters, Query()],
    caller: AuthenticatedCaller,
) -> AlertDetail:
    """Return an alert, with all that happened to it."""
    row = await db.alerts.fetch_alert(caller.connection, caller.scope, alert_id)
    if row is None:
        raise NotFound("alert")
    events = await db.alerts.list_events(caller.connection, alert_id)
    return AlertDetail.model_validate(_fields(row) | {"events": events})


def _before(text: str | None) -> int | None:
    (part,) = cursor.decode(text, 1)
    if text is None:
        return None
    if not (part.isascii() and part.isdigit() and 1 <= int(part) <= ALERT_ID_MAX):
        raise InvalidParameter("cursor", cursor.REFUSAL)
    return int(part)


def _fields(row: AlertRow) -> dict[str, object]:
    fields = asdict(row)
    del fields["period"]
    return fields | {
        "period_starts_at": row.period.starts_at,
        "period_ends_at": row.period.ends_at,
    }
