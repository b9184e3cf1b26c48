"""Owns storing a flush: one transaction holds readings, their links, rejections, stale ranges and
totals.

Nothing is receipted or acknowledged before it has committed. What passes is waited for; a row that
the database will never take is found by bisection and set aside in quarantine; a transaction whose
outcome is unknown is looked up by the name of its flush, and run again only if it was not made.
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
import db.quarantine
import db.sequences
from db import reading_rows
from db.intake import ConflictRow
from db.pool import Connection, Pool
from energy.ledger import Head
from ingest import batches, faults, payload
from ingest.batches import Flush, Life, Piece
from ingest.faults import Point
from ingest.linking import Linker
from ingest.payload import DETAIL_LENGTH_MAX, Reason
from ingest.sparkplug.edge_node import Event

POISON_ROWS_MAX = 32
"""Rows of one flush found one by one; from then on the whole message of a bad row is set aside."""

log = structlog.get_logger("collect")


class FencedError(Exception):
    """Another process collects under this name now; end this one."""


@dataclass(slots=True)
class Holder:
    """Who stores: a name with its row of totals, and the epoch that began with this process.

    `head` is where the chain of that name stands; nobody else appends to it in this epoch.
    """

    name: str
    epoch: int
    head: Head
    link_ids: Iterator[int]
    clock: Callable[[], datetime]

    def linker(self) -> Linker:
        return Linker(self.name, self.head, self.link_ids, self.clock())


async def begin(pool: Pool, name: str, clock: Callable[[], datetime]) -> Holder:
    """Begin to store under `name`: whoever did so before is fenced off."""
    term = await db.patience.patiently(
        pool, lambda connection: db.collectors.begin_epoch(connection, name)
    )
    return Holder(name, term.epoch, term.head, itertools.count(term.first_link_id), clock)


async def store(pool: Pool, holder: Holder, flush: Flush) -> None:
    """Store `flush` and tally it, however long the database is away.

    A commit whose answer was lost has still been made: then its tallies stand as they are.
    Raises FencedError when another process has taken over.
    """
    attempts = itertools.count()

    async def attempt(connection: Connection) -> asyncpg.PostgresError | None:
        is_again = next(attempts) > 0
        if is_again and await _is_made(connection, holder, flush):
            return None
        try:
            await _store_once(connection, holder, flush)
        except asyncpg.PostgresError as error:
            if db.patience.is_of_the_data(error):
                return error
            raise
        return None

    for found in itertools.count(1):
        refused = await db.patience.patiently(pool, attempt)
        if refused is None:
            if flush.links:
                holder.head = flush.links[-1].head
            return
        await _set_aside(pool, flush, refused, is_whole=found > POISON_ROWS_MAX)


async def _is_made(connection: Connection, holder: Holder, flush: Flush) -> bool:
    return await db.collectors.fetch_last_flush(connection, holder.name) == flush.name


async def _store_once(connection: Connection, holder: Holder, flush: Flush) -> None:
    """Store `flush` on the fast path, or on the slow one when it holds what is there already."""
    linker = holder.linker()
    flush.links = linker.links
    try:
        async with connection.transaction():
            await _turn_away_replays(connection, flush)
            faults.reach(Point.BEFORE_COPY)
            if flush.rows:
                await db.intake.copy_readings(connection, linker.bodies(flush.weeks))
            faults.reach(Point.AFTER_COPY)
            batches.recount_all_stored(flush)
            await _store_rest(connection, holder, flush)
            faults.reach(Point.BEFORE_COMMIT)
    except asyncpg.UniqueViolationError:
        await db.intake.create_staging(connection)
        linker = holder.linker()
        flush.links = linker.links
        async with connection.transaction():
            await _turn_away_replays(connection, flush)  # the lock on its numbers was lost
            if flush.rows:
                await _store_staged(connection, flush, linker)
            await _store_rest(connection, holder, flush)


async def _store_staged(connection: Connection, flush: Flush, linker: Linker) -> None:
    """Store what is new, tell apart what is not, keep conflicting values as evidence."""
    ids = linker.ids(flush.weeks)
    rows = ((n, row, ids[reading_rows.week(row)]) for n, row in enumerate(flush.rows))
    await db.intake.copy_to_staging(connection, rows)
    stored = await db.intake.store_staged(connection)
    linker.link(ids, flush.rows, stored)
    instants = [reading_rows.unpack(row)[1] for row in flush.rows]
    conflicting = await db.intake.list_conflicting(connection, min(instants), max(instants))
    batches.recount(flush, stored, conflicting)
    if conflicting:
        await db.intake.insert_conflicts(connection, _conflicts(flush, conflicting))


def _conflicts(flush: Flush, conflicting: set[int]) -> list[ConflictRow]:
    return [
        (
            *reading_rows.unpack(flush.rows[ordinal]),
            piece.delivery.topic,
            piece.batch or "",
            piece.sha256(),
        )
        for piece in flush.pieces
        for ordinal in range(piece.first, piece.last)
        if ordinal in conflicting
    ]


async def _store_rest(connection: Connection, holder: Holder, flush: Flush) -> None:
    """Write all that goes with the readings, in their transaction."""
    received_at = _received_at(flush)
    if flush.stale_hours:
        await db.intake.copy_stale(connection, flush.stale_rows())
    await _store_quarantine(connection, flush)
    for gateway_id, status in flush.statuses:
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
    ):
        raise FencedError(f"another process collects as {holder.name} now")


async def _store_life(connection: Connection, life: Life, received_at: datetime) -> None:
    """Keep or forget births, so that a collector that starts anew knows what aliases mean."""
    match life.event:
        case Event.NODE_BORN:
            await db.births.delete(connection, life.gateway_id, None)
            await db.births.upsert(connection, life.gateway_id, "", life.payload, received_at)
        case Event.DEVICE_BORN:
            await db.births.upsert(
                connection, life.gateway_id, life.device, life.payload, received_at
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
    quarantined = {sha256: piece.delivery for sha256, piece in flush.quarantined()}
    if quarantined:
        await db.intake.insert_quarantined_messages(
            connection,
            [
                (sha256, each.topic, each.payload, each.signature, each.received_at)
                for sha256, each in quarantined.items()
            ],
        )
        await db.intake.upsert_quarantine(connection, flush.quarantine_rows())


# -- numbers used twice ----------------------------------------------------------------------------


async def _turn_away_replays(connection: Connection, flush: Flush) -> None:
    """Reject messages under a number that another message has used.

    A re-send is the same message: the same bytes, or all its readings are here already.
    """
    pieces = [piece for piece in flush.pieces if piece.number is not None]
    if not pieces:
        return
    numbers = [piece.number for piece in pieces if piece.number is not None]
    await db.sequences.lock(connection, numbers, _received_at(flush))
    received = await db.sequences.list_received(connection, numbers)
    first_with = {piece.number: piece for piece in reversed(pieces)}
    replayed = [
        piece
        for piece in pieces
        if (piece.number in received and not await _is_resend(connection, flush, piece))
        or not _holds(flush, first_with[piece.number], piece)
    ]
    if replayed:
        log.warning("number_used_twice", topics=sorted({each.delivery.topic for each in replayed}))
        detail = (
            "its boot and seq were used by another batch; a gateway that counts anew begins a "
            "new boot, and two gateways must not share an identity"
        )
        batches.take_out(flush, replayed, (Reason.REPLAYED, detail))


def _holds(flush: Flush, first: Piece, piece: Piece) -> bool:
    """Return whether `piece` is `first` again: the same bytes, or all its readings are there."""
    return first.delivery.payload == piece.delivery.payload or _keys(flush, piece) <= _keys(
        flush, first
    )


def _keys(flush: Flush, piece: Piece) -> set[tuple[int, datetime]]:
    """Return meter and instant of the readings that were let in of a message."""
    return {reading_rows.unpack(row)[:2] for row in flush.rows[piece.first : piece.last]}


async def _is_resend(connection: Connection, flush: Flush, piece: Piece) -> bool:
    if await db.quarantine.is_resent(connection, piece.sha256()):
        return True
    keys = _keys(flush, piece)
    meters, instants = [key[0] for key in keys], [key[1] for key in keys]
    return await db.sequences.count_present(connection, meters, instants) == len(keys)


# -- rows the database will never take -------------------------------------------------------------


async def _set_aside(
    pool: Pool, flush: Flush, refused: asyncpg.PostgresError, *, is_whole: bool
) -> None:
    """Find the first row that the database refuses and reject it; raise if there is none."""
    ordinal, error = await _find_poison(pool, flush)
    if error is None:
        raise refused  # it was not a row: our own bug
    piece = next(each for each in flush.pieces if each.first <= ordinal < each.last)
    sentence = payload.legible(str(error).splitlines()[0])
    log.error("row_refused", topic=piece.delivery.topic, reason=sentence, ordinal=ordinal)
    fault = (Reason.INVALID_FIELD, f"the database refused it: {sentence}"[:DETAIL_LENGTH_MAX])
    if is_whole:
        batches.take_out(flush, [piece], fault)
    else:
        batches.take_out_row(flush, ordinal, fault)


async def _find_poison(pool: Pool, flush: Flush) -> tuple[int, asyncpg.PostgresError | None]:
    """Return the first bad row and what the database says of it, in log2(rows) + 1 tries."""
    rows = flush.rows
    error = await _error_of(pool, rows)
    if error is None:
        return 0, None
    good, bad = 0, len(rows)  # rows[:good] are taken, rows[:bad] are not
    while bad - good > 1:
        middle = (good + bad) // 2
        found = await _error_of(pool, rows[good:middle])
        if found is None:
            good = middle
        else:
            bad, error = middle, found
    return good, error


async def _error_of(pool: Pool, rows: list[bytes]) -> asyncpg.PostgresError | None:
    """Return what the database says to `rows`, none of which is kept."""

    async def attempt(connection: Connection) -> asyncpg.PostgresError | None:
        await db.intake.create_staging(connection)
        transaction = connection.transaction()
        await transaction.start()
        try:
            numbered = ((ordinal, row, 0) for ordinal, row in enumerate(rows))
            await db.intake.copy_to_staging(connection, numbered)
            await db.intake.store_staged(connection)
        except asyncpg.PostgresError as error:
            if db.patience.is_of_the_data(error):
                return error
            raise
        finally:
            await transaction.rollback()
        return None

    return await db.patience.patiently(pool, attempt)


def _received_at(flush: Flush) -> datetime:
    return flush.deliveries[-1].received_at
