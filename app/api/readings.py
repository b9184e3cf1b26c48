"""Owns GET /v1/readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

import app.readings_export
import db.catalogue
import db.corrections
import db.readings
from app import cursor, exports, known_tables
from app.api import parameters
from app.api.answers import Answer, ListOf, LocalTime, problems
from app.api.parameters import Between, CreditCode, Instant, Page
from app.depends import AuthenticatedCaller, Caller
from app.errors import InvalidParameter, NotFound
from app.exports import Format
from db.changes import Change
from db.readings import ConflictEntry, ReadingEntry
from energy.periods import Span

SPAN_MAX = timedelta(days=400)

router = APIRouter(tags=["readings"])


class ReadingsQuery(Between, Page):
    """Readings of one meter."""

    as_known_on: Instant | None = Field(
        default=None,
        description="answer what was stored and stated until this instant; RFC 3339 with an offset",
        examples=["2026-12-01T00:00:00+08:00"],
    )

    format: Format = Field(
        default=Format.JSON,
        description="json: a page; csv, xlsx, parquet: all of the span as a file, without limit "
        "and cursor",
        examples=["json"],
    )
    unit: CreditCode = Field(
        description="unified social credit code of the unit", examples=["91450200MA5KF5XJ00"]
    )
    meter: str = Field(
        min_length=1,
        max_length=32,
        description="code of the meter, the unit's own",
        examples=["E01"],
    )


HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Conflict(Answer):
    """What arrived for a stored reading and contradicts it: evidence, not an update.

    Another value, or the same one where one of both is bad.
    """

    value: float = Field(examples=[120345.7])
    quality: str = Field(examples=["good"])
    received_at: LocalTime = Field(examples=["2026-11-23T09:00:02+08:00"])
    topic: str = Field(
        description="that it came in on: city, unit and gateway of its sender; of a file "
        "file/{unit}/{SHA-256}/{name}",
        examples=["nenghao/v1/450200/91450200MA5KF5XJ00/gw2/readings"],
    )
    message: str | None = Field(
        description="SHA-256 of topic, newline, payload of the message it came in", examples=[HASH]
    )
    first_gateway: str | None = Field(
        description="sender of the reading that stands; null: a file, or not known",
        examples=["gw1"],
    )
    first_message: str | None = Field(
        description="SHA-256 of the message that reading came in; null: not known", examples=[HASH]
    )


class Correction(Answer):
    """What holds in place of a reading, who stated it and why."""

    value: float | None = Field(
        description="in the meter's unit of measure; null: the reading is set aside",
        examples=[120345.67],
    )
    actor: str = Field(examples=["desk of Liuzhou"])
    approver: str | None = Field(
        description="the second person, who approved it; null: nobody did",
        examples=["desk of Guangxi"],
    )
    reason: str = Field(examples=["the gateway swapped two digits"])
    evidence: str = Field(examples=["桂能审〔2026〕17号"])
    stated_at: LocalTime = Field(examples=["2026-11-24T09:12:44+08:00"])


class Reading(Answer):
    """A reading as it arrived."""

    time: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    value: float = Field(
        description="in the meter's unit of measure, before its multiplier", examples=[120345.67]
    )
    quality: str = Field(
        description="good, uncertain, bad or substituted, as the gateway said", examples=["good"]
    )
    received_at: LocalTime = Field(examples=["2026-11-23T08:00:06+08:00"])
    conflicts: list[Conflict]
    correction: Correction | None = Field(
        description="what holds in its place; null: the reading itself", examples=[None]
    )


class Readings(ListOf[Reading]):
    """A page of readings of one meter, in order of time."""

    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    meter: str = Field(examples=["E01"])
    kind: str = Field(description="register, interval or gauge", examples=["register"])
    uom: str = Field(description="unit of measure of the values", examples=["kWh"])


@router.get(
    "/v1/readings",
    operation_id="list_readings",
    summary="Readings of a meter as they arrived",
    response_model=Readings,
    responses={**problems(401, 404, 422, 503), **exports.responses()},
)
async def list_readings(
    query: Annotated[ReadingsQuery, Query()], caller: AuthenticatedCaller
) -> Readings | Response:
    """Return the readings in `[from, to)`; what contradicts or corrects them stands beside them."""
    span = _span(query)
    known_tables.refuse_future(caller, query.as_known_on)
    if query.format is not Format.JSON:
        exports.refuse_beside_a_file(query, "limit", "cursor", "as_known_on")
    entry = await db.catalogue.fetch_meter(caller.connection, caller.scope, query.unit, query.meter)
    if entry is None:
        raise NotFound("meter")
    if query.format is not Format.JSON:
        file = await app.readings_export.written(caller, entry, span, query.format)
        return exports.answer(file, query.format, "readings")
    at = query.as_known_on
    rows = await _rows(caller, entry.meter_id, span, at, query.limit + 1)
    page = rows[: query.limit]
    corrections = await db.corrections.list_stated(
        caller.connection, entry.unit, entry.meter, [row.read_at for row in page], at=at
    )
    conflicts: list[ConflictEntry] = []
    if page:
        conflicts = await db.readings.list_conflicts(
            caller.connection,
            caller.scope,
            entry.meter_id,
            first=page[0].read_at,
            last=page[-1].read_at,
        )
    return Readings(
        unit=entry.unit,
        meter=entry.meter,
        kind=entry.kind,
        uom=entry.uom,
        items=_items(
            page, [each for each in conflicts if at is None or each.received_at <= at], corrections
        ),
        next=cursor.encode(rows[query.limit].read_at.isoformat())
        if len(rows) > len(page)
        else None,
    )


async def _rows(
    caller: Caller, meter_id: int, span: Span, at: datetime | None, limit: int
) -> list[ReadingEntry]:
    if at is None:
        return await db.readings.list_readings(
            caller.connection, caller.scope, meter_id, span=span, limit=limit
        )
    return await db.readings.list_known(
        caller.connection, caller.scope, meter_id, span=span, at=at, limit=limit
    )


def _span(query: ReadingsQuery) -> Span:
    """Return what is left of the span that was asked for; the cursor is the time to go on with."""
    span = query.span()
    if span.ends_at - span.starts_at > SPAN_MAX:
        raise InvalidParameter("to", f"is more than {SPAN_MAX.days} days after from")
    if query.cursor is None:
        return span
    (text,) = cursor.decode(query.cursor, 1)
    try:
        starts_at = parameters.parse_instant(text)
    except ValueError as error:
        raise InvalidParameter("cursor", cursor.REFUSAL) from error
    if not span.starts_at <= starts_at < span.ends_at:
        raise InvalidParameter("cursor", cursor.REFUSAL)
    return Span(starts_at, span.ends_at)


def _items(
    page: Iterable[ReadingEntry],
    conflicts: Iterable[ConflictEntry],
    corrections: Mapping[datetime, Change],
) -> list[Reading]:
    beside: dict[datetime, list[Conflict]] = {}
    for other in conflicts:
        beside.setdefault(other.read_at, []).append(
            Conflict(
                value=other.raw_value,
                quality=other.quality,
                received_at=other.received_at,
                topic=other.topic,
                message=_hex(other.sha256),
                first_gateway=other.first_gateway,
                first_message=_hex(other.first_sha256),
            )
        )
    return [
        Reading(
            time=row.read_at,
            value=row.raw_value,
            quality=row.quality,
            received_at=row.received_at,
            conflicts=beside.get(row.read_at, []),
            correction=_correction(corrections.get(row.read_at)),
        )
        for row in page
    ]


def _hex(sha256: bytes | None) -> str | None:
    return None if sha256 is None else sha256.hex()


def _correction(change: Change | None) -> Correction | None:
    if change is None or change.fact.content is None:
        return None
    return Correction.model_validate(
        {
            "value": change.fact.content["value"],
            "actor": change.author.actor,
            "approver": change.author.approver or None,
            "reason": change.author.reason,
            "evidence": change.author.evidence,
            "stated_at": change.changed_at,
        }
    )
