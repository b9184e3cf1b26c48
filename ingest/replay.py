"""Owns replaying what was rejected, after the registry was mended: as one more delivery.

What was stored of the message is a duplicate now; what is still wrong stays in quarantine. The
message keeps the time at which it first came, so that a clock that was wrong stays wrong, and a key
or a gateway that has ended since does not make it untrue.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import db.quarantine
from db.pool import Pool
from db.quarantine import BEGINNING, Choice
from ingest import writer
from ingest.acks import Delivery
from ingest.batches import Piece
from ingest.collect import Assembler
from ingest.receipts import Tally
from ingest.writer import Holder

STORED = "stored"
PAGE = 1_000
"""Messages chosen at a time: their places only, one payload is held after the other."""


class Replayed(NamedTuple):
    """What became of a message: `closed` rejections, and how many readings are still rejected.

    The others are `stored` now, `duplicate` of what was here, or `conflicting` with it.
    """

    outcome: str
    closed: int
    rejected: int
    stored: int = 0
    duplicate: int = 0
    conflicting: int = 0


async def list_chosen(pool: Pool, choice: Choice, page: int = PAGE) -> AsyncIterator[bytes]:
    """Yield the messages of a choice, each once, the oldest first."""
    after = BEGINNING
    while True:
        async with pool.acquire() as connection:
            places = await db.quarantine.list_chosen(connection, choice, after=after, limit=page)
        if not places:
            return
        for after in places:
            yield after[1]


class Replayer:
    """Replays messages one by one, under a name of its own in the totals."""

    def __init__(
        self, pool: Pool, holder: Holder, *, oldest: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._holder = holder
        self._clock = clock
        self._assembler = Assembler(pool, oldest=oldest, clock=clock)

    async def replay(self, sha256: bytes) -> Replayed | None:
        """Deliver a message again; None: it is not kept any more.

        Its number is not looked at: a person has decided. An alias means what it meant then; where
        a later birth took its place nobody knows any more.
        """
        async with self._pool.acquire() as connection:
            message = await db.quarantine.fetch_message(connection, sha256)
        if message is None:
            return None
        delivery = Delivery(
            0, 0, message.topic, message.payload, message.received_at, message.signature
        )
        self._assembler.go_back(to=message.received_at)
        flush = await self._assembler.assemble([delivery])
        flush.lives.clear()  # an old birth does not become the present one
        flush.gateway_ids.clear()
        flush.statuses.clear()
        for piece in flush.pieces:
            piece.number = None
        await writer.store(self._pool, self._holder, flush)
        tally, outcome, still = Tally(), STORED, list[tuple[int | None, str]]()
        for piece in flush.pieces:  # one; none of a status, or of a birth without samples
            tally, outcome = piece.tally, _outcome(piece)
            still = [(rejection.index, str(rejection.reason)) for rejection in piece.rejections]
        async with self._pool.acquire() as connection:
            closed = await db.quarantine.close(
                connection, message.sha256, still, outcome, self._clock()
            )
        return Replayed(
            outcome, closed, tally.rejected, tally.stored, tally.duplicate, tally.conflicting
        )


def _outcome(piece: Piece) -> str:
    tally = piece.tally
    if tally.stored:
        return STORED
    if tally.conflicting:
        return "conflicting"
    return "duplicate" if tally.duplicate else "rejected"
