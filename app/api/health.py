"""Owns GET /healthz, /readyz and /metrics: for machines on a private network, without a key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

import db.intake
import db.metrics
import db.migrate
import db.quarantine
from app import errors, lending, nightly, state
from app.api.answers import Answer, LocalTime, problems
from app.api.parameters import NoParameters
from app.errors import ApiError, Unavailable
from app.metrics import Facts
from db.pool import Pool
from ingest import readiness
from ingest.readiness import Readiness as CollectorState

TEXT = {"schema": {"type": "string", "examples": ["nenghao_database_up 1.0"]}}

router = APIRouter(tags=["health"])


class Health(Answer):
    """The process answers."""

    alive: bool = Field(examples=[True])


class CollectorReadiness(Answer):
    """What a collector, or a standby for one, said last."""

    collector: str = Field(
        description="its name, with @ and a host: a standby there", examples=["collector-450200"]
    )
    state: CollectorState = Field(examples=["ready"])
    said_at: LocalTime = Field(examples=["2026-11-23T08:00:05+08:00"])


class Readiness(Answer):
    """This program can serve; `collected` says whether readings come in."""

    ready: bool = Field(
        description="of `serve` itself: database and schema; where not, the answer is 503",
        examples=[True],
    )
    schema_revision: str = Field(description="of the database", examples=["0005"])
    collected: bool = Field(
        description="what `nenghao ready` says: there is a collector, and each that was heard "
        "within a day is ready, standbys and those that were told to stop left out",
        examples=[True],
    )
    collectors: list[CollectorReadiness]


@router.get("/healthz", operation_id="fetch_health", summary="Is the process alive?")
async def fetch_health(_: Annotated[NoParameters, Query()]) -> Health:
    """Answer without looking at anything else: a database that is away is no reason to restart."""
    return Health(alive=True)


@router.get(
    "/readyz",
    operation_id="fetch_readiness",
    summary="Can it serve?",
    responses=problems(503),
)
async def fetch_readiness(request: Request, _: Annotated[NoParameters, Query()]) -> Readiness:
    """Answer 503, code `database_unavailable` or `schema_differs`, where it cannot serve.

    Collectors are other programs: what they say is shown, and is no reason not to serve. Who
    waits for readings goes by `collected`.
    """
    held = state.of(request)
    async with lending.read_only(held["watch"]) as connection:
        revision = await db.migrate.fetch_revision(connection)
        beats = await db.metrics.list_heartbeats(connection) if revision else []
    if revision != held["revision"]:
        raise Unavailable(
            "schema_differs",
            f"The schema of the database is {revision or 'none'}, this program needs "
            f"{held['revision']}. Run `nenghao migrate`, or the program of that release.",
        )
    found = readiness.states(beats, held["clock"]())
    return Readiness(
        ready=True,
        schema_revision=revision,
        collected=readiness.is_collected(found),
        collectors=[
            CollectorReadiness(collector=each.collector, state=each.readiness, said_at=each.beat_at)
            for each in found
        ],
    )


@router.get(
    "/metrics",
    operation_id="fetch_metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": TEXT}}},
)
async def fetch_metrics(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """Return counters of this process and what the database knows of the other programs.

    Needs no key and names no unit; keep it on a private network.
    """
    held = state.of(request)
    try:
        facts = await _facts(held["watch"], held["clock"]())
    except Exception as error:
        if not (errors.is_outage(error) or isinstance(error, ApiError)):
            raise
        facts = None
    text = held["metrics"].exposition(facts, held["clock"]())
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def _facts(pool: Pool, now: datetime) -> Facts:
    async with lending.read_only(pool) as connection:
        return Facts(
            totals=await db.intake.fetch_totals(connection),
            backlog=await db.metrics.fetch_backlog(connection),
            letters=await db.metrics.count_letters(connection),
            heartbeats=await db.metrics.list_heartbeats(connection),
            quarantine=await db.quarantine.fetch_size(connection),
            night=await nightly.fetch_night(connection, now),
        )
