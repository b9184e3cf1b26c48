"""Owns the numbers of batches: which each boot of a gateway has sent, and which are missing.

Also, how often the gateway was asked for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from db.pool import Connection

Number = tuple[int, str, int]
"""gateway_id, boot, seq"""


@dataclass(frozen=True, slots=True)
class SequenceGap:
    """Batches `first` to `last` of a boot of a gateway that never came, though later ones did."""

    gateway_id: int
    city: str
    unit: str
    gateway: str
    boot: str
    first: int
    last: int


async def lock(connection: Connection, numbers: Sequence[Number], received_at: datetime) -> None:
    """Let nobody else look at or add numbers of these boots until the transaction ends.

    A boot that was never heard is locked too: others wait for its row. A known one is not changed.
    """
    await connection.execute(
        """
        INSERT INTO sequences (gateway_id, boot, received, first_at, last_at)
        SELECT DISTINCT gateway_id, boot, '{}'::int8multirange, $4::timestamptz, $4
          FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS told (gateway_id, boot, seq)
         ORDER BY gateway_id, boot
            ON CONFLICT (gateway_id, boot)
            DO UPDATE SET last_at = excluded.last_at WHERE false  -- locks all the same
        """,
        *_columns(numbers),
        received_at,
    )


async def list_received(connection: Connection, numbers: Sequence[Number]) -> set[Number]:
    """Return those of `numbers` that were received before; `lock` them first, to act on it."""
    rows = await connection.fetch(
        """
        SELECT gateway_id, boot, seq
          FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS told (gateway_id, boot, seq)
          JOIN sequences USING (gateway_id, boot)
         WHERE received @> seq
         ORDER BY gateway_id, boot, seq
        """,
        *_columns(numbers),
    )
    return {(row["gateway_id"], row["boot"], row["seq"]) for row in rows}


async def add(connection: Connection, numbers: Sequence[Number], received_at: datetime) -> None:
    """Note `numbers` as received."""
    await connection.execute(
        """
        INSERT INTO sequences (gateway_id, boot, received, first_at, last_at)
        SELECT gateway_id, boot, range_agg(int8range(seq, seq + 1)), $4, $4
          FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS told (gateway_id, boot, seq)
         GROUP BY gateway_id, boot
         ORDER BY gateway_id, boot
            ON CONFLICT (gateway_id, boot)
            DO UPDATE SET received = sequences.received + excluded.received,
                          last_at  = excluded.last_at
        """,
        *_columns(numbers),
        received_at,
    )


async def list_due(
    connection: Connection,
    *,
    cities: Sequence[str] | None,
    units: Sequence[str] | None,
    since: datetime,
    now: datetime,
    heard_since: datetime,
    pause: timedelta,
    times_max: int,
    limit: int,
) -> list[SequenceGap]:
    """Return what to ask for between the lowest and the highest number of boots heard `since`.

    Asked are gateways heard `heard_since`, at most `times_max` times, with pauses that double.
    """
    rows = await connection.fetch(
        """
        WITH missing AS (
            SELECT gateway_id, boot, first_at, lower(gap) AS first, upper(gap) - 1 AS last
              FROM sequences,
                   unnest(int8multirange(range_merge(received)) - received) AS gap
             WHERE last_at >= $3
        )
        SELECT gateway_id, city, unit, gateway, boot, first, missing.last
          FROM missing
          JOIN gateways USING (gateway_id)
          JOIN units USING (unit_id)
          LEFT JOIN sequence_requests USING (gateway_id, boot, first)
         WHERE revoked_at IS NULL
           AND last_seen_at >= $5
           AND ($1::text[] IS NULL OR city = ANY ($1))
           AND ($2::text[] IS NULL OR unit = ANY ($2))
           AND (times IS NULL OR (times < $7 AND asked_at + $6::interval * 2 ^ times <= $4))
         ORDER BY first_at, gateway_id, boot, first
         LIMIT $8
        """,
        cities,
        units,
        since,
        now,
        heard_since,
        pause,
        times_max,
        limit,
    )
    return [SequenceGap(**row) for row in rows]


async def note_asked(
    connection: Connection, request_id: UUID, gaps: Sequence[SequenceGap], asked_at: datetime
) -> None:
    await connection.executemany(
        """
        INSERT INTO sequence_requests (request_id, gateway_id, boot, first, last, asked_at)
        VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (gateway_id, boot, first)
            DO UPDATE SET request_id = excluded.request_id, last = excluded.last,
                          asked_at = excluded.asked_at, times = sequence_requests.times + 1
        """,
        [(request_id, gap.gateway_id, gap.boot, gap.first, gap.last, asked_at) for gap in gaps],
    )


async def count_present(
    connection: Connection, meter_ids: Sequence[int], instants: Sequence[datetime]
) -> int:
    """Return how many of the readings (meter, instant) are stored."""
    present: int = await connection.fetchval(
        """
        SELECT count(*)
          FROM unnest($1::integer[], $2::timestamptz[]) AS told (meter_id, read_at)
          JOIN readings USING (meter_id, read_at)
         WHERE readings.read_at BETWEEN (SELECT min(m) FROM unnest($2::timestamptz[]) AS m)
                                    AND (SELECT max(m) FROM unnest($2::timestamptz[]) AS m)
        """,
        meter_ids,
        instants,
    )
    return present


def _columns(numbers: Sequence[Number]) -> list[list[object]]:
    return [list(column) for column in zip(*numbers, strict=True)]
