"""Owns waiting for a database that is away: which failures pass, and trying again until they do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog

from db.pool import Connection, Pool

RETRY_FIRST_S = 0.2
RETRY_LONGEST_S = 5.0
RETRYABLE_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes: connection, rollback, resources, object in use, intervention, system."""

INNER_CLASS = "XX"
DATA_CLASSES = frozenset({"22", "23", "54", "P0", INNER_CLASS})
"""SQLSTATE classes that a row can cause: data, constraint, limit, trigger, inner error."""

ATTEMPT_S_MAX = 60.0
ACQUIRE_S_MAX = 10.0

T = TypeVar("T")

log = structlog.get_logger("database")


def is_retryable(error: BaseException) -> bool:
    """Return whether the same transaction may succeed later."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in RETRYABLE_CLASSES
    outside = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
    return isinstance(error, outside)


def is_of_the_data(error: asyncpg.PostgresError) -> bool:
    """Return whether it is the rows that the database refuses: others may pass."""
    return (error.sqlstate or "")[:2] in DATA_CLASSES


def is_inner(error: asyncpg.PostgresError) -> bool:
    """Return whether the database failed in itself: a damaged index, say. A row can cause it."""
    return (error.sqlstate or "")[:2] == INNER_CLASS


async def patiently(
    pool: Pool,
    work: Callable[[Connection], Awaitable[T]],
    *,
    limit_s: float | None = ATTEMPT_S_MAX,
) -> T:
    """Return what `work` does with a connection, however long the database is away.

    `limit_s` bounds each attempt. Raises what waiting cannot mend: our own bugs, a missing schema,
    a refused login.
    """
    pause_s, failures = RETRY_FIRST_S, 0
    while True:
        try:
            async with (
                asyncio.timeout(limit_s),
                pool.acquire(timeout=ACQUIRE_S_MAX) as connection,
            ):
                result = await work(connection)
        except Exception as error:
            if not is_retryable(error):
                raise
            failures += 1
            if failures == 1:
                log.warning("database_unavailable", error=repr(error))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_LONGEST_S)
        else:
            if failures:
                log.info("database_back", failures=failures)
            return result
