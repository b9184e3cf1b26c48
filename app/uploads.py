"""Owns batches that come over HTTPS: stored together like those of the broker, one flush at a time.

The signature is the identity: without one made with the gateway's enrolled key nothing is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.errors import Unauthorized, Unavailable
from db.pool import Pool
from ingest import batches, writer
from ingest.acks import Delivery
from ingest.collect import DELIVERIES_MAX, KEY_AGE_MAX, Assembler
from ingest.writer import FencedError, Holder

WAITING_MAX = 1_000
"""Uploads that wait for their commit; more are told to come again."""

UNSIGNED = (
    "Sign topic, newline and body with the gateway's key, HMAC-SHA-256 in hex, in the header "
    "Nenghao-Signature. The path must be that of an enrolled gateway."
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a batch may take to its commit, and how old a key may be that does not hold; how
    often the stream is read, and who follows it is asked for anew.
    """

    commit_s_max: float = 15.0
    key_age_max: timedelta = KEY_AGE_MAX
    stream_s: float = 0.5
    check_s: float = 15.0


log = structlog.get_logger("uploads")


class Uploads:
    """The uploads of one process, stored under a name of its own in the totals."""

    def __init__(
        self,
        pool: Pool,
        name: str,
        *,
        oldest: timedelta,
        clock: Callable[[], datetime],
        patience: Patience,
    ) -> None:
        self._pool = pool
        self._name = name
        self._clock = clock
        self._commit_s_max = patience.commit_s_max
        self._assembler = Assembler(
            pool, oldest=oldest, clock=clock, key_age_max=patience.key_age_max
        )
        self._waiting: asyncio.Queue[tuple[Delivery, asyncio.Future[bytes]]] = asyncio.Queue(
            WAITING_MAX
        )
        self._holder: Holder | None = None

    async def take(
        self,
        topic: str,
        payload: bytes,
        signature: str | None,
        admit: Callable[[], Awaitable[None]],
    ) -> bytes:
        """Return the receipt of a batch, after the commit; `admit` it once its signature holds.

        Raises Unauthorized for a signature that does not hold, Unavailable when the batch was not
        stored in time: it may be stored yet, sending it again does no harm.
        """
        delivery = Delivery(0, 0, topic, payload, self._clock(), signature)
        receipt: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._commit_s_max):
                if signature is None or not await self._assembler.is_signed(delivery):
                    raise Unauthorized("bad_signature", UNSIGNED)
                await admit()
                self._waiting.put_nowait((delivery, receipt))
                return await receipt
        except (asyncio.QueueFull, TimeoutError, FencedError) as error:
            detail = "The batch could not be stored now. Send the same batch again later."
            raise Unavailable("busy", detail) from error

    async def run(self) -> None:
        """Store what waits, until cancelled."""
        while True:
            taken = [await self._waiting.get()]
            while len(taken) < DELIVERIES_MAX:
                try:
                    taken.append(self._waiting.get_nowait())
                except asyncio.QueueEmpty:
                    break
            await self._store(taken)

    async def _store(self, taken: list[tuple[Delivery, asyncio.Future[bytes]]]) -> None:
        try:
            if self._holder is None:
                self._holder = await writer.begin(self._pool, self._name, self._clock)
            flush = await self._assembler.assemble([delivery for delivery, _ in taken])
            await writer.store(self._pool, self._holder, flush)
            self._assembler.take_back(flush)
        except Exception as error:
            self._holder = None  # begin anew: where the chain stands is read again
            log.error("uploads_not_stored", batches=len(taken), reason=repr(error))
            for _, receipt in taken:
                if not receipt.done():
                    receipt.set_exception(error)
            return
        now = self._clock()
        for (_, receipt), piece in zip(taken, flush.pieces, strict=True):
            with suppress(asyncio.InvalidStateError):  # who asked has gone away
                receipt.set_result(batches.encode_receipt(piece, now))
