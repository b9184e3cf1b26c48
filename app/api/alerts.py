"""Owns /v1/alerts: early warnings with their history, and what people say of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

import app.alert_parts
import app.alerts_export
import db.alert_events
import db.alert_rows
from alerts.verdicts import State
from app import alerting, cursor, exports
from app.alerts_export import fields
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import PLAIN, NoParameters, OfUnit, Page, Sent, WithinRegion
from app.depends import AcknowledgingCaller, AuthenticatedCaller, Caller, StatingCaller
from app.errors import NotFound
from app.exports import Format
from db.alert_cases import Contest
from db.alert_events import EventRow
from db.alert_rows import Which
from db.alerts import About, AlertState

ALERT_ID_MAX = 2**63 - 1
TEXT_LENGTH_MAX = 2_000
TO_LENGTH_MAX = 320

router = APIRouter(tags=["alerts"])

AlertId = Annotated[
    int, Path(description="number of the alert", examples=[17], ge=1, le=ALERT_ID_MAX)
]
Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=TEXT_LENGTH_MAX,
        pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$",
    ),
]
"""What people write: lines, and no other control characters."""


class AlertWhere(Page):
    """Which alerts."""

    state: AlertState | None = Field(
        default=None,
        description="pending (not over for long enough), firing or resolved",
        examples=["firing"],
    )
    region: WithinRegion = None
    unit: OfUnit = None
    acknowledged: bool | None = Field(
        default=None,
        description="true: somebody takes care of it; false: nobody does yet",
        examples=[False],
    )
    assigned_to: str | None = Field(
        default=None,
        min_length=1,
        max_length=TO_LENGTH_MAX,
        pattern=PLAIN,
        description="whose they are: as alerts show it, or the address or label they were given to",
        examples=["节能监察（柳州市）"],
    )
    contested: bool | None = Field(
        default=None,
        description="true: a contest waits for a decision; false: none does",
        examples=[True],
    )
    overdue: bool | None = Field(
        default=None,
        description="true: not acknowledged, or not remedied, by when it was due",
        examples=[True],
    )
    format: Format = Field(
        default=Format.JSON,
        description="json: a page; csv, xlsx, parquet: all alerts as a file, without limit and "
        "cursor",
        examples=["json"],
    )


class Alert(Answer):
    """An early warning: something is, or was, over its threshold."""

    alert_id: int = Field(examples=[17])
    kind: str | None = Field(
        description="of its rule; null: that acts elsewhere by now", examples=["product_intensity"]
    )
    rule_id: int = Field(description="see /v1/rules/{rule_id}", examples=[1])
    rule_version: int = Field(description="the version that led to its present state", examples=[1])
    rule: str | None = Field(description="name of its rule", examples=["单位产品能耗限额"])
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
    acknowledged_at: LocalTime | None = Field(
        description="null: nobody did since it became as bad as it is",
        examples=["2026-11-23T09:20:00+08:00"],
    )
    acknowledged_by: str | None = Field(examples=["desk of Liuzhou"])
    updated_at: LocalTime = Field(examples=["2026-11-23T09:00:12+08:00"])
    about: About = Field(description="over; a notice: warn (near it), unknown", examples=["over"])
    is_late: bool = Field(description="its data came when it was long over", examples=[False])
    amended_at: LocalTime | None = Field(
        description="when it was told anew; null: never", examples=["2026-11-24T09:00:12+08:00"]
    )
    retracted_at: LocalTime | None = Field(
        description="when it turned out to be without reason; null: it has one", examples=[None]
    )
    assigned_to: str | None = Field(
        description="whose it is; null: nobody's", examples=["节能监察（柳州市）"]
    )
    contest: Contest | None = Field(
        description="open: the enterprise contests it, its clock stands still until somebody "
        "decides; upheld: it is settled unless it becomes worse; null: not contested",
        examples=["open"],
    )
    due_on: date | None = Field(
        description="last day on which what is owed now is in time; null: nothing is owed by a "
        "date, or it is not known",
        examples=["2026-11-26"],
    )
    due_for: str | None = Field(
        description="acknowledge: somebody is to take care of it; remedy: its figures are to be "
        "in order",
        examples=["acknowledge"],
    )
    due_reason: str | None = Field(
        description="calendar_unknown: a day is asked for, and the days off of its year are not "
        "published yet",
        examples=["calendar_unknown"],
    )
    overdue: bool = Field(examples=[False])
    raised_to: str | None = Field(
        description="region that was written to as nobody acknowledged it in time",
        examples=["450200"],
    )
    closed_at: LocalTime | None = Field(
        description="when its file was closed", examples=["2026-11-24T10:00:00+08:00"]
    )
    silenced_by: int | None = Field(
        description="silence that keeps its letters back; null: none does", examples=[1]
    )
    inhibited_by: int | None = Field(
        description="alert that tells of the same and keeps its letters back", examples=[12]
    )
    owed: str | None = Field(description="why a letter is due, kept back", examples=["first"])
    newest_state: State | None = Field(
        description="found last; null: over, or nobody looks any more", examples=["firing"]
    )
    newest_period_ends_at: LocalTime | None = Field(examples=["2026-11-23T09:00:00+08:00"])
    newest_measured: float | None = Field(description="in uom; null: unknown", examples=[661.0])
    newest_threshold: float | None = Field(description="in uom", examples=[635.0])
    nobody_to_tell: bool = Field(description="its letter waits for a contact", examples=[False])


class Event(Answer):
    """Something that happened to an alert."""

    event_id: int = Field(examples=[42])
    happened_at: LocalTime = Field(examples=["2026-11-23T09:00:12+08:00"])
    kind: str = Field(examples=["first"])
    measured: float | None = Field(description="in the uom of the alert", examples=[655.2])
    reason: str = Field(
        description="a sentence, or what the actor wrote",
        examples=["655.2 kgce/t, over the limit of 635 (edition 2013)"],
    )
    actor: str | None = Field(
        description="who said so; null: the platform found it", examples=["desk of Liuzhou"]
    )
    rule_version: int | None = Field(description="of the rule that judged", examples=[1])
    evidence: str | None = Field(
        description="what proves it", examples=["检定证书 2026-118 sha256:9f86d081884c7d65"]
    )
    assignee: str | None = Field(
        description="whose the alert became", examples=["节能监察（柳州市）"]
    )


class Acknowledgement(Sent):
    """That somebody takes care of an alert."""

    note: Text = Field(default="", description="what is done about it", examples=["已电话核实"])


class NewComment(Sent):
    """What is to be said of an alert."""

    text: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="as it is shown; it is never changed", examples=["窑况波动，已调整喂料"]
    )


class Comment(Answer):
    """What somebody said of an alert."""

    event_id: int = Field(examples=[42])
    happened_at: LocalTime = Field(examples=["2026-11-23T09:20:00+08:00"])
    actor: str = Field(description="who", examples=["desk of Liuzhou"])
    text: str = Field(examples=["窑况波动，已调整喂料"])


class Comments(ListOf[Comment]):
    """A page of comments, oldest first."""


class AlertDetail(Alert):
    """An alert with its history, oldest first."""

    is_part: bool = Field(
        default=False, description="what the caller's region was told of it", examples=[False]
    )
    events: list[Event]


class Alerts(ListOf[Alert]):
    """A page of alerts, newest first."""


@router.get(
    "/v1/alerts",
    operation_id="list_alerts",
    summary="Early warnings, newest first",
    response_model=Alerts,
    responses={**problems(401, 404, 422, 503), **exports.responses()},
)
async def list_alerts(
    where: Annotated[AlertWhere, Query()], caller: AuthenticatedCaller
) -> Alerts | Response:
    """Return alerts. A unit that is named must be visible, else the answer is 404."""
    if where.unit is not None:
        await parameters.visible_unit(caller, where.unit)
    region = await parameters.known_region(caller, where.region)
    which = Which(
        state=where.state,
        region=region,
        unit=where.unit,
        is_acknowledged=where.acknowledged,
        assigned_to=where.assigned_to,
        is_contested=where.contested,
        is_overdue=where.overdue,
    )
    if where.format is not Format.JSON:
        exports.refuse_beside_a_file(where, "limit", "cursor")
        file = await app.alerts_export.written(caller, where.format, which)
        return exports.answer(file, where.format, "alerts")
    rows = await db.alert_rows.list_alerts(
        caller.connection,
        caller.scope,
        which,
        now=caller.now,
        limit=where.limit + 1,
        before_alert_id=_after(where.cursor),
    )
    page = rows[: where.limit]
    return Alerts(
        items=[Alert.model_validate(fields(row)) for row in page],
        next=cursor.encode(str(page[-1].alert_id)) if len(rows) > len(page) else None,
    )


@router.get(
    "/v1/alerts/{alert_id}",
    operation_id="fetch_alert",
    summary="One early warning with its history",
    responses=problems(401, 404, 422, 503),
)
async def fetch_alert(
    alert_id: AlertId, _: Annotated[NoParameters, Query()], caller: AuthenticatedCaller
) -> AlertDetail:
    """Return an alert, with all that happened to it; of an outage of others, too, the own part."""
    try:
        return await detail(caller, alert_id)
    except NotFound:
        return AlertDetail.model_validate(await app.alert_parts.fields(caller, alert_id))


@router.post(
    "/v1/alerts/{alert_id}/acknowledge",
    operation_id="acknowledge_alert",
    summary="Take care of an early warning",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def acknowledge_alert(
    alert_id: AlertId,
    body: Acknowledgement,
    _: Annotated[NoParameters, Query()],
    caller: AcknowledgingCaller,
) -> AlertDetail:
    """Let nobody be reminded of an alert any more. Who did it first is kept; again changes nothing.

    It stays open until its figures are in order. Should it become worse, that is written about, and
    is to be acknowledged anew. A closed one is refused (409).
    """
    await alerting.acknowledge(caller, alert_id, body.note)
    return await detail(caller, alert_id)


@router.get(
    "/v1/alerts/{alert_id}/comments",
    operation_id="list_comments",
    summary="What people said of an early warning",
    responses=problems(401, 404, 422, 503),
)
async def list_comments(
    alert_id: AlertId, page: Annotated[Page, Query()], caller: AuthenticatedCaller
) -> Comments:
    """Return the comments, the oldest first, to whoever sees the alert."""
    await alerting.visible(caller, alert_id)
    rows = await db.alert_events.list_comments(
        caller.connection,
        alert_id,
        limit=page.limit + 1,
        after_event_id=_after(page.cursor) or 0,
    )
    shown = rows[: page.limit]
    return Comments(
        items=[_comment(row) for row in shown],
        next=cursor.encode(str(shown[-1].event_id)) if len(rows) > len(shown) else None,
    )


@router.post(
    "/v1/alerts/{alert_id}/comments",
    operation_id="comment_on_alert",
    summary="Say something of an early warning",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def comment_on_alert(
    alert_id: AlertId,
    body: NewComment,
    _: Annotated[NoParameters, Query()],
    caller: StatingCaller,
) -> Comment:
    """Append to the history of an alert, open or closed. An enterprise may on its own."""
    event_id = await alerting.comment(caller, alert_id, body.text)
    return Comment(event_id=event_id, happened_at=caller.now, actor=caller.actor, text=body.text)


async def detail(caller: Caller, alert_id: int) -> AlertDetail:
    """Return an alert of the caller's with its history. Raises NotFound."""
    row = await alerting.visible(caller, alert_id)
    events = await db.alert_events.list_of(caller.connection, alert_id)
    return AlertDetail.model_validate(fields(row) | {"events": events})


def _comment(row: EventRow) -> Comment:
    assert row.actor is not None
    return Comment(
        event_id=row.event_id, happened_at=row.happened_at, actor=row.actor, text=row.reason
    )


def _after(text: str | None) -> int | None:
    (part,) = cursor.decode(text, 1)
    return None if text is None else cursor.number(part, ALERT_ID_MAX)
