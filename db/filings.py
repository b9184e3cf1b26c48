"""Owns monthly figures as they were filed, and the daily ones they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class FilingRow:
    """`quantity` in `uom`; of the days from `starts_on` until before `ends_on`."""

    unit: str
    carrier: str
    month: str
    quantity: float
    uom: str
    starts_on: date
    ends_on: date
    source: str


@dataclass(frozen=True, slots=True)
class FiledMonth:
    """A filed figure and the daily ones of its span, in the carrier's reference unit.

    A day without a settled row, or with a held step, is None.
    """

    unit: str
    carrier: str
    month: date
    starts_on: date
    ends_on: date
    filed: float
    uom: str
    days: list[float | None]


async def list_filings(connection: Connection, units: Sequence[str]) -> list[FilingRow]:
    rows = await connection.fetch(
        """
        SELECT unit, carrier, to_char(month, 'YYYY-MM') AS month, quantity, uom, starts_on,
               ends_on, monthly_filings.source
          FROM monthly_filings
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, carrier, month
        """,
        units,
    )
    return [FilingRow(**row) for row in rows]


async def upsert_filings(
    connection: Connection, rows: Sequence[FilingRow], in_reference_uom: Sequence[float]
) -> None:
    await connection.executemany(
        """
        INSERT INTO monthly_filings (unit_id, carrier, month, quantity, uom, in_reference_uom,
                                     starts_on, ends_on, source)
        SELECT unit_id, $2, to_date($3, 'YYYY-MM'), $4, $5, $6, $7, $8, $9
          FROM units
         WHERE unit = $1
            ON CONFLICT (unit_id, carrier, month)
            DO UPDATE SET quantity = excluded.quantity, uom = excluded.uom,
                          in_reference_uom = excluded.in_reference_uom,
                          starts_on = excluded.starts_on, ends_on = excluded.ends_on,
                          source = excluded.source
        """,
        [
            (row.unit, row.carrier, row.month, row.quantity, row.uom, quantity, row.starts_on,
             row.ends_on, row.source)
            for row, quantity in zip(rows, in_reference_uom, strict=True)
        ],
    )  # fmt: skip


async def list_filed_months(
    connection: Connection,
    scope: Scope,
    *,
    units: Sequence[str],
    first: date,
    last: date,
) -> list[FiledMonth]:
    """Return the filings of `units` for the months from `first` to `last` with their days."""
    rows = await connection.fetch(
        """
        SELECT unit, carrier, month, starts_on, ends_on, in_reference_uom AS filed,
               reference_uom AS uom,
               array(SELECT CASE WHEN NOT held THEN used.quantity END
                       FROM generate_series(starts_on::timestamp,
                                            ends_on::timestamp - interval '1 day',
                                            interval '1 day') AS days (day)
                       LEFT JOIN unit_consumption AS used
                         ON used.unit_id = monthly_filings.unit_id
                        AND used.carrier = monthly_filings.carrier
                        AND used.step = 'day'
                        AND used.starts_at = day AT TIME ZONE 'Asia/Shanghai'
                      ORDER BY day) AS days
          FROM monthly_filings
          JOIN visible_units($1, $2) USING (unit_id)
          JOIN carriers USING (carrier)
         WHERE unit = ANY ($3)
           AND month BETWEEN $4 AND $5
         ORDER BY unit, month, carrier
        """,
        scope.region_prefix,
        scope.unit,
        units,
        first,
        last,
    )
    return [FiledMonth(**row) for row in rows]
