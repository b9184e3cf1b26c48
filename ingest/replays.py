"""Owns numbers of batches that were used twice: a re-send passes, another message is turned away.

A re-send is the same message: all its readings are here already, or it was rejected before and
says the same again, whenever it was sent (decision 0012).
"""

from __future__ import annotations

from datetime import datetime

import structlog

import db.quarantine
import db.sequences
from db import reading_rows
from db.pool import Connection
from ingest import batches
from ingest.batches import Flush, Piece
from ingest.payload import Reason

DETAIL = (
    "its boot and seq were used by another batch; a gateway that counts anew begins a "
    "new boot, and two gateways must not share an identity"
)

log = structlog.get_logger("collect")


async def turn_away(connection: Connection, flush: Flush) -> None:
    """Reject messages under a number that another message has used.

    The numbers stay locked until the transaction ends.
    """
    pieces = [piece for piece in flush.pieces if piece.number is not None]
    if not pieces:
        return
    numbers = [piece.number for piece in pieces if piece.number is not None]
    await db.sequences.lock(connection, numbers, flush.received_at)
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
        batches.take_out(flush, replayed, (Reason.REPLAYED, DETAIL))


def _holds(flush: Flush, first: Piece, piece: Piece) -> bool:
    """Return whether `piece` is `first` again: the same bytes, or all its readings are there."""
    return first.delivery.payload == piece.delivery.payload or _keys(flush, piece) <= _keys(
        flush, first
    )


def _keys(flush: Flush, piece: Piece) -> set[tuple[int, datetime]]:
    """Return meter and instant of the readings that were let in of a message."""
    return {reading_rows.unpack(row)[:2] for row in flush.rows[piece.first : piece.last]}


async def _is_resend(connection: Connection, flush: Flush, piece: Piece) -> bool:
    keys = _keys(flush, piece)
    meters, instants = [key[0] for key in keys], [key[1] for key in keys]
    if await db.sequences.count_present(connection, meters, instants) == len(keys):
        return True
    return await db.quarantine.is_resent(connection, piece.sha256(), piece.said_sha256())
