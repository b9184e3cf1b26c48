"""Owns reading whole spans of readings as rows of a file: copied as text, or batch by batch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, LiteralString

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span

BATCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class ExportedReading:
    """A reading, what was stated in its place, and how many other values contradict it.

    `is_corrected` without a `corrected_value`: it was set aside.
    """

    read_at: datetime
    raw_value: float
    quality: str
    received_at: datetime
    is_corrected: bool
    corrected_value: float | None
    conflicts: int


# $1, $2 the scope, $3 the meter, $4, $5 the span.
EXPORTED: LiteralString = """
        WITH exported AS (
            SELECT read_at, raw_value, readings.quality, readings.received_at,
                   corrections.meter_id IS NOT NULL AS is_corrected,
                   corrections.value AS corrected_value,
                   coalesce(others.conflicts, 0) AS conflicts
              FROM readings
              LEFT JOIN corrections USING (meter_id, read_at)
              LEFT JOIN (SELECT meter_id, read_at, count(*) AS conflicts
                           FROM conflicts
                          WHERE meter_id = $3
                            AND read_at >= $4
                            AND read_at < $5
                          GROUP BY meter_id, read_at) AS others USING (meter_id, read_at)
             WHERE meter_id = (SELECT meter_id
                                 FROM meters
                                 JOIN visible_units($1, $2) USING (unit_id)
                                WHERE meter_id = $3)
               AND read_at >= $4
               AND read_at < $5
        )
"""

# The texts of a gateway are letters of its quality, those of the registry come as $6 and $7, made
# harmless by the caller: no cell begins a formula.
AS_TEXT: LiteralString = """
        SELECT $6::text AS unit, $7::text AS meter,
               replace((read_at AT TIME ZONE 'Asia/Shanghai')::text, ' ', 'T') || '+08:00' AS time,
               raw_value AS value, quality,
               replace((received_at AT TIME ZONE 'Asia/Shanghai')::text, ' ', 'T') || '+08:00'
               AS received_at,
               CASE WHEN is_corrected THEN 'true' ELSE 'false' END AS is_corrected,
               corrected_value, conflicts
          FROM exported
         ORDER BY read_at
"""

AS_ROWS: LiteralString = """
        SELECT read_at, raw_value, quality, received_at, is_corrected, corrected_value, conflicts
          FROM exported
         ORDER BY read_at
"""


async def copy_readings(
    connection: Connection,
    scope: Scope,
    meter_id: int,
    *,
    span: Span,
    named: tuple[str, str],
    file: BinaryIO,
) -> None:
    """Write the readings of a meter in `span` as CSV, made by the database: ten times as fast."""
    await connection.copy_from_query(
        EXPORTED + AS_TEXT,
        scope.region_prefix,
        scope.unit,
        meter_id,
        span.starts_at,
        span.ends_at,
        *named,
        output=file,
        format="csv",
    )


async def has_more_than(
    connection: Connection, scope: Scope, meter_id: int, *, span: Span, rows: int
) -> bool:
    """Return whether a meter has more than so many readings in `span`; so many are counted."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT
                         FROM readings
                        WHERE meter_id = (SELECT meter_id
                                            FROM meters
                                            JOIN visible_units($1, $2) USING (unit_id)
                                           WHERE meter_id = $3)
                          AND read_at >= $4
                          AND read_at < $5
                       OFFSET $6)
        """,
        scope.region_prefix,
        scope.unit,
        meter_id,
        span.starts_at,
        span.ends_at,
        rows,
    )
    return found


async def list_readings(
    connection: Connection, scope: Scope, meter_id: int, *, span: Span
) -> AsyncIterator[list[ExportedReading]]:
    """Yield the readings of a meter in `span`, in batches of the database's cursor."""
    cursor = await connection.cursor(
        EXPORTED + AS_ROWS,
        scope.region_prefix,
        scope.unit,
        meter_id,
        span.starts_at,
        span.ends_at,
    )
    while rows := await cursor.fetch(BATCH_ROWS):
        yield [ExportedReading(**row) for row in rows]
