"""Owns how programs reach the database: one asyncpg pool, time-outs on every statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

CONNECT_TIMEOUT_S = 10
POOL_SIZE_MAX = 8
LOOKING_IDLE_S = 10
"""A request that looks does so at once."""

IDLE_IN_TRANSACTION_S = 60
"""A claim is a transaction: that of a frozen program ends after this, and another takes it up."""


async def create_pool(
    url: str,
    *,
    timeout_s: float = 10,
    size_max: int = POOL_SIZE_MAX,
    application: str = "nenghao",
    idle_s: int = IDLE_IN_TRANSACTION_S,
) -> Pool:
    """Open a pool whose sessions speak UTC and give up on any statement after `timeout_s`."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size_max,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "idle_in_transaction_session_timeout": f"{idle_s}s",
        },
    )


async def create_audit_pool(url: str, *, timeout_s: float, application: str) -> Pool:
    """Open a pool of one session, for a login that notes what is asked and can do no more."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=1,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "default_transaction_read_only": "off",
            "idle_in_transaction_session_timeout": f"{LOOKING_IDLE_S}s",
        },
    )


async def create_view_pool(
    url: str, *, timeout_s: float, application: str, size_max: int = POOL_SIZE_MAX
) -> Pool:
    """Open a pool of a login that only looks: names mean the views of schema api.

    Whatever runs on it is read-only, ends after `timeout_s` and holds no transaction open.
    """
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size_max,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        server_settings={
            "application_name": application,
            "timezone": "UTC",
            "search_path": "api, public, pg_temp",
            "default_transaction_read_only": "on",
            # What a scope or a filter holds is known only with the values at hand: plans made
            # without them took two to three times as long. Planning costs about a millisecond.
            "plan_cache_mode": "force_custom_plan",
            "statement_timeout": f"{round(timeout_s * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{LOOKING_IDLE_S}s",
        },
    )
