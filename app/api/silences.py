"""Owns /v1/silences: what keeps letters of alerts back for a while, why, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

import app.silences
import db.silences
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import CreditCode, Instant, NoParameters, Page, RegionCode, Sent
from app.depends import ApprovingCaller, AuthenticatedCaller, Caller, RegulatingCaller
from app.silences import State, Statement
from db.silences import SilenceRow

SILENCE_ID_MAX = 2**31 - 1
REASON_LENGTH_MAX = 500
SUBJECT_LENGTH_MAX = 200
PLAIN = r"^[^\x00-\x1f\x7f]*$"

router = APIRouter(tags=["silences"])

SilenceId = Annotated[
    int, Path(description="number of the silence", examples=[1], ge=1, le=SILENCE_ID_MAX)
]
Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=REASON_LENGTH_MAX, pattern=PLAIN
    ),
]


class NewSilence(Sent):
    """Which letters are to be kept back, until when, and why."""

    region: RegionCode = Field(
        description="GB/T 2260 code of the region whose desk states it: alerts within, no others",
        examples=["450200"],
    )
    rule_id: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="only alerts of this rule; null: of all rules",
        examples=[1],
    )
    unit: CreditCode | None = Field(
        default=None,
        description="only alerts about this unit; null: about all, and about regions",
        examples=["91450200MA5KF5XJ00"],
    )
    subject: (
        Annotated[
            str,
            StringConstraints(
                strip_whitespace=True, min_length=1, max_length=SUBJECT_LENGTH_MAX, pattern=PLAIN
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="only alerts about this, as /v1/alerts shows it; null: about all",
        examples=["91450200MA5KF5XJ00/cement_clinker"],
    )
    starts_at: Instant | None = Field(
        default=None,
        description="from when on, not in the past and at most 92 days ahead; null: from now on",
        examples=["2026-11-24T08:00:00+08:00"],
    )
    ends_at: Instant = Field(
        description="until when, at most 31 days after its beginning",
        examples=["2026-11-26T08:00:00+08:00"],
    )
    reason: Reason = Field(description="why", examples=["2号窑停产检修，柳工信〔2026〕31号"])

    def statement(self, region: str) -> Statement:
        return Statement(
            region,
            self.rule_id,
            self.unit,
            self.subject,
            self.starts_at,
            self.ends_at,
            self.reason,
        )


class Why(BaseModel):
    """Why a silence is ended."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field(description="why", examples=["检修提前结束"])


class Approval(BaseModel):
    """Why a silence is approved."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field(description="why", examples=["checked with the statistics bureau"])


class SilenceWhere(Page):
    """Which silences."""

    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code: silences stated for it, or for what is within",
        examples=["450200"],
    )
    over: bool | None = Field(
        default=None,
        description="true: those that are over; false: the others",
        examples=[False],
    )


class Silence(Answer):
    """What keeps letters back. The alerts themselves are judged and shown as ever."""

    silence_id: int = Field(examples=[1])
    state: State = Field(
        description="waiting (for a second person), coming, holding or over", examples=["holding"]
    )
    region: str = Field(description="where it acts, and nowhere else", examples=["450200"])
    region_name: str = Field(examples=["柳州市"])
    rule_id: int | None = Field(description="null: alerts of all rules", examples=[1])
    unit: str | None = Field(
        description="null: alerts about all units, and about regions",
        examples=["91450200MA5KF5XJ00"],
    )
    subject: str | None = Field(
        description="null: alerts about all subjects",
        examples=["91450200MA5KF5XJ00/cement_clinker"],
    )
    starts_at: LocalTime = Field(examples=["2026-11-24T08:00:00+08:00"])
    ends_at: LocalTime = Field(
        description="as it was stated; see ended_at", examples=["2026-11-26T08:00:00+08:00"]
    )
    reason: str = Field(examples=["2号窑停产检修，柳工信〔2026〕31号"])
    actor: str = Field(description="who stated it", examples=["desk of Liuzhou"])
    stated_at: LocalTime = Field(examples=["2026-11-23T16:00:20+08:00"])
    hides_level_1: bool = Field(
        description="it could keep back that a region is at level 1, which calls for a second "
        "person where the platform is set to ask for one",
        examples=[False],
    )
    approved_at: LocalTime | None = Field(
        description="null: nobody approved it", examples=["2026-11-23T17:00:00+08:00"]
    )
    approved_by: str | None = Field(description="the second person", examples=["desk of Guangxi"])
    ended_at: LocalTime | None = Field(
        description="when somebody ended it before its time; null: nobody did",
        examples=["2026-11-25T12:00:00+08:00"],
    )
    ended_by: str | None = Field(examples=["desk of Liuzhou"])
    end_reason: str | None = Field(description="why it was ended", examples=["检修提前结束"])


class Silences(ListOf[Silence]):
    """A page of silences, the newest first."""


@router.get(
    "/v1/silences",
    operation_id="list_silences",
    summary="What keeps letters back",
    responses=problems(401, 404, 422, 503),
)
async def list_silences(
    where: Annotated[SilenceWhere, Query()], caller: AuthenticatedCaller
) -> Silences:
    """Return silences that act on something the key sees, also those that are over."""
    rows = await db.silences.list_visible(
        caller.connection,
        caller.scope,
        region_prefix=await parameters.region_prefix(caller, where.region),
        is_over=where.over,
        now=caller.now,
        limit=where.limit + 1,
        before_silence_id=_before(where.cursor),
    )
    page = rows[: where.limit]
    return Silences(
        items=[_silence(row, caller.now) for row in page],
        next=cursor.encode(str(page[-1].silence_id)) if len(rows) > len(page) else None,
    )


@router.post(
    "/v1/silences",
    operation_id="make_silence",
    summary="Keep letters back for a while",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def make_silence(
    body: NewSilence, _: Annotated[NoParameters, Query()], caller: RegulatingCaller
) -> Silence:
    """Keep letters of alerts back within what the key sees. Nothing is hidden: they are judged and
    shown as ever, and of those that still fire when it ends a letter goes out then.
    """
    region = await parameters.known_region(caller, body.region)
    assert region is not None
    return await _answer(caller, await app.silences.make(caller, body.statement(region)))


@router.get(
    "/v1/silences/{silence_id}",
    operation_id="fetch_silence",
    summary="One silence",
    responses=problems(401, 404, 422, 503),
)
async def fetch_silence(
    silence_id: SilenceId, _: Annotated[NoParameters, Query()], caller: AuthenticatedCaller
) -> Silence:
    """Return a silence that acts on something the key sees: who stated it, why, and its end."""
    return await _answer(caller, silence_id)


@router.post(
    "/v1/silences/{silence_id}/approve",
    operation_id="approve_silence",
    summary="Let a silence act that waits for a second person",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def approve_silence(
    silence_id: SilenceId,
    body: Approval,
    _: Annotated[NoParameters, Query()],
    caller: ApprovingCaller,
) -> Silence:
    """Approve a silence that another person stated; until then it keeps nothing back."""
    await app.silences.approve(caller, silence_id, body.reason)
    return await _answer(caller, silence_id)


@router.delete(
    "/v1/silences/{silence_id}",
    operation_id="end_silence",
    summary="End a silence now",
    responses=problems(401, 403, 404, 409, 422, 503),
)
async def end_silence(
    silence_id: SilenceId, why: Annotated[Why, Query()], caller: RegulatingCaller
) -> Silence:
    """Let a silence keep nothing back from now on. It stays, with who ended it, and why."""
    await app.silences.end(caller, silence_id, why.reason)
    return await _answer(caller, silence_id)


async def _answer(caller: Caller, silence_id: int) -> Silence:
    return _silence(await app.silences.visible(caller, silence_id), caller.now)


def _silence(row: SilenceRow, now: datetime) -> Silence:
    return Silence(
        silence_id=row.silence_id,
        state=app.silences.state(row, now),
        region=row.region,
        region_name=row.region_name,
        rule_id=row.rule_id,
        unit=row.unit,
        subject=row.subject,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        reason=row.reason,
        actor=row.actor,
        stated_at=row.stated_at,
        hides_level_1=row.is_grave,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        end_reason=row.end_reason,
    )


def _before(text: str | None) -> int | None:
    (part,) = cursor.decode(text, 1)
    return None if text is None else cursor.number(part, SILENCE_ID_MAX)
