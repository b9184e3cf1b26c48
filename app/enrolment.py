"""Owns letting a gateway in: its row in the registry and its broker login, both or neither."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import db.gateways
from app.resolve import Refusal
from db.pool import Connection
from ingest import credentials
from ingest.credentials import Login


async def enrol(
    connection: Connection,
    admin_url: str,
    gateways: Sequence[tuple[str, str]],
    *,
    any_client_id: bool = False,
) -> list[Login]:
    """Enrol `gateways`, pairs of (unit, gateway); return their logins, shown this once.

    A gateway that is enrolled already gets a new password.
    """
    async with connection.transaction():
        addresses = []
        for unit, gateway in gateways:
            city = await db.gateways.enrol(connection, unit, gateway)
            if city is None:
                raise Refusal(f"unit {unit} is not registered; import it first")
            addresses.append((city, unit, gateway))
        return await asyncio.to_thread(
            credentials.grant, admin_url, addresses, any_client_id=any_client_id
        )


async def revoke(connection: Connection, admin_url: str, unit: str, gateway: str) -> None:
    """Shut a gateway out: its live connection is cut and its readings are rejected."""
    async with connection.transaction():
        if not await db.gateways.revoke(connection, unit, gateway):
            raise Refusal(f"unit {unit} has no gateway {gateway}; see `nenghao gateways list`")
        await asyncio.to_thread(credentials.withdraw, admin_url, unit, gateway)
