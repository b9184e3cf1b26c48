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
