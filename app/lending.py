"""Owns lending connections and turns to requests: each waits a bounded time, and gives back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import Unavailable
from db.pool import Connection, Pool

WITHIN_S = 5
"""How long a request waits for a connection, or a turn, before it is told of being busy."""


@asynccontextmanager
async def in_turn(turns: asyncio.Semaphore, why: str) -> AsyncIterator[None]:
    """Wait for a turn, so that others find a connection."""
    try:
        async with asyncio.timeout(WITHIN_S):
            await turns.acquire()
    except TimeoutError as error:
        raise Unavailable("busy", f"{why} Try again later.") from error
    try:
        yield
    finally:
        turns.release()


@asynccontextmanager
async def lent(pool: Pool) -> AsyncIterator[Connection]:
    try:
        connection = await pool.acquire(timeout=WITHIN_S)
    except TimeoutError as error:
        raise Unavailable("busy", "All connections are in use. Try again later.") from error
    try:
        yield connection
    finally:
        await pool.release(connection)


@asynccontextmanager
async def read_only(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a read-only transaction with one snapshot."""
    async with (
        lent(pool) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


@asynccontextmanager
async def rolled_back(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a transaction with one snapshot, of which nothing stays."""
    async with lent(pool) as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()
