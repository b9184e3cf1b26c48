"""Owns GET /v1/stream: what has happened, told as it does."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.security import HTTPAuthorizationCredentials
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from app import depends, state
from app.api import parameters
from app.api.answers import Answer, LocalTime, problems
from app.api.parameters import OfUnit, WithinRegion
from app.depends import Shown, bearer
from app.errors import InvalidParameter, Unauthorized
from app.roles import Act
from app.state import State
from app.stream import Follower, Happened, Kind, Notice, Question, Told, kind_of
from db.alerts import AlertState
from db.scope import Scope
from db.stream import AcceptedBatch, Place

RETRY_MS = 3_000
_PLACE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?")

router = APIRouter(tags=["stream"])

EXAMPLE = """\
event: open
data: {"detail":"From here on nothing is left out."}
id: 1840

event: readings
data: {"unit":"91450200MA5KF5XJ00","region":"450202","gateway":"gw1","batch":"gw1-000123",…}
id: 1841.1

"""


def _kinds(text: str) -> str:
    for name in text.split(","):
        if name not in [*Kind]:
            raise ValueError(f"{name!r} is none of {', '.join(Kind)} (a comma list)")
    return text


class StreamWhere(BaseModel):
    """What is followed."""

    model_config = ConfigDict(extra="forbid")

    kinds: Annotated[str, AfterValidator(_kinds)] | None = Field(
        default=None,
        max_length=100,
        description="a comma list of readings, warnings, alerts; all of them unless given",
        examples=["readings,alerts"],
    )
    region: WithinRegion = None
    unit: OfUnit = None

    def followed(self) -> frozenset[Kind]:
        return frozenset(Kind if self.kinds is None else map(Kind, self.kinds.split(",")))


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


OF_ROW = ConfigDict(extra="ignore")
"""A row has its place besides."""


class AcceptedReadings(Answer):
    """A batch of which readings were stored."""

    model_config = OF_ROW

    unit: str
    region: str
    gateway: str
    batch: str | None = Field(description="null: its gateway gives batches no name")
    received_at: LocalTime
    stored: int = Field(description="readings that are new")


class AlertChanged(Answer):
    """Something happened to an alert; its level and state are those it has now."""

    model_config = OF_ROW

    alert_id: int
    event_id: int
    change: str = Field(description="as in the history of the alert")
    happened_at: LocalTime
    rule: str | None
    region: str
    unit: str | None
    subject: str
    measured: float | None
    uom: str
    reason: str
    level: int
    state: AlertState


NOTICES = {
    Notice.OPEN: "From here on nothing is left out.",
    Notice.RESET: "What happened since the id that was named is not told any more. Fetch anew what "
    "you keep (/v1/alerts, /v1/warnings, /v1/readings); from here on nothing is left out.",
}


async def _follower(
    request: Request,
    where: Annotated[StreamWhere, Query()],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    last_event_id: Annotated[
        str | None,
        Header(
            description="`id` of the event that came last, to go on after it", examples=["1841.1"]
        ),
    ] = None,
) -> AsyncIterator[Follower]:
    """Let somebody follow until their connection ends; no connection of the database is held."""
    held, shown = state.of(request), depends.shown_by(request, credentials)
    since = None if last_event_id is None else _place(last_event_id)
    async with depends.reading(held, shown) as caller:
        if where.unit is not None:
            await parameters.visible_unit(caller, where.unit)
        prefix = await parameters.region_prefix(caller, where.region)
    question = Question(caller.scope, where.followed(), prefix, where.unit)
    follower = Follower(caller.identity, question, _may_follow(held, shown, caller.scope), since)
    with held["stream"].followed(follower):
        yield follower


@router.get(
    "/v1/stream",
    operation_id="follow_stream",
    summary="What happens, as it happens",
    response_class=EventStream,
    responses=problems(401, 404, 422, 503)
    | {200: {"content": {"text/event-stream": {"example": EXAMPLE}}}},
)
async def follow_stream(
    follower: Annotated[Follower, Depends(_follower)],
) -> EventStream:
    """Server-sent events: `readings` (a batch was stored), `warnings` (the level of a region
    changed), `alerts` (any other alert opened, changed or closed); all within what the key sees.

    `open` comes first. Whoever reconnects with the id that came last as `Last-Event-ID` misses
    nothing and gets nothing twice; after `reset` something was left out: fetch anew. `end` says in
    `code` why the connection ends. A comment comes every 15 s.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventStream(_events(follower), headers=headers)


async def _events(follower: Follower) -> AsyncIterator[bytes]:
    async for told in follower.told():
        yield KEEPALIVE_COMMENT if told is None else _event(told)


def _place(text: str) -> Place:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise InvalidParameter("Last-Event-ID", "is not an id this call gave out")
    return Place(int(match[1]), None if match[2] is None else int(match[2]))


def _may_follow(held: State, shown: Shown, scope: Scope) -> Callable[[], Awaitable[None]]:
    """Return what asks anew who follows."""

    async def ask() -> None:
        holder = await depends.fetch_holder(held, shown)
        if holder.scope != scope or Act.READ not in holder.acts:
            raise Unauthorized("changed_key", "This key may see something else now. Connect again.")

    return ask


def _event(told: Told) -> bytes:
    place = str(told.place)
    match told.notice:
        case Notice.END:
            assert told.error is not None
            said = {"code": told.error.code, "detail": told.error.detail}
            return format_sse_event(data_str=_json(said), event=Notice.END)
        case Notice():
            said = {"detail": NOTICES[told.notice]}
            return format_sse_event(
                data_str=_json(said), event=told.notice, id=place, retry=RETRY_MS
            )
        case None if told.happened is None:
            return format_sse_event(id=place)
        case None:
            assert told.happened is not None
            text = _data(told.happened).model_dump_json()
            return format_sse_event(data_str=text, event=kind_of(told.happened), id=place)


def _json(said: dict[str, str]) -> str:
    return json.dumps(said, ensure_ascii=False)


def _data(happened: Happened) -> Answer:
    if isinstance(happened, AcceptedBatch):
        return AcceptedReadings.model_validate(happened)
    return AlertChanged.model_validate(happened)
