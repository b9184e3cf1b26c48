"""Owns reading readings back: as they arrived, with the conflicting values kept beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class ReadingEntry:
    read_at: datetime
    raw_value: float
    quality: str
    received_at: datetime


async def list_readings(
    connection: Connection, scope: Scope, meter_id: int, *, span: Span, limit: int
) -> list[ReadingEntry]:
    """Return the first readings of a meter in `span`, in order of time."""
    rows = await connection.fetch(
        """
        SELECT read_at, raw_value, quality, received_at
          FROM readings
         WHERE meter_id = (SELECT meter_id
                             FROM meters
                             JOIN visible_units($1, $2) USING (unit_id)
                            WHERE meter_id = $3)
           AND read_at >= $4
           AND read_at < $5
         ORDER BY read_at
         LIMIT $6
        """,
        scope.region_prefix,
        scope.unit,
        meter_id,
        span.starts_at,
        span.ends_at,
        limit,
    )
    return [ReadingEntry(**row) for row in rows]


async def list_known(
    connection: Connection,
    scope: Scope,
    meter_id: int,
    *,
    span: Span,
    at: datetime,
    limit: int,
) -> list[ReadingEntry]:
    """Return the first readings of a meter in `span` that had been stored `at` an instant.

    One that was rejected first and replayed later was not known until then: its link tells.
    """
    rows = await connection.fetch(
        """
        SELECT read_at, raw_value, quality, received_at
          FROM readings
          LEFT JOIN links USING (link_id)
         WHERE meter_id = (SELECT meter_id
                             FROM meters
                             JOIN visible_units($1, $2) USING (unit_id)
                            WHERE meter_id = $3)
           AND read_at >= $4
           AND read_at < $5
           AND received_at <= $6
           AND (stored_at IS NULL OR stored_at <= $6)
         ORDER BY read_at
         LIMIT $7
        """,
        scope.region_prefix,
        scope.unit,
        meter_id,
        span.starts_at,
        span.ends_at,
        at,
        limit,
    )
    return [ReadingEntry(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class ConflictEntry:
    """What contradicts a stored reading, and the messages both came in, as far as is known.

    A message is the SHA-256 of topic, newline, payload.
    """

    read_at: datetime
    raw_value: float
    quality: str
    received_at: datetime
    topic: str
    sha256: bytes | None
    first_gateway: str | None
    first_sha256: bytes | None


async def list_conflicts(
    connection: Connection, scope: Scope, meter_id: int, *, first: datetime, last: datetime
) -> list[ConflictEntry]:
    """Return what contradicts readings from `first` to `last`, both included."""
    rows = await connection.fetch(
        """
        SELECT read_at, raw_value, conflicts.quality, conflicts.received_at, topic, sha256,
               gateway AS first_gateway, first_sha256
          FROM conflicts
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
          LEFT JOIN gateways ON gateway_id = first_gateway_id
         WHERE meter_id = $3
           AND read_at BETWEEN $4 AND $5
         ORDER BY read_at, conflicts.received_at, raw_value
        """,
        scope.region_prefix,
        scope.unit,
        meter_id,
        first,
        last,
    )
    return [ConflictEntry(**row) for row in rows]
