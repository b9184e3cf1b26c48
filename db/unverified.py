"""Owns which of the factors behind a figure nobody has verified against their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.consumption import Selection
from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class UnverifiedFactor:
    energy: str
    edition: str
    valid_from: date


async def list_factors(
    connection: Connection, scope: Scope, selection: Selection, *, roles: Sequence[str]
) -> list[UnverifiedFactor]:
    """Return the factors behind the sums of `selection` that are not verified.

    A factor counts unless each unit concerned has one of higher precedence on all of its days.
    """
    rows = await connection.fetch(
        """
        WITH asked AS (
            SELECT daterange(($7::timestamptz AT TIME ZONE 'Asia/Shanghai')::date,
                             ($8::timestamptz AT TIME ZONE 'Asia/Shanghai'
                              - INTERVAL '1 microsecond')::date, '[]') AS days
        ), metered AS (
            SELECT DISTINCT unit_id, carrier
              FROM visible_units($1, $2)
              JOIN meters USING (unit_id)
             WHERE region LIKE $3 || '%'
               AND ($4::text IS NULL OR unit = $4)
               AND industry LIKE $5 || '%'
               AND role = ANY ($6)
               AND installed_at < $8
               AND carrier IS NOT NULL
               AND ($10::text IS NULL OR carrier = $10)
        )
        SELECT DISTINCT factors.carrier AS energy, edition, valid_from
          FROM metered
         CROSS JOIN asked
          JOIN dated_factors AS factors
            ON factors.carrier = metered.carrier
           AND (factors.unit_id IS NULL OR factors.unit_id = metered.unit_id)
         WHERE basis = $9
           AND NOT verified
           AND validity && days
           AND NOT coalesce((SELECT range_agg(better.validity)
                               FROM dated_factors AS better
                              WHERE better.unit_id = metered.unit_id
                                AND better.carrier = factors.carrier
                                AND better.basis = factors.basis
                                AND better.place < factors.place), '{}')
                   @> validity * days
         ORDER BY energy, valid_from
        """,
        scope.region_prefix,
        scope.unit,
        selection.region_prefix,
        selection.unit,
        selection.industry,
        list(roles),
        selection.span.starts_at,
        selection.span.ends_at,
        selection.basis,
        selection.energy,
    )
    return [UnverifiedFactor(**row) for row in rows]
