"""Owns storing a flush: one transaction holds readings, rejections, stale ranges and totals.

Nothing is receipted or acknowledged before it has committed. A transaction whose outcome is
unknown is run again: the natural key of a reading makes that harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import asyncpg
import structlog

import db.intake
from db.intake import ConflictRow, ReadingRow
from db.pool import Connection, Pool
from ingest import batches
from ingest.batches import Flush

RETRY_FIRST_S = 0.2
RETRY_LONGEST_S = 5.0
RETRYABLE_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes: connection, rollback, resources, object in use, intervention, system."""

T = TypeVar("T")

log = structlog.get_logger("collect")


def is_retryable(error: BaseException) -> bool:
    """Return whether the same transaction may succeed later."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in RETRYABLE_CLASSES
    outside = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
    return isinstance(error, outside)


async def patiently(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Return what `work` does with a connection, however long the database is away.

    Raises what waiting cannot mend: our own bugs, a missing schema, a refused login.
    """
    pause_s, failures = RETRY_FIRST_S, 0
    while True:
        try:
            async with pool.acquire() as connection:
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


async def store(pool: Pool, collector: str, flush: Flush) -> None:
    """Store `flush` and tally it, however long the database is away."""
    await patiently(pool, lambda connection: _store_once(connection, collector, flush))


async def _store_once(connection: Connection, collector: str, flush: Flush) -> None:
    try:
        async with connection.transaction():
            await db.intake.copy_readings(connection, flush.rows)
            batches.recount(flush, set(range(len(flush.rows))), set())
            await _store_rest(connection, collector, flush)
    except asyncpg.UniqueViolationError:
        await db.intake.create_staging(connection)
        async with connection.transaction():
            await _store_staged(connection, flush)
            await _store_rest(connection, collector, flush)


async def _store_staged(connection: Connection, flush: Flush) -> None:
    """Store what is new, tell apart what is not, keep conflicting values as evidence."""
    await db.intake.copy_to_staging(connection, flush.rows)
    stored = await db.intake.store_staged(connection)
    instants = [row[1] for row in flush.rows]
    conflicting = await db.intake.list_conflicting(connection, min(instants), max(instants))
    batches.recount(flush, stored, conflicting)
    if conflicting:
        await db.intake.insert_conflicts(connection, _conflicts(flush, flush.rows, conflicting))


def _conflicts(
    flush: Flush, rows: Sequence[ReadingRow], conflicting: set[int]
) -> list[ConflictRow]:
    return [
        (*rows[ordinal], piece.delivery.topic, piece.batch or "")
        for piece in flush.pieces
        for ordinal in range(piece.first, piece.last)
        if ordinal in conflicting
    ]


async def _store_rest(connection: Connection, collector: str, flush: Flush) -> None:
    """Write all that goes with the readings, in their transaction."""
    if flush.stale_hours:
        await db.intake.copy_stale(connection, flush.stale_rows())
    quarantined = {sha256: piece.delivery for sha256, piece in flush.quarantined()}
    if quarantined:
        await db.intake.insert_quarantined_messages(
            connection,
            [
                (sha256, delivery.topic, delivery.payload, delivery.received_at)
                for sha256, delivery in quarantined.items()
            ],
        )
        await db.intake.upsert_quarantine(connection, flush.quarantine_rows())
    for gateway_id, status in flush.statuses:
        await db.intake.update_gateway_status(
            connection,
            gateway_id,
            state="online" if status.state == "online" else "offline",
            reported_at=status.at or _received_at(flush),
            firmware=status.firmware,
        )
    if flush.gateway_ids:
        await db.intake.mark_gateways_seen(
            connection, sorted(flush.gateway_ids), _received_at(flush)
        )
    if flush.pieces:
        await db.intake.add_totals(connection, collector, flush.totals())


def _received_at(flush: Flush) -> datetime:
    return flush.deliveries[-1].received_at
