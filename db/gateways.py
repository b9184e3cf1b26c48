"""Owns which gateways may speak for a unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """`certified_until`: when its longest-lived certificate expires; None: it has none.

    `signature_required`: of its unit.
    """

    city: str
    unit: str
    gateway: str
    enrolled_at: datetime
    revoked_at: datetime | None
    connection: str | None
    last_seen_at: datetime | None
    certified_until: datetime | None
    signature_required: bool


async def fetch_city(connection: Connection, unit: str) -> str | None:
    """Return the city of a unit's topics, None: no such unit."""
    city: str | None = await connection.fetchval("SELECT city FROM units WHERE unit = $1", unit)
    return city


async def enrol(connection: Connection, unit: str, gateway: str) -> str | None:
    """Enrol a gateway, or enrol it again; return the city of its topics, None: no such unit."""
    city: str | None = await connection.fetchval(
        """
        WITH owner AS (
            SELECT unit_id, city FROM units WHERE unit = $1
        ), enrolled AS (
            INSERT INTO gateways (unit_id, gateway)
            SELECT unit_id, $2 FROM owner
                ON CONFLICT (unit_id, gateway)
                DO UPDATE SET revoked_at = NULL, enrolled_at = now()
        )
        SELECT city FROM owner
        """,
        unit,
        gateway,
    )
    return city


async def revoke(connection: Connection, unit: str, gateway: str) -> bool:
    """Let a gateway speak no more, and end its keys; False: there is no such gateway."""
    revoked: int | None = await connection.fetchval(
        """
        WITH revoked AS (
            UPDATE gateways
               SET revoked_at = coalesce(revoked_at, now())
              FROM units
             WHERE units.unit_id = gateways.unit_id
               AND unit = $1
               AND gateway = $2
            RETURNING gateway_id
        ), ended AS (
            UPDATE gateway_keys
               SET valid_until = least(valid_until, now())
              FROM revoked
             WHERE gateway_keys.gateway_id = revoked.gateway_id
        )
        SELECT gateway_id FROM revoked
        """,
        unit,
        gateway,
    )
    return revoked is not None


async def insert_key(
    connection: Connection, unit: str, gateway: str, key: bytes, overlap: timedelta
) -> None:
    """Keep a new signing key of a gateway; those it had end after `overlap`."""
    await connection.execute(
        """
        WITH owner AS (
            SELECT gateway_id
              FROM gateways
              JOIN units USING (unit_id)
             WHERE unit = $1
               AND gateway = $2
        ), ended AS (
            UPDATE gateway_keys
               SET valid_until = now() + $4
              FROM owner
             WHERE gateway_keys.gateway_id = owner.gateway_id
               AND valid_until IS NULL
        )
        INSERT INTO gateway_keys (gateway_id, signing_key)
        SELECT gateway_id, $3 FROM owner
        """,
        unit,
        gateway,
        key,
        overlap,
    )


async def insert_certificate(
    connection: Connection,
    unit: str,
    gateway: str,
    serial: str,
    issued_at: datetime,
    expires_at: datetime,
) -> None:
    await connection.execute(
        """
        INSERT INTO gateway_certificates (serial, gateway_id, issued_at, expires_at)
        SELECT $3, gateway_id, $4, $5
          FROM gateways
          JOIN units USING (unit_id)
         WHERE unit = $1
           AND gateway = $2
        """,
        unit,
        gateway,
        serial,
        issued_at,
        expires_at,
    )


async def list_certificates(
    connection: Connection, unit: str, gateway: str, now: datetime
) -> list[datetime]:
    """Return when each certificate of a gateway expires that holds now, the last one last."""
    rows = await connection.fetch(
        """
        SELECT expires_at
          FROM gateway_certificates
          JOIN gateways USING (gateway_id)
          JOIN units USING (unit_id)
         WHERE unit = $1
           AND gateway = $2
           AND gateway_certificates.revoked_at IS NULL
           AND expires_at > $3
         ORDER BY expires_at
        """,
        unit,
        gateway,
        now,
    )
    return [row["expires_at"] for row in rows]


async def revoke_certificates(
    connection: Connection, unit: str, gateway: str, revoked_at: datetime
) -> str:
    """Revoke all certificates of a gateway; return the city of its topics."""
    city: str = await connection.fetchval(
        """
        WITH owner AS (
            SELECT gateway_id, city
              FROM gateways
              JOIN units USING (unit_id)
             WHERE unit = $1
               AND gateway = $2
        ), revoked AS (
            UPDATE gateway_certificates
               SET revoked_at = coalesce(revoked_at, $3)
              FROM owner
             WHERE gateway_certificates.gateway_id = owner.gateway_id
        )
        SELECT city FROM owner
        """,
        unit,
        gateway,
        revoked_at,
    )
    return city


async def lock_revocations(connection: Connection) -> None:
    """Wait for whoever else revokes, until the end of the transaction: the list is one file."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('nenghao revocations', 0))"
    )


async def list_revoked_certificates(connection: Connection) -> list[tuple[str, datetime]]:
    """Return (serial, revoked_at) of what is revoked and would not have expired by itself."""
    rows = await connection.fetch(
        """
        SELECT serial, revoked_at
          FROM gateway_certificates
         WHERE revoked_at IS NOT NULL
           AND expires_at > now() - interval '1 day'
         ORDER BY revoked_at, serial
        """
    )
    return [(row["serial"], row["revoked_at"]) for row in rows]


async def list_all(connection: Connection) -> list[GatewayRow]:
    rows = await connection.fetch(
        """
        SELECT city, unit, gateway, enrolled_at, revoked_at, connection, last_seen_at,
               (SELECT max(expires_at)
                  FROM gateway_certificates
                 WHERE gateway_certificates.gateway_id = gateways.gateway_id
                   AND gateway_certificates.revoked_at IS NULL) AS certified_until,
               signature_required
          FROM gateways
          JOIN units USING (unit_id)
         ORDER BY city, unit, gateway
        """
    )
    return [GatewayRow(**row) for row in rows]


async def mark_sparkplug(connection: Connection, unit: str, gateway: str) -> None:
    await connection.execute(
        """
        UPDATE gateways
           SET sparkplug = true
          FROM units
         WHERE units.unit_id = gateways.unit_id
           AND unit = $1
           AND gateway = $2
        """,
        unit,
        gateway,
    )


async def list_sparkplug(connection: Connection) -> list[tuple[str, str, str]]:
    """Return (city, unit, gateway) of gateways with Sparkplug topics that are not shut out."""
    rows = await connection.fetch(
        """
        SELECT city, unit, gateway
          FROM gateways
          JOIN units USING (unit_id)
         WHERE sparkplug
           AND revoked_at IS NULL
         ORDER BY city, unit, gateway
        """
    )
    return [(row["city"], row["unit"], row["gateway"]) for row in rows]
