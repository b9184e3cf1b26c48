"""Owns reading output back: what the output meters of a unit counted, by product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.metering import intervals_of
from db.pool import Connection
from db.scope import Scope
from energy.intervals import Intervals
from energy.periods import Span, Step
from energy.registers import Kind


@dataclass(frozen=True, slots=True)
class OutputMeter:
    unit: str
    meter: str
    product: str
    uom: str
    kind: Kind
    intervals: Intervals
    installed_at: datetime


@dataclass(frozen=True, slots=True)
class Output:
    """What a unit's meters of one product and unit of measure counted in a bucket.

    `quantity` None: unknown.
    """

    unit: str
    product: str
    starts_at: datetime
    uom: str
    quantity: float | None
    readings_present: int
    held: bool


async def list_meters(
    connection: Connection, scope: Scope, *, unit: str | None = None, region_prefix: str = ""
) -> list[OutputMeter]:
    """Return the output meters of a unit, or of all units of a region."""
    rows = await connection.fetch(
        """
        SELECT unit, meter, product, uom, kind, installed_at,
               array(SELECT (nullif(interval_from, '-infinity'), dated.interval_s)
                       FROM dated_meters AS dated
                      WHERE dated.meter_id = meters.meter_id
                      ORDER BY interval_from) AS intervals
          FROM meters
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE ($3::text IS NULL OR unit = $3)
           AND region LIKE $4 || '%'
           AND role = 'output'
         ORDER BY unit, product, meter
        """,
        scope.region_prefix,
        scope.unit,
        unit,
        region_prefix,
    )
    return [
        OutputMeter(
            row["unit"],
            row["meter"],
            row["product"],
            row["uom"],
            Kind(row["kind"]),
            intervals_of(row),
            row["installed_at"],
        )
        for row in rows
    ]


async def list_outputs(
    connection: Connection,
    scope: Scope,
    *,
    unit: str | None = None,
    product: str | None = None,
    region_prefix: str = "",
    span: Span,
    bucket: Step,
) -> list[Output]:
    """Return what was made, by unit, product, bucket and unit of measure.

    A year is the sum of its months.
    """
    rows = await connection.fetch(
        """
        SELECT unit, product,
               CASE $7::text WHEN 'year' THEN date_trunc('year', starts_at, 'Asia/Shanghai')
                             ELSE starts_at
               END AS bucket_at,
               uom, sum(quantity) AS quantity, sum(readings_present)::bigint AS readings_present,
               bool_or(held) AS held
          FROM meter_consumption
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE ($3::text IS NULL OR unit = $3)
           AND role = 'output'
           AND ($4::text IS NULL OR product = $4)
           AND region LIKE $8 || '%'
           AND step = CASE $7::text WHEN 'year' THEN 'month' ELSE $7::text END
           AND starts_at >= $5
           AND starts_at < $6
         GROUP BY unit, product, bucket_at, uom
         ORDER BY unit, product, bucket_at, uom
        """,
        scope.region_prefix,
        scope.unit,
        unit,
        product,
        span.starts_at,
        span.ends_at,
        bucket,
        region_prefix,
    )
    return [
        Output(
            row["unit"],
            row["product"],
            row["bucket_at"],
            row["uom"],
            row["quantity"],
            row["readings_present"],
            row["held"],
        )
        for row in rows
    ]
