"""Owns reading output back: what the output meters of a unit counted, by product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span, Step
from energy.registers import Kind


@dataclass(frozen=True, slots=True)
class OutputMeter:
    meter: str
    product: str
    uom: str
    kind: Kind
    interval_s: int
    installed_at: datetime


@dataclass(frozen=True, slots=True)
class Output:
    """What the meters of one product and unit of measure counted in a bucket; None: unknown."""

    starts_at: datetime
    uom: str
    quantity: float | None
    readings_present: int
    held: bool


async def list_meters(connection: Connection, scope: Scope, unit: str) -> list[OutputMeter]:
    rows = await connection.fetch(
        """
        SELECT meter, product, uom, kind, interval_s, installed_at
          FROM meters
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE unit = $3
           AND role = 'output'
         ORDER BY product, meter
        """,
        scope.region_prefix,
        scope.unit,
        unit,
    )
    return [
        OutputMeter(
            row["meter"],
            row["product"],
            row["uom"],
            Kind(row["kind"]),
            row["interval_s"],
            row["installed_at"],
        )
        for row in rows
    ]


async def list_outputs(
    connection: Connection, scope: Scope, *, unit: str, product: str, span: Span, bucket: Step
) -> list[Output]:
    """Return what was made, by bucket and unit of measure; a year is the sum of its months."""
    rows = await connection.fetch(
        """
        SELECT CASE $7::text WHEN 'year' THEN date_trunc('year', starts_at, 'Asia/Shanghai')
                             ELSE starts_at
               END AS bucket_at,
               uom, sum(quantity) AS quantity, sum(readings_present)::bigint AS readings_present,
               bool_or(held) AS held
          FROM meter_consumption
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE unit = $3
           AND role = 'output'
           AND product = $4
           AND step = CASE $7::text WHEN 'year' THEN 'month' ELSE $7::text END
           AND starts_at >= $5
           AND starts_at < $6
         GROUP BY bucket_at, uom
         ORDER BY bucket_at, uom
        """,
        scope.region_prefix,
        scope.unit,
        unit,
        product,
        span.starts_at,
        span.ends_at,
        bucket,
    )
    return [
        Output(
            row["bucket_at"],
            row["uom"],
            row["quantity"],
            row["readings_present"],
            row["held"],
        )
        for row in rows
    ]
