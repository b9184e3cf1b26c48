"""Owns taking a flush apart that the database refuses: in halves, down to the one message it will
not take, which then is nothing but a rejection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from db import reading_rows
from energy import instants
from ingest import batches, payload
from ingest.acks import Delivery
from ingest.batches import Flush, Life, Piece
from ingest.decoding import NOBODY
from ingest.sparkplug.edge_node import Event
from ingest.validate import Fault

REFUSED_BIRTHS = {
    Event.NODE_BORN: Event.NODE_REFUSED,
    Event.DEVICE_BORN: Event.DEVICE_REFUSED,
}
"""A birth that is not kept ends what aliases meant, as one that nobody can read."""


def halves(flush: Flush) -> tuple[Flush, Flush]:
    """Return the two halves of a flush that came to nothing, each to be stored by itself.

    Its pieces belong to the halves from now on, and tell what became of them.
    """
    middle = len(flush.deliveries) // 2
    return _part(flush, flush.deliveries[:middle]), _part(flush, flush.deliveries[middle:])


def _part(flush: Flush, deliveries: Sequence[Delivery]) -> Flush:
    ours = set(map(id, deliveries))
    part = Flush(deliveries, turned_away=flush.turned_away)
    part.statuses = [each for each in flush.statuses if id(each[2]) in ours]
    part.lives = [each for each in flush.lives if id(each.delivery) in ours]
    part.pieces = [each for each in flush.pieces if id(each.delivery) in ours]
    for piece in part.pieces:
        first = len(part.rows)
        part.rows += flush.rows[piece.first : piece.last]
        piece.first, piece.last = first, len(part.rows)
    heard = {each.gateway_id for each in part.pieces} | {each[0] for each in part.statuses}
    part.gateway_ids = {each for each in flush.gateway_ids if each in heard}
    units = {meter_id: unit_id for unit_id, meter_id in flush.stale_hours}
    for row in part.rows:
        meter_id, read_at, *_ = reading_rows.unpack(row)
        hours = part.stale_hours.setdefault((units[meter_id], meter_id), set())
        hours.add(instants.of(read_at) // instants.HOUR)
    batches.put_in_order(part)
    return part


def set_aside(flush: Flush, fault: Fault) -> None:
    """Reject the one message of `flush` whole: nothing of it is left but its rejection."""
    (delivery,) = flush.deliveries
    if not flush.pieces:
        said = payload.refused(None, *fault)
        flush.pieces.append(Piece(delivery, NOBODY, said, [], is_receipted=False))
    flush.statuses.clear()
    flush.gateway_ids.clear()
    flush.lives = [_refused(life) for life in flush.lives]
    batches.take_out(flush, flush.pieces, fault)
    flush.stale_hours.clear()


def _refused(life: Life) -> Life:
    return replace(life, event=REFUSED_BIRTHS.get(life.event, Event.REFUSED))
