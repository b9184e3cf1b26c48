"""Owns what settlement claims, reads and replaces, all inside one transaction per unit."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from energy.periods import Span

LOCK_SPACE = 0x7365  # "se": first key of the advisory lock that a settler holds on a unit
UNITS_LOOKED_AT = 64

HourRow = tuple[int, str, datetime, float | None, float, int, bool, float | None, float | None]
"""meter_id, step, starts_at, quantity, estimated_quantity, readings_present, held, tce (two)"""

DoubtRow = tuple[int, datetime, datetime, str, int, bool]
"""meter_id, first_at, last_at, reason, readings, held"""

History = list[tuple[int, float]]
"""Readings as `energy.registers` takes them: µs since 2000, raw value."""

Point = tuple[int, datetime]
"""meter_id, instant"""

_READING = struct.Struct(">qd")
"""What timestamptz_send and float8send write."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Hours of a meter whose readings changed, or the whole steps above them."""

    meter_id: int
    span: Span


async def claim_unit(connection: Connection, without: Collection[int] = ()) -> int | None:
    """Lock a unit that has stale ranges until the transaction ends; None: nothing to do.

    Units that another settler holds, and those of `without`, are passed over. The order is that
    of the oldest mark.
    """
    unit_id: int | None = await connection.fetchval(
        """
        SELECT unit_id
          FROM (SELECT unit_id
                  FROM stale_ranges
                 WHERE unit_id <> ALL ($3::integer[])
                 GROUP BY unit_id
                 ORDER BY min(range_id)
                 LIMIT $2) AS waiting
         WHERE pg_try_advisory_xact_lock($1, unit_id)
         LIMIT 1
        """,
        LOCK_SPACE,
        UNITS_LOOKED_AT,
        list(without),
    )
    return unit_id


async def take_stale(connection: Connection, unit_id: int, limit: int) -> list[Stale]:
    """Remove the oldest stale ranges of a unit; they come back if the transaction fails."""
    rows = await connection.fetch(
        """
        DELETE FROM stale_ranges
         WHERE range_id IN (SELECT range_id
                              FROM stale_ranges
                             WHERE unit_id = $1
                             ORDER BY range_id
                             LIMIT $2)
        RETURNING meter_id, starts_at, ends_at
        """,
        unit_id,
        limit,
    )
    return [Stale(row["meter_id"], Span(row["starts_at"], row["ends_at"])) for row in rows]


async def list_before(
    connection: Connection, points: Sequence[Point], *, count: int, since: datetime
) -> list[datetime | None]:
    """Return, for each point, the `count`-th reading on the register's course before it.

    The earliest of them where there are fewer, None where there is none after `since`: chunks
    before that are left out when the statement is planned.
    """
    rows = await connection.fetch(
        """
        SELECT (SELECT min(read_at)
                  FROM (SELECT read_at
                          FROM course_readings AS r
                         WHERE r.meter_id = points.meter_id
                           AND r.read_at < points.at
                           AND r.read_at < $4
                           AND r.read_at >= $5
                         ORDER BY read_at DESC
                         LIMIT $3) AS nearest) AS read_at
          FROM unnest($1::integer[], $2::timestamptz[]) WITH ORDINALITY
               AS points (meter_id, at, place)
         ORDER BY place
        """,
        [meter_id for meter_id, _ in points],
        [at for _, at in points],
        count,
        max(at for _, at in points),
        since,
    )
    return [row["read_at"] for row in rows]


async def list_after(
    connection: Connection, points: Sequence[Point], *, until: datetime
) -> list[datetime | None]:
    """Return, for each point, the first reading on the register's course at or after it, if there
    is one before `until`: chunks after that are left out when the statement is planned.
    """
    rows = await connection.fetch(
        """
        SELECT (SELECT read_at
                  FROM course_readings AS r
                 WHERE r.meter_id = points.meter_id
                   AND r.read_at >= points.at
                   AND r.read_at >= $3
                   AND r.read_at < $4
                 ORDER BY read_at
                 LIMIT 1) AS read_at
          FROM unnest($1::integer[], $2::timestamptz[]) WITH ORDINALITY
               AS points (meter_id, at, place)
         ORDER BY place
        """,
        [meter_id for meter_id, _ in points],
        [at for _, at in points],
        min(at for _, at in points),
        until,
    )
    return [row["read_at"] for row in rows]


async def list_histories(connection: Connection, windows: Sequence[Stale]) -> list[History]:
    """Return the accountable readings of each window, both its ends included.

    A history comes as one value: decoding a row for each reading would cost five times as much.
    """
    rows = await connection.fetch(
        """
        SELECT (SELECT string_agg(timestamptz_send(read_at) || float8send(raw_value), ''
                                  ORDER BY read_at)
                  FROM accountable_readings AS r
                 WHERE r.meter_id = windows.meter_id
                   AND r.read_at >= from_at
                   AND r.read_at <= to_at
                   AND r.read_at >= $4
                   AND r.read_at <= $5) AS history
          FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY
               AS windows (meter_id, from_at, to_at, place)
         ORDER BY place
        """,
        *columns(windows),
        *_reach(windows),
    )
    return [list(_READING.iter_unpack(row["history"] or b"")) for row in rows]


async def list_newest(connection: Connection, points: Sequence[Point]) -> list[datetime | None]:
    """Return, for each point, the newest accountable reading of the meter at or after it."""
    rows = await connection.fetch(
        """
        SELECT (SELECT read_at
                  FROM accountable_readings AS r
                 WHERE r.meter_id = points.meter_id
                   AND r.read_at >= points.at
                   AND r.read_at >= $3
                 ORDER BY read_at DESC
                 LIMIT 1) AS read_at
          FROM unnest($1::integer[], $2::timestamptz[]) WITH ORDINALITY
               AS points (meter_id, at, place)
         ORDER BY place
        """,
        [meter_id for meter_id, _ in points],
        [at for _, at in points],
        min(at for _, at in points),
    )
    return [row["read_at"] for row in rows]


async def delete_doubts(connection: Connection, windows: Sequence[Stale]) -> None:
    """Forget the doubts about the readings of `windows`; those at their edges are of others."""
    await connection.execute(
        """
        DELETE FROM doubts
         USING unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])
               AS windows (meter_id, from_at, to_at)
         WHERE doubts.meter_id = windows.meter_id
           AND first_at >= from_at
           AND last_at <= to_at
        """,
        *columns(windows),
    )


async def copy_doubts(connection: Connection, rows: Sequence[DoubtRow]) -> None:
    await connection.copy_records_to_table("doubts", records=rows)


async def delete_hours(connection: Connection, windows: Sequence[Stale]) -> None:
    await connection.execute(
        """
        DELETE FROM meter_consumption
         USING unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])
               AS windows (meter_id, from_at, to_at)
         WHERE meter_consumption.meter_id = windows.meter_id
           AND step = 'hour'
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $4
           AND starts_at < $5
        """,
        *columns(windows),
        *_reach(windows),
    )


async def copy_hours(connection: Connection, rows: Sequence[HourRow]) -> None:
    await connection.copy_records_to_table(
        "meter_consumption",
        records=rows,
        columns=[
            "meter_id",
            "step",
            "starts_at",
            "quantity",
            "estimated_quantity",
            "readings_present",
            "held",
            "calorific_tce",
            "equivalent_tce",
        ],
    )


def columns(ranges: Sequence[Stale]) -> tuple[list[int], list[datetime], list[datetime]]:
    """Return `ranges` as arrays: meter, start, end."""
    return (
        [each.meter_id for each in ranges],
        [each.span.starts_at for each in ranges],
        [each.span.ends_at for each in ranges],
    )


def _reach(ranges: Sequence[Stale]) -> tuple[datetime, datetime]:
    """Return where all ranges lie: chunks beyond it are left out when the statement is planned."""
    return min(each.span.starts_at for each in ranges), max(each.span.ends_at for each in ranges)


async def count_stale(connection: Connection) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM stale_ranges")
    return count
