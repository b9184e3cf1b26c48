"""Owns the HTTP interface as a whole: `create_app` and what it keeps while it runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute
from starlette.types import Lifespan

import db.logins
import db.migrate
import db.pool
from app import approval, depends, errors, exports, plain
from app.admission import Door
from app.api import (
    accounts,
    alerts,
    audit,
    backtests,
    balance,
    benchmark_shares,
    budgets,
    carbon,
    cases,
    consumption,
    corrections,
    docs,
    explain,
    factors,
    health,
    intensity,
    meters,
    production,
    proposals,
    quality,
    readings,
    regions,
    rules,
    silences,
    stream,
    tasks,
    units,
    uploads,
    value_intensity,
    verdicts,
    warnings,
)
from app.audit_gate import AuditGate
from app.audit_log import AuditLog
from app.description import Interface
from app.downloads import Downloads
from app.entity_tags import EntityTags
from app.guard import Guard
from app.metrics import Metrics, RequestCounter
from app.pace import Pace
from app.providers import Provider
from app.remembered import Memory
from app.resolve import Refusal, service_url
from app.state import Clock, State
from app.stream import Stream
from app.tokens import Tokens, Trust
from app.uploads import Patience, Uploads
from db.pool import Pool
from settings import Settings

DESCRIPTION = """\
Energy use of key energy-consuming units (重点用能单位).

Send `Authorization: Bearer nh_…`. Times are RFC 3339; spans are `[from, to)`; days and months are
those of Asia/Shanghai. Lists take `limit` and `cursor` and answer `{"items": […], "next": …}`.
Errors are RFC 9457 problems: programs go by `code`, people by `detail`. Unknown parameters are
refused. What a key may not see is answered like what does not exist. **Missing is not zero**: an
unknown figure is null, and every sum says how much of what was due it rests on (`coverage`).
"""

TAGS = [
    {"name": "registry", "description": "Regions, units, meters, factors"},
    {"name": "readings", "description": "What the gateways sent"},
    {"name": "production", "description": "What units state of their output and its value"},
    {"name": "proposals", "description": "What waits for a second person"},
    {"name": "consumption", "description": "What the readings come to"},
    {"name": "quality", "description": "How good the data is, and what calls for a look"},
    {"name": "targets", "description": "Targets, warning levels, energy budgets, carbon"},
    {"name": "balance", "description": "Where energy comes from and goes to; what is deducted"},
    {"name": "alerts", "description": "Early warnings, their history, what people say of them"},
    {
        "name": "rules",
        "description": "What is warned of: rules, their versions, what they would do",
    },
    {"name": "silences", "description": "What keeps letters back, why, and until when"},
    {"name": "stream", "description": "What happens, told as it does"},
    {"name": "audit", "description": "Who asked for what, and what became of it"},
    {"name": "health", "description": "For machines that watch the platform; no key"},
]


NOUNS = (
    regions,
    units,
    meters,
    factors,
    readings,
    uploads,
    corrections,
    production,
    proposals,
    consumption,
    intensity,
    explain,
    value_intensity,
    benchmark_shares,
    quality,
    carbon,
    warnings,
    budgets,
    balance,
    accounts,
    alerts,
    verdicts,
    cases,
    tasks,
    rules,
    backtests,
    silences,
    stream,
    audit,
    health,
)
"""Each has a router; this is the order in the documentation."""


PATIENCE = Patience()


WATCHING = 2
"""Connections that no request uses up."""

GZIP_BYTES_MIN = 2_000
GZIP_LEVEL = 4
"""Half the time of level 9 for nearly the same size: JSON repeats itself."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def _name() -> str:
    """Return the name that the uploads of this process are stored under."""
    return f"upload-{socket.gethostname()}-{os.getpid()}"


def view_url(settings: Settings, database_url: str) -> str:
    """Return the URL of the login that only looks."""
    given = settings.view_database_url
    return db.logins.derived(database_url) if given is None else given.get_secret_value()


def _tokens(settings: Settings) -> Tokens | None:
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    if issuer is None:
        return None
    if audience is None:
        raise Refusal("NENGHAO_OIDC_AUDIENCE is not set: name what tokens must be made for")
    trust = Trust(
        issuer,
        audience,
        settings.oidc_role_claim,
        settings.oidc_region_claim,
        settings.oidc_unit_claim,
        settings.oidc_plain_tokens,
    )
    return Tokens(trust, Provider(issuer))


@dataclass(frozen=True, slots=True)
class Pools:
    """The platform's own pool, and that of the login that only looks; small ones beside, which no
    request uses up: to see whether all is well, to read the stream, and to note what is asked.
    """

    own: Pool
    views: Pool
    watch: Pool
    streamed: Pool
    notes: Pool


@asynccontextmanager
async def _pools(settings: Settings, url: str) -> AsyncIterator[Pools]:
    timeout_s, name = settings.database_timeout_s, "nenghao-serve"
    owned = service_url(url, settings.service_database_url)
    looking = view_url(settings, url)
    noting = db.logins.at_home(looking, url)
    opened, looked = db.pool.create_pool, db.pool.create_view_pool
    async with (
        await opened(owned, timeout_s=timeout_s, application=name) as own,
        await looked(
            looking, timeout_s=timeout_s, application=name, size_max=settings.questions_at_once
        ) as views,
        await opened(owned, timeout_s=timeout_s, application=name, size_max=WATCHING) as watch,
        await looked(looking, timeout_s=timeout_s, application=name, size_max=1) as streamed,
        await db.pool.create_audit_pool(noting, timeout_s=timeout_s, application=name) as notes,
    ):
        yield Pools(own, views, watch, streamed, notes)


def _stream(settings: Settings, pools: Pools, patience: Patience) -> Stream:
    return Stream(
        pools.watch,
        pools.streamed,
        followers_max=settings.streams_max,
        per_holder=settings.streams_per_holder,
        read_s=patience.stream_s,
        check_s=patience.check_s,
    )


def _doors(settings: Settings) -> tuple[Door, Door]:
    """Return the doors of those who have a key, and of gateways; wrong keys count for both."""
    refusals = Pace("refusals", settings.refusals_per_minute)
    requests = Pace("requests", settings.requests_per_minute)
    return Door(requests, refusals), Door(Pace("uploads", settings.uploads_per_minute), refusals)


def create_app(
    settings: Settings,
    database_url: str,
    *,
    clock: Clock = utc_now,
    patience: Patience = PATIENCE,
) -> FastAPI:
    """Return the HTTP interface on the database at `database_url`; nothing is opened yet."""
    metrics, tokens = Metrics(), _tokens(settings)
    door, gate = _doors(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with _pools(settings, database_url) as pools:
            oldest = timedelta(days=settings.oldest_reading_days)
            uploads = Uploads(pools.own, _name(), oldest=oldest, clock=clock, patience=patience)
            stream = _stream(settings, pools, patience)
            app.state.close_streams = stream.close
            log = AuditLog(pools.notes)
            tasks = [asyncio.create_task(each) for each in (uploads.run(), log.run())]
            async with stream.running():
                yield State(
                    pool=pools.own,
                    views=pools.views,
                    tokens=tokens,
                    clock=clock,
                    metrics=metrics,
                    revision=db.migrate.newest_revision(),
                    uploads=uploads,
                    audit=log,
                    unverified=settings.unverified_factors,
                    coverage_floor=settings.coverage_floor,
                    rule=approval.Rule.of(settings.second_approver, settings.proposal_days),
                    earlier_days=asyncio.Semaphore(depends.EARLIER_DAYS_AT_ONCE),
                    changes=asyncio.Semaphore(depends.CHANGES_AT_ONCE),
                    files=asyncio.Semaphore(max(1, settings.questions_at_once - depends.SPARED)),
                    sheets=asyncio.Semaphore(exports.SHEETS_AT_ONCE),
                    downloads=Downloads(),
                    watch=pools.watch,
                    door=door,
                    gate=gate,
                    stream=stream,
                    memory=Memory(),
                )
            for task in tasks:
                task.cancel()

    app = _interface(lifespan)
    _surround(app, settings, metrics)
    return app


def _surround(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add what all calls share, from the inside out.

    What refuses a request belongs within the gate, or its refusals are not noted.
    """
    app.add_middleware(EntityTags)
    app.add_middleware(Guard, request_s=settings.request_timeout_s)
    app.add_middleware(AuditGate, metrics=metrics)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=GZIP_LEVEL)
    app.add_middleware(RequestCounter, metrics=metrics)


@cache
def _calls() -> Sequence[BaseRoute]:
    """Return all calls, once a process: what a call asks for takes FastAPI a while to find out."""
    every = FastAPI(
        openapi_url=None, dependencies=[Depends(plain.query_of), Depends(plain.body_of)]
    )
    for noun in NOUNS:
        every.include_router(noun.router)
    return every.router.routes


def _interface(lifespan: Lifespan[Interface]) -> Interface:
    app = Interface(
        title="Nenghao",
        description=DESCRIPTION,
        version=metadata.version("nenghao"),
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,  # ours needs no internet
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.routes += _calls()
    docs.install(app)
    errors.install(app)
    return app
