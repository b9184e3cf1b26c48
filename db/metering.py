"""Owns what ingestion and settlement need to know of units, gateways and meters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asyncpg import Record

from db.pool import Connection
from energy import intervals
from energy.intervals import EVER, Interval, Intervals
from energy.registers import Epoch, EpochReason, Kind, Side


@dataclass(frozen=True, slots=True)
class MeterEntry:
    """A meter as ingestion sees it: when it was read last, as far as it is stored, and the newest
    of its readings that count, `latest_at` and `latest_value`: as corrected, none set aside.
    """

    meter_id: int
    unit_id: int
    meter: str
    kind: Kind
    installed_at: datetime
    epochs: tuple[Epoch, ...]
    stored_at: datetime | None
    latest_at: datetime | None
    latest_value: float | None


@dataclass(frozen=True, slots=True)
class GatewayEntry:
    """A gateway that may speak for its unit, and the keys its signatures are made with."""

    gateway_id: int
    keys: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """A unit with its gateways (code → entry, those not revoked) and meters (code → entry)."""

    unit_id: int
    unit: str
    city: str
    signature_required: bool = False
    gateways: dict[str, GatewayEntry] = field(default_factory=dict)
    meters: dict[str, MeterEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeterSpec:
    """A meter as settlement sees it. `carrier` and `reference_uom` are None for output meters."""

    meter_id: int
    carrier: str | None
    reference_uom: str | None
    kind: Kind
    uom: str
    role: str
    epochs: tuple[Epoch, ...]
    intervals: Intervals


def intervals_of(row: Record) -> Intervals:
    """Return the intervals of a meter out of the column `intervals`: pairs of since when, which.

    A pair without an instant has held ever since.
    """
    return tuple(
        Interval(EVER if starts_at is None else starts_at, interval_s)
        for starts_at, interval_s in row["intervals"]
    )


async def list_units(
    connection: Connection, units: Sequence[str], as_of: datetime | None = None
) -> list[UnitEntry]:
    """Return the registered ones of `units` (credit codes), with gateways and meters.

    `as_of`: gateways and keys that ended after it are there, too. None: now.
    """
    found = {
        row["unit_id"]: UnitEntry(
            row["unit_id"], row["unit"], row["city"], row["signature_required"]
        )
        for row in await connection.fetch(
            """
            SELECT unit_id, unit, city, signature_required
              FROM units
             WHERE unit = ANY ($1)
             ORDER BY unit_id
            """,
            units,
        )
    }
    for row in await connection.fetch(
        """
        SELECT unit_id, gateway, gateway_id,
               array(SELECT signing_key
                       FROM gateway_keys
                      WHERE gateway_keys.gateway_id = gateways.gateway_id
                        AND (valid_until IS NULL OR valid_until > coalesce($2, now()))
                      ORDER BY key_id DESC) AS keys
          FROM gateways
         WHERE unit_id = ANY ($1)
           AND (revoked_at IS NULL OR revoked_at > $2)
         ORDER BY gateway_id
        """,
        list(found),
        as_of,
    ):
        gateway = GatewayEntry(row["gateway_id"], tuple(row["keys"]))
        found[row["unit_id"]].gateways[row["gateway"]] = gateway
    for entry in await list_meters(connection, list(found)):
        found[entry.unit_id].meters[entry.meter] = entry
    return list(found.values())


async def list_meters(connection: Connection, unit_ids: Sequence[int]) -> list[MeterEntry]:
    """Return the meters of `unit_ids` with their epochs and newest readings."""
    epochs = await list_epochs(connection, unit_ids)
    rows = await connection.fetch(
        """
        SELECT meter_id, unit_id, meter, kind, installed_at,
               stored.read_at AS stored_at,
               newest.read_at AS latest_at, newest.raw_value AS latest_value
          FROM meters
          LEFT JOIN LATERAL (
                SELECT read_at
                  FROM readings
                 WHERE readings.meter_id = meters.meter_id
                   AND quality <> 'bad'
                 ORDER BY read_at DESC
                 LIMIT 1
               ) AS stored ON true
          LEFT JOIN LATERAL (
                SELECT read_at, raw_value
                  FROM accountable_readings AS r
                 WHERE r.meter_id = meters.meter_id
                 ORDER BY read_at DESC
                 LIMIT 1
               ) AS newest ON true
         WHERE unit_id = ANY ($1)
         ORDER BY meter_id
        """,
        unit_ids,
    )
    return [
        MeterEntry(
            row["meter_id"],
            row["unit_id"],
            row["meter"],
            Kind(row["kind"]),
            row["installed_at"],
            _epochs_of(row, epochs),
            row["stored_at"],
            row["latest_at"],
            row["latest_value"],
        )
        for row in rows
    ]


async def list_epochs(connection: Connection, unit_ids: Sequence[int]) -> dict[int, list[Epoch]]:
    """Return the epochs of every meter of `unit_ids`, oldest first, by meter id."""
    rows = await connection.fetch(
        """
        SELECT meter_epochs.meter_id, starts_at, reason, multiplier, rollover, first_value,
               previous_last_value, side, rate_max, meter_epochs.interval_s
          FROM meter_epochs
          JOIN meters USING (meter_id)
         WHERE unit_id = ANY ($1)
         ORDER BY meter_epochs.meter_id, starts_at
        """,
        unit_ids,
    )
    epochs: dict[int, list[Epoch]] = {}
    for row in rows:
        epochs.setdefault(row["meter_id"], []).append(
            Epoch(
                row["starts_at"],
                EpochReason(row["reason"]),
                1.0 if row["multiplier"] is None else row["multiplier"],
                row["rollover"],
                row["first_value"],
                row["previous_last_value"],
                Side(row["side"]),
                row["rate_max"],
                row["interval_s"],
            )
        )
    return epochs


async def list_specs(connection: Connection, unit_id: int) -> list[MeterSpec]:
    """Return the meters of a unit for settlement."""
    epochs = await list_epochs(connection, [unit_id])
    rows = await connection.fetch(
        """
        SELECT meter_id, carrier, reference_uom, kind, uom, interval_s, role, installed_at
          FROM meters
          LEFT JOIN carriers USING (carrier)
         WHERE unit_id = $1
         ORDER BY meter_id
        """,
        unit_id,
    )
    return [
        MeterSpec(
            row["meter_id"],
            row["carrier"],
            row["reference_uom"],
            Kind(row["kind"]),
            row["uom"],
            row["role"],
            (found := _epochs_of(row, epochs)),
            intervals.of(row["interval_s"], found),
        )
        for row in rows
    ]


def _epochs_of(meter: Record, epochs: dict[int, list[Epoch]]) -> tuple[Epoch, ...]:
    """A meter that was registered without an epoch counts plainly since it was installed."""
    plain = [Epoch(meter["installed_at"], EpochReason.INSTALLED)]
    return tuple(epochs.get(meter["meter_id"], plain))
