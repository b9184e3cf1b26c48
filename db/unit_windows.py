"""Owns what whole units used in a window, and what is missing of it: for expression rules.

The scope is that of the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection
from db.scope import Scope
from energy.factors import Basis
from energy.periods import Span


@dataclass(frozen=True, slots=True)
class UnitWindow:
    """What a unit used in a window: its boundary less its export. None: unknown, not zero.

    `quantity` of one carrier, in its reference unit. `estimated_tce` is a part of `absolute_tce`,
    both without signs. `due` readings were owed, `present` are there. `silent`: meters without any
    figure; `left_out`: carriers of which some has no coal equivalent.
    """

    unit_id: int
    unit: str
    unit_name: str
    region: str
    annual_tce: float | None
    energy_tce: float | None
    quantity: float | None
    estimated_tce: float | None
    absolute_tce: float | None
    due: int
    present: int
    held: bool
    silent: Sequence[str]
    left_out: Sequence[str]


async def list_windows(
    connection: Connection, scope: Scope, window: Span, basis: Basis, carrier: str | None
) -> list[UnitWindow]:
    """Return each unit with meters that owe something in a window of whole hours that are over.

    The parts are grouped together, not joined: no planner knows how little a window holds.
    """
    rows = await connection.fetch(
        """
        WITH seen AS MATERIALIZED (
            SELECT unit_id
              FROM visible_units_of($1, $2)
        ), valued AS (
            SELECT unit_id, carrier, quantity, estimated_quantity, readings_present, held,
                   CASE $5 WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END AS tce,
                   CASE $5
                   WHEN 'calorific' THEN is_left_out(quantity, calorific_tce, calorific_partial)
                   ELSE is_left_out(quantity, equivalent_tce, equivalent_partial)
                   END AS is_left_out
              FROM unit_consumption
              JOIN seen USING (unit_id)
             WHERE step = 'hour'
               AND starts_at >= $3
               AND starts_at < $4
        ), used AS (
            SELECT unit_id, sum(tce) AS energy_tce,
                   sum(quantity) FILTER (WHERE carrier = $6) AS quantity,
                   sum(abs(tce * estimated_quantity / nullif(quantity, 0))) AS estimated_tce,
                   sum(abs(tce)) AS absolute_tce, sum(readings_present)::bigint AS present,
                   bool_or(held) AS held,
                   array_agg(DISTINCT carrier) FILTER (WHERE is_left_out) AS left_out
              FROM valued
             GROUP BY unit_id
        ), owed AS (
            SELECT unit_id,
                   sum(floor(extract(epoch FROM least($4, interval_to)
                                                - greatest($3, installed_at, interval_from))
                             / interval_s))::bigint AS due
              FROM dated_meters
              JOIN seen USING (unit_id)
             WHERE role IN ('boundary', 'export')
               AND greatest(installed_at, interval_from) < $4
               AND interval_to > $3
             GROUP BY unit_id
        ), silent AS (
            SELECT unit_id, array_agg(meter ORDER BY meter) AS silent
              FROM meters
              JOIN seen USING (unit_id)
             WHERE role IN ('boundary', 'export')
               AND installed_at < $4
               AND NOT EXISTS (SELECT
                                 FROM meter_consumption AS counted
                                WHERE counted.meter_id = meters.meter_id
                                  AND step = 'hour'
                                  AND starts_at >= $3
                                  AND starts_at < $4
                                  AND quantity IS NOT NULL)
             GROUP BY unit_id
        ), whole AS (
            SELECT unit_id, energy_tce, quantity, estimated_tce, absolute_tce, present, held,
                   left_out, NULL::bigint AS due, NULL::text[] AS silent
              FROM used
             UNION ALL
            SELECT unit_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, due, NULL
              FROM owed
             UNION ALL
            SELECT unit_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, silent
              FROM silent
        ), of_units AS (
            SELECT unit_id, max(energy_tce) AS energy_tce, max(quantity) AS quantity,
                   max(estimated_tce) AS estimated_tce, max(absolute_tce) AS absolute_tce,
                   max(due) AS due, coalesce(max(present), 0) AS present,
                   coalesce(bool_or(held), false) AS held, coalesce(max(silent), '{}') AS silent,
                   coalesce(max(left_out), '{}') AS left_out
              FROM whole
             GROUP BY unit_id
            HAVING max(due) IS NOT NULL
        )
        SELECT unit_id, unit, units.name AS unit_name, region, annual_tce, energy_tce, quantity,
               estimated_tce, absolute_tce, due, present, held, silent, left_out
          FROM of_units
          JOIN units USING (unit_id)
         ORDER BY unit_id
        """,
        scope.region_prefix,
        scope.units,
        window.starts_at,
        window.ends_at,
        basis,
        carrier,
    )
    return [UnitWindow(**row) for row in rows]
