"""Owns reading data quality back: the counts of units, of meters, and of whole regions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope
from energy.periods import Span
from energy.quality import Tally


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of a unit or a meter in a span; `expected` meter-days were to be counted.

    `measured_at` None: nothing was yet. The rest is known of a meter alone.
    """

    region: str
    unit: str
    unit_name: str
    expected: int
    tally: Tally
    measured_at: datetime | None
    meter: str | None = None
    data_code: str | None = None
    uom: str | None = None
    is_energy: bool = True
    verification: str | None = None
    valid_until: date | None = None


async def list_units(
    connection: Connection,
    scope: Scope,
    *,
    span: Span,
    region_prefix: str,
    unit: str | None,
) -> list[Counted]:
    """Return the visible units within a region and the sums of their days in `span`."""
    rows = await connection.fetch(
        """
        WITH seen AS (
            SELECT unit_id, unit, name, region
              FROM visible_units_of($1, $2)
             WHERE region LIKE $3 || '%'
               AND ($4::text IS NULL OR unit = $4)
        ), owed AS (
            SELECT unit_id,
                   sum(greatest(0, round(extract(epoch FROM $6::timestamptz
                       - greatest($5::timestamptz,
                                  date_trunc('day', installed_at, 'Asia/Shanghai')))
                       / 86400)))::bigint AS expected
              FROM meters
              JOIN seen USING (unit_id)
             GROUP BY unit_id
        ), counted AS (
            SELECT unit_id, sum(meter_days) AS meter_days, sum(due) AS due,
                   sum(present) AS present, sum(arrived) AS arrived, sum(on_time) AS on_time,
                   sum(traceable) AS traceable, sum(valid) AS valid, sum(verified) AS verified,
                   sum(verification_known) AS verification_known, sum(normative) AS normative,
                   sum(opened) AS opened, sum(on_boundary) AS on_boundary,
                   min(measured_at) AS measured_at
              FROM quality_unit_days
              JOIN seen USING (unit_id)
             WHERE starts_at >= $5
               AND starts_at < $6
             GROUP BY unit_id
        )
        SELECT region, unit, name AS unit_name, coalesce(expected, 0) AS expected, meter_days, due,
               present, arrived, on_time, traceable, valid, verified, verification_known,
               normative, opened, on_boundary, measured_at
          FROM seen
          LEFT JOIN owed USING (unit_id)
          LEFT JOIN counted USING (unit_id)
         ORDER BY unit
        """,
        scope.region_prefix,
        scope.units,
        region_prefix,
        unit,
        span.starts_at,
        span.ends_at,
    )
    return [
        Counted(
            row["region"],
            row["unit"],
            row["unit_name"],
            row["expected"],
            _tally(row),
            row["measured_at"],
        )
        for row in rows
    ]


async def list_meters(
    connection: Connection, scope: Scope, *, span: Span, unit: str, begins_within_s: float
) -> list[Counted]:
    """Return the meters of a visible unit and the sums of their days in `span`."""
    rows = await connection.fetch(
        """
        SELECT region, unit, units.name AS unit_name, meter, data_code, uom,
               carrier IS NOT NULL AS is_energy,
               greatest(0, round(extract(epoch FROM $5::timestamptz
                   - greatest($4::timestamptz,
                              date_trunc('day', installed_at, 'Asia/Shanghai')))
                   / 86400))::bigint AS expected,
               (SELECT max(valid_until)
                  FROM verifications
                 WHERE verifications.meter_id = meters.meter_id) AS valid_until,
               (array_agg(verification ORDER BY starts_at DESC)
                   FILTER (WHERE verification IS NOT NULL))[1] AS verification,
               count(measured_at) AS meter_days, sum(due) AS due, sum(present) AS present,
               sum(arrived) AS arrived, sum(on_time) AS on_time, sum(traceable) AS traceable,
               sum(valid) AS valid,
               count(*) FILTER (WHERE verification = 'in_force') AS verified,
               count(*) FILTER (WHERE verification <> 'unknown') AS verification_known,
               count(*) FILTER (WHERE normative) AS normative, count(opening_offset_s) AS opened,
               count(*) FILTER (WHERE abs(opening_offset_s) <= $6) AS on_boundary,
               min(measured_at) AS measured_at
          FROM visible_units($1, $2) AS units
          JOIN meters USING (unit_id)
          LEFT JOIN quality_days ON quality_days.meter_id = meters.meter_id
                                AND starts_at >= $4
                                AND starts_at < $5
         WHERE unit = $3
         GROUP BY region, unit, units.name, meters.meter_id, meter, data_code, uom, carrier,
                  installed_at
         ORDER BY meter
        """,
        scope.region_prefix,
        scope.unit,
        unit,
        span.starts_at,
        span.ends_at,
        begins_within_s,
    )
    return [
        Counted(
            row["region"],
            row["unit"],
            row["unit_name"],
            row["expected"],
            _tally(row),
            row["measured_at"],
            row["meter"],
            row["data_code"],
            row["uom"],
            row["is_energy"],
            row["verification"],
            row["valid_until"],
        )
        for row in rows
    ]


def _tally(row: Record) -> Tally:
    """Return the counts of a row; where nothing was measured, none."""
    return Tally(**{name: int(row[name] or 0) for name in Tally.__slots__})
