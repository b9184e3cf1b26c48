"""Owns what the HTTP interface keeps for its lifetime, and how a request gets at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypedDict, cast

from fastapi import Request

from app.admission import Door
from app.approval import Rule
from app.audit_log import AuditLog
from app.downloads import Downloads
from app.metrics import Metrics
from app.remembered import Memory
from app.stream import Stream
from app.tokens import Tokens
from app.uploads import Uploads
from db.pool import Pool
from energy.factors import Unverified

Clock = Callable[[], datetime]


class State(TypedDict):
    """`revision` is the schema this code needs; below `coverage_floor` nothing is forecast.

    `pool` is the platform's own, for what is written; `views` is a login that only looks, and
    sees what is in the scope of a transaction; `watch` is a small pool beside: whatever others
    ask, it is known whether the platform can serve. `tokens`: of the OpenID provider, if one is
    trusted. `rule` says which changes wait for a second person. `earlier_days` bounds how many
    calls ask at once what was known on an earlier day, `files` how many read for a file, `sheets`
    how many sheets are written, `downloads` what waits on disk for its readers, `changes` how many
    change something. `door` and `gate` say how often holders of keys, and gateways, may come.
    `memory` is of what the registry answered.
    """

    pool: Pool
    views: Pool
    tokens: Tokens | None
    clock: Clock
    metrics: Metrics
    revision: str
    uploads: Uploads
    audit: AuditLog
    unverified: Unverified
    coverage_floor: float
    rule: Rule
    earlier_days: asyncio.Semaphore
    files: asyncio.Semaphore
    changes: asyncio.Semaphore
    sheets: asyncio.Semaphore
    downloads: Downloads
    watch: Pool
    door: Door
    gate: Door
    stream: Stream
    memory: Memory


def of(request: Request) -> State:
    """Return the state that the lifespan of the app made."""
    return cast("State", request.scope["state"])
