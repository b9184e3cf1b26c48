"""Owns the registry as a caller may see it: regions, units, meters, filtered and paged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class Filters:
    """Which part of the registry is asked for; the defaults ask for all of it.

    `region_prefix` and `industry` match what begins with them; `q` what contains it, in the name
    or the code, whatever the case.
    """

    region_prefix: str = ""
    industry: str = ""
    energy: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class RegionEntry:
    """`unit_count` of the visible units within that pass the filters."""

    region: str
    name: str
    tier: str
    parent: str | None
    unit_count: int


@dataclass(frozen=True, slots=True)
class UnitEntry:
    unit_id: int
    unit: str
    name: str
    region: str
    region_name: str
    city: str
    industry: str
    industry_name: str
    annual_tce: float | None
    commissioned_on: date | None
    contact_email: str | None
    signature_required: bool
    energies: list[str]


@dataclass(frozen=True, slots=True)
class GatewayEntry:
    gateway: str
    connection: str | None
    connection_at: datetime | None
    last_seen_at: datetime | None
    firmware: str | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """`multiplier` and `rollover` are those of the newest epoch."""

    meter_id: int
    unit: str
    unit_name: str
    meter: str
    name: str
    energy: str | None
    kind: str
    uom: str
    multiplier: float
    rollover: float | None
    interval_s: int
    role: str
    product: str | None
    data_code: str | None
    installed_at: datetime


async def fetch_region(connection: Connection, region: str) -> str | None:
    """Return the code in force of a region that may be named by a retired one; None: unknown."""
    found: str | None = await connection.fetchval(
        """
        SELECT region FROM regions WHERE region = $1
         UNION ALL
        SELECT region FROM region_aliases WHERE alias = $1
        """,
        region,
    )
    return found


async def has_carrier(connection: Connection, carrier: str) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM carriers WHERE carrier = $1)", carrier
    )
    return found


async def list_regions(
    connection: Connection, scope: Scope, *, filters: Filters, after: str, limit: int
) -> list[RegionEntry]:
    """Return regions within the scope; for an enterprise, or filtered by use, those with units."""
    rows = await connection.fetch(
        """
        WITH seen AS (
            SELECT region
              FROM visible_units($1, $2) AS units
             WHERE industry LIKE $4 || '%'
               AND ($5::text IS NULL OR EXISTS (SELECT FROM meters
                                                 WHERE meters.unit_id = units.unit_id
                                                   AND carrier = $5))
        ), counted AS (
            SELECT region, name, tier, parent,
                   (SELECT count(*)
                      FROM seen
                     WHERE seen.region LIKE CASE tier WHEN 'province' THEN left(regions.region, 2)
                                                      WHEN 'city' THEN left(regions.region, 4)
                                                      ELSE regions.region
                                            END || '%') AS unit_count
              FROM regions
             WHERE region LIKE $1 || '%'
               AND region LIKE $3 || '%'
               AND ($6::text IS NULL OR strpos(lower(name), lower($6)) > 0
                                     OR strpos(region, $6) > 0)
               AND region > $7
        )
        SELECT region, name, tier, parent, unit_count
          FROM counted
         WHERE unit_count > 0
            OR ($2::text IS NULL AND $4 = '' AND $5::text IS NULL)
         ORDER BY region
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        filters.region_prefix,
        filters.industry,
        filters.energy,
        filters.q,
        after,
        limit,
    )
    return [RegionEntry(**row) for row in rows]


async def list_units(
    connection: Connection, scope: Scope, *, filters: Filters, after: str, limit: int
) -> list[UnitEntry]:
    rows = await connection.fetch(
        """
        SELECT unit_id, unit, seen.name, seen.region, regions.name AS region_name, city,
               seen.industry, industries.name_zh AS industry_name, annual_tce, commissioned_on,
               contact_email, signature_required,
               ARRAY(SELECT DISTINCT carrier
                       FROM meters
                      WHERE meters.unit_id = seen.unit_id
                        AND carrier IS NOT NULL
                      ORDER BY carrier) AS energies
          FROM visible_units($1, $2) AS seen
          JOIN regions USING (region)
          JOIN industries ON industries.industry = seen.division
         WHERE seen.region LIKE $3 || '%'
           AND seen.industry LIKE $4 || '%'
           AND ($5::text IS NULL OR EXISTS (SELECT FROM meters
                                             WHERE meters.unit_id = seen.unit_id
                                               AND carrier = $5))
           AND ($6::text IS NULL OR strpos(lower(seen.name), lower($6)) > 0
                                 OR strpos(unit, upper($6)) > 0)
           AND unit > $7
         ORDER BY unit
         LIMIT $8
        """,
        scope.region_prefix,
        scope.unit,
        filters.region_prefix,
        filters.industry,
        filters.energy,
        filters.q,
        after,
        limit,
    )
    return [UnitEntry(**row) for row in rows]


async def fetch_unit(connection: Connection, scope: Scope, unit: str) -> UnitEntry | None:
    """Return a unit, or None: there is none, or none that the caller may see."""
    row = await connection.fetchrow(
        """
        SELECT unit_id, unit, seen.name, seen.region, regions.name AS region_name, city,
               seen.industry, industries.name_zh AS industry_name, annual_tce, commissioned_on,
               contact_email, signature_required,
               ARRAY(SELECT DISTINCT carrier
                       FROM meters
                      WHERE meters.unit_id = seen.unit_id
                        AND carrier IS NOT NULL
                      ORDER BY carrier) AS energies
          FROM visible_units($1, $2) AS seen
          JOIN regions USING (region)
          JOIN industries ON industries.industry = seen.division
         WHERE unit = $3
        """,
        scope.region_prefix,
        scope.unit,
        unit,
    )
    return None if row is None else UnitEntry(**row)


async def list_gateways(connection: Connection, scope: Scope, unit: str) -> list[GatewayEntry]:
    rows = await connection.fetch(
        """
        SELECT gateway, connection, connection_at, last_seen_at, firmware,
               revoked_at IS NOT NULL AS revoked
          FROM gateways
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE unit = $3
         ORDER BY gateway
        """,
        scope.region_prefix,
        scope.unit,
        unit,
    )
    return [GatewayEntry(**row) for row in rows]


async def list_meters(
    connection: Connection,
    scope: Scope,
    *,
    filters: Filters,
    unit: str | None,
    after: tuple[str, str],
    limit: int,
) -> list[MeterEntry]:
    """Return meters by unit and code; `after` is the (unit, meter) they come after."""
    rows = await connection.fetch(
        """
        SELECT meter_id, unit, seen.name AS unit_name, meter, meters.name, carrier AS energy, kind,
               uom, coalesce(newest.multiplier, 1) AS multiplier, newest.rollover,
               coalesce(paced.interval_s, meters.interval_s) AS interval_s, role, product,
               data_code, installed_at
          FROM meters
          JOIN visible_units($1, $2) AS seen USING (unit_id)
          LEFT JOIN LATERAL (
                SELECT multiplier, rollover
                  FROM meter_epochs
                 WHERE meter_epochs.meter_id = meters.meter_id
                   AND reason <> 'interval'
                 ORDER BY starts_at DESC
                 LIMIT 1
               ) AS newest ON true
          LEFT JOIN LATERAL (
                SELECT interval_s
                  FROM meter_epochs
                 WHERE meter_epochs.meter_id = meters.meter_id
                   AND interval_s IS NOT NULL
                 ORDER BY starts_at DESC
                 LIMIT 1
               ) AS paced ON true
         WHERE region LIKE $3 || '%'
           AND industry LIKE $4 || '%'
           AND ($5::text IS NULL OR carrier = $5)
           AND ($6::text IS NULL OR strpos(lower(meters.name), lower($6)) > 0
                                 OR strpos(lower(meter), lower($6)) > 0)
           AND ($7::text IS NULL OR unit = $7)
           AND (unit, meter) > ($8, $9)
         ORDER BY unit, meter
         LIMIT $10
        """,
        scope.region_prefix,
        scope.unit,
        filters.region_prefix,
        filters.industry,
        filters.energy,
        filters.q,
        unit,
        after[0],
        after[1],
        limit,
    )
    return [MeterEntry(**row) for row in rows]


async def fetch_meter(
    connection: Connection, scope: Scope, unit: str, meter: str
) -> MeterEntry | None:
    """Return a meter, or None: there is none, or none that the caller may see."""
    row = await connection.fetchrow(
        """
        SELECT meter_id, unit, seen.name AS unit_name, meter, meters.name, carrier AS energy, kind,
               uom, coalesce(newest.multiplier, 1) AS multiplier, newest.rollover,
               coalesce(paced.interval_s, meters.interval_s) AS interval_s, role, product,
               data_code, installed_at
          FROM meters
          JOIN visible_units($1, $2) AS seen USING (unit_id)
          LEFT JOIN LATERAL (
                SELECT multiplier, rollover
                  FROM meter_epochs
                 WHERE meter_epochs.meter_id = meters.meter_id
                   AND reason <> 'interval'
                 ORDER BY starts_at DESC
                 LIMIT 1
               ) AS newest ON true
          LEFT JOIN LATERAL (
                SELECT interval_s
                  FROM meter_epochs
                 WHERE meter_epochs.meter_id = meters.meter_id
                   AND interval_s IS NOT NULL
                 ORDER BY starts_at DESC
                 LIMIT 1
               ) AS paced ON true
         WHERE unit = $3
           AND meter = $4
        """,
        scope.region_prefix,
        scope.unit,
        unit,
        meter,
    )
    return None if row is None else MeterEntry(**row)
