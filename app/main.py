"""Owns the HTTP interface as a whole: `create_app` and what it keeps while it runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

import db.logins
import db.migrate
import db.pool
from app import approval, depends, errors
from app.api import (
    accounts,
    alerts,
    balance,
    benchmark_shares,
    budgets,
    carbon,
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
    units,
    uploads,
    value_intensity,
    warnings,
)
from app.entity_tags import EntityTags
from app.metrics import Metrics, RequestCounter
from app.providers import Provider
from app.resolve import Refusal, service_url
from app.state import Clock, State
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
    {"name": "alerts", "description": "Early warnings and their history"},
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
    health,
)
"""Each has a router; this is the order in the documentation."""


PATIENCE = Patience()


GZIP_BYTES_MIN = 2_000
GZIP_LEVEL = 4
"""Half the time of level 9 for nearly the same size: JSON repeats itself."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Interface(FastAPI):
    """Describes its errors as what they are: problems, not plain JSON."""

    def openapi(self) -> dict[str, Any]:  # the type FastAPI gives it
        described = super().openapi()
        for calls in described["paths"].values():
            for call in calls.values():
                for status, response in call["responses"].items():
                    if not status.startswith("2") and "application/json" in response["content"]:
                        problem = response["content"].pop("application/json")
                        response["content"][errors.MEDIA_TYPE] = problem
        return described


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


@asynccontextmanager
async def _pools(settings: Settings, database_url: str) -> AsyncIterator[tuple[Pool, Pool]]:
    """Open the platform's own pool, and that of the login that only looks."""
    timeout_s, name = settings.database_timeout_s, "nenghao-serve"
    looking = view_url(settings, database_url)
    own = service_url(database_url, settings.service_database_url)
    async with (
        await db.pool.create_pool(own, timeout_s=timeout_s, application=name) as pool,
        await db.pool.create_view_pool(looking, timeout_s=timeout_s, application=name) as views,
    ):
        yield pool, views


def create_app(
    settings: Settings,
    database_url: str,
    *,
    clock: Clock = utc_now,
    patience: Patience = PATIENCE,
) -> FastAPI:
    """Return the HTTP interface on the database at `database_url`; nothing is opened yet."""
    metrics = Metrics()
    tokens = _tokens(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with _pools(settings, database_url) as (pool, views):
            oldest = timedelta(days=settings.oldest_reading_days)
            uploads = Uploads(pool, _name(), oldest=oldest, clock=clock, patience=patience)
            storing = asyncio.create_task(uploads.run())
            yield State(
                pool=pool,
                views=views,
                tokens=tokens,
                clock=clock,
                metrics=metrics,
                revision=db.migrate.newest_revision(),
                uploads=uploads,
                unverified=settings.unverified_factors,
                coverage_floor=settings.coverage_floor,
                rule=approval.Rule.of(settings.second_approver, settings.proposal_days),
                earlier_days=asyncio.Semaphore(depends.EARLIER_DAYS_AT_ONCE),
            )
            storing.cancel()

    app = Interface(
        title="Nenghao",
        description=DESCRIPTION,
        version=metadata.version("nenghao"),
        openapi_tags=TAGS,
        lifespan=lifespan,
        dependencies=[Depends(depends.plain_query)],
        docs_url=None,  # ours needs no internet
        redoc_url=None,
        redirect_slashes=False,
    )
    _furnish(app, metrics)
    return app


def _furnish(app: FastAPI, metrics: Metrics) -> None:
    """Give `app` its calls, its errors, and what every answer passes through."""
    for noun in NOUNS:
        app.include_router(noun.router)
    docs.install(app)
    errors.install(app)
    app.add_middleware(EntityTags)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN, compresslevel=GZIP_LEVEL)
    app.add_middleware(RequestCounter, metrics=metrics)
