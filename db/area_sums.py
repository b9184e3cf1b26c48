"""Owns reading back what whole areas used: the sums of `db.consumption` from far fewer rows.

Which units lack a factor is looked up only where an area says that something is left out.
"""

from __future__ import annotations

from typing import LiteralString

import db.consumption
from db.consumption import TOTALS, Selection, Sum
from db.pool import Connection
from db.scope import Scope

# The parameters are those of a unit's sums. $4 is a single unit: no area answers for one.
BY_CARRIER: LiteralString = """
        WITH areas AS (
            SELECT region AS county, division, carrier, starts_at, quantity, estimated_quantity,
                   absolute_quantity, readings_present, held,
                   CASE WHEN 'region' = ANY ($6::text[])
                        THEN CASE $7::text WHEN 'province' THEN left(region, 2) || '0000'
                                           WHEN 'city' THEN left(region, 4) || '00'
                                           ELSE region
                             END
                   END AS region,
                   CASE WHEN 'industry' = ANY ($6::text[]) THEN division END AS industry,
                   CASE $11::text WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END
                   AS energy_tce,
                   CASE $11 WHEN 'calorific' THEN calorific_estimated ELSE equivalent_estimated END
                   AS estimated_tce,
                   CASE $11 WHEN 'calorific' THEN calorific_absolute ELSE equivalent_absolute END
                   AS absolute_tce,
                   CASE $11
                   WHEN 'calorific' THEN is_left_out(quantity, calorific_tce, calorific_partial)
                   ELSE is_left_out(quantity, equivalent_tce, equivalent_partial)
                   END AS is_left_out
              FROM visible_areas($1, $2)
             WHERE $4::text IS NULL
               AND region BETWEEN rpad($3, 6, '0') AND rpad($3, 6, '9')  -- an index serves this
               AND division LIKE $5 || '%'
               AND step = $8
               AND starts_at >= $9
               AND starts_at < $10
               AND ($13::text IS NULL OR carrier = $13)
        ), by_carrier AS (
            SELECT starts_at, region, industry, NULL::text AS unit, carrier, NULL::text AS meter,
                   NULL::integer AS own_unit_id, energy_tce, quantity, estimated_tce, absolute_tce,
                   estimated_quantity, absolute_quantity, readings_present, held,
                   false AS is_left_out
              FROM areas
             UNION ALL
            SELECT DISTINCT areas.starts_at, areas.region, areas.industry, NULL, areas.carrier,
                   NULL, lacking.own_unit_id, NULL::float8, NULL::float8, NULL::float8,
                   NULL::float8, NULL::float8, NULL::float8, 0, false, true
              FROM areas
              LEFT JOIN LATERAL (
                    SELECT CASE WHEN EXISTS (SELECT FROM dated_factors AS own
                                              WHERE own.unit_id = units.unit_id
                                                AND own.carrier = used.carrier
                                                AND own.basis = $11)
                                THEN units.unit_id
                           END AS own_unit_id
                      FROM visible_units($1, $2) AS units
                      JOIN unit_consumption AS used ON used.unit_id = units.unit_id
                     WHERE units.region = areas.county
                       AND units.division = areas.division
                       AND used.carrier = areas.carrier
                       AND used.step = $8
                       AND used.starts_at = areas.starts_at
                       AND used.starts_at >= $9
                       AND used.starts_at < $10
                       AND CASE $11
                           WHEN 'calorific'
                           THEN is_left_out(used.quantity, calorific_tce, calorific_partial)
                           ELSE is_left_out(used.quantity, equivalent_tce, equivalent_partial)
                           END
                   ) AS lacking ON true
             WHERE is_left_out
        )
"""


async def list_sums(connection: Connection, scope: Scope, selection: Selection) -> list[Sum]:
    """Return what was used, by bucket and group, of areas that `scope` sees as a whole."""
    rows = await connection.fetch(
        BY_CARRIER + TOTALS,
        scope.region_prefix,
        scope.unit,
        *db.consumption.asked(selection),
    )
    return [db.consumption.as_sum(row) for row in rows]
