"""Owns which units should be connected by now, and what of them has never been heard.

Heard is a meter of which a day was measured with a reading in it (`quality_days`). The scope is
that of the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class ConnectingRow:
    """A unit that is commissioned: how many boundary meters it has, and how many were heard.

    `silent`: those never heard though installed long enough; `unmetered`: carriers of which it
    files monthly figures and has no boundary meter. `checked_at`: when it was assessed last.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    commissioned_on: date
    checked_at: datetime | None
    boundary: int
    heard: int
    silent: Sequence[str]
    unmetered: Sequence[str]


async def list_incomplete(
    connection: Connection,
    scope: Scope,
    *,
    commissioned_by: date,
    installed_by: datetime,
    at: datetime,
    subjects: Sequence[str],
) -> list[ConnectingRow]:
    """Return units commissioned by a day of which something is not heard or not metered at an
    instant, and those of `subjects`.
    """
    rows = await connection.fetch(
        """
        WITH begun AS MATERIALIZED (
            SELECT unit_id, unit, name, region, commissioned_on
              FROM visible_units_of($1, $2)
             WHERE commissioned_on <= $3
        ), boundary AS (
            SELECT unit_id, meter, carrier, installed_at,
                   EXISTS (SELECT
                             FROM quality_days
                            WHERE quality_days.meter_id = meters.meter_id
                              AND arrived > 0
                              AND starts_at < $5) AS is_heard
              FROM meters
              JOIN begun USING (unit_id)
             WHERE role = 'boundary'
               AND installed_at <= $5
        ), metered AS (
            SELECT unit_id, count(*) AS boundary, count(*) FILTER (WHERE is_heard) AS heard,
                   array_agg(meter || ' (' || carrier || ')' ORDER BY meter)
                       FILTER (WHERE NOT is_heard AND installed_at <= $4) AS silent
              FROM boundary
             GROUP BY unit_id
        ), unmetered AS (
            SELECT unit_id, array_agg(DISTINCT carrier ORDER BY carrier) AS unmetered
              FROM monthly_filings
              JOIN begun USING (unit_id)
             WHERE (unit_id, carrier) NOT IN (SELECT unit_id, carrier FROM boundary)
             GROUP BY unit_id
        )
        SELECT unit_id, unit, begun.name AS unit_name, region, commissioned_on, checked_at,
               coalesce(boundary, 0) AS boundary, coalesce(heard, 0) AS heard,
               coalesce(silent, '{}') AS silent, coalesce(unmetered, '{}') AS unmetered
          FROM begun
          LEFT JOIN quality_checks USING (unit_id)
          LEFT JOIN metered USING (unit_id)
          LEFT JOIN unmetered USING (unit_id)
         WHERE coalesce(heard, 0) = 0
            OR silent IS NOT NULL
            OR unmetered IS NOT NULL
            OR unit = ANY ($6)
         ORDER BY unit_id
        """,
        scope.region_prefix,
        scope.units,
        commissioned_by,
        installed_by,
        at,
        subjects,
    )
    return [ConnectingRow(**row) for row in rows]
