"""Owns reading back what a figure was made of: meters, readings as they arrived, what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection
from db.scope import Scope
from db.settlement import Stale
from energy.periods import Span
from energy.registers import Kind


@dataclass(frozen=True, slots=True)
class MeterRow:
    """A meter behind a figure. The fields of the carrier are None for output meters."""

    meter_id: int
    unit_id: int
    unit: str
    unit_name: str
    region: str
    meter: str
    name: str
    carrier: str | None
    carrier_zh: str | None
    carrier_en: str | None
    kind: Kind
    uom: str
    reference_uom: str | None
    interval_s: int
    role: str
    product: str | None
    installed_at: datetime


@dataclass(frozen=True, slots=True)
class ArrivedReading:
    """A reading as it arrived, and the link that vouches for it; None: from before the ledger."""

    read_at: datetime
    raw_value: float
    quality: str
    received_at: datetime
    chain: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link of the chain over readings. `sha256` is the hash of it and all before it."""

    chain: str
    number: int
    stored_at: datetime
    sha256: bytes


async def list_meters(
    connection: Connection,
    scope: Scope,
    *,
    region_prefix: str = "",
    unit: str | None = None,
    meter: str | None = None,
    industry: str = "",
    energy: str | None = None,
    roles: Sequence[str],
    before: datetime,
    limit: int,
) -> list[MeterRow]:
    """Return the first meters of `roles` that were installed `before` an instant."""
    rows = await connection.fetch(
        """
        SELECT meter_id, units.unit_id, units.unit, units.name AS unit_name, region, meter,
               meters.name, carrier, name_zh AS carrier_zh, name_en AS carrier_en, kind, uom,
               reference_uom, interval_s, role, product, installed_at
          FROM visible_units($1, $2) AS units
          JOIN meters USING (unit_id)
          LEFT JOIN carriers USING (carrier)
         WHERE region LIKE $3 || '%'
           AND ($4::text IS NULL OR units.unit = $4)
           AND ($5::text IS NULL OR meter = $5)
           AND industry LIKE $6 || '%'
           AND ($7::text IS NULL OR carrier = $7)
           AND role = ANY ($8)
           AND installed_at < $9
         ORDER BY units.unit, carrier, meter
         LIMIT $10
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        unit,
        meter,
        industry,
        energy,
        list(roles),
        before,
        limit,
    )
    return [MeterRow(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def list_reaches_known(
    connection: Connection,
    scope: Scope,
    meter_ids: Sequence[int],
    span: Span,
    *,
    at: datetime,
    neighbours: int,
) -> list[Stale]:
    """Return from where to where readings of meters that were stored by then bear on `span`.

    So many readings before and after it as `neighbours` says, and all in it.
    """
    rows = await connection.fetch(
        """
        SELECT meter_id, coalesce(first_at, $4) AS first_at, coalesce(last_at, $5) AS last_at
          FROM meters
          JOIN visible_units($1, $2) USING (unit_id)
         CROSS JOIN LATERAL (
               SELECT min(read_at) AS first_at
                 FROM (SELECT read_at
                         FROM readings
                         LEFT JOIN links USING (link_id)
                        WHERE readings.meter_id = meters.meter_id
                          AND read_at <= $4
                          AND received_at <= $6
                          AND (stored_at IS NULL OR stored_at <= $6)
                        ORDER BY read_at DESC
                        LIMIT $7) AS before) AS earlier
         CROSS JOIN LATERAL (
               SELECT max(read_at) AS last_at
                 FROM (SELECT read_at
                         FROM readings
                         LEFT JOIN links USING (link_id)
                        WHERE readings.meter_id = meters.meter_id
                          AND read_at >= $5
                          AND received_at <= $6
                          AND (stored_at IS NULL OR stored_at <= $6)
                        ORDER BY read_at
                        LIMIT $7) AS after) AS later
         WHERE meter_id = ANY ($3)
         ORDER BY meter_id
        """,
        scope.region_prefix,
        scope.unit,
        list(meter_ids),
        span.starts_at,
        span.ends_at,
        at,
        neighbours,
    )
    return [Stale(row["meter_id"], Span(row["first_at"], row["last_at"])) for row in rows]


async def list_readings(
    connection: Connection,
    scope: Scope,
    reaches: Sequence[Stale],
    *,
    at: datetime | None = None,
    limit: int,
) -> dict[int, list[ArrivedReading]]:
    """Return the first readings of meters as they arrived, by meter; each reach has both its ends.

    With `at` only those that had been stored by then.
    """
    rows = await connection.fetch(
        """
        SELECT readings.meter_id, read_at, raw_value, quality, received_at, chain, number
          FROM unnest($3::integer[], $4::timestamptz[], $5::timestamptz[])
               AS reaches (meter_id, from_at, to_at)
          JOIN meters ON meters.meter_id = reaches.meter_id
          JOIN visible_units($1, $2) USING (unit_id)
          JOIN readings ON readings.meter_id = reaches.meter_id
           AND read_at >= from_at
           AND read_at <= to_at
          LEFT JOIN links USING (link_id)
         WHERE read_at >= $6
           AND read_at <= $7
           AND ($8::timestamptz IS NULL
                OR (received_at <= $8 AND (stored_at IS NULL OR stored_at <= $8)))
         ORDER BY readings.meter_id, read_at
         LIMIT $9
        """,
        scope.region_prefix,
        scope.unit,
        [each.meter_id for each in reaches],
        [each.span.starts_at for each in reaches],
        [each.span.ends_at for each in reaches],
        min((each.span.starts_at for each in reaches), default=None),
        max((each.span.ends_at for each in reaches), default=None),
        at,
        limit,
    )
    found: dict[int, list[ArrivedReading]] = {}
    for meter_id, *fields in rows:
        found.setdefault(meter_id, []).append(ArrivedReading(*fields))
    return found


async def list_links(
    connection: Connection, chains: Sequence[str], numbers: Sequence[int]
) -> dict[tuple[str, int], LinkRow]:
    """Return links by chain and number, given as two columns."""
    rows = await connection.fetch(
        """
        SELECT chain, number, stored_at, sha256
          FROM unnest($1::text[], $2::bigint[]) AS wanted (chain, number)
          JOIN links USING (chain, number)
         ORDER BY chain, number
        """,
        chains,
        numbers,
    )
    return {(row["chain"], row["number"]): LinkRow(**row) for row in rows}


async def list_corrections(
    connection: Connection, scope: Scope, meter_ids: Sequence[int]
) -> dict[tuple[int, datetime], float | None]:
    """Return the corrections that hold now, by meter and instant; None: set aside."""
    rows = await connection.fetch(
        """
        SELECT meter_id, read_at, value
          FROM corrections
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE meter_id = ANY ($3)
         ORDER BY meter_id, read_at
        """,
        scope.region_prefix,
        scope.unit,
        list(meter_ids),
    )
    return {(row["meter_id"], row["read_at"]): row["value"] for row in rows}


async def count_conflicts(
    connection: Connection,
    scope: Scope,
    meter_ids: Sequence[int],
    span: Span,
    *,
    at: datetime | None,
) -> dict[int, int]:
    """Return how many values contradict readings of meters in `span`; with `at`, by then."""
    rows = await connection.fetch(
        """
        SELECT meter_id, count(*) AS conflicts
          FROM conflicts
          JOIN meters USING (meter_id)
          JOIN visible_units($1, $2) USING (unit_id)
         WHERE meter_id = ANY ($3)
           AND read_at >= $4
           AND read_at < $5
           AND ($6::timestamptz IS NULL OR received_at <= $6)
         GROUP BY meter_id
         ORDER BY meter_id
        """,
        scope.region_prefix,
        scope.unit,
        list(meter_ids),
        span.starts_at,
        span.ends_at,
        at,
    )
    return {row["meter_id"]: row["conflicts"] for row in rows}


async def count_rejected(
    connection: Connection,
    scope: Scope,
    meter_ids: Sequence[int],
    span: Span,
    *,
    at: datetime | None,
) -> dict[int, int]:
    """Return how many readings of meters were rejected when they arrived in `span`.

    A rejection keeps no time of its reading, so the time of arrival tells.
    """
    rows = await connection.fetch(
        """
        SELECT meter_id, sum(reading_count)::bigint AS rejected
          FROM quarantine
          JOIN quarantine_messages USING (sha256)
          JOIN visible_units($1, $2) AS units
            ON units.unit IN (split_part(topic, '/', 2), split_part(topic, '/', 4))
          JOIN meters ON meters.unit_id = units.unit_id AND meters.meter = quarantine.meter
         WHERE meter_id = ANY ($3)
           AND quarantine.received_at >= $4
           AND quarantine.received_at < $5
           AND ($6::timestamptz IS NULL OR quarantine.received_at <= $6)
         GROUP BY meter_id
         ORDER BY meter_id
        """,
        scope.region_prefix,
        scope.unit,
        list(meter_ids),
        span.starts_at,
        span.ends_at,
        at,
    )
    return {row["meter_id"]: row["rejected"] for row in rows}
