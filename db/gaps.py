"""Owns which readings are missing, and which gateways were asked to send them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of hours of a meter with fewer readings than its interval asks for."""

    gateway_id: int
    city: str
    unit: str
    gateway: str
    meter_id: int
    meter: str
    starts_at: datetime
    ends_at: datetime


_DUE = """
WITH slots_aside AS (
    SELECT DISTINCT meter_id, boundary, width, kind, interval_from, interval_to
      FROM corrections
      JOIN dated_meters USING (meter_id)
     CROSS JOIN LATERAL (SELECT make_interval(secs => interval_s) AS width)
     CROSS JOIN LATERAL (
           SELECT date_bin(width, read_at + width / 2, 'epoch') AS boundary)
     WHERE value IS NULL
       AND read_at BETWEEN $3::timestamptz - interval '1 hour'
                       AND $4::timestamptz + interval '1 hour'
       AND interval_s <= 3600
), aside AS (
    SELECT meter_id, date_trunc('hour', opens_at, 'UTC') AS starts_at,
           count(*) AS slots
      FROM slots_aside
     CROSS JOIN LATERAL (
           SELECT CASE kind WHEN 'register' THEN boundary - width ELSE boundary END
                  AS opens_at)
     WHERE opens_at >= interval_from
       AND opens_at < interval_to
       AND NOT EXISTS (
           SELECT FROM accountable_readings AS others
            WHERE others.meter_id = slots_aside.meter_id
              AND others.read_at >= boundary - width / 2
              AND others.read_at < boundary + width / 2)
     GROUP BY 1, 2
), lacking AS (
    SELECT meter_id, starts_at,
           starts_at - interval '1 hour'
               * row_number() OVER (PARTITION BY meter_id ORDER BY starts_at) AS run
      FROM meter_consumption
      JOIN dated_meters USING (meter_id)
      LEFT JOIN aside USING (meter_id, starts_at)
     WHERE step = 'hour'
       AND starts_at >= $3
       AND starts_at < $4
       AND starts_at >= interval_from
       AND starts_at < interval_to
       AND interval_s <= 3600
       AND readings_present + coalesce(slots, 0) < 3600 / interval_s
       AND starts_at >= installed_at
), follows AS (
    SELECT meter_id, starts_at, interval_from, installed_at, interval_s,
           lag(starts_at) OVER (PARTITION BY meter_id ORDER BY starts_at)
               + interval '1 hour' AS absent_from
      FROM meter_consumption
      JOIN dated_meters USING (meter_id)
     WHERE step = 'hour'
       AND kind <> 'register'
       AND starts_at >= $3
       AND starts_at < $4
       AND starts_at >= interval_from
       AND starts_at < interval_to
       AND interval_s <= 3600
), runs AS (
    SELECT meter_id, min(starts_at) AS starts_at,
           max(starts_at) + interval '1 hour' AS ends_at
      FROM lacking
     GROUP BY meter_id, run
     UNION ALL
    SELECT meter_id, greatest(absent_from, interval_from, installed_at), starts_at
      FROM follows
     WHERE absent_from < starts_at
       AND starts_at > greatest(interval_from, installed_at)
       AND starts_at - greatest(absent_from, interval_from, installed_at)
           > make_interval(secs => interval_s) * (
             SELECT coalesce(sum(slots), 0)::integer
               FROM aside
              WHERE aside.meter_id = follows.meter_id
                AND aside.starts_at >= absent_from
                AND aside.starts_at < follows.starts_at)
)
SELECT gateway_id, city, unit, gateway, meter_id, meter, runs.starts_at, runs.ends_at
  FROM runs
  JOIN meters USING (meter_id)
  JOIN units USING (unit_id)
  JOIN gateways USING (unit_id)
  LEFT JOIN requests USING (gateway_id, meter_id, starts_at)
 WHERE revoked_at IS NULL
   AND last_seen_at >= $6
   AND ($1::text[] IS NULL OR city = ANY ($1))
   AND ($2::text[] IS NULL OR unit = ANY ($2))
   AND (times IS NULL OR (times < $8 AND asked_at + $7::interval * 2 ^ times <= $5))
 ORDER BY runs.starts_at, meter_id, gateway_id
 LIMIT $9
"""
"""`aside`: of each meter and hour the intervals of which nothing is left but what was set aside."""


async def list_due(
    connection: Connection,
    *,
    cities: Sequence[str] | None,
    units: Sequence[str] | None,
    since: datetime,
    before: datetime,
    now: datetime,
    heard_since: datetime,
    pause: timedelta,
    times_max: int,
    limit: int,
) -> list[Gap]:
    """Return gaps to ask for, oldest first: hours in [since, before) that lack readings.

    Where nobody read a register it has hours with an estimate; other meters have none there.
    A reading that a person set aside came: its interval is not missing, and not asked for.
    Asked are gateways heard `heard_since`, at most `times_max` times, with pauses that double.
    """
    rows = await connection.fetch(
        _DUE,
        cities,
        units,
        since,
        before,
        now,
        heard_since,
        pause,
        times_max,
        limit,
    )
    return [Gap(**row) for row in rows]


async def note_asked(
    connection: Connection, request_id: UUID, gaps: Sequence[Gap], asked_at: datetime
) -> None:
    await connection.executemany(
        """
        INSERT INTO requests (request_id, gateway_id, meter_id, starts_at, ends_at, asked_at)
        VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (gateway_id, meter_id, starts_at)
            DO UPDATE SET request_id = excluded.request_id, ends_at = excluded.ends_at,
                          asked_at = excluded.asked_at, times = requests.times + 1
        """,
        [
            (request_id, gap.gateway_id, gap.meter_id, gap.starts_at, gap.ends_at, asked_at)
            for gap in gaps
        ],
    )
