"""Owns reading back what is stored of meters and units, to compare a figure with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection
from db.scope import Scope
from db.settlement import Stale
from energy.factors import Basis
from energy.periods import Span, Step


@dataclass(frozen=True, slots=True)
class StoredSum:
    """What is stored for a span in buckets of one step. None: unknown, not zero.

    `left_out`: some of the quantity has no coal equivalent, or all of it.
    """

    owner_id: int
    carrier: str | None
    step: Step
    quantity: float | None
    energy_tce: float | None
    estimated_quantity: float
    readings_present: int
    held: bool
    left_out: bool


async def list_meter_sums(
    connection: Connection,
    scope: Scope,
    meter_ids: Sequence[int],
    span: Span,
    steps: Sequence[Step],
    basis: Basis,
) -> list[StoredSum]:
    """Return what is stored of meters in `span`, by meter and step."""
    rows = await connection.fetch(
        """
        SELECT meter_id AS owner_id, carrier, step, sum(quantity) AS quantity,
               sum(CASE $7::text WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END)
               AS energy_tce,
               bool_or(CASE $7::text
                       WHEN 'calorific' THEN is_left_out(quantity, calorific_tce, calorific_partial)
                       ELSE is_left_out(quantity, equivalent_tce, equivalent_partial)
                       END) AS left_out,
               sum(estimated_quantity) AS estimated_quantity,
               sum(readings_present)::bigint AS readings_present, bool_or(held) AS held
          FROM meter_consumption
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE meter_id = ANY ($3)
           AND step = ANY ($4)
           AND starts_at >= $5
           AND starts_at < $6
         GROUP BY meter_id, carrier, step
         ORDER BY meter_id, step
        """,
        scope.region_prefix,
        scope.unit,
        list(meter_ids),
        list(steps),
        span.starts_at,
        span.ends_at,
        basis,
    )
    return [StoredSum(**{**row, "step": Step(row["step"])}) for row in rows]


async def list_unit_sums(
    connection: Connection,
    scope: Scope,
    unit_ids: Sequence[int],
    energy: str | None,
    span: Span,
    steps: Sequence[Step],
    basis: Basis,
) -> list[StoredSum]:
    """Return what is stored of units in `span`, by unit, carrier and step."""
    rows = await connection.fetch(
        """
        SELECT unit_id AS owner_id, carrier, step, sum(quantity) AS quantity,
               sum(CASE $8::text WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END)
               AS energy_tce,
               bool_or(CASE $8::text
                       WHEN 'calorific' THEN is_left_out(quantity, calorific_tce, calorific_partial)
                       ELSE is_left_out(quantity, equivalent_tce, equivalent_partial)
                       END) AS left_out,
               sum(estimated_quantity) AS estimated_quantity,
               sum(readings_present)::bigint AS readings_present, bool_or(held) AS held
          FROM unit_consumption
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE unit_id = ANY ($3)
           AND ($4::text IS NULL OR carrier = $4)
           AND step = ANY ($5)
           AND starts_at >= $6
           AND starts_at < $7
         GROUP BY unit_id, carrier, step
         ORDER BY unit_id, carrier, step
        """,
        scope.region_prefix,
        scope.unit,
        list(unit_ids),
        energy,
        list(steps),
        span.starts_at,
        span.ends_at,
        basis,
    )
    return [StoredSum(**{**row, "step": Step(row["step"])}) for row in rows]


async def count_waiting(connection: Connection, scope: Scope, reaches: Sequence[Stale]) -> int:
    """Return how many ranges of meters wait to be settled anew in what bears on a figure."""
    count: int = await connection.fetchval(
        """
        SELECT count(*)
          FROM unnest($3::integer[], $4::timestamptz[], $5::timestamptz[])
               AS reaches (meter_id, from_at, to_at)
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
          JOIN stale_ranges USING (unit_id, meter_id)
         WHERE starts_at <= to_at
           AND ends_at > from_at
        """,
        scope.region_prefix,
        scope.unit,
        [each.meter_id for each in reaches],
        [each.span.starts_at for each in reaches],
        [each.span.ends_at for each in reaches],
    )
    return count
