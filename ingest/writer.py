"""Owns storing a flush: one transaction holds readings, rejections, stale ranges and totals.

Nothing is receipted or acknowledged before it has committed. A transaction whose outcome is
unknown is looked up by the name of its flush, and run again only if it was not made.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

import asyncpg

import db.intake
import db.patience
from db.intake import ConflictRow, ReadingRow
from db.pool import Connection, Pool
from ingest import batches, payload
from ingest.batches import Flush


async def store(pool: Pool, collector: str, flush: Flush) -> None:
    """Store `flush` and tally it, however long the database is away.

    A commit whose answer was lost has still been made: then its tallies stand as they are.
    """
    attempts = itertools.count()

    async def attempt(connection: Connection) -> None:
        is_again = next(attempts) > 0
        if is_again and await db.intake.fetch_last_flush(connection, collector) == flush.name:
            return
        await _store_once(connection, collector, flush)

    await db.patience.patiently(pool, attempt)


async def _store_once(connection: Connection, collector: str, flush: Flush) -> None:
    try:
        async with connection.transaction():
            if flush.rows:
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
            reported_at=status.reported_at(_received_at(flush)),
            firmware=None if status.firmware is None else payload.legible(status.firmware),
        )
    if flush.gateway_ids:
        await db.intake.mark_gateways_seen(
            connection, sorted(flush.gateway_ids), _received_at(flush)
        )
    if flush.pieces:
        await db.intake.add_totals(connection, collector, flush.totals(), flush.name)


def _received_at(flush: Flush) -> datetime:
    return flush.deliveries[-1].received_at
