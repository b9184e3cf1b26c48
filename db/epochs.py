"""Owns the epochs of meters that people record: replacements, resets, new multipliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An epoch after the first, under the meter's own code. See `energy.registers.Epoch`.

    `multiplier` is None where only the interval is another one.
    """

    unit: str
    meter: str
    starts_at: datetime
    reason: str
    multiplier: float | None
    side: str
    rollover: float | None
    rate_max: float | None
    first_value: float | None
    previous_last_value: float | None
    interval_s: int | None


@dataclass(frozen=True, slots=True)
class EpochMeter:
    """What has to be known of a meter before an epoch is recorded."""

    unit: str
    meter: str
    kind: str
    installed_at: datetime


async def list_epochs(connection: Connection, units: Sequence[str]) -> list[EpochRow]:
    """Return the epochs of the meters of `units`, without the ones they began with."""
    rows = await connection.fetch(
        """
        SELECT unit, meter, starts_at, reason, multiplier, side, rollover, rate_max, first_value,
               previous_last_value, meter_epochs.interval_s
          FROM meter_epochs
          JOIN meters USING (meter_id)
          JOIN units USING (unit_id)
         WHERE unit = ANY ($1)
           AND (reason <> 'installed' OR starts_at <> installed_at)
         ORDER BY unit, meter, starts_at
        """,
        units,
    )
    return [EpochRow(**row) for row in rows]


async def list_meters(connection: Connection) -> list[EpochMeter]:
    rows = await connection.fetch(
        """
        SELECT unit, meter, kind, installed_at
          FROM meters
          JOIN units USING (unit_id)
         ORDER BY unit, meter
        """
    )
    return [EpochMeter(**row) for row in rows]


async def fetch_meter_id(connection: Connection, unit: str, meter: str) -> int:
    """Return the id of a meter that is registered."""
    meter_id: int = await connection.fetchval(
        "SELECT meter_id FROM meters JOIN units USING (unit_id) WHERE unit = $1 AND meter = $2",
        unit,
        meter,
    )
    return meter_id


async def upsert(connection: Connection, epochs: Sequence[EpochRow]) -> list[tuple[int, datetime]]:
    """Write `epochs`; return the meter and the begin of each."""
    rows = await connection.fetch(
        """
        INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier, side, rollover,
                                  rate_max, first_value, previous_last_value, interval_s)
        SELECT meter_id, starts_at, reason, multiplier, side, rollover, rate_max, first_value,
               previous_last_value, given.interval_s
          FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[],
                      $5::double precision[], $6::text[], $7::double precision[],
                      $8::double precision[], $9::double precision[], $10::double precision[],
                      $11::integer[])
               AS given (unit, meter, starts_at, reason, multiplier, side, rollover, rate_max,
                         first_value, previous_last_value, interval_s)
          JOIN units USING (unit)
          JOIN meters USING (unit_id, meter)
            ON CONFLICT (meter_id, starts_at)
            DO UPDATE SET reason = excluded.reason,
                          multiplier = excluded.multiplier,
                          side = excluded.side,
                          rollover = excluded.rollover,
                          rate_max = excluded.rate_max,
                          first_value = excluded.first_value,
                          previous_last_value = excluded.previous_last_value,
                          interval_s = excluded.interval_s
        RETURNING meter_id, starts_at
        """,
        [row.unit for row in epochs],
        [row.meter for row in epochs],
        [row.starts_at for row in epochs],
        [row.reason for row in epochs],
        [row.multiplier for row in epochs],
        [row.side for row in epochs],
        [row.rollover for row in epochs],
        [row.rate_max for row in epochs],
        [row.first_value for row in epochs],
        [row.previous_last_value for row in epochs],
        [row.interval_s for row in epochs],
    )
    return [(row["meter_id"], row["starts_at"]) for row in rows]
