"""Owns verifications of meters, and the limits of what their items may show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class VerificationRow:
    unit: str
    meter: str
    verified_on: date
    valid_until: date
    body: str
    certificate: str


@dataclass(frozen=True, slots=True)
class ValueLimitRow:
    """As values are sent, before the multiplier; None: no limit on that side."""

    unit: str
    meter: str
    value_min: float | None
    value_max: float | None
    source: str


async def list_meter_codes(connection: Connection) -> set[tuple[str, str]]:
    """Return all meters as (unit, meter)."""
    rows = await connection.fetch(
        """
        SELECT unit, meter
          FROM meters
          JOIN units USING (unit_id)
         ORDER BY meter_id
        """
    )
    return {(row["unit"], row["meter"]) for row in rows}


async def list_verifications(connection: Connection, units: Sequence[str]) -> list[VerificationRow]:
    rows = await connection.fetch(
        """
        SELECT unit, meter, verified_on, valid_until, body, certificate
          FROM verifications
          JOIN meters USING (meter_id)
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, meter, verified_on
        """,
        units,
    )
    return [VerificationRow(**row) for row in rows]


async def upsert_verifications(connection: Connection, rows: Sequence[VerificationRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO verifications (meter_id, verified_on, valid_until, body, certificate)
        SELECT meter_id, $3, $4, $5, $6
          FROM meters
          JOIN units USING (unit_id)
         WHERE unit = $1
           AND meter = $2
            ON CONFLICT (meter_id, verified_on)
            DO UPDATE SET valid_until = excluded.valid_until, body = excluded.body,
                          certificate = excluded.certificate
        """,
        [
            (row.unit, row.meter, row.verified_on, row.valid_until, row.body, row.certificate)
            for row in rows
        ],
    )


async def list_value_limits(connection: Connection, units: Sequence[str]) -> list[ValueLimitRow]:
    rows = await connection.fetch(
        """
        SELECT unit, meter, value_min, value_max, source
          FROM value_limits
          JOIN meters USING (meter_id)
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, meter
        """,
        units,
    )
    return [ValueLimitRow(**row) for row in rows]


async def upsert_value_limits(connection: Connection, rows: Sequence[ValueLimitRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO value_limits (meter_id, value_min, value_max, source)
        SELECT meter_id, $3, $4, $5
          FROM meters
          JOIN units USING (unit_id)
         WHERE unit = $1
           AND meter = $2
            ON CONFLICT (meter_id)
            DO UPDATE SET value_min = excluded.value_min, value_max = excluded.value_max,
                          source = excluded.source
        """,
        [(row.unit, row.meter, row.value_min, row.value_max, row.source) for row in rows],
    )
