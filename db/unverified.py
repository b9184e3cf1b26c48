"""Owns which of the factors behind a figure nobody has verified against their source."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
        ), doubtful AS MATERIALIZED (  -- few, mostly none: then no meter is looked at
            SELECT carrier, unit_id, edition, valid_from, basis, place, validity * days AS days
              FROM dated_factors
             CROSS JOIN asked
             WHERE basis = $9
               AND NOT verified
               AND validity && days
               AND ($10::text IS NULL OR carrier = $10)
        )
        SELECT DISTINCT carrier AS energy, edition, valid_from
          FROM doubtful
         WHERE EXISTS (
               SELECT
                 FROM visible_units($1, $2)
                 JOIN meters USING (unit_id)
                WHERE region LIKE $3 || '%'
                  AND ($4::text IS NULL OR unit = $4)
                  AND industry LIKE $5 || '%'
                  AND role = ANY ($6)
                  AND installed_at < $8
                  AND meters.carrier = doubtful.carrier
                  AND (doubtful.unit_id IS NULL OR meters.unit_id = doubtful.unit_id)
                  AND NOT coalesce((SELECT range_agg(better.validity)
                                      FROM dated_factors AS better
                                     WHERE better.unit_id = meters.unit_id
                                       AND better.carrier = doubtful.carrier
                                       AND better.basis = doubtful.basis
                                       AND better.place < doubtful.place), '{}')
                          @> doubtful.days)
         ORDER BY energy, valid_from
        """,
        scope.region_prefix,
        scope.unit,
        *asked(selection, roles),
    )
    return [UnverifiedFactor(**row) for row in rows]


def asked(selection: Selection, roles: Sequence[str]) -> tuple[Hashable, ...]:
    """Return all that `list_factors` depends on beside scope and registry: $3 to $10."""
    return (
        selection.region_prefix,
        selection.unit,
        selection.industry,
        tuple(roles),
        selection.span.starts_at,
        selection.span.ends_at,
        selection.basis,
        selection.energy,
    )
