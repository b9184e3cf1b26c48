"""Owns what a product may need: limit, baseline, benchmark and advanced value, by edition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class LimitRow:
    """Values in `uom`, energy per unit of product; lower is better, negative ones are legal.

    `verified`: they were checked against their source. `exclusive`: a value that only equals one
    of them does not meet it.
    """

    product: str
    uom: str
    edition: str
    limit: float | None
    baseline: float | None
    benchmark: float | None
    advanced: float | None
    valid_from: date
    source: str
    verified: bool = True
    exclusive: bool = False


async def list_limits(connection: Connection) -> list[LimitRow]:
    rows = await connection.fetch(
        """
        SELECT product, uom, edition, limit_value AS limit, baseline, benchmark, advanced,
               valid_from, source, verified, exclusive
          FROM limits
         ORDER BY product, edition, valid_from
        """
    )
    return [LimitRow(**row) for row in rows]


async def upsert_limits(connection: Connection, limits: Sequence[LimitRow]) -> None:
    await connection.execute(
        """
        INSERT INTO limits (product, uom, edition, limit_value, baseline, benchmark, advanced,
                            valid_from, source, verified, exclusive)
        SELECT *
          FROM unnest($1::text[], $2::text[], $3::text[], $4::double precision[],
                      $5::double precision[], $6::double precision[], $7::double precision[],
                      $8::date[], $9::text[], $10::boolean[], $11::boolean[])
            ON CONFLICT (product, edition, valid_from)
            DO UPDATE SET uom = excluded.uom,
                          limit_value = excluded.limit_value,
                          baseline = excluded.baseline,
                          benchmark = excluded.benchmark,
                          advanced = excluded.advanced,
                          source = excluded.source,
                          verified = excluded.verified,
                          exclusive = excluded.exclusive
        """,
        [row.product for row in limits],
        [row.uom for row in limits],
        [row.edition for row in limits],
        [row.limit for row in limits],
        [row.baseline for row in limits],
        [row.benchmark for row in limits],
        [row.advanced for row in limits],
        [row.valid_from for row in limits],
        [row.source for row in limits],
        [row.verified for row in limits],
        [row.exclusive for row in limits],
    )
