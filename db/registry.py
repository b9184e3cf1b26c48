"""Owns units, meters and the epoch a meter begins with, as the registry import reads and writes.

Writes take whole files at once: one statement for any number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from db.pool import Connection

IMPORT_LOCK = 0x6E67696D
"""Key of the advisory lock ("ngim") that makes two imports take turns."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit (重点用能单位); `unit` is its credit code, `region` where the plant stands.

    `signature_required`: what its gateways send without a signature is rejected.
    """

    unit: str
    name: str
    region: str
    industry: str
    annual_tce: float | None
    commissioned_on: date | None
    contact_email: str | None
    signature_required: bool = False


@dataclass(frozen=True, slots=True)
class MeterRow:
    """A meter, with what lives in its epochs: as the newest says, or as it began."""

    unit: str
    meter: str
    name: str
    carrier: str | None
    kind: str
    uom: str
    multiplier: float
    rollover: float | None
    interval_s: int
    role: str
    product: str | None
    data_code: str | None
    installed_at: datetime
    side: str = "secondary"
    rate_max: float | None = None


@dataclass(frozen=True, slots=True)
class StoredMeter:
    """A meter as it is now; epochs of its register, and those that say how often it is read."""

    row: MeterRow
    registers: int
    intervals: int

    @property
    def has_history(self) -> bool:
        """Whether it was replaced, reset, given another multiplier or read at another interval."""
        return self.registers > 1 or self.intervals > 0


async def lock_imports(connection: Connection) -> None:
    """Wait for other imports, and keep them waiting until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", IMPORT_LOCK)


async def list_divisions(connection: Connection) -> list[str]:
    """Return the industry divisions, as in C31."""
    rows = await connection.fetch(
        """
        SELECT industry
          FROM industries
         WHERE length(industry) = 3
         ORDER BY industry
        """
    )
    return [row["industry"] for row in rows]


async def list_reference_uoms(connection: Connection) -> dict[str, str]:
    """Return the unit of measure in which each carrier is accounted."""
    rows = await connection.fetch(
        """
        SELECT carrier, reference_uom
          FROM carriers
         ORDER BY carrier
        """
    )
    return {row["carrier"]: row["reference_uom"] for row in rows}


async def list_provinces(connection: Connection, unit: str | None = None) -> list[str]:
    """Return the provinces that units lie in, or one unit does: two digits of GB/T 2260."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT left(region, 2) AS province
          FROM units
         WHERE $1::text IS NULL
            OR unit = $1
         ORDER BY province
        """,
        unit,
    )
    return [row["province"] for row in rows]


async def list_unit_codes(connection: Connection) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT unit
          FROM units
         ORDER BY unit
        """
    )
    return [row["unit"] for row in rows]


async def list_signing_units(connection: Connection) -> list[str]:
    """Return the units (credit codes) of which nothing unsigned is taken."""
    rows = await connection.fetch(
        """
        SELECT unit
          FROM units
         WHERE signature_required
         ORDER BY unit
        """
    )
    return [row["unit"] for row in rows]


async def list_units_by_code(connection: Connection, units: Sequence[str]) -> list[UnitRow]:
    """Return the registered ones of `units`."""
    rows = await connection.fetch(
        """
        SELECT unit, name, region, industry, annual_tce, commissioned_on, contact_email,
               signature_required
          FROM units
         WHERE unit = ANY ($1)
         ORDER BY unit
        """,
        units,
    )
    return [UnitRow(**row) for row in rows]


async def upsert_units(connection: Connection, units: Sequence[UnitRow]) -> None:
    await connection.execute(
        """
        INSERT INTO units (unit, name, region, industry, annual_tce, commissioned_on,
                           contact_email, signature_required)
        SELECT *
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::double precision[],
                      $6::date[], $7::text[], $8::boolean[])
            ON CONFLICT (unit)
            DO UPDATE SET name = excluded.name,
                          region = excluded.region,
                          industry = excluded.industry,
                          annual_tce = excluded.annual_tce,
                          commissioned_on = excluded.commissioned_on,
                          contact_email = excluded.contact_email,
                          signature_required = excluded.signature_required
        """,
        [row.unit for row in units],
        [row.name for row in units],
        [row.region for row in units],
        [row.industry for row in units],
        [row.annual_tce for row in units],
        [row.commissioned_on for row in units],
        [row.contact_email for row in units],
        [row.signature_required for row in units],
    )


async def list_meters_by_unit(connection: Connection, units: Sequence[str]) -> list[StoredMeter]:
    """Return the meters of `units` (credit codes). One without an epoch counts plainly."""
    rows = await connection.fetch(
        """
        SELECT unit, meter, meters.name, carrier, kind, uom,
               coalesce(newest.multiplier, 1) AS multiplier, newest.rollover,
               coalesce(paced.interval_s, meters.interval_s) AS interval_s, role, product,
               data_code, installed_at, coalesce(newest.side, 'secondary') AS side, newest.rate_max,
               coalesce(newest.registers, 0) AS registers,
               coalesce(paced.intervals, 0) AS intervals
          FROM meters
          JOIN units USING (unit_id)
          LEFT JOIN (
                SELECT DISTINCT ON (meter_id)
                       meter_id, multiplier, rollover, side, rate_max,
                       count(*) OVER (PARTITION BY meter_id) AS registers
                  FROM meter_epochs
                 WHERE reason <> 'interval'
                 ORDER BY meter_id, starts_at DESC
               ) AS newest USING (meter_id)
          LEFT JOIN (
                SELECT DISTINCT ON (meter_id) meter_id, interval_s,
                       count(*) OVER (PARTITION BY meter_id) AS intervals
                  FROM meter_epochs
                 WHERE interval_s IS NOT NULL
                 ORDER BY meter_id, starts_at DESC
               ) AS paced USING (meter_id)
         WHERE unit = ANY ($1)
         ORDER BY unit, meter
        """,
        units,
    )
    return [_stored_meter(dict(row)) for row in rows]


def _stored_meter(row: dict[str, object]) -> StoredMeter:
    registers, intervals = row.pop("registers"), row.pop("intervals")
    assert isinstance(registers, int)
    assert isinstance(intervals, int)
    newest = MeterRow(**row)  # type: ignore[arg-type]  # the columns are the fields
    return StoredMeter(newest, registers, intervals)


async def list_meters_as_begun(connection: Connection, units: Sequence[str]) -> list[MeterRow]:
    """Return the meters of `units` with the multiplier, limit and interval that they began with.

    One without an epoch counts plainly. One that has some and lacks the first is not as it began:
    it is left out.
    """
    rows = await connection.fetch(
        """
        SELECT unit, meter, meters.name, carrier, kind, uom,
               coalesce(first.multiplier, 1) AS multiplier, first.rollover, meters.interval_s, role,
               product, data_code, installed_at, coalesce(first.side, 'secondary') AS side,
               first.rate_max
          FROM meters
          JOIN units USING (unit_id)
          LEFT JOIN meter_epochs AS first
            ON first.meter_id = meters.meter_id
           AND reason = 'installed'
           AND starts_at = installed_at
         WHERE unit = ANY ($1)
           AND (starts_at IS NOT NULL
                OR NOT EXISTS (SELECT FROM meter_epochs WHERE meter_id = meters.meter_id))
         ORDER BY unit, meter
        """,
        units,
    )
    return [MeterRow(**row) for row in rows]


async def list_meters_with_readings(
    connection: Connection, meters: Sequence[MeterRow]
) -> set[tuple[str, str]]:
    """Return the (unit, meter) of those of `meters` that have a reading."""
    rows = await connection.fetch(
        """
        SELECT unit, meter
          FROM unnest($1::text[], $2::text[]) AS asked (unit, meter)
          JOIN units USING (unit)
          JOIN meters USING (unit_id, meter)
         WHERE EXISTS (SELECT FROM readings WHERE readings.meter_id = meters.meter_id)
         ORDER BY unit, meter
        """,
        [row.unit for row in meters],
        [row.meter for row in meters],
    )
    return {(row["unit"], row["meter"]) for row in rows}


async def upsert_meters(connection: Connection, meters: Sequence[MeterRow]) -> None:
    """Write `meters` without what lives in epochs; `interval_s` only of those that are new."""
    await connection.execute(
        """
        INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, product,
                            data_code, installed_at)
        SELECT unit_id, meter, given.name, carrier, kind, uom, interval_s, role, product,
               data_code, installed_at
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                      $7::integer[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
               AS given (unit, meter, name, carrier, kind, uom, interval_s, role, product,
                         data_code, installed_at)
          JOIN units USING (unit)
            ON CONFLICT (unit_id, meter)
            DO UPDATE SET name = excluded.name,
                          carrier = excluded.carrier,
                          kind = excluded.kind,
                          uom = excluded.uom,
                          role = excluded.role,
                          product = excluded.product,
                          data_code = excluded.data_code,
                          installed_at = excluded.installed_at
        """,
        [row.unit for row in meters],
        [row.meter for row in meters],
        [row.name for row in meters],
        [row.carrier for row in meters],
        [row.kind for row in meters],
        [row.uom for row in meters],
        [row.interval_s for row in meters],
        [row.role for row in meters],
        [row.product for row in meters],
        [row.data_code for row in meters],
        [row.installed_at for row in meters],
    )


async def retime(connection: Connection, meters: Sequence[MeterRow]) -> None:
    """Let each of `meters` have had the interval of its row since it was installed."""
    await connection.execute(
        """
        UPDATE meters
           SET interval_s = given.interval_s
          FROM unnest($1::text[], $2::text[], $3::integer[]) AS given (unit, meter, interval_s)
          JOIN units USING (unit)
         WHERE meters.unit_id = units.unit_id
           AND meters.meter = given.meter
        """,
        [row.unit for row in meters],
        [row.meter for row in meters],
        [row.interval_s for row in meters],
    )


async def replace_first_epochs(connection: Connection, meters: Sequence[MeterRow]) -> None:
    """Let each of `meters` begin at its installation with what its row says of its register."""
    await connection.execute(
        """
        MERGE INTO meter_epochs AS epoch
        USING (
              SELECT meter_id, installed_at, multiplier, rollover, side, rate_max
                FROM unnest($1::text[], $2::text[], $3::double precision[],
                            $4::double precision[], $5::text[], $6::double precision[])
                     AS given (unit, meter, multiplier, rollover, side, rate_max)
                JOIN units USING (unit)
                JOIN meters USING (unit_id, meter)
              ) AS given
           ON epoch.meter_id = given.meter_id AND epoch.reason = 'installed'
         WHEN MATCHED THEN
              UPDATE SET starts_at = installed_at,
                         multiplier = given.multiplier,
                         rollover = given.rollover,
                         side = given.side,
                         rate_max = given.rate_max
         WHEN NOT MATCHED THEN
              INSERT (meter_id, starts_at, reason, multiplier, rollover, side, rate_max)
              VALUES (given.meter_id, installed_at, 'installed', given.multiplier, given.rollover,
                      given.side, given.rate_max)
        """,
        [row.unit for row in meters],
        [row.meter for row in meters],
        [row.multiplier for row in meters],
        [row.rollover for row in meters],
        [row.side for row in meters],
        [row.rate_max for row in meters],
    )
