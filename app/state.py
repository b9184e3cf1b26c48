"""Owns what the HTTP interface keeps for its lifetime, and how a request gets at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypedDict, cast

from fastapi import Request

from app.approval import Rule
from app.metrics import Metrics
from app.tokens import Tokens
from app.uploads import Uploads
from db.pool import Pool
from energy.factors import Unverified

Clock = Callable[[], datetime]


class State(TypedDict):
    """`revision` is the schema this code needs; below `coverage_floor` nothing is forecast.

    `pool` is the platform's own, for what is written; `views` is a login that only looks, and sees
    what is in the scope of a transaction. `tokens`: of the OpenID provider, if one is trusted.
    `rule` says which changes wait for a second person. `earlier_days` bounds how many calls ask at
    once what was known on an earlier day.
    """

    pool: Pool
    views: Pool
    tokens: Tokens | None
    clock: Clock
    metrics: Metrics
    revision: str
    uploads: Uploads
    unverified: Unverified
    coverage_floor: float
    rule: Rule
    earlier_days: asyncio.Semaphore


def of(request: Request) -> State:
    """Return the state that the lifespan of the app made."""
    return cast("State", request.scope["state"])
