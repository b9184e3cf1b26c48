"""Owns what units state of their energy: stocks counted, amounts bought, made, sold, feedstock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class StockRow:
    """What of a carrier was there when the day `counted_on` began, in `uom`."""

    unit: str
    carrier: str
    counted_on: date
    quantity: float
    uom: str
    evidence: str


@dataclass(frozen=True, slots=True)
class TradeRow:
    """What a unit states of a carrier in `[starts_on, ends_on)`, in `uom`; None: not stated."""

    unit: str
    carrier: str
    starts_on: date
    ends_on: date
    purchased: float | None
    produced: float | None
    sold: float | None
    feedstock: float | None
    uom: str
    evidence: str


async def list_stocks_by_unit(connection: Connection, units: Sequence[str]) -> list[StockRow]:
    rows = await connection.fetch(
        """
        SELECT unit, carrier, counted_on, quantity, uom, evidence
          FROM stocks
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, carrier, counted_on
        """,
        units,
    )
    return [StockRow(**row) for row in rows]


async def upsert_stocks(connection: Connection, stocks: Sequence[StockRow]) -> None:
    await connection.execute(
        """
        INSERT INTO stocks (unit_id, carrier, counted_on, quantity, uom, evidence)
        SELECT unit_id, stated.carrier, stated.counted_on, stated.quantity, stated.uom,
               stated.evidence
          FROM unnest($1::text[], $2::text[], $3::date[], $4::double precision[], $5::text[],
                      $6::text[])
               AS stated (unit, carrier, counted_on, quantity, uom, evidence)
          JOIN units USING (unit)
            ON CONFLICT (unit_id, carrier, counted_on)
            DO UPDATE SET quantity = excluded.quantity,
                          uom = excluded.uom,
                          evidence = excluded.evidence
        """,
        [row.unit for row in stocks],
        [row.carrier for row in stocks],
        [row.counted_on for row in stocks],
        [row.quantity for row in stocks],
        [row.uom for row in stocks],
        [row.evidence for row in stocks],
    )


async def list_trades_by_unit(connection: Connection, units: Sequence[str]) -> list[TradeRow]:
    rows = await connection.fetch(
        """
        SELECT unit, carrier, starts_on, ends_on, purchased, produced, sold, feedstock, uom,
               evidence
          FROM trades
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, carrier, starts_on
        """,
        units,
    )
    return [TradeRow(**row) for row in rows]


async def upsert_trades(connection: Connection, trades: Sequence[TradeRow]) -> None:
    await connection.execute(
        """
        INSERT INTO trades (unit_id, carrier, starts_on, ends_on, purchased, produced, sold,
                            feedstock, uom, evidence)
        SELECT unit_id, stated.carrier, stated.starts_on, stated.ends_on, stated.purchased,
               stated.produced, stated.sold, stated.feedstock, stated.uom, stated.evidence
          FROM unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::double precision[],
                      $6::double precision[], $7::double precision[], $8::double precision[],
                      $9::text[], $10::text[])
               AS stated (unit, carrier, starts_on, ends_on, purchased, produced, sold, feedstock,
                          uom, evidence)
          JOIN units USING (unit)
            ON CONFLICT (unit_id, carrier, starts_on)
            DO UPDATE SET ends_on = excluded.ends_on,
                          purchased = excluded.purchased,
                          produced = excluded.produced,
                          sold = excluded.sold,
                          feedstock = excluded.feedstock,
                          uom = excluded.uom,
                          evidence = excluded.evidence
        """,
        [row.unit for row in trades],
        [row.carrier for row in trades],
        [row.starts_on for row in trades],
        [row.ends_on for row in trades],
        [row.purchased for row in trades],
        [row.produced for row in trades],
        [row.sold for row in trades],
        [row.feedstock for row in trades],
        [row.uom for row in trades],
        [row.evidence for row in trades],
    )


async def list_stocks(connection: Connection, scope: Scope, unit: str) -> list[StockRow]:
    rows = await connection.fetch(
        """
        SELECT unit, carrier, counted_on, quantity, uom, evidence
          FROM stocks
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE unit = $3
         ORDER BY carrier, counted_on
        """,
        scope.region_prefix,
        scope.unit,
        unit,
    )
    return [StockRow(**row) for row in rows]


async def list_trades(
    connection: Connection,
    scope: Scope,
    *,
    region_prefix: str = "",
    unit: str | None = None,
    with_feedstock: bool = False,
) -> list[TradeRow]:
    """Return the statements of the units within; `with_feedstock`: those that state some."""
    rows = await connection.fetch(
        """
        SELECT unit, carrier, starts_on, ends_on, purchased, produced, sold, feedstock, uom,
               evidence
          FROM trades
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE region LIKE $3 || '%'
           AND ($4::text IS NULL OR unit = $4)
           AND (NOT $5 OR feedstock IS NOT NULL)
         ORDER BY unit, carrier, starts_on
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        unit,
        with_feedstock,
    )
    return [TradeRow(**row) for row in rows]
