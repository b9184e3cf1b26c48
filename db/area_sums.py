"""Owns reading back what whole areas used: the sums of `db.consumption` from far fewer rows.

Which units lack a factor is looked up only where an area says that something is left out, and some
of its units have factors of their own: the others lack one for the same reason. It is a statement
of its own: planning it takes longer than adding up the areas of a city.
"""

from __future__ import annotations

from typing import LiteralString

import db.consumption
from db.consumption import TOTALS, Selection, Sum
from db.pool import Connection
from db.scope import Scope

# The parameters are those of a unit's sums. $4 is a single unit: no area answers for one.
AREAS: LiteralString = """
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
        )
"""

BY_CARRIER: LiteralString = """
        , by_carrier AS (
            SELECT starts_at, region, industry, NULL::text AS unit, carrier, NULL::text AS meter,
                   NULL::integer AS own_unit_id, energy_tce, quantity, estimated_tce, absolute_tce,
                   estimated_quantity, absolute_quantity, readings_present, held, is_left_out
              FROM areas
        )
"""

WITH_LACKING: LiteralString = """
        , declared AS MATERIALIZED (
            SELECT DISTINCT unit_id, carrier, units.region AS county, units.division
              FROM dated_factors AS own
              JOIN visible_units($1, $2) AS units USING (unit_id)
             WHERE basis = $11
        ), lacking AS MATERIALIZED (  -- only where somebody has a factor of its own units can tell
            SELECT DISTINCT used.starts_at, units.region AS county, units.division, used.carrier,
                   own.unit_id AS own_unit_id
              FROM (SELECT DISTINCT county, division, carrier
                      FROM areas
                      JOIN declared USING (county, division, carrier)
                     WHERE is_left_out) AS mixed
              JOIN visible_units($1, $2) AS units
                ON units.region = mixed.county
               AND units.division = mixed.division
              JOIN unit_consumption AS used
                ON used.unit_id = units.unit_id
               AND used.carrier = mixed.carrier
               AND used.step = $8
               AND used.starts_at >= $9
               AND used.starts_at < $10
              LEFT JOIN declared AS own
                ON own.unit_id = used.unit_id
               AND own.carrier = used.carrier
             WHERE CASE $11
                   WHEN 'calorific'
                   THEN is_left_out(used.quantity, calorific_tce, calorific_partial)
                   ELSE is_left_out(used.quantity, equivalent_tce, equivalent_partial)
                   END
        ), told AS (  -- one pass: a join of the two would rest on guesses of how many they are
            SELECT starts_at, min(region) AS region, min(industry) AS industry, carrier,
                   array_agg(DISTINCT own_unit_id) FILTER (WHERE NOT is_area) AS own_unit_ids
              FROM (SELECT starts_at, county, division, carrier, region, industry,
                           true AS is_area, NULL::integer AS own_unit_id
                      FROM areas
                     WHERE is_left_out
                     UNION ALL
                    SELECT starts_at, county, division, carrier, NULL, NULL, false, own_unit_id
                      FROM lacking) AS either
             GROUP BY starts_at, county, division, carrier
            HAVING bool_or(is_area)
        ), by_carrier AS (
            SELECT starts_at, region, industry, NULL::text AS unit, carrier, NULL::text AS meter,
                   NULL::integer AS own_unit_id, energy_tce, quantity, estimated_tce, absolute_tce,
                   estimated_quantity, absolute_quantity, readings_present, held,
                   false AS is_left_out
              FROM areas
             UNION ALL
            SELECT DISTINCT starts_at, region, industry, NULL, carrier, NULL,
                   unnest(coalesce(own_unit_ids, '{NULL}')), NULL::float8, NULL::float8,
                   NULL::float8, NULL::float8, NULL::float8, NULL::float8, 0, false, true
              FROM told
        )
"""


async def list_sums(connection: Connection, scope: Scope, selection: Selection) -> list[Sum]:
    """Return what was used, by bucket and group, of areas that `scope` sees as a whole."""
    rows = await connection.fetch(
        AREAS + WITH_LACKING + TOTALS,
        scope.region_prefix,
        scope.unit,
        *db.consumption.asked(selection),
    )
    return [db.consumption.as_sum(row) for row in rows]


async def list_unexplained_sums(
    connection: Connection, scope: Scope, selection: Selection
) -> list[Sum]:
    """Return the same sums in a third of the time. They do for answers that leave nothing out:

    of what is left out the units that have factors of their own are not told from the others.
    """
    rows = await connection.fetch(
        AREAS + BY_CARRIER + TOTALS,
        scope.region_prefix,
        scope.unit,
        *db.consumption.asked(selection),
    )
    return [db.consumption.as_sum(row) for row in rows]
