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


async def list_silent_units(
    connection: Connection, unit_ids: Sequence[int], at: datetime
) -> dict[int, str]:
    """Return units of which a meter that counts says nothing, with the codes of such meters.

    One says nothing when the newest reading it should have given by now, and half of the next
    interval, are past. A reading of a `register` is due at the end of an interval, one of the
    others is labelled by its start.
    """
    rows = await connection.fetch(
        """
        SELECT unit_id, string_agg(meter, ', ' ORDER BY meter) AS meters
          FROM meters
         WHERE unit_id = ANY ($1::integer[])
           AND role IN ('boundary', 'export', 'output')
           AND installed_at < $2::timestamptz - make_interval(secs => 2 * interval_s)
           AND NOT EXISTS (SELECT
                             FROM readings
                            WHERE readings.meter_id = meters.meter_id
                              AND read_at > $2::timestamptz - make_interval(
                                  secs => CASE kind WHEN 'register' THEN 1.5
                                                    ELSE 2.5 END * interval_s))
         GROUP BY unit_id
         ORDER BY unit_id
        """,
        unit_ids,
        at,
    )
    return {row["unit_id"]: row["meters"] for row in rows}
