"""Owns the numbers of batches: which each boot of a gateway has sent, and which are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection

Number = tuple[int, str, int]
"""gateway_id, boot, seq"""


@dataclass(frozen=True, slots=True)
class SequenceGap:
    """Batches `first` to `last` of a boot of a gateway that never came, though later ones did."""

    gateway_id: int
    boot: str
    first: int
    last: int


async def list_received(connection: Connection, numbers: Sequence[Number]) -> set[Number]:
    """Return those of `numbers` that were received before."""
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


async def list_gaps(
    connection: Connection, since: datetime, *, unit: str | None = None
) -> list[SequenceGap]:
    """Return what is missing between the lowest and the highest number of boots heard `since`."""
    rows = await connection.fetch(
        """
        SELECT gateway_id, boot, lower(gap) AS first, upper(gap) - 1 AS last
          FROM sequences
          JOIN gateways USING (gateway_id)
          JOIN units USING (unit_id),
               unnest(int8multirange(range_merge(received)) - received) AS gap
         WHERE last_at >= $1
           AND ($2::text IS NULL OR unit = $2)
         ORDER BY gateway_id, first_at, boot, first
        """,
        since,
        unit,
    )
    return [SequenceGap(**row) for row in rows]


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
