"""Owns who makes something: units with meters of energy or statements of output, and where."""

from __future__ import annotations

from dataclasses import dataclass

from db.consumption import Tier
from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class Maker:
    """A unit with the region of a tier and the division it belongs to.

    `metered`: the products of its output meters.
    """

    unit: str
    unit_name: str
    region: str
    region_name: str | None
    industry: str
    industry_name: str
    metered: list[str]


async def list_makers(
    connection: Connection,
    scope: Scope,
    *,
    tier: Tier,
    region_prefix: str = "",
    industry: str = "",
    unit: str | None = None,
) -> list[Maker]:
    rows = await connection.fetch(
        """
        WITH seen AS (
            SELECT unit_id, unit, name AS unit_name, division,
                   CASE $6::text WHEN 'province' THEN left(region, 2) || '0000'
                                 WHEN 'city' THEN city
                                 ELSE region
                   END AS region
              FROM visible_units($1, $2)
             WHERE region LIKE $3 || '%'
               AND industry LIKE $4 || '%'
               AND ($5::text IS NULL OR unit = $5)
        )
        SELECT unit, unit_name, seen.region, regions.name AS region_name, division AS industry,
               name_zh AS industry_name,
               ARRAY(SELECT DISTINCT product
                       FROM meters
                      WHERE meters.unit_id = seen.unit_id
                        AND role = 'output'
                      ORDER BY product) AS metered
          FROM seen
          JOIN industries ON industries.industry = division
          LEFT JOIN regions ON regions.region = seen.region
         WHERE EXISTS (SELECT FROM meters WHERE meters.unit_id = seen.unit_id)
            OR EXISTS (SELECT FROM production WHERE production.unit_id = seen.unit_id)
         ORDER BY unit
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        industry,
        unit,
        tier,
    )
    return [Maker(**row) for row in rows]
