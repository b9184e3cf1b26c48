"""Owns the term of an evaluator: it begins with the lock, and nothing is stored after its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

import db.alerts
import db.evaluators
from db.pool import Connection

SILENT_S = 60.0
"""A holder of the lock that has asked the database nothing for so long is frozen, or gone."""

log = structlog.get_logger("alert")


class FencedError(Exception):
    """Another evaluator has begun in the meantime: nothing of this one is stored any more."""


def is_fenced(error: Exception) -> bool:
    """Return whether the database refuses what is stored because the term is over."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == db.evaluators.FENCED


@asynccontextmanager
async def term(connection: Connection, silent_s: float = SILENT_S) -> AsyncIterator[int | None]:
    """Be the one evaluator within the block, under the number that it gets; None: another is.

    Whatever the session stores in it is refused once another evaluator has begun: FencedError.
    """
    if not await db.evaluators.try_lock(connection):
        if await db.evaluators.break_lock(connection, silent_s):
            log.warning("evaluator_lock_broken", silent_s=silent_s)
        yield None
        return
    try:
        epoch = await db.evaluators.begin_term(connection)
        await db.evaluators.enter_term(connection, epoch)
        yield epoch
    except asyncpg.PostgresError as error:
        if is_fenced(error):
            raise FencedError(str(error)) from error
        raise
    finally:
        if not connection.is_closed():
            await db.evaluators.enter_term(connection, None)
            await db.evaluators.unlock(connection)
