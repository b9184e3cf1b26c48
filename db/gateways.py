"""Owns which gateways may speak for a unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class GatewayRow:
    city: str
    unit: str
    gateway: str
    enrolled_at: datetime
    revoked_at: datetime | None
    connection: str | None
    last_seen_at: datetime | None


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
    """Let a gateway speak no more; False: there is no such gateway."""
    revoked: int | None = await connection.fetchval(
        """
        UPDATE gateways
           SET revoked_at = coalesce(revoked_at, now())
          FROM units
         WHERE units.unit_id = gateways.unit_id
           AND unit = $1
           AND gateway = $2
        RETURNING gateway_id
        """,
        unit,
        gateway,
    )
    return revoked is not None


async def list_all(connection: Connection) -> list[GatewayRow]:
    rows = await connection.fetch(
        """
        SELECT city, unit, gateway, enrolled_at, revoked_at, connection, last_seen_at
          FROM gateways
          JOIN units USING (unit_id)
         ORDER BY city, unit, gateway
        """
    )
    return [GatewayRow(**row) for row in rows]
