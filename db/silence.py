"""Owns which units have a counting meter that says nothing: the sum of the others would flatter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from db.consumption import Selection
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


async def list_silent(
    connection: Connection,
    scope: Scope,
    selection: Selection,
    within: Sequence[Span],
    *,
    roles: Sequence[str],
) -> set[tuple[str, datetime]]:
    """Return (unit, start of bucket) where a meter of `roles` is installed and has no quantity."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT unit, bucket_starts_at
          FROM visible_units($1, $2)
          JOIN meters USING (unit_id)
          JOIN unnest($7::timestamptz[], $8::timestamptz[])
               AS bucket (bucket_starts_at, bucket_ends_at)
            ON installed_at < bucket_ends_at
         WHERE region LIKE $3 || '%'
           AND ($4::text IS NULL OR unit = $4)
           AND industry LIKE $5 || '%'
           AND role = ANY ($9)
           AND ($10::text IS NULL OR carrier = $10)
           AND NOT EXISTS (SELECT
                             FROM meter_consumption AS counted
                            WHERE counted.meter_id = meters.meter_id
                              AND step = $6
                              AND starts_at >= bucket_starts_at
                              AND starts_at < bucket_ends_at
                              AND quantity IS NOT NULL)
         ORDER BY unit, bucket_starts_at
        """,
        scope.region_prefix,
        scope.unit,
        selection.region_prefix,
        selection.unit,
        selection.industry,
        selection.step,
        [bucket.starts_at for bucket in within],
        [bucket.ends_at for bucket in within],
        list(roles),
        selection.energy,
    )
    return {(row["unit"], row["bucket_starts_at"]) for row in rows}
