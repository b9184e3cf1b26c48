"""Owns the notes that energy was settled otherwise after an intensity of it was final.

One row a figure, the first time: it is restated from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from db.consumption import Selection
from db.pool import Connection
from db.scope import Scope
from energy import roles
from energy.periods import Span, Step


class Figure(StrEnum):
    """What the energy is divided by, as `production` names it."""

    QUANTITY = "quantity"
    OUTPUT_VALUE = "output_value_cny"
    VALUE_ADDED = "value_added_cny"


class Counted(StrEnum):
    """What of the energy of a unit an intensity counts."""

    TOTAL = "total"
    ELECTRICITY = "electricity"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A whole day, month or year."""

    step: Step
    span: Span


@dataclass(frozen=True, slots=True)
class Stated:
    """Figures that are stated of a product for all of a bucket that is over."""

    bucket: Bucket
    product: str
    figures: frozenset[Figure]


@dataclass(frozen=True, slots=True)
class Energy:
    """What a unit used in a bucket: tce, or kWh. None: unknown, or not all of it is known."""

    amount: float | None
    readings_present: int
    held: bool


@dataclass(frozen=True, slots=True)
class Restatement:
    """Energy of a bucket that is another one than when a figure of a product was final."""

    bucket: Bucket
    product: str
    figure: Figure
    counted: Counted


@dataclass(frozen=True, slots=True)
class Noted:
    """A restatement as queries look for it."""

    unit: str
    starts_at: datetime
    product: str
    figure: Figure
    counted: Counted


async def list_stated(
    connection: Connection, unit_id: int, buckets: Sequence[Bucket]
) -> list[Stated]:
    """Return what is stated for all of those of `buckets` that are over."""
    rows = await connection.fetch(
        """
        SELECT step, from_at, to_at, product,
               array_remove(ARRAY[
                   CASE WHEN bool_and(quantity IS NOT NULL) THEN 'quantity' END,
                   CASE WHEN bool_and(output_value_cny IS NOT NULL) THEN 'output_value_cny' END,
                   CASE WHEN bool_and(value_added_cny IS NOT NULL) THEN 'value_added_cny' END],
                   NULL) AS figures
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS buckets (step, from_at, to_at)
          JOIN production
            ON unit_id = $1
           AND starts_at >= from_at
           AND ends_at <= to_at
         WHERE to_at <= now()
         GROUP BY step, from_at, to_at, product
        HAVING sum(ends_at - starts_at) = to_at - from_at
         ORDER BY step, from_at, product
        """,
        unit_id,
        *_columns(buckets),
    )
    return [
        Stated(
            Bucket(Step(row["step"]), Span(row["from_at"], row["to_at"])),
            row["product"],
            frozenset(Figure(name) for name in row["figures"]),
        )
        for row in rows
    ]


async def list_energy(
    connection: Connection, unit_id: int, buckets: Sequence[Bucket]
) -> dict[tuple[Bucket, Counted], Energy]:
    """Return what a unit used in `buckets`, as its sums say now.

    The sum of some meters where others that count say nothing is not known.
    """
    rows = await connection.fetch(
        """
        SELECT step, from_at, to_at,
               CASE WHEN silent IS NULL
                     AND NOT bool_or(is_left_out(quantity, calorific_tce, calorific_partial))
                    THEN sum(calorific_tce)
               END AS total,
               sum(readings_present) AS total_readings, bool_or(held) AS total_held,
               CASE WHEN NOT 'electricity' = ANY (coalesce(silent, '{}'))
                    THEN sum(quantity) FILTER (WHERE carrier = 'electricity')
               END AS electricity,
               coalesce(sum(readings_present) FILTER (WHERE carrier = 'electricity'), 0)
               AS electricity_readings,
               coalesce(bool_or(held) FILTER (WHERE carrier = 'electricity'), false)
               AS electricity_held
          FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
               AS buckets (step, from_at, to_at)
         CROSS JOIN LATERAL (
               SELECT array_agg(carrier) AS silent
                 FROM meters
                WHERE unit_id = $1
                  AND role = ANY ($5)
                  AND installed_at < to_at
                  AND NOT EXISTS (SELECT
                                    FROM meter_consumption AS counted
                                   WHERE counted.meter_id = meters.meter_id
                                     AND counted.step = buckets.step
                                     AND counted.starts_at = from_at
                                     AND counted.starts_at >= $6
                                     AND counted.starts_at < $7
                                     AND counted.quantity IS NOT NULL)) AS meters
          JOIN unit_consumption AS used USING (step)
         WHERE unit_id = $1
           AND starts_at = from_at
           AND starts_at >= $6
           AND starts_at < $7
         GROUP BY step, from_at, to_at, silent
         ORDER BY step, from_at
        """,
        unit_id,
        *_columns(buckets),
        list(roles.COUNTING),
        min(each.span.starts_at for each in buckets),
        max(each.span.ends_at for each in buckets),
    )
    return {
        (Bucket(Step(row["step"]), Span(row["from_at"], row["to_at"])), counted): Energy(
            row[counted], row[f"{counted}_readings"], row[f"{counted}_held"]
        )
        for row in rows
        for counted in Counted
    }


async def insert(connection: Connection, unit_id: int, restated: Sequence[Restatement]) -> None:
    """Note restatements; those that were noted before stand."""
    await connection.execute(
        """
        INSERT INTO energy_restatements (unit_id, step, starts_at, product, figure, energy)
        SELECT $1, step, starts_at, product, figure, energy
          FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
               AS restated (step, starts_at, product, figure, energy)
            ON CONFLICT DO NOTHING
        """,
        unit_id,
        [each.bucket.step for each in restated],
        [each.bucket.span.starts_at for each in restated],
        [each.product for each in restated],
        [each.figure for each in restated],
        [each.counted for each in restated],
    )


async def list_noted(connection: Connection, scope: Scope, selection: Selection) -> set[Noted]:
    """Return which figures of the units of a selection are restated."""
    rows = await connection.fetch(
        """
        SELECT unit, starts_at, product, figure, energy
          FROM energy_restatements
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE region LIKE $3 || '%'
           AND industry LIKE $4 || '%'
           AND ($5::text IS NULL OR unit = $5)
           AND step = $6
           AND starts_at >= $7
           AND starts_at < $8
         ORDER BY unit, starts_at, product, figure, energy
        """,
        scope.region_prefix,
        scope.unit,
        selection.region_prefix,
        selection.industry,
        selection.unit,
        selection.bucket,
        selection.span.starts_at,
        selection.span.ends_at,
    )
    return {
        Noted(
            row["unit"],
            row["starts_at"],
            row["product"],
            Figure(row["figure"]),
            Counted(row["energy"]),
        )
        for row in rows
    }


def _columns(buckets: Sequence[Bucket]) -> tuple[list[str], list[datetime], list[datetime]]:
    return (
        [each.step for each in buckets],
        [each.span.starts_at for each in buckets],
        [each.span.ends_at for each in buckets],
    )
