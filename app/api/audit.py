"""Owns GET /v1/audit."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

import db.audit
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import Between, CreditCode, Page
from app.depends import AuditingCaller
from app.errors import InvalidParameter
from db.audit import Noted, Result, Wanted

SPAN_MAX = timedelta(days=92)
ENTRY_ID_MAX = 2**63 - 1

router = APIRouter(tags=["audit"])


class AuditWhere(Page, Between):
    """Which entries."""

    identity: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="who: key and its number, subject @ issuer, gateway unit/gateway, login",
        examples=["key 17"],
    )
    unit: CreditCode | None = Field(
        default=None,
        description="unified social credit code of a unit that a parameter named",
        examples=["91450200MA5KF5XJ00"],
    )
    result: Result | None = Field(
        default=None,
        description="begun, done, refused (4xx) or failed (5xx)",
        examples=["refused"],
    )


class AuditEntry(Answer):
    """Who did what, when, from where, with what result."""

    entry_id: int = Field(examples=[42])
    noted_at: LocalTime = Field(
        description="by the clock of the database", examples=["2026-11-23T09:00:12.000104+08:00"]
    )
    request_id: str = Field(
        description="X-Request-Id of the answer; one for a command", examples=["9f86d081884c7d65"]
    )
    identity: str = Field(description="empty: it is not known who", examples=["key 17"])
    label: str = Field(description="of the key", examples=["desk of Liuzhou"])
    role: str | None = Field(description="null: not known, or a command", examples=["city"])
    scope: str | None = Field(
        description="what they may see: prefix of region codes, / and a unit; null: not known, or "
        "a command, which sees all",
        examples=["4502"],
    )
    source: str = Field(description="address, or machine of a command", examples=["10.1.2.3"])
    method: str = Field(description="of HTTP, or command", examples=["GET"])
    route: str = Field(
        description="template of the path, or words of the command", examples=["/v1/units/{unit}"]
    )
    parameters: str = Field(
        description="of path and query, or of the command, as JSON; … stands for what may be a "
        "secret",
        examples=['{"unit":"91450200MA5KF5XJ00"}'],
    )
    unit: str | None = Field(
        description="the unit that a parameter named", examples=["91450200MA5KF5XJ00"]
    )
    result: Result = Field(examples=["done"])
    status: int | None = Field(description="of HTTP; null: it began, or a command", examples=[200])
    code: str | None = Field(
        description="of the problem; of a command: kind of error", examples=["not_found"]
    )
    row_count: int | None = Field(description="items answered; null: not known", examples=[12])


class Audit(ListOf[AuditEntry]):
    """A page of entries, newest first."""


@router.get(
    "/v1/audit",
    operation_id="list_audit",
    summary="Who asked for what, newest first",
    responses=problems(401, 403, 404, 422, 503),
)
async def list_audit(where: Annotated[AuditWhere, Query()], caller: AuditingCaller) -> Audit:
    """Return entries of those whose scope lies in the caller's, of at most 92 days.

    For auditors and administrators. Who is unknown, and what the command line did, is shown to
    those of a whole province. A unit that is named must be visible, else the answer is 404.
    """
    span = where.span()
    if span.ends_at - span.starts_at > SPAN_MAX:
        raise InvalidParameter("to", f"must be within {SPAN_MAX.days} days after from")
    if where.unit is not None:
        await parameters.visible_unit(caller, where.unit)
    noted = await db.audit.list_entries(
        caller.connection,
        caller.scope,
        Wanted(span, where.identity, where.unit, where.result),
        limit=where.limit + 1,
        before=_before(where.cursor),
    )
    page = noted[: where.limit]
    return Audit(
        items=[AuditEntry.model_validate(_fields(each)) for each in page],
        next=_after(page[-1]) if len(noted) > len(page) else None,
    )


def _after(last: Noted) -> str:
    return cursor.encode(last.noted_at.isoformat(), str(last.entry_id))


def _before(text: str | None) -> tuple[datetime, int] | None:
    at, entry_id = cursor.decode(text, 2)
    if text is None:
        return None
    number = cursor.number(entry_id, ENTRY_ID_MAX)
    try:
        return parameters.parse_instant(at), number
    except ValueError as error:
        raise InvalidParameter("cursor", cursor.REFUSAL) from error


def _fields(noted: Noted) -> dict[str, object]:
    return {"entry_id": noted.entry_id, "noted_at": noted.noted_at} | asdict(noted.entry)
