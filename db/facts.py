"""Owns what a product rule is judged by: the meters of units that make a product with a limit.

The scope is that of the rule, or what of it somebody may see who asks what it would find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from asyncpg import Record

from db.metering import intervals_of
from db.pool import Connection
from db.scope import Scope
from energy.factors import Basis
from energy.intervals import Intervals
from energy.periods import Span, Step
from energy.registers import Kind


@dataclass(frozen=True, slots=True)
class MeterUse:
    """What one meter counted in a window. None: unknown, not zero.

    `quantity` in `uom` for output meters, in the carrier's reference unit for the others.
    `lacks_factor`: some of the quantity has no coal equivalent.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    meter: str
    role: str
    product: str | None
    carrier: str | None
    uom: str
    kind: Kind
    intervals: Intervals
    installed_at: datetime
    window: Span
    quantity: float | None
    estimated_quantity: float
    readings_present: int
    held: bool
    tce: float | None
    lacks_factor: bool


async def count_meters(connection: Connection, scope: Scope) -> int:
    """Return how many meters `list_uses` tells of in each window."""
    count: int = await connection.fetchval(
        """
        SELECT count(*)
          FROM meters
         WHERE role IN ('boundary', 'export', 'output')
           AND unit_id IN (SELECT unit_id FROM visible_units_of($1, $2))
           AND unit_id IN (SELECT unit_id
                             FROM meters
                             JOIN limits USING (product))
        """,
        scope.region_prefix,
        scope.units,
    )
    return count


COUNTED: LiteralString = """
        SELECT unit_id, unit, units.name AS unit_name, region, meter, role, product, carrier, uom,
               kind, intervals, installed_at, window_starts_at, window_ends_at, counted.*
          FROM watched
          JOIN units USING (unit_id)
          JOIN unnest($1::timestamptz[], $2::timestamptz[])
               AS windows (window_starts_at, window_ends_at)
            ON installed_at < window_ends_at
         CROSS JOIN LATERAL (
               SELECT sum(quantity) AS quantity,
                      coalesce(sum(abs(estimated_quantity)), 0) AS estimated_quantity,
                      coalesce(sum(readings_present), 0) AS readings_present,
                      coalesce(bool_or(held), false) AS held,
                      sum(CASE $3 WHEN 'calorific' THEN calorific_tce
                                  ELSE equivalent_tce END) AS tce,
                      coalesce(bool_or(quantity IS NOT NULL
                                       AND CASE $3 WHEN 'calorific' THEN calorific_tce
                                                   ELSE equivalent_tce END IS NULL),
                               false) AS lacks_factor
                 FROM meter_consumption
                WHERE meter_consumption.meter_id = watched.meter_id
                  AND step = $6
                  AND starts_at >= window_starts_at
                  AND starts_at < window_ends_at) AS counted
         ORDER BY unit_id, window_ends_at DESC, window_starts_at, meter
"""
"""$1, $2 the windows, $3 the basis, $4, $5 the scope, $6 the step; `watched` are the meters."""


WITH_LIMITS: LiteralString = """
        WITH watched AS MATERIALIZED (
            SELECT meter_id, unit_id, meter, role, product, carrier, uom, kind, installed_at,
                   array(SELECT (nullif(interval_from, '-infinity'), dated.interval_s)
                           FROM dated_meters AS dated
                          WHERE dated.meter_id = meters.meter_id
                          ORDER BY interval_from) AS intervals
              FROM meters
             WHERE role IN ('boundary', 'export', 'output')
               AND unit_id IN (SELECT unit_id FROM visible_units_of($4, $5))
               AND unit_id IN (SELECT unit_id
                                 FROM meters
                                 JOIN limits USING (product))
        )
"""

NAMED: LiteralString = """
        WITH watched AS MATERIALIZED (
            SELECT meter_id, unit_id, meter, role, product, carrier, uom, kind, installed_at,
                   array(SELECT (nullif(interval_from, '-infinity'), dated.interval_s)
                           FROM dated_meters AS dated
                          WHERE dated.meter_id = meters.meter_id
                          ORDER BY interval_from) AS intervals
              FROM meters
             WHERE role IN ('boundary', 'export', 'output')
               AND unit_id IN (SELECT unit_id
                                 FROM visible_units_of($4, $5)
                                WHERE unit = ANY ($7::text[]))
        )
"""


async def list_uses(
    connection: Connection, scope: Scope, windows: Sequence[Span], basis: Basis, step: Step
) -> list[MeterUse]:
    """Return each counting meter of each watched unit in each window, newest window first.

    A window is added up from buckets of `step`, of which it is a whole number. Boundary less export
    is what `unit_consumption` holds; it is read by meter here, because a silent meter does not show
    in a sum.
    """
    rows = await connection.fetch(
        WITH_LIMITS + COUNTED,
        *_windows(windows),
        basis,
        scope.region_prefix,
        scope.units,
        step,
    )
    return [_use(row) for row in rows]


async def list_uses_of(
    connection: Connection,
    scope: Scope,
    windows: Sequence[Span],
    basis: Basis,
    step: Step,
    *,
    units: Sequence[str],
) -> list[MeterUse]:
    """Return the same of those of `units` that are within the scope, whatever they make."""
    rows = await connection.fetch(
        NAMED + COUNTED,
        *_windows(windows),
        basis,
        scope.region_prefix,
        scope.units,
        step,
        list(units),
    )
    return [_use(row) for row in rows]


def _windows(windows: Sequence[Span]) -> tuple[list[datetime], list[datetime]]:
    return [each.starts_at for each in windows], [each.ends_at for each in windows]


def _use(row: Record) -> MeterUse:
    return MeterUse(
        unit_id=row["unit_id"],
        unit=row["unit"],
        unit_name=row["unit_name"],
        region=row["region"],
        meter=row["meter"],
        role=row["role"],
        product=row["product"],
        carrier=row["carrier"],
        uom=row["uom"],
        kind=Kind(row["kind"]),
        intervals=intervals_of(row),
        installed_at=row["installed_at"],
        window=Span(row["window_starts_at"], row["window_ends_at"]),
        quantity=row["quantity"],
        estimated_quantity=row["estimated_quantity"],
        readings_present=row["readings_present"],
        held=row["held"],
        tce=row["tce"],
        lacks_factor=row["lacks_factor"],
    )
