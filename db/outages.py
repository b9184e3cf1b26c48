"""Owns which gateways and meters say nothing, put together by unit: what an outage is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class Site:
    """A unit some of whose gateways or meters say nothing.

    `silent_gateways` were not heard since the instant that was asked for; `silent_meters` is what
    the repair clock has as silent. `heard_at`: when the last one of all its gateways was heard.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    city: str
    gateways: int
    silent_gateways: Sequence[str]
    heard_at: datetime | None
    meters: int
    silent_meters: int


async def list_sites(
    connection: Connection, scope: Scope, silent_since: datetime, units: Sequence[str]
) -> list[Site]:
    """Return the units with a gateway that was heard before, and not since an instant, or with a
    meter that is silent; and those of `units` in any case.
    """
    rows = await connection.fetch(
        """
        WITH silent AS (
            SELECT unit_id, array_agg(gateway ORDER BY gateway) AS silent_gateways
              FROM gateways
             WHERE revoked_at IS NULL
               AND last_seen_at < $3
             GROUP BY unit_id
        ), mute AS (
            SELECT unit_id, count(*) AS silent_meters
              FROM repairs
             WHERE fault = 'silence'
               AND repaired_at IS NULL
             GROUP BY unit_id
        )
        SELECT unit_id, unit, name AS unit_name, region, city, gateways,
               coalesce(silent_gateways, '{}') AS silent_gateways, heard_at, meters,
               coalesce(silent_meters, 0) AS silent_meters
          FROM visible_units($1, $2)
          LEFT JOIN silent USING (unit_id)
          LEFT JOIN mute USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT count(*) AS gateways, max(last_seen_at) AS heard_at
                 FROM gateways
                WHERE gateways.unit_id = visible_units.unit_id
                  AND revoked_at IS NULL
                  AND last_seen_at IS NOT NULL) AS heard
         CROSS JOIN LATERAL (
               SELECT count(*) AS meters
                 FROM meters
                WHERE meters.unit_id = visible_units.unit_id) AS counted
         WHERE silent_gateways IS NOT NULL
            OR silent_meters IS NOT NULL
            OR unit = ANY ($4)
         ORDER BY unit
        """,
        scope.region_prefix,
        scope.unit,
        silent_since,
        units,
    )
    return [Site(**row) for row in rows]


async def count_gateways(connection: Connection, scope: Scope) -> dict[str, int]:
    """Return by region of their units how many gateways were ever heard and may speak."""
    rows = await connection.fetch(
        """
        SELECT region, count(*) AS gateways
          FROM visible_units($1, $2)
          JOIN gateways USING (unit_id)
         WHERE revoked_at IS NULL
           AND last_seen_at IS NOT NULL
         GROUP BY region
         ORDER BY region
        """,
        scope.region_prefix,
        scope.unit,
    )
    return {row["region"]: row["gateways"] for row in rows}
