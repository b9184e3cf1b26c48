"""Owns asking gateways for what is missing: hours without their readings, numbers that never came.

Paced, so that a city that comes back does not stampede: a few gateways a round, each told not to
begin before its turn, and asked again with pauses that double, a bounded number of times.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec

import db.gaps
import db.sequences
from db.gaps import Gap
from db.pool import Connection
from db.sequences import SequenceGap
from ingest.topics import Address, Leaf

LOOKED_BACK = timedelta(days=30)
SETTLED_AFTER = timedelta(hours=2)
"""Younger hours may still be under way."""

HEARD_WITHIN = timedelta(hours=1)
ASK_AGAIN_AFTER = timedelta(minutes=10)
ASKED_TIMES_MAX = 6
GAPS_PER_ROUND = 2_000
GAPS_PER_REQUEST = 100
GATEWAYS_PER_ROUND = 60
SPACING = timedelta(seconds=1)


class _WireGap(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    meter: str
    from_: datetime
    to: datetime


class _WireNumbers(msgspec.Struct, frozen=True):
    boot: str
    first: int
    last: int


class _WireRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    gaps: list[_WireGap]
    not_before: datetime
    sequences: list[_WireNumbers] = []


@dataclass(frozen=True, slots=True)
class Request:
    """What one gateway is asked for."""

    request_id: UUID
    address: Address
    gaps: Sequence[Gap]
    numbers: Sequence[SequenceGap]
    not_before: datetime

    def message(self) -> tuple[bytes, bytes]:
        """Return topic and payload."""
        wire = _WireRequest(
            str(self.request_id),
            [_WireGap(gap.meter, gap.starts_at, gap.ends_at) for gap in self.gaps],
            self.not_before,
            [_WireNumbers(each.boot, each.first, each.last) for each in self.numbers],
        )
        return self.address.topic(Leaf.REQUESTS).encode(), msgspec.json.encode(wire)


async def list_due(
    connection: Connection,
    now: datetime,
    *,
    cities: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> list[Request]:
    """Return what to ask for now, of the gateways of `cities` and `units` or of all."""
    gaps = await db.gaps.list_due(
        connection,
        cities=cities,
        units=units,
        since=now - LOOKED_BACK,
        before=now - SETTLED_AFTER,
        now=now,
        heard_since=now - HEARD_WITHIN,
        pause=ASK_AGAIN_AFTER,
        times_max=ASKED_TIMES_MAX,
        limit=GAPS_PER_ROUND,
    )
    numbers = await db.sequences.list_gaps(connection, now - LOOKED_BACK) if gaps else []
    return list(_requests(gaps, numbers, now))


def _requests(
    gaps: Sequence[Gap], numbers: Sequence[SequenceGap], now: datetime
) -> Iterator[Request]:
    by_gateway = sorted(gaps, key=lambda gap: gap.gateway_id)
    grouped = itertools.groupby(by_gateway, key=lambda gap: gap.gateway_id)
    for turn, (gateway_id, mine) in enumerate(itertools.islice(grouped, GATEWAYS_PER_ROUND)):
        some = list(mine)[:GAPS_PER_REQUEST]
        missing = [each for each in numbers if each.gateway_id == gateway_id][:GAPS_PER_REQUEST]
        address = Address(some[0].city, some[0].unit, some[0].gateway)
        yield Request(uuid4(), address, some, missing, now + turn * SPACING)
