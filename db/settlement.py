"""Owns what settlement claims, reads and replaces, all inside one transaction per unit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from energy.factors import Basis, Factor
from energy.periods import Span
from energy.registers import Reading

LOCK_SPACE = 0x7365  # "se": first key of the advisory lock that a settler holds on a unit
UNITS_LOOKED_AT = 64

HourRow = tuple[int, str, datetime, float | None, float, int, bool, float | None, float | None]
"""meter_id, step, starts_at, quantity, estimated_quantity, readings_present, held, tce (two)"""


@dataclass(frozen=True, slots=True)
class Stale:
    """Hours of a meter whose readings changed."""

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


async def fetch_neighbours(connection: Connection, meter_id: int, span: Span) -> Span:
    """Return `span` widened to the readings before and after it, and beyond held hours.

    A register's step reaches from one reading to the next, so a new reading changes the hours of
    both steps that it ends and begins.
    """
    row = await connection.fetchrow(
        """
        SELECT least((SELECT max(read_at) FROM readings
                       WHERE meter_id = $1 AND read_at < $2 AND quality <> 'bad'),
                     (SELECT max(starts_at) FROM meter_consumption
                       WHERE meter_id = $1 AND step = 'hour' AND starts_at < $2
                         AND NOT held AND quantity IS NOT NULL)) AS before,
               greatest((SELECT min(read_at) FROM readings
                          WHERE meter_id = $1 AND read_at >= $3 AND quality <> 'bad'),
                        (SELECT min(starts_at) FROM meter_consumption
                          WHERE meter_id = $1 AND step = 'hour' AND starts_at >= $3
                            AND NOT held AND quantity IS NOT NULL)) AS after
        """,
        meter_id,
        span.starts_at,
        span.ends_at,
    )
    assert row is not None
    return Span(row["before"] or span.starts_at, row["after"] or span.ends_at)


async def list_readings(connection: Connection, meter_id: int, span: Span) -> list[Reading]:
    """Return the readings of a meter from the last one at or before `span` to the first after it.

    Readings the gateway itself calls bad are left out: they stay as evidence, not as energy.
    """
    rows = await connection.fetch(
        """
        SELECT read_at, raw_value
          FROM readings
         WHERE meter_id = $1
           AND read_at >= coalesce((SELECT max(read_at) FROM readings
                                     WHERE meter_id = $1 AND read_at <= $2
                                       AND quality <> 'bad'), $2)
           AND read_at <= coalesce((SELECT min(read_at) FROM readings
                                     WHERE meter_id = $1 AND read_at >= $3
                                       AND quality <> 'bad'), $3)
           AND quality <> 'bad'
         ORDER BY read_at
        """,
        meter_id,
        span.starts_at,
        span.ends_at,
    )
    return [Reading(row["read_at"], row["raw_value"]) for row in rows]


async def delete_hours(connection: Connection, meter_id: int, span: Span) -> None:
    await connection.execute(
        """
        DELETE FROM meter_consumption
         WHERE meter_id = $1
           AND step = 'hour'
           AND starts_at >= $2
           AND starts_at < $3
        """,
        meter_id,
        span.starts_at,
        span.ends_at,
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


async def roll_up_meter(
    connection: Connection, meter_id: int, span: Span, *, finer: str, coarser: str
) -> None:
    """Sum the `finer` steps of a meter to the `coarser` ones that `span` touches.

    `span` must lie on whole `coarser` steps. Energy that is unknown stays unknown, not zero.
    """
    await connection.execute(
        """
        INSERT INTO meter_consumption (meter_id, step, starts_at, quantity, estimated_quantity,
                                       readings_present, held, calorific_tce, equivalent_tce)
        SELECT meter_id, $5, date_trunc($5, starts_at, 'Asia/Shanghai') AS bucket, sum(quantity),
               sum(estimated_quantity), sum(readings_present), bool_or(held),
               sum(calorific_tce), sum(equivalent_tce)
          FROM meter_consumption
         WHERE meter_id = $1
           AND step = $4
           AND starts_at >= $2
           AND starts_at < $3
         GROUP BY meter_id, bucket
            ON CONFLICT (meter_id, step, starts_at)
            DO UPDATE SET quantity           = excluded.quantity,
                          estimated_quantity = excluded.estimated_quantity,
                          readings_present   = excluded.readings_present,
                          held               = excluded.held,
                          calorific_tce      = excluded.calorific_tce,
                          equivalent_tce     = excluded.equivalent_tce
        """,
        meter_id,
        span.starts_at,
        span.ends_at,
        finer,
        coarser,
    )


async def roll_up_unit(
    connection: Connection, unit_id: int, carrier: str, span: Span, *, step: str
) -> None:
    """Add up a carrier of a unit over its boundary meters, less its export meters."""
    await connection.execute(
        """
        INSERT INTO unit_consumption (unit_id, carrier, step, starts_at, quantity,
                                      estimated_quantity, readings_present, held,
                                      calorific_tce, equivalent_tce)
        SELECT unit_id, carrier, step, starts_at,
               sum(CASE role WHEN 'export' THEN -quantity ELSE quantity END),
               sum(estimated_quantity), sum(readings_present), bool_or(held),
               sum(CASE role WHEN 'export' THEN -calorific_tce ELSE calorific_tce END),
               sum(CASE role WHEN 'export' THEN -equivalent_tce ELSE equivalent_tce END)
          FROM meter_consumption
          JOIN meters USING (meter_id)
         WHERE unit_id = $1
           AND carrier = $2
           AND role IN ('boundary', 'export')
           AND step = $5
           AND starts_at >= $3
           AND starts_at < $4
         GROUP BY unit_id, carrier, step, starts_at
            ON CONFLICT (unit_id, carrier, step, starts_at)
            DO UPDATE SET quantity           = excluded.quantity,
                          estimated_quantity = excluded.estimated_quantity,
                          readings_present   = excluded.readings_present,
                          held               = excluded.held,
                          calorific_tce      = excluded.calorific_tce,
                          equivalent_tce     = excluded.equivalent_tce
        """,
        unit_id,
        carrier,
        span.starts_at,
        span.ends_at,
        step,
    )


async def list_factors(connection: Connection, unit_id: int) -> list[Factor]:
    """Return the factors for everyone and those the unit measured itself."""
    rows = await connection.fetch(
        """
        SELECT carrier, basis, unit_id, kgce_per_uom, valid_from, valid_to, verified
          FROM factors
         WHERE unit_id IS NULL
            OR unit_id = $1
         ORDER BY carrier, basis, valid_from
        """,
        unit_id,
    )
    return [
        Factor(
            row["carrier"],
            Basis(row["basis"]),
            row["unit_id"],
            row["kgce_per_uom"],
            row["valid_from"],
            row["valid_to"],
            row["verified"],
        )
        for row in rows
    ]


async def count_stale(connection: Connection) -> int:
    count: int = await connection.fetchval("SELECT count(*) FROM stale_ranges")
    return count
