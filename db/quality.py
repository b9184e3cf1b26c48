"""Owns what is counted of the readings of each meter and local day, and of each unit and day.

Workers write it; callers read the units' days through a scope in `db/scores.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.assessment import StaleDay
from db.pool import Connection
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class Counted:
    """What arrived of a meter for a local day. [readings; seconds]"""

    meter_id: int
    starts_at: datetime
    present: int
    arrived: int
    on_time: int
    traceable: int
    valid: int
    opening_offset_s: float | None


DayRow = tuple[int, datetime, int, int, int, int, int, int, str, bool, float | None, datetime]
"""meter_id, starts_at, due, present, arrived, on_time, traceable, valid, verification, normative,
opening_offset_s, measured_at"""


async def count_days(
    connection: Connection, unit_id: int, span: Span, *, margin: timedelta, allowance: timedelta
) -> list[Counted]:
    """Return what arrived for each meter and local day of `span`. [readings]

    A reading fills the nearest slot of the interval of then, as in settlement: a register reading
    closes the slot before it. On time is what came within an interval and `allowance` of the
    moment at which it could be known. `margin` is the longest interval among the meters.
    """
    rows = await connection.fetch(
        """
        WITH limited AS (
            SELECT meter_id, kind, interval_s, value_min, value_max,
                   tstzrange(interval_from, interval_to) AS paced
              FROM dated_meters
              LEFT JOIN value_limits USING (meter_id)
             WHERE unit_id = $1
        ), held AS (
            SELECT meter_id, starts_at AS hour
              FROM meter_consumption
             WHERE meter_id IN (SELECT meter_id FROM limited)
               AND step = 'hour'
               AND held
               AND starts_at >= $2
               AND starts_at < $3
        ), contested AS (
            SELECT DISTINCT meter_id, read_at
              FROM conflicts
             WHERE meter_id IN (SELECT meter_id FROM limited)
               AND read_at >= $2::timestamptz - $4::interval
               AND read_at < $3::timestamptz + $4::interval
        ), placed AS (
            SELECT meter_id, read_at, raw_value, quality, received_at, kind, interval_s,
                   value_min, value_max, paced,
                   floor(extract(epoch FROM read_at)::double precision / interval_s + 0.5)
                       * interval_s - (kind = 'register')::integer AS second
              FROM readings
              JOIN limited USING (meter_id)
             WHERE read_at + interval '1 minute'
                   * CASE kind WHEN 'register' THEN -1 ELSE 1 END <@ paced
               AND read_at >= $2::timestamptz - $4::interval
               AND read_at < $3::timestamptz + $4::interval
        ), doubted AS (
            SELECT DISTINCT placed.meter_id, read_at
              FROM doubts
              JOIN placed ON placed.meter_id = doubts.meter_id
                         AND read_at BETWEEN first_at AND last_at
             WHERE doubts.readings > 0
        ), days AS (
            SELECT placed.meter_id,
                   to_timestamp(floor((second + 28800) / 86400) * 86400 - 28800) AS starts_at,
                   count(DISTINCT second) FILTER (WHERE to_timestamp(second) <@ paced) AS present,
                   count(*) AS arrived,
                   count(*) FILTER (
                       WHERE received_at <= read_at + $5::interval + interval '1 second'
                             * (interval_s * CASE kind WHEN 'interval' THEN 2 ELSE 1 END)
                   ) AS on_time,
                   count(*) FILTER (
                       WHERE quality <> 'substituted' AND contested.read_at IS NULL
                   ) AS traceable,
                   count(*) FILTER (
                       WHERE quality <> 'bad'
                         AND held.hour IS NULL
                         AND doubted.read_at IS NULL
                         AND (value_min IS NULL OR raw_value >= value_min)
                         AND (value_max IS NULL OR raw_value <= value_max)
                   ) AS valid
              FROM placed
              LEFT JOIN contested USING (meter_id, read_at)
              LEFT JOIN doubted USING (meter_id, read_at)
              LEFT JOIN held ON held.meter_id = placed.meter_id
                            AND hour = date_trunc('hour', to_timestamp(second))
             GROUP BY placed.meter_id, 2
        ), openings AS (
            SELECT DISTINCT ON (meter_id, starts_at) meter_id, starts_at,
                   extract(epoch FROM read_at - starts_at)::double precision AS opening_offset_s
              FROM (SELECT meter_id, read_at, interval_s,
                           to_timestamp(floor((extract(epoch FROM read_at)::double precision
                                               + 28800 + 43200) / 86400) * 86400 - 28800)
                               AS starts_at
                      FROM placed) AS near
             WHERE abs(extract(epoch FROM read_at - starts_at)) <= greatest(interval_s, 60)
             ORDER BY meter_id, starts_at, abs(extract(epoch FROM read_at - starts_at))
        )
        SELECT meter_id, starts_at, coalesce(present, 0) AS present,
               coalesce(arrived, 0) AS arrived, coalesce(on_time, 0) AS on_time,
               coalesce(traceable, 0) AS traceable, coalesce(valid, 0) AS valid, opening_offset_s
          FROM days
          FULL JOIN openings USING (meter_id, starts_at)
         WHERE starts_at >= $2
           AND starts_at < $3
         ORDER BY meter_id, starts_at
        """,
        unit_id,
        span.starts_at,
        span.ends_at,
        margin,
        allowance,
    )
    return [Counted(**row) for row in rows]


async def upsert_days(connection: Connection, rows: Sequence[DayRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO quality_days (meter_id, starts_at, due, present, arrived, on_time, traceable,
                                  valid, verification, normative, opening_offset_s, measured_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            ON CONFLICT (meter_id, starts_at)
            DO UPDATE SET due = excluded.due, present = excluded.present,
                          arrived = excluded.arrived, on_time = excluded.on_time,
                          traceable = excluded.traceable, valid = excluded.valid,
                          verification = excluded.verification, normative = excluded.normative,
                          opening_offset_s = excluded.opening_offset_s,
                          measured_at = excluded.measured_at
        """,
        rows,
    )


async def roll_up_days(
    connection: Connection,
    unit_id: int,
    days: Sequence[StaleDay],
    now: datetime,
    *,
    begins_within_s: float,
) -> None:
    """Sum the meters of a unit for `days`, with what settlement said of them."""
    await connection.execute(
        """
        INSERT INTO quality_unit_days (unit_id, starts_at, meter_days, due, present, arrived,
                                       on_time, traceable, valid, verified, verification_known,
                                       normative, opened, on_boundary, settled, measured_at)
        SELECT $1, days.starts_at, count(meter_id), coalesce(sum(due), 0),
               coalesce(sum(present), 0), coalesce(sum(arrived), 0), coalesce(sum(on_time), 0),
               coalesce(sum(traceable), 0), coalesce(sum(valid), 0),
               count(*) FILTER (WHERE verification = 'in_force'),
               count(*) FILTER (WHERE verification <> 'unknown'),
               count(*) FILTER (WHERE normative), count(opening_offset_s),
               count(*) FILTER (WHERE abs(opening_offset_s) <= $5), days.settled, $4
          FROM unnest($2::timestamptz[], $3::text[]) AS days (starts_at, settled)
          LEFT JOIN quality_days
            ON quality_days.starts_at = days.starts_at
           AND meter_id IN (SELECT meter_id FROM meters WHERE unit_id = $1)
         GROUP BY days.starts_at, days.settled
            ON CONFLICT (unit_id, starts_at)
            DO UPDATE SET meter_days = excluded.meter_days, due = excluded.due,
                          present = excluded.present, arrived = excluded.arrived,
                          on_time = excluded.on_time, traceable = excluded.traceable,
                          valid = excluded.valid, verified = excluded.verified,
                          verification_known = excluded.verification_known,
                          normative = excluded.normative, opened = excluded.opened,
                          on_boundary = excluded.on_boundary, settled = excluded.settled,
                          measured_at = excluded.measured_at
        """,
        unit_id,
        [day.starts_at for day in days],
        [day.settled for day in days],
        now,
        begins_within_s,
    )


async def note_days_checked(connection: Connection, unit_id: int, days: Sequence[StaleDay]) -> None:
    """Remember that the suspicion checks ran on `days` as settlement has them."""
    await connection.execute(
        """
        UPDATE quality_unit_days
           SET checked = settled
         WHERE unit_id = $1
           AND starts_at = ANY ($2)
        """,
        unit_id,
        [day.starts_at for day in days],
    )


async def set_curves(
    connection: Connection, meter_id: int, curves: Sequence[tuple[datetime, bytes | None]]
) -> None:
    await connection.executemany(
        "UPDATE quality_days SET curve = $3 WHERE meter_id = $1 AND starts_at = $2",
        [(meter_id, starts_at, digest) for starts_at, digest in curves],
    )
