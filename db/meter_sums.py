"""Owns what single meters counted in a span, and what projects counted apart used in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.metering import intervals_of
from db.pool import Connection
from db.scope import Scope
from energy.factors import Basis
from energy.intervals import Intervals
from energy.periods import Span, Step
from energy.registers import Kind
from energy.roles import Role


@dataclass(frozen=True, slots=True)
class MeterSum:
    """What a meter counted, in the reference unit of its carrier. None: unknown, not zero.

    `lacks_factor`: some of the quantity has no coal equivalent, or all of it.
    """

    unit: str
    carrier: str
    meter: str
    role: Role
    kind: Kind
    intervals: Intervals
    installed_at: datetime
    quantity: float | None
    estimated_quantity: float
    readings_present: int
    held: bool
    tce: float | None
    lacks_factor: bool


@dataclass(frozen=True, slots=True)
class ProjectSum:
    """What a project used in the part of a span in which it is counted apart. None: unknown.

    `electricity_tce` is the part that is electricity, `feedstock_tce` what its own feedstock meters
    count; `is_incomplete`: a meter of the project has nothing, is held, or has no factor.
    """

    project: str
    tce: float | None
    electricity_tce: float
    feedstock_tce: float
    is_incomplete: bool


async def list_sums(
    connection: Connection,
    scope: Scope,
    *,
    region_prefix: str = "",
    unit: str | None = None,
    roles: Sequence[Role],
    span: Span,
    step: Step,
    basis: Basis,
) -> list[MeterSum]:
    """Return each meter of `roles` that was installed before the end of the span, in order."""
    rows = await connection.fetch(
        """
        SELECT unit, carrier, meter, role, kind, installed_at, counted.*,
               array(SELECT (nullif(interval_from, '-infinity'), dated.interval_s)
                       FROM dated_meters AS dated
                      WHERE dated.meter_id = meters.meter_id
                      ORDER BY interval_from) AS intervals
          FROM meters
          JOIN visible_units($1, $2) USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT sum(quantity) AS quantity,
                      coalesce(sum(abs(estimated_quantity)), 0) AS estimated_quantity,
                      coalesce(sum(readings_present), 0)::bigint AS readings_present,
                      coalesce(bool_or(held), false) AS held,
                      sum(CASE $9 WHEN 'calorific' THEN calorific_tce
                                  ELSE equivalent_tce END) AS tce,
                      coalesce(bool_or(CASE $9
                          WHEN 'calorific'
                          THEN is_left_out(quantity, calorific_tce, calorific_partial)
                          ELSE is_left_out(quantity, equivalent_tce, equivalent_partial)
                          END), false) AS lacks_factor
                 FROM meter_consumption
                WHERE meter_consumption.meter_id = meters.meter_id
                  AND step = $8
                  AND starts_at >= $6
                  AND starts_at < $7) AS counted
         WHERE region LIKE $3 || '%'
           AND ($4::text IS NULL OR unit = $4)
           AND role = ANY ($5)
           AND installed_at < $7
         ORDER BY unit, carrier, meter
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        unit,
        list(roles),
        span.starts_at,
        span.ends_at,
        step,
        basis,
    )
    return [
        MeterSum(
            **{
                **row,
                "role": Role(row["role"]),
                "kind": Kind(row["kind"]),
                "intervals": intervals_of(row),
            }
        )
        for row in rows
    ]


async def list_project_sums(
    connection: Connection, scope: Scope, *, region_prefix: str, span: Span, basis: Basis
) -> list[ProjectSum]:
    """Return what each project used while it was counted apart in `span`, by days.

    A share is that of the unit's boundary less export and of its own renewable generation.
    """
    rows = await connection.fetch(
        """
        WITH apart AS (
            SELECT project, unit_id, share, meters AS codes,
                   greatest($4, counted_apart_from::timestamp AT TIME ZONE 'Asia/Shanghai')
                   AS first_at,
                   least($5, counted_apart_to::timestamp AT TIME ZONE 'Asia/Shanghai') AS last_at
              FROM projects
              JOIN visible_units($1, $2) AS seen USING (unit_id)
             WHERE seen.region LIKE $3 || '%'
        ), used AS (
            SELECT project, NULL::text AS role, carrier, quantity,
                   share * CASE $6 WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END
                   AS tce, held, false AS is_silent
              FROM apart
              JOIN unit_consumption USING (unit_id)
             WHERE share IS NOT NULL
               AND step = 'day'
               AND starts_at >= first_at
               AND starts_at < last_at
            UNION ALL
            SELECT project, role, carrier, counted.quantity,
                   coalesce(share, CASE role WHEN 'export' THEN -1 ELSE 1 END) * counted.tce,
                   counted.held, counted.quantity IS NULL
              FROM apart
              JOIN meters
                ON meters.unit_id = apart.unit_id
               AND (meter = ANY (codes) OR (share IS NOT NULL AND role = 'renewable'))
               AND installed_at < last_at
             CROSS JOIN LATERAL (
                   SELECT sum(quantity) AS quantity, coalesce(bool_or(held), false) AS held,
                          CASE WHEN bool_or(quantity IS NOT NULL
                                            AND CASE $6 WHEN 'calorific' THEN calorific_tce
                                                        ELSE equivalent_tce END IS NULL)
                               THEN NULL
                               ELSE sum(CASE $6 WHEN 'calorific' THEN calorific_tce
                                                ELSE equivalent_tce END)
                          END AS tce
                     FROM meter_consumption
                    WHERE meter_consumption.meter_id = meters.meter_id
                      AND step = 'day'
                      AND starts_at >= first_at
                      AND starts_at < last_at) AS counted
             WHERE first_at < last_at
        )
        SELECT project, sum(tce) AS tce,
               coalesce(sum(tce) FILTER (WHERE carrier = 'electricity'), 0) AS electricity_tce,
               coalesce(sum(tce) FILTER (WHERE role = 'feedstock'), 0) AS feedstock_tce,
               bool_or(held OR is_silent OR (quantity IS NOT NULL AND tce IS NULL))
               AS is_incomplete
          FROM used
         GROUP BY project
         ORDER BY project
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        span.starts_at,
        span.ends_at,
        basis,
    )
    return [ProjectSum(**row) for row in rows]
