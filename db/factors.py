"""Owns factors as they are stored: for everyone, declared by a unit, measured by batch; ranges.

The view `dated_factors` is all of them in one shape. Who changes a factor marks what was valued
with it as stale, under a lock that settlement shares: so no old factor is used after the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope
from energy.carriers import Nature
from energy.factors import Basis, Factor, FactorRange

LOCK = 0x66616374
"""Key of the advisory lock ("fact") on the factors: shared by who values, alone for who changes."""


@dataclass(frozen=True, slots=True)
class CarrierRow:
    """What is to be known of a carrier to give it a factor."""

    carrier: str
    name_zh: str
    name_en: str
    reference_uom: str
    nature: Nature


@dataclass(frozen=True, slots=True)
class FactorRow:
    """A factor as `nenghao import factors` states it; `unit` None: for everyone.

    `note` says where a figure was found that nobody compared with its source.
    """

    carrier: str
    basis: str
    unit: str | None
    kgce_per_uom: float
    valid_from: date
    valid_to: date | None
    edition: str
    source: str
    verified: bool
    note: str | None = None


@dataclass(frozen=True, slots=True)
class CalorificValueRow:
    """A measured net calorific value; `kgce_per_uom` is what it comes to."""

    unit: str
    carrier: str
    batch: str
    valid_from: date
    valid_to: date | None
    net_calorific_value: float
    uom: str
    kgce_per_uom: float
    source: str


async def lock_for_valuing(connection: Connection) -> None:
    """Keep factors from being changed until the transaction ends; read them after this."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", LOCK)


async def lock_for_changing(connection: Connection) -> None:
    """Wait for settlements that value with the factors as they are, and keep new ones waiting."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


async def list_carriers(connection: Connection) -> list[CarrierRow]:
    rows = await connection.fetch(
        """
        SELECT carrier, name_zh, name_en, reference_uom, nature
          FROM carriers
         ORDER BY carrier
        """
    )
    return [CarrierRow(**{**row, "nature": Nature(row["nature"])}) for row in rows]


async def list_ranges(connection: Connection) -> list[FactorRange]:
    rows = await connection.fetch(
        """
        SELECT carrier, low, high, edition, source, verified
          FROM factor_ranges
         ORDER BY carrier
        """
    )
    return [FactorRange(**row) for row in rows]


async def list_for_unit(connection: Connection, unit_id: int | None) -> list[Factor]:
    """Return the factors for everyone and the unit's own; None: of no unit."""
    rows = await connection.fetch(
        """
        SELECT carrier, basis, unit_id, kgce_per_uom, valid_from, valid_to, verified, edition,
               source, batch
          FROM dated_factors
         WHERE unit_id IS NULL
            OR unit_id = $1
         ORDER BY carrier, basis, place, valid_from
        """,
        unit_id,
    )
    return [_factor(row) for row in rows]


async def list_visible(
    connection: Connection, scope: Scope, *, unit_ids: Sequence[int]
) -> list[Factor]:
    """Return the factors for everyone, and the own ones of those of `unit_ids` that are visible."""
    rows = await connection.fetch(
        """
        SELECT dated.carrier, dated.basis, dated.unit_id, dated.kgce_per_uom, dated.valid_from,
               dated.valid_to, dated.verified, dated.edition, dated.source, batch, note
          FROM dated_factors AS dated
          LEFT JOIN factors AS stated
            ON batch IS NULL
           AND stated.carrier = dated.carrier
           AND stated.basis = dated.basis
           AND stated.valid_from = dated.valid_from
           AND stated.unit_id IS NOT DISTINCT FROM dated.unit_id
         WHERE dated.unit_id IS NULL
            OR (dated.unit_id = ANY ($3)
                AND dated.unit_id IN (SELECT unit_id FROM visible_units($1, $2)))
         ORDER BY carrier, basis, place, valid_from
        """,
        scope.region_prefix,
        scope.unit,
        list(unit_ids),
    )
    return [_factor(row) for row in rows]


async def fetch_unit_id(connection: Connection, scope: Scope, unit: str) -> int | None:
    unit_id: int | None = await connection.fetchval(
        "SELECT unit_id FROM visible_units($1, $2) WHERE unit = $3",
        scope.region_prefix,
        scope.unit,
        unit,
    )
    return unit_id


async def list_counting_carriers(connection: Connection, unit_id: int) -> list[CarrierRow]:
    """Return the carriers of the meters that make up the consumption of a unit."""
    rows = await connection.fetch(
        """
        SELECT carrier, name_zh, name_en, reference_uom, nature
          FROM carriers
         WHERE carrier IN (SELECT carrier
                             FROM meters
                            WHERE unit_id = $1
                              AND role IN ('boundary', 'export'))
         ORDER BY carrier
        """,
        unit_id,
    )
    return [CarrierRow(**{**row, "nature": Nature(row["nature"])}) for row in rows]


# -- as they are imported ------------------------------------------------------------------------


async def list_factor_rows(connection: Connection, carriers: Sequence[str]) -> list[FactorRow]:
    """Return the factors of `carriers` that are not measured."""
    rows = await connection.fetch(
        """
        SELECT carrier, basis, unit, kgce_per_uom, valid_from, valid_to, edition, source, verified,
               note
          FROM factors
          LEFT JOIN units USING (unit_id)
         WHERE carrier = ANY ($1)
         ORDER BY carrier, basis, unit, valid_from
        """,
        list(carriers),
    )
    return [FactorRow(**row) for row in rows]


async def upsert_factors(connection: Connection, rows: Sequence[FactorRow]) -> None:
    await connection.execute(
        """
        INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, valid_to, edition,
                             source, verified, note)
        SELECT carrier, basis, unit_id, kgce_per_uom, valid_from, valid_to, edition, source,
               verified, note
          FROM unnest($1::text[], $2::text[], $3::text[], $4::double precision[], $5::date[],
                      $6::date[], $7::text[], $8::text[], $9::boolean[], $10::text[])
               AS given (carrier, basis, unit, kgce_per_uom, valid_from, valid_to, edition,
                         source, verified, note)
          LEFT JOIN units USING (unit)
            ON CONFLICT (carrier, basis, unit_id, valid_from)
            DO UPDATE SET kgce_per_uom = excluded.kgce_per_uom,
                          valid_to = excluded.valid_to,
                          edition = excluded.edition,
                          source = excluded.source,
                          verified = excluded.verified,
                          note = excluded.note
        """,
        [row.carrier for row in rows],
        [row.basis for row in rows],
        [row.unit for row in rows],
        [row.kgce_per_uom for row in rows],
        [row.valid_from for row in rows],
        [row.valid_to for row in rows],
        [row.edition for row in rows],
        [row.source for row in rows],
        [row.verified for row in rows],
        [row.note for row in rows],
    )


async def list_calorific_values(
    connection: Connection, units: Sequence[str]
) -> list[CalorificValueRow]:
    """Return what `units` (credit codes) had measured."""
    rows = await connection.fetch(
        """
        SELECT unit, carrier, batch, valid_from, valid_to, net_calorific_value, uom, kgce_per_uom,
               source
          FROM calorific_values
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, carrier, batch
        """,
        list(units),
    )
    return [CalorificValueRow(**row) for row in rows]


async def upsert_calorific_values(
    connection: Connection, rows: Sequence[CalorificValueRow]
) -> None:
    await connection.execute(
        """
        INSERT INTO calorific_values (unit_id, carrier, batch, valid_from, valid_to,
                                      net_calorific_value, uom, kgce_per_uom, source)
        SELECT unit_id, carrier, batch, valid_from, valid_to, net_calorific_value, uom,
               kgce_per_uom, source
          FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[],
                      $6::double precision[], $7::text[], $8::double precision[], $9::text[])
               AS given (unit, carrier, batch, valid_from, valid_to, net_calorific_value, uom,
                         kgce_per_uom, source)
          JOIN units USING (unit)
            ON CONFLICT (unit_id, carrier, batch)
            DO UPDATE SET valid_from = excluded.valid_from,
                          valid_to = excluded.valid_to,
                          net_calorific_value = excluded.net_calorific_value,
                          uom = excluded.uom,
                          kgce_per_uom = excluded.kgce_per_uom,
                          source = excluded.source
        """,
        [row.unit for row in rows],
        [row.carrier for row in rows],
        [row.batch for row in rows],
        [row.valid_from for row in rows],
        [row.valid_to for row in rows],
        [row.net_calorific_value for row in rows],
        [row.uom for row in rows],
        [row.kgce_per_uom for row in rows],
        [row.source for row in rows],
    )


# -- what a change makes stale -------------------------------------------------------------------


async def list_meter_ids(
    connection: Connection, carrier: str, unit: str | None, *, after: int, limit: int
) -> list[int]:
    """Return meters of a carrier, of one unit or of everyone, in order of their id."""
    rows = await connection.fetch(
        """
        SELECT meter_id
          FROM meters
          JOIN units USING (unit_id)
         WHERE carrier = $1
           AND ($2::text IS NULL OR unit = $2)
           AND meter_id > $3
         ORDER BY meter_id
         LIMIT $4
        """,
        carrier,
        unit,
        after,
        limit,
    )
    return [row["meter_id"] for row in rows]


async def mark_stale(
    connection: Connection, meter_ids: Sequence[int], starts_at: datetime, ends_at: datetime | None
) -> int:
    """Mark what the readings of meters came to in a span; return how many ranges that are.

    From the first reading to the end of the interval of the last; `ends_at` None: no end. In
    pieces of a month, so that one settlement takes no more than it can do in its time.
    """
    status = await connection.execute(
        """
        INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
        SELECT unit_id, meter_id, piece_at, least(piece_at + INTERVAL '31 days', last_at, $3)
          FROM meters
         CROSS JOIN LATERAL (
               SELECT min(read_at) AS first_at,
                      max(read_at) + make_interval(secs => (SELECT max(dated.interval_s)
                                                              FROM dated_meters AS dated
                                                             WHERE dated.meter_id = meters.meter_id)
                      ) AS last_at
                 FROM accountable_readings AS r
                WHERE r.meter_id = meters.meter_id) AS hull
         CROSS JOIN LATERAL generate_series(greatest(first_at, $2),
                                            least(last_at, $3) - INTERVAL '1 microsecond',
                                            INTERVAL '31 days') AS piece_at
         WHERE meter_id = ANY ($1)
           AND greatest(first_at, $2) < least(last_at, $3)
         ORDER BY meter_id, piece_at
        """,
        list(meter_ids),
        starts_at,
        ends_at,
    )
    return int(status.rsplit(" ", 1)[-1])


def _factor(row: Record) -> Factor:
    return Factor(
        row["carrier"],
        Basis(row["basis"]),
        row["unit_id"],
        row["kgce_per_uom"],
        row["valid_from"],
        row["valid_to"],
        row["verified"],
        row["edition"],
        row["source"],
        row["batch"],
        row.get("note"),
    )
