"""Owns the gateways of a simulated fleet: what they have to tell, and telling it as time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from ingest.simulator.fleet import Plant
from ingest.simulator.gateway import Gateway, SimulatedReading

FOLLOW_PAUSE_S = 1.0
FOREVER = timedelta(days=3650)


class Voice:
    """One plant, its gateway, and the readings it has not told yet."""

    def __init__(self, plant: Plant, gateway: Gateway, since: datetime) -> None:
        self.gateway = gateway
        self._interval = timedelta(seconds=plant.interval_s)
        self._stream: Iterator[SimulatedReading] = plant.readings(since, since + FOREVER)
        self._next = next(self._stream)

    def tell(self, until: datetime) -> None:
        """Hand the gateway all readings of slots that have ended by `until`."""
        self.gateway.put(self._take(until))

    def _take(self, until: datetime) -> Iterator[SimulatedReading]:
        while self._next[1] + self._interval <= until:
            yield self._next
            self._next = next(self._stream)


class Crowd:
    """The gateways of all plants, each with a connection of its own."""

    def __init__(self, pairs: Sequence[tuple[Plant, Gateway]], *, since: datetime) -> None:
        self._voices = [Voice(plant, gateway, since) for plant, gateway in pairs]

    @property
    def published(self) -> int:
        """Return how many readings the gateways were handed so far."""
        return sum(voice.gateway.published for voice in self._voices)

    @property
    def waiting(self) -> int:
        """Return how many batches have no receipt yet."""
        return sum(voice.gateway.waiting for voice in self._voices)

    def open(self) -> None:
        for voice in self._voices:
            voice.gateway.open()

    async def close(self) -> None:
        await asyncio.gather(*(voice.gateway.close() for voice in self._voices))

    async def tell(self, until: datetime) -> None:
        """Hand the gateways all readings of slots that have ended by `until`."""
        for voice in self._voices:
            voice.tell(until)
            await asyncio.sleep(0)

    async def follow(self, clock: Callable[[], datetime]) -> None:
        """Tell each slot as it ends, until cancelled."""
        while True:
            await self.tell(clock())
            await asyncio.sleep(FOLLOW_PAUSE_S)
