"""Owns energy budgets, and what the units charged to them used day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope
from energy.budgets import OwnerKind
from energy.factors import Basis
from energy.periods import LOCAL
from energy.registers import Kind


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget of `amount_tce` for the whole months from `starts_on` until before `ends_on`."""

    owner_kind: OwnerKind
    owner: str
    starts_on: date
    ends_on: date
    amount_tce: float
    basis: Basis
    source: str


@dataclass(frozen=True, slots=True)
class BudgetEntry:
    """A budget as a caller sees it. `silent_units` have used nothing that is known in it."""

    budget_id: int
    row: BudgetRow
    owner_name: str
    unit_count: int
    silent_units: list[str]


@dataclass(frozen=True, slots=True)
class RunningBudget:
    """A budget with the regions that its units lie in; `unit_id` None: it is of a park or city."""

    budget_id: int
    row: BudgetRow
    owner_name: str
    unit_count: int
    regions: list[str]
    unit_id: int | None


@dataclass(frozen=True, slots=True)
class DaySum:
    """What the units of a budget used in a day that starts at `starts_at`.

    None: nothing is known. The estimated part and what it is part of are without signs.
    """

    budget_id: int
    starts_at: datetime
    tce: float | None
    estimated_tce: float
    absolute_tce: float
    readings_present: int
    held: bool
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class AlikeMeters:
    """Meters charged to a budget that owe the same readings."""

    budget_id: int
    kind: Kind
    interval_s: int
    due_from: datetime
    due_to: datetime | None
    meters: int


async def list_all(connection: Connection) -> list[BudgetRow]:
    """Return every budget; for imports, which have no scope."""
    rows = await connection.fetch(
        """
        SELECT owner_kind, owner, starts_on, ends_on, amount_tce, basis, source
          FROM energy_budgets
         ORDER BY owner_kind, owner, starts_on, ends_on
        """
    )
    return [_budget(row) for row in rows]


async def upsert_budgets(connection: Connection, budgets: Sequence[BudgetRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO energy_budgets (owner_kind, owner, starts_on, ends_on, amount_tce, basis,
                                    source)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (owner_kind, owner, starts_on, ends_on)
            DO UPDATE SET amount_tce = excluded.amount_tce,
                          basis = excluded.basis,
                          source = excluded.source
        """,
        [
            (row.owner_kind, row.owner, row.starts_on, row.ends_on, row.amount_tce, row.basis,
             row.source)
            for row in budgets
        ],
    )  # fmt: skip


async def list_budgets(
    connection: Connection,
    scope: Scope,
    *,
    region_prefix: str,
    unit: str | None,
    at: datetime,
    after: int,
    limit: int,
) -> list[BudgetEntry]:
    """Return the budgets whose period holds an instant, of owners within a region.

    With `unit` those that are charged with it. Of a park, the region is that of any of its units.
    A unit is silent of which no day before the instant is known.
    """
    rows = await connection.fetch(
        """
        SELECT budget_id, owner_kind, owner, starts_on, ends_on, amount_tce, basis, source,
               coalesce(min(regions.name), min(parks.name), min(units.name), owner) AS owner_name,
               count(units.unit_id) AS unit_count,
               coalesce(array_agg(units.unit ORDER BY units.unit)
                        FILTER (WHERE units.unit_id IS NOT NULL AND NOT EXISTS (
                                SELECT FROM unit_consumption AS used
                                 WHERE used.unit_id = units.unit_id
                                   AND step = 'day'
                                   AND quantity IS NOT NULL
                                   AND starts_at >= starts_on::timestamp
                                                    AT TIME ZONE 'Asia/Shanghai'
                                   AND starts_at < least($8, ends_on::timestamp
                                                             AT TIME ZONE 'Asia/Shanghai')
                        )), '{}') AS silent_units
          FROM visible_budgets($1, $2)
          LEFT JOIN budget_units USING (budget_id)
          LEFT JOIN units USING (unit_id)
          LEFT JOIN regions ON owner_kind = 'city' AND regions.region = owner
          LEFT JOIN parks ON owner_kind = 'park' AND parks.park = owner
         WHERE starts_on <= $5::date
           AND ends_on > $5::date
           AND budget_id > $6
         GROUP BY budget_id, owner_kind, owner, starts_on, ends_on, amount_tce, basis, source
        HAVING ($3 = '' OR bool_or(units.region LIKE $3 || '%')
                        OR (owner_kind = 'city' AND owner LIKE $3 || '%'))
           AND ($4::text IS NULL OR bool_or(units.unit = $4))
         ORDER BY budget_id
         LIMIT $7
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        unit,
        at.astimezone(LOCAL).date(),
        after,
        limit,
        at,
    )
    return [
        BudgetEntry(
            row["budget_id"],
            _budget(row),
            row["owner_name"],
            row["unit_count"],
            row["silent_units"],
        )
        for row in rows
    ]


async def list_running(
    connection: Connection, scope: Scope, *, first_on: date, last_on: date
) -> list[RunningBudget]:
    """Return the budgets whose period holds one of these days, of owners within the scope."""
    rows = await connection.fetch(
        """
        SELECT budget_id, owner_kind, owner, starts_on, ends_on, amount_tce, basis, source,
               coalesce(min(regions.name), min(parks.name), min(units.name), owner) AS owner_name,
               count(units.unit_id) AS unit_count,
               array_agg(DISTINCT coalesce(regions.region, units.region)) AS regions,
               CASE WHEN owner_kind = 'unit' THEN min(units.unit_id) END AS unit_id
          FROM visible_budgets($1, $2)
          JOIN budget_units USING (budget_id)
          JOIN units USING (unit_id)
          LEFT JOIN regions ON owner_kind = 'city' AND regions.region = owner
          LEFT JOIN parks ON owner_kind = 'park' AND parks.park = owner
         WHERE starts_on <= $4
           AND ends_on > $3
         GROUP BY budget_id, owner_kind, owner, starts_on, ends_on, amount_tce, basis, source
         ORDER BY budget_id
        """,
        scope.region_prefix,
        scope.unit,
        first_on,
        last_on,
    )
    return [
        RunningBudget(
            row["budget_id"],
            _budget(row),
            row["owner_name"],
            row["unit_count"],
            row["regions"],
            row["unit_id"],
        )
        for row in rows
    ]


async def list_charged(connection: Connection, units: Sequence[str]) -> set[int]:
    """Return the budgets that are charged with what some units use."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT budget_id
          FROM budget_units
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1::text[])
         ORDER BY budget_id
        """,
        units,
    )
    return {row["budget_id"] for row in rows}


async def list_days(
    connection: Connection,
    scope: Scope,
    budgets: Sequence[int],
    starts_at: datetime,
    ends_at: datetime,
) -> list[DaySum]:
    """Return what the units of visible budgets used, by day, on the basis of each budget."""
    rows = await connection.fetch(
        """
        WITH used AS (
            SELECT budget_id, starts_at, carrier, quantity, estimated_quantity, readings_present,
                   held,
                   CASE basis WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END AS tce
              FROM visible_budgets($1, $2)
              JOIN budget_units USING (budget_id)
              JOIN unit_consumption USING (unit_id)
             WHERE budget_id = ANY ($3::integer[])
               AND step = 'day'
               AND starts_at >= $4
               AND starts_at < $5
        )
        SELECT budget_id, starts_at, sum(tce) AS tce,
               coalesce(sum(abs(tce * estimated_quantity / nullif(quantity, 0))), 0)
               AS estimated_tce,
               coalesce(sum(abs(tce)), 0) AS absolute_tce,
               sum(readings_present)::bigint AS readings_present,
               bool_or(held) AS held,
               coalesce(array_agg(DISTINCT carrier ORDER BY carrier)
                        FILTER (WHERE quantity IS NOT NULL AND tce IS NULL), '{}') AS left_out
          FROM used
         GROUP BY budget_id, starts_at
         ORDER BY budget_id, starts_at
        """,
        scope.region_prefix,
        scope.unit,
        list(budgets),
        starts_at,
        ends_at,
    )
    return [DaySum(**row) for row in rows]


async def list_meters(
    connection: Connection, scope: Scope, budgets: Sequence[int], *, roles: Sequence[str]
) -> list[AlikeMeters]:
    """Return the meters of `roles` of the units of visible budgets: they owe readings."""
    rows = await connection.fetch(
        """
        SELECT budget_id, kind, interval_s, greatest(installed_at, interval_from) AS due_from,
               nullif(interval_to, 'infinity') AS due_to, count(*) AS meters
          FROM visible_budgets($1, $2)
          JOIN budget_units USING (budget_id)
          JOIN dated_meters USING (unit_id)
         WHERE budget_id = ANY ($3::integer[])
           AND role = ANY ($4::text[])
         GROUP BY budget_id, kind, interval_s, due_from, due_to
         ORDER BY budget_id, due_from, kind, interval_s, due_to
        """,
        scope.region_prefix,
        scope.unit,
        list(budgets),
        list(roles),
    )
    return [AlikeMeters(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def list_unverified(
    connection: Connection,
    scope: Scope,
    budgets: Sequence[int],
    at: datetime,
    *,
    roles: Sequence[str],
) -> list[tuple[int, str]]:
    """Return (budget, carrier) where use until `at` rests on a factor that nobody has verified.

    A factor counts unless the unit has one of higher precedence on all of its days.
    """
    rows = await connection.fetch(
        """
        WITH metered AS (
            SELECT DISTINCT budget_id, basis, unit_id, carrier,
                   daterange(starts_on, least(ends_on, ($5 AT TIME ZONE 'Asia/Shanghai')::date + 1))
                   AS days
              FROM visible_budgets($1, $2)
              JOIN budget_units USING (budget_id)
              JOIN meters USING (unit_id)
             WHERE budget_id = ANY ($3::integer[])
               AND role = ANY ($4::text[])
               AND starts_on <= ($5::timestamptz AT TIME ZONE 'Asia/Shanghai')::date
        )
        SELECT DISTINCT budget_id, factors.carrier
          FROM metered
          JOIN dated_factors AS factors
            ON factors.carrier = metered.carrier
           AND factors.basis = metered.basis
           AND (factors.unit_id IS NULL OR factors.unit_id = metered.unit_id)
         WHERE NOT verified
           AND validity && days
           AND NOT coalesce((SELECT range_agg(better.validity)
                               FROM dated_factors AS better
                              WHERE better.unit_id = metered.unit_id
                                AND better.carrier = factors.carrier
                                AND better.basis = factors.basis
                                AND better.place < factors.place), '{}')
                   @> validity * days
         ORDER BY budget_id, carrier
        """,
        scope.region_prefix,
        scope.unit,
        list(budgets),
        list(roles),
        at,
    )
    return [(row["budget_id"], row["carrier"]) for row in rows]


def _budget(row: Record) -> BudgetRow:
    return BudgetRow(
        OwnerKind(row["owner_kind"]),
        row["owner"],
        row["starts_on"],
        row["ends_on"],
        row["amount_tce"],
        Basis(row["basis"]),
        row["source"],
    )
