"""Owns the last births of Sparkplug edge nodes: what their aliases mean after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from db.pool import Connection


async def list_births(
    connection: Connection, names: Sequence[tuple[str, str]], until: datetime | None = None
) -> dict[tuple[str, str], dict[str, bytes]]:
    """Return the kept births by (unit, gateway) and device; the node's own has no device.

    `until` leaves out younger ones: they do not say what an alias meant before.
    """
    rows = await connection.fetch(
        """
        SELECT unit, gateway, device, birth
          FROM births
          JOIN gateways USING (gateway_id)
          JOIN units USING (unit_id)
         WHERE (unit, gateway) IN (SELECT * FROM unnest($1::text[], $2::text[]))
           AND ($3::timestamptz IS NULL OR born_at <= $3)
         ORDER BY unit, gateway, device
        """,
        [unit for unit, _ in names],
        [gateway for _, gateway in names],
        until,
    )
    found: dict[tuple[str, str], dict[str, bytes]] = {name: {} for name in names}
    for row in rows:
        found[row["unit"], row["gateway"]][row["device"]] = row["birth"]
    return found


async def upsert(
    connection: Connection, gateway_id: int, device: str, birth: bytes, born_at: datetime
) -> None:
    await connection.execute(
        """
        INSERT INTO births (gateway_id, device, birth, born_at)
        VALUES ($1, $2, $3, $4)
            ON CONFLICT (gateway_id, device)
            DO UPDATE SET birth = excluded.birth, born_at = excluded.born_at
        """,
        gateway_id,
        device,
        birth,
        born_at,
    )


async def delete(connection: Connection, gateway_id: int, device: str | None) -> None:
    """Forget the birth of a device, or with None all births of the gateway."""
    await connection.execute(
        "DELETE FROM births WHERE gateway_id = $1 AND ($2::text IS NULL OR device = $2)",
        gateway_id,
        device,
    )
