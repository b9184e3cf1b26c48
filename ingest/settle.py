"""Owns settlement: stale ranges of a unit → hours of its meters → sums above them.

Late, corrected and replayed readings repair every number above them by this same path. A claim is
one transaction: if it fails, or its settler freezes and the database ends it, the stale ranges are
there again.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

import db.heartbeats
import db.patience
import db.rollups
import db.settlement
from db.pool import Connection, Pool
from energy.factors import Unverified
from ingest import reconcile, rollups, unit_settlement

CLAIMS = 2
"""Units settled at a time by one process."""

RANGES_MAX = 1_000
"""Stale ranges of a unit, or of the areas of a region, settled in one transaction at most; fewer,
where so many do not end in its time."""

HEARTBEAT_S = 5.0
ASIDE = timedelta(minutes=1)
"""How long a unit that could not be settled, or a region that could not be added up, rests."""

K = TypeVar("K")

log = structlog.get_logger("settle")


@dataclass(frozen=True, slots=True)
class Settled:
    """What one transaction settled."""

    unit_id: int
    ranges: int
    hours: int


@dataclass(slots=True)
class Portion:
    """How many stale ranges are settled at a time: half as many as did not end, or a few more."""

    ranges: int = RANGES_MAX

    @contextmanager
    def tried(self) -> Iterator[int]:
        """Yield how many to try now."""
        ranges = self.ranges
        self.ranges = max(1, ranges // 2)
        try:
            yield ranges
        except (UnitError, RegionError):  # that is not for want of time
            self.ranges = ranges
            raise
        self.ranges = min(ranges + ranges // 10 + 1, RANGES_MAX)

    def took(self, ranges: int) -> None:
        """Halve what was there, where that is less than what is tried."""
        self.ranges = max(1, min(self.ranges, ranges // 2))


class UnitError(Exception):
    """A unit cannot be settled as it is registered; the others must not wait for it."""

    def __init__(self, unit_id: int) -> None:
        super().__init__(f"unit {unit_id} cannot be settled")
        self.unit_id = unit_id


class RegionError(Exception):
    """The areas of a region cannot be added up; the other regions must not wait for it."""

    def __init__(self, region: str) -> None:
        super().__init__(f"region {region} cannot be added up")
        self.region = region


@dataclass(frozen=True, slots=True)
class Aside:
    """Since when units, by id, and regions that could not be settled rest."""

    units: dict[int, datetime] = field(default_factory=dict)
    regions: dict[str, datetime] = field(default_factory=dict)


async def run(
    pool: Pool,
    instance: str,
    *,
    pause_s: float,
    clock: Callable[[], datetime],
    unverified: Unverified = Unverified.NOTE,
) -> None:
    """Settle until cancelled, some claims at a time: one computes while the database has others."""
    aside = Aside()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_beat(pool, instance, clock))
        tasks.create_task(reconcile.run(pool, clock, unverified))
        for _ in range(CLAIMS):
            tasks.create_task(_settle(pool, aside, pause_s, clock, unverified))


async def _settle(
    pool: Pool,
    aside: Aside,
    pause_s: float,
    clock: Callable[[], datetime],
    unverified: Unverified,
) -> None:
    """Settle what there is. What fails rests `aside` for a while; its ranges stay stale."""
    of_unit, of_region = Portion(), Portion()
    while True:
        now = clock()
        units = functools.partial(
            settle_one,
            without=_resting(aside.units, now),
            unverified=unverified,
            portion=of_unit,
        )
        areas = functools.partial(
            settle_region, without=_resting(aside.regions, now), portion=of_region
        )
        try:
            settled = await db.patience.patiently(pool, units)
            added_up = await db.patience.patiently(pool, areas)
        except UnitError as error:
            log.error("unit_not_settled", unit_id=error.unit_id, error=repr(error.__cause__))
            aside.units[error.unit_id] = now
        except RegionError as error:
            log.error("region_not_added_up", region=error.region, error=repr(error.__cause__))
            aside.regions[error.region] = now
        else:
            if not settled and not added_up:
                await asyncio.sleep(pause_s)


def _resting(aside: Mapping[K, datetime], now: datetime) -> list[K]:
    return [one for one, since in aside.items() if now - since < ASIDE]


@contextmanager
def _put_down_to(what: UnitError | RegionError) -> Iterator[None]:
    """Say of what it is that something fails, unless it may go well another time."""
    try:
        yield
    except Exception as error:
        if db.patience.is_retryable(error):
            raise
        raise what from error


async def settle_one(
    connection: Connection,
    *,
    without: Collection[int] = (),
    unverified: Unverified = Unverified.NOTE,
    portion: Portion | None = None,
) -> Settled | None:
    """Settle what is stale of one unit; None: there was nothing, rest. Raises UnitError."""
    portion = portion or Portion()
    with portion.tried() as ranges:
        async with connection.transaction():
            unit_id = await db.settlement.claim_unit(connection, without)
            if unit_id is None:
                return None
            stale = await db.settlement.take_stale(connection, unit_id, ranges)
            if not stale:  # another one settled them after the look, before this one had the lock
                return Settled(unit_id, ranges=0, hours=0)
            portion.took(len(stale))
            with _put_down_to(UnitError(unit_id)):
                hours = await unit_settlement.settle(connection, unit_id, stale, unverified)
    log.info("settled", unit_id=unit_id, ranges=len(stale), hours=hours)
    return Settled(unit_id, len(stale), hours)


async def settle_region(
    connection: Connection, *, without: Collection[str] = (), portion: Portion | None = None
) -> bool:
    """Add up what is stale of the areas of one region; False: nothing was. Raises RegionError."""
    portion = portion or Portion()
    with portion.tried() as ranges:
        async with connection.transaction():
            region = await db.rollups.claim_region(connection, without)
            if region is None:
                return False
            stale = await db.rollups.take_stale_areas(connection, region, ranges)
            if stale:  # else another one added them up after this one looked
                portion.took(len(stale))
                with _put_down_to(RegionError(region)):
                    await rollups.add_up_areas(connection, region, stale)
    return True


async def _beat(pool: Pool, instance: str, clock: Callable[[], datetime]) -> None:
    async def beat(connection: Connection) -> None:
        await db.heartbeats.beat(connection, "settle", instance, clock(), "settling")

    while True:
        await db.patience.patiently(pool, beat)
        await asyncio.sleep(HEARTBEAT_S)
