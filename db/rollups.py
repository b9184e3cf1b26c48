"""Owns the sums above hours: days, months, years; units; areas. In settlement's transaction.

Sums are replaced, not adjusted: what vanished below vanishes above. Energy that is unknown stays
unknown, not zero.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.settlement import LOCK_SPACE, Stale, columns
from energy.periods import Span, Step

AREA_LOCK_SPACE = 0x6172  # "ar": first key of the advisory lock that a settler holds on a region
AREAS_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class CarrierSums:
    """Whole steps of one carrier of a unit, or of an area, that have to be added up."""

    carrier: str
    span: Span


@dataclass(frozen=True, slots=True)
class StaleArea:
    """Consumption of an area that changed."""

    division: str
    carrier: str
    span: Span


async def delete_meter_sums(connection: Connection, sums: Sequence[Stale], step: Step) -> None:
    await connection.execute(
        """
        DELETE FROM meter_consumption
         USING unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])
               AS sums (meter_id, from_at, to_at)
         WHERE meter_consumption.meter_id = sums.meter_id
           AND step = $4
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $5
           AND starts_at < $6
        """,
        *columns(sums),
        step,
        *_reach([each.span for each in sums]),
    )


async def insert_meter_sums(
    connection: Connection, sums: Sequence[Stale], *, finer: Step, coarser: Step
) -> None:
    """Sum the `finer` steps of meters to the `coarser` ones; the spans are whole coarser steps."""
    await connection.execute(
        """
        INSERT INTO meter_consumption (meter_id, step, starts_at, quantity, estimated_quantity,
                                       readings_present, held, calorific_tce, equivalent_tce,
                                       calorific_partial, equivalent_partial)
        SELECT meter_id, $5, date_trunc($5, starts_at, 'Asia/Shanghai') AS bucket, sum(quantity),
               sum(estimated_quantity), sum(readings_present), bool_or(held),
               sum(calorific_tce), sum(equivalent_tce),
               bool_or(is_left_out(quantity, calorific_tce, calorific_partial))
               AND sum(calorific_tce) IS NOT NULL,
               bool_or(is_left_out(quantity, equivalent_tce, equivalent_partial))
               AND sum(equivalent_tce) IS NOT NULL
          FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[])
               AS sums (meter_id, from_at, to_at)
          JOIN meter_consumption USING (meter_id)
         WHERE step = $4
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $6
           AND starts_at < $7
         GROUP BY meter_id, bucket
        """,
        *columns(sums),
        finer,
        coarser,
        *_reach([each.span for each in sums]),
    )


async def delete_unit_sums(
    connection: Connection, unit_id: int, sums: Sequence[CarrierSums], step: Step
) -> None:
    await connection.execute(
        """
        DELETE FROM unit_consumption
         USING unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS sums (carrier, from_at, to_at)
         WHERE unit_id = $1
           AND unit_consumption.carrier = sums.carrier
           AND step = $5
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $6
           AND starts_at < $7
        """,
        unit_id,
        *_carrier_columns(sums),
        step,
        *_reach([each.span for each in sums]),
    )


async def insert_unit_sums(
    connection: Connection, unit_id: int, sums: Sequence[CarrierSums], step: Step
) -> None:
    """Add up carriers of a unit over its boundary meters, less its export meters."""
    await connection.execute(
        """
        INSERT INTO unit_consumption (unit_id, carrier, step, starts_at, quantity,
                                      estimated_quantity, readings_present, held,
                                      calorific_tce, equivalent_tce,
                                      calorific_partial, equivalent_partial)
        SELECT unit_id, carrier, step, starts_at,
               sum(CASE role WHEN 'export' THEN -quantity ELSE quantity END),
               sum(estimated_quantity), sum(readings_present), bool_or(held),
               sum(CASE role WHEN 'export' THEN -calorific_tce ELSE calorific_tce END),
               sum(CASE role WHEN 'export' THEN -equivalent_tce ELSE equivalent_tce END),
               bool_or(is_left_out(quantity, calorific_tce, calorific_partial))
               AND sum(calorific_tce) IS NOT NULL,
               bool_or(is_left_out(quantity, equivalent_tce, equivalent_partial))
               AND sum(equivalent_tce) IS NOT NULL
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS sums (carrier, from_at, to_at)
          JOIN meters USING (carrier)
          JOIN meter_consumption USING (meter_id)
         WHERE unit_id = $1
           AND role IN ('boundary', 'export')
           AND step = $5
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $6
           AND starts_at < $7
         GROUP BY unit_id, carrier, step, starts_at
        """,
        unit_id,
        *_carrier_columns(sums),
        step,
        *_reach([each.span for each in sums]),
    )


async def mark_areas(connection: Connection, unit_id: int, sums: Sequence[CarrierSums]) -> None:
    """Note that the area of a unit has to be added up again."""
    await connection.execute(
        """
        INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
        SELECT region, division, carrier, from_at, to_at
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS sums (carrier, from_at, to_at)
         CROSS JOIN units
         WHERE unit_id = $1
        """,
        unit_id,
        *_carrier_columns(sums),
    )


async def lock_units(connection: Connection, units: Sequence[str]) -> None:
    """Wait for the settlers of `units` (credit codes), which know where they lie, until the end."""
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock($1, unit_id)
          FROM (SELECT unit_id
                  FROM units
                 WHERE unit = ANY ($2)
                 ORDER BY unit_id) AS moved
        """,
        LOCK_SPACE,
        units,
    )


async def mark_areas_of(connection: Connection, units: Sequence[str]) -> None:
    """Note that the areas in which `units` lie now have to be added up again, month by month."""
    await connection.execute(
        """
        INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at)
        SELECT region, division, carrier, min(starts_at), max(starts_at) + INTERVAL '1 hour'
          FROM unit_consumption
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
           AND step = 'hour'
         GROUP BY region, division, carrier, date_trunc('month', starts_at, 'Asia/Shanghai')
         ORDER BY region, division, carrier, min(starts_at)
        """,
        units,
    )


async def claim_region(connection: Connection, without: Collection[str] = ()) -> str | None:
    """Lock a region with stale areas until the transaction ends, none of `without`; None: rest."""
    region: str | None = await connection.fetchval(
        """
        SELECT region
          FROM (SELECT region
                  FROM stale_areas
                 WHERE region <> ALL ($3)
                 GROUP BY region
                 ORDER BY min(range_id)
                 LIMIT $2) AS waiting
         WHERE pg_try_advisory_xact_lock($1, region::integer)
         LIMIT 1
        """,
        AREA_LOCK_SPACE,
        AREAS_LOOKED_AT,
        list(without),
    )
    return region


async def take_stale_areas(connection: Connection, region: str, limit: int) -> list[StaleArea]:
    """Remove the oldest stale areas of a region; they come back if the transaction fails."""
    rows = await connection.fetch(
        """
        DELETE FROM stale_areas
         WHERE range_id IN (SELECT range_id
                              FROM stale_areas
                             WHERE region = $1
                             ORDER BY range_id
                             LIMIT $2)
        RETURNING division, carrier, starts_at, ends_at
        """,
        region,
        limit,
    )
    return [
        StaleArea(row["division"], row["carrier"], Span(row["starts_at"], row["ends_at"]))
        for row in rows
    ]


async def delete_area_sums(
    connection: Connection, region: str, sums: Sequence[StaleArea], step: Step
) -> None:
    await connection.execute(
        """
        DELETE FROM area_consumption
         USING unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
               AS sums (division, carrier, from_at, to_at)
         WHERE region = $1
           AND area_consumption.division = sums.division
           AND area_consumption.carrier = sums.carrier
           AND step = $6
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $7
           AND starts_at < $8
        """,
        region,
        [each.division for each in sums],
        *_carrier_columns(sums),
        step,
        *_reach([each.span for each in sums]),
    )


async def insert_area_sums(
    connection: Connection, region: str, sums: Sequence[StaleArea], step: Step
) -> None:
    """Add up the units of a region by industry division and carrier."""
    await connection.execute(
        """
        INSERT INTO area_consumption (region, division, carrier, step, starts_at, quantity,
                                      estimated_quantity, readings_present, held,
                                      calorific_tce, equivalent_tce,
                                      calorific_partial, equivalent_partial, absolute_quantity,
                                      calorific_absolute, equivalent_absolute,
                                      calorific_estimated, equivalent_estimated)
        SELECT region, division, carrier, step, starts_at, sum(quantity),
               sum(abs(estimated_quantity)), sum(readings_present), bool_or(held),
               sum(calorific_tce), sum(equivalent_tce),
               bool_or(is_left_out(quantity, calorific_tce, calorific_partial))
               AND sum(calorific_tce) IS NOT NULL,
               bool_or(is_left_out(quantity, equivalent_tce, equivalent_partial))
               AND sum(equivalent_tce) IS NOT NULL,
               sum(abs(quantity)), sum(abs(calorific_tce)), sum(abs(equivalent_tce)),
               sum(abs(calorific_tce * estimated_quantity / nullif(quantity, 0))),
               sum(abs(equivalent_tce * estimated_quantity / nullif(quantity, 0)))
          FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
               AS sums (division, carrier, from_at, to_at)
          JOIN units USING (division)
          JOIN unit_consumption USING (unit_id, carrier)
         WHERE region = $1
           AND step = $6
           AND starts_at >= from_at
           AND starts_at < to_at
           AND starts_at >= $7
           AND starts_at < $8
         GROUP BY region, division, carrier, step, starts_at
        """,
        region,
        [each.division for each in sums],
        *_carrier_columns(sums),
        step,
        *_reach([each.span for each in sums]),
    )


def _carrier_columns(
    sums: Sequence[CarrierSums] | Sequence[StaleArea],
) -> tuple[list[str], list[datetime], list[datetime]]:
    return (
        [each.carrier for each in sums],
        [each.span.starts_at for each in sums],
        [each.span.ends_at for each in sums],
    )


def _reach(spans: Sequence[Span]) -> tuple[datetime, datetime]:
    """Return where all spans lie: chunks beyond it are left out when the statement is planned."""
    return min(span.starts_at for span in spans), max(span.ends_at for span in spans)
