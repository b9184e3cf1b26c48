"""Owns asking gateways for what is missing: hours without their readings, numbers that never came.

Paced, so that a city that comes back does not stampede: a few gateways a round, each told not to
begin before its turn, and asked again with pauses that double, a bounded number of times.
"""

from __future__ import annotations

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
    numbers = await db.sequences.list_due(
        connection,
        cities=cities,
        units=units,
        since=now - LOOKED_BACK,
        now=now,
        heard_since=now - HEARD_WITHIN,
        pause=ASK_AGAIN_AFTER,
        times_max=ASKED_TIMES_MAX,
        limit=GAPS_PER_ROUND,
    )
    return list(_requests(gaps, numbers, now))


async def note_asked(connection: Connection, asked: Request, asked_at: datetime) -> None:
    await db.gaps.note_asked(connection, asked.request_id, asked.gaps, asked_at)
    await db.sequences.note_asked(connection, asked.request_id, asked.numbers, asked_at)


def _requests(
    gaps: Sequence[Gap], numbers: Sequence[SequenceGap], now: datetime
) -> Iterator[Request]:
    missing: list[Gap | SequenceGap] = [*gaps, *numbers]
    addresses = {each.gateway_id: Address(each.city, each.unit, each.gateway) for each in missing}
    for turn, gateway_id in enumerate(sorted(addresses)[:GATEWAYS_PER_ROUND]):
        its_gaps = [each for each in gaps if each.gateway_id == gateway_id]
        its_numbers = [each for each in numbers if each.gateway_id == gateway_id]
        yield Request(
            uuid4(),
            addresses[gateway_id],
            its_gaps[:GAPS_PER_REQUEST],
            its_numbers[:GAPS_PER_REQUEST],
            now + turn * SPACING,
        )
