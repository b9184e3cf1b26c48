"""Owns storing a flush: one transaction holds readings, their links, rejections, stale ranges and
totals.

Nothing is receipted or acknowledged before it has committed. What passes is waited for; a row, or
else a message, that the database will never take is found by bisection and set aside in quarantine;
a transaction whose outcome is unknown is looked up by the name of its flush, and run again only if
it was not made.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import asyncpg
import structlog

import db.births
import db.collectors
import db.intake
import db.patience
import db.sequences
from db import reading_rows
from db.intake import ConflictRow, MessageRow
from db.pool import Connection, Pool
from energy.ledger import Head
from ingest import batches, faults, parts, payload, replays
from ingest.batches import Flush, Life, Piece
from ingest.faults import Point
from ingest.linking import Linker
from ingest.payload import DETAIL_LENGTH_MAX, Reason
from ingest.poison import find_row
from ingest.sparkplug.edge_node import Event
from ingest.validate import Fault

POISON_ROWS_MAX = 32
"""Rows of one flush found one by one; from then on the whole message of a bad row is set aside."""

OUR_BOOKS = frozenset({"ingest_totals", "links", "arrivals", "stale_ranges"})
"""Tables in which no message can be at fault: what they refuse is a bug, and a new start may help.
"""

log = structlog.get_logger("collect")


class FencedError(Exception):
    """Another process collects under this name now; end this one."""


@dataclass(slots=True)
class Holder:
    """Who stores: a name with its row of totals, and the epoch that began with this process.

    `head` is where the chain of that name stands; nobody else appends to it in this epoch. Its
    newest link is of `linked_at`: where a clock was put back, time stands still until it caught up.
    """

    name: str
    epoch: int
    head: Head
    linked_at: datetime | None
    link_ids: Iterator[int]
    clock: Callable[[], datetime]

    def linker(self) -> Linker:
        now = self.clock()
        return Linker(self.name, self.head, self.link_ids, max(now, self.linked_at or now))

    def fenced(self) -> FencedError:
        return FencedError(f"another process collects as {self.name} now")


async def begin(pool: Pool, name: str, clock: Callable[[], datetime]) -> Holder:
    """Begin to store under `name`: whoever did so before is fenced off."""
    term = await db.patience.patiently(
        pool, lambda connection: db.collectors.begin_epoch(connection, name)
    )
    link_ids = itertools.count(term.first_link_id)
    return Holder(name, term.epoch, term.head, term.linked_at, link_ids, clock)


async def store(pool: Pool, holder: Holder, flush: Flush) -> None:
    """Store `flush` and tally it, however long the database is away.

    A flush that is refused, though each of its rows is taken, is stored in halves: each is a
    transaction of its own, and what comes to be known of its pieces is known of them in `flush`.
    Raises FencedError when another process has taken over.
    """
    refused = await _store_but_bad_rows(pool, holder, flush)
    if refused is None:
        return
    if len(flush.deliveries) > 1:
        for half in parts.halves(flush):
            await store(pool, holder, half)
        return
    topic = flush.deliveries[0].topic
    log.critical("message_refused", topic=topic, reason=_sentence(refused))
    parts.set_aside(flush, _fault(refused))
    still = await _store_but_bad_rows(pool, holder, flush)
    if still is not None:
        # Nothing is left of the message but its rejection: it is not the message.
        log.critical("quarantine_refused", topic=topic, reason=_sentence(still))
        raise still


async def rehearse(pool: Pool, flush: Flush) -> None:
    """Tally `flush` as `store` would, and store nothing.

    What another flush before it would have stored is not known to it.
    """
    if not flush.rows:
        return
    instants = [reading_rows.unpack(row)[1] for row in flush.rows]

    async def attempt(connection: Connection) -> tuple[set[int], set[int]]:
        await db.intake.create_staging(connection)
        async with connection.transaction():
            rows = ((n, row, 0) for n, row in enumerate(flush.rows))
            await db.intake.copy_to_staging(connection, rows)
            return await db.intake.list_fates(connection, min(instants), max(instants))

    batches.recount(flush, *await db.patience.patiently(pool, attempt))


async def _store_but_bad_rows(
    pool: Pool, holder: Holder, flush: Flush
) -> asyncpg.PostgresError | None:
    """Store `flush` without the rows that the database will never take.

    Return what it says if it refuses for another reason; then nothing is stored.
    """
    for found in itertools.count(1):
        refused = await _store_patiently(pool, holder, flush, is_slow=found > 1)
        if refused is None:
            if flush.links:
                holder.head = flush.links[-1].head
                holder.linked_at = flush.links[-1].stored_at
            return None
        poison = await find_row(pool, flush.rows)
        if poison is None and db.patience.is_inner(refused):
            raise refused
        if poison is None:
            return refused
        _reject_row(flush, *poison, is_whole=found > POISON_ROWS_MAX)
    raise AssertionError("itertools.count ends")


def _reject_row(
    flush: Flush, ordinal: int, error: asyncpg.PostgresError, *, is_whole: bool
) -> None:
    piece = next(each for each in flush.pieces if each.first <= ordinal < each.last)
    topic = piece.delivery.topic
    log.error("row_refused", topic=topic, reason=_sentence(error), ordinal=ordinal)
    if is_whole:
        batches.take_out(flush, [piece], _fault(error))
    else:
        batches.take_out_row(flush, ordinal, _fault(error))


def _fault(error: asyncpg.PostgresError) -> Fault:
    detail = f"the database refused it: {_sentence(error)}"
    return Reason.INVALID_FIELD, detail[:DETAIL_LENGTH_MAX]


def _sentence(error: asyncpg.PostgresError) -> str:
    return payload.legible(str(error).splitlines()[0]) if str(error) else type(error).__name__


async def _store_patiently(
    pool: Pool, holder: Holder, flush: Flush, *, is_slow: bool
) -> asyncpg.PostgresError | None:
    """Store `flush`, or return why its data are refused.

    A commit whose answer was lost has still been made: then its tallies stand as they are.
    """
    attempts = itertools.count()

    async def attempt(connection: Connection) -> asyncpg.PostgresError | None:
        is_again = next(attempts) > 0
        if is_again and await _is_made(connection, holder, flush):
            return None
        try:
            await _store_once(connection, holder, flush, is_slow=is_slow)
        except asyncpg.PostgresError as error:
            if db.patience.is_of_the_data(error) and error.table_name not in OUR_BOOKS:
                return error
            raise
        return None

    return await db.patience.patiently(pool, attempt)


async def _is_made(connection: Connection, holder: Holder, flush: Flush) -> bool:
    return await db.collectors.fetch_last_flush(connection, holder.name) == flush.name


async def _store_once(
    connection: Connection, holder: Holder, flush: Flush, *, is_slow: bool
) -> None:
    """Store `flush` on the fast path, or on the slow one when it holds what is there already."""
    if not is_slow:
        try:
            await _store_fast(connection, holder, flush)
        except asyncpg.UniqueViolationError:
            pass
        else:
            return
    await db.intake.create_staging(connection)
    linker = holder.linker()
    flush.links = linker.links
    async with connection.transaction():
        await replays.turn_away(connection, flush)  # the lock on its numbers was lost
        conflicting = await _store_staged(connection, flush, linker) if flush.rows else set()
        await _store_rest(connection, holder, flush)
        if conflicting:  # when the messages that arrived are there to be looked up
            await db.intake.insert_conflicts(connection, _conflicts(flush, conflicting))


async def _store_fast(connection: Connection, holder: Holder, flush: Flush) -> None:
    linker = holder.linker()
    flush.links = linker.links
    async with connection.transaction():
        await replays.turn_away(connection, flush)
        faults.reach(Point.BEFORE_COPY)
        if flush.rows:
            await db.intake.copy_readings(connection, linker.bodies(flush.weeks))
        faults.reach(Point.AFTER_COPY)
        batches.recount_all_stored(flush)
        await _store_rest(connection, holder, flush)
        faults.reach(Point.BEFORE_COMMIT)


async def _store_staged(connection: Connection, flush: Flush, linker: Linker) -> set[int]:
    """Store what is new, tell apart what is not; return the ordinals of conflicting readings."""
    ids = linker.ids(flush.weeks)
    rows = ((n, row, ids[reading_rows.week(row)]) for n, row in enumerate(flush.rows))
    await db.intake.copy_to_staging(connection, rows)
    stored = await db.intake.store_staged(connection)
    linker.link(ids, flush.rows, stored)
    instants = [reading_rows.unpack(row)[1] for row in flush.rows]
    conflicting = await db.intake.list_conflicting(connection, min(instants), max(instants))
    batches.recount(flush, stored, conflicting)
    return conflicting


def _conflicts(flush: Flush, conflicting: set[int]) -> list[ConflictRow]:
    return [
        (
            *reading_rows.unpack(flush.rows[ordinal]),
            piece.delivery.topic,
            payload.legible(piece.batch or ""),
            piece.sha256(),
        )
        for piece in flush.pieces
        for ordinal in range(piece.first, piece.last)
        if ordinal in conflicting
    ]


async def _store_rest(connection: Connection, holder: Holder, flush: Flush) -> None:
    """Write all that goes with the readings, in their transaction."""
    received_at = flush.received_at
    if flush.stale_hours:
        await db.intake.copy_stale(connection, flush.stale_rows())
    await _store_quarantine(connection, flush)
    for gateway_id, status, _ in flush.statuses:
        await db.intake.update_gateway_status(
            connection,
            gateway_id,
            state="online" if status.state == "online" else "offline",
            reported_at=status.reported_at(received_at),
            firmware=None if status.firmware is None else payload.legible(status.firmware),
        )
    for life in flush.lives:
        await _store_life(connection, life, received_at)
    if flush.gateway_ids:
        await db.intake.mark_gateways_seen(connection, sorted(flush.gateway_ids), received_at)
    numbers = [piece.number for piece in flush.pieces if piece.number is not None]
    if numbers:
        await db.sequences.add(connection, numbers, received_at)
    # The totals last: their row is what all writers of one name wait for.
    if not await db.collectors.add_totals(
        connection,
        holder.name,
        holder.epoch,
        flush.totals(),
        flush.name,
        holder.head,
        flush.links,
        flush.arrivals(),
    ):
        raise holder.fenced()


async def _store_life(connection: Connection, life: Life, received_at: datetime) -> None:
    """Keep or forget births, so that a collector that starts anew knows what aliases mean."""
    match life.event:
        case Event.NODE_BORN:
            await db.births.delete(connection, life.gateway_id, None)
            await db.births.upsert(
                connection, life.gateway_id, "", life.delivery.payload, received_at
            )
        case Event.DEVICE_BORN:
            await db.births.upsert(
                connection, life.gateway_id, life.device, life.delivery.payload, received_at
            )
        case Event.DEVICE_DIED | Event.DEVICE_REFUSED:
            await db.births.delete(connection, life.gateway_id, life.device)
        case Event.NODE_DIED | Event.NODE_REFUSED:
            await db.births.delete(connection, life.gateway_id, None)
        case Event.DATA | Event.STALE_DEATH | Event.REFUSED:
            return
        case _:
            assert_never(life.event)
    if life.event in (Event.NODE_BORN, Event.NODE_DIED):
        await db.intake.update_gateway_status(
            connection,
            life.gateway_id,
            state="online" if life.event is Event.NODE_BORN else "offline",
            reported_at=received_at,
            firmware=None,
        )


async def _store_quarantine(connection: Connection, flush: Flush) -> None:
    quarantined = dict(flush.quarantined())
    if quarantined:
        # By hash, and before their rejections, as all lock them: nobody waits in a circle.
        messages = [_message_row(sha256, quarantined[sha256]) for sha256 in sorted(quarantined)]
        await db.intake.insert_quarantined_messages(connection, messages)
        await db.intake.upsert_quarantine(connection, flush.quarantine_rows())


def _message_row(sha256: bytes, piece: Piece) -> MessageRow:
    delivery = piece.delivery
    return (
        sha256,
        payload.legible(delivery.topic),
        delivery.payload,
        None if delivery.signature is None else payload.legible(delivery.signature),
        delivery.received_at,
        None if piece.number is None else piece.said_sha256(),
    )
