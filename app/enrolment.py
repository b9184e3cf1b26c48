"""Owns letting a gateway in and shutting it out: registry, signing key, and login or certificate.

Both or neither: what the registry says and what the broker knows change together.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import db.gateways
from app.resolve import Refusal
from db.pool import Connection
from deploy import certified
from ingest import credentials, names
from ingest.authority import Authority, Issued
from ingest.credentials import Login

KEY_BYTES = 32
KEYS_OVERLAP = timedelta(days=1)
"""How long the former signing key holds after a new one was issued."""


async def enrol(
    connection: Connection,
    admin_url: str,
    gateways: Sequence[tuple[str, str]],
    *,
    any_client_id: bool = False,
) -> list[Login]:
    """Enrol `gateways`, pairs of (unit, gateway); return their logins, shown this once.

    A gateway that is enrolled already gets a new password. Raises NameFault.
    """
    for unit, gateway in gateways:
        names.check_gateway(unit, gateway)
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
        await _revoke(connection, unit, gateway)
        await asyncio.to_thread(credentials.withdraw, admin_url, unit, gateway)


async def issue_key(connection: Connection, unit: str, gateway: str) -> bytes:
    """Give an enrolled gateway a new signing key; older ones hold for a day more."""
    key = secrets.token_bytes(KEY_BYTES)
    await db.gateways.insert_key(connection, unit, gateway, key, KEYS_OVERLAP)
    return key


async def certify(
    connection: Connection,
    ours: Authority,
    unit: str,
    gateway: str,
    now: datetime,
    *,
    speaks_sparkplug: bool = False,
) -> Issued:
    """Enrol a gateway and give it a certificate; those it had are left to expire or be revoked.

    The broker must read `acl` anew before a gateway may use its Sparkplug topics. Raises NameFault.
    """
    names.check_gateway(unit, gateway)
    async with connection.transaction():
        await db.gateways.lock_revocations(connection)
        city = await db.gateways.enrol(connection, unit, gateway)
        if city is None:
            raise Refusal(f"unit {unit} is not registered; import it first")
        issued = ours.issue_gateway(city, unit, gateway, now)
        await db.gateways.insert_certificate(
            connection, unit, gateway, issued.serial, issued.issued_at, issued.expires_at
        )
        if speaks_sparkplug:  # else as before: a new certificate takes nothing away
            await db.gateways.mark_sparkplug(connection, unit, gateway)
        await _write_access(connection, ours)
        return issued


async def _write_access(connection: Connection, ours: Authority) -> None:
    """Write who may say what, with the lines of gateways that speak Sparkplug."""
    gateways = await db.gateways.list_sparkplug(connection)
    ours.write_access(certified.access_rules(), gateways)


async def revoke_certificates(
    connection: Connection, ours: Authority, unit: str, gateway: str, now: datetime
) -> tuple[str, str, str]:
    """Shut a gateway out and list its certificates as revoked; return (city, unit, gateway).

    The broker must read the list anew, and then the live connection be cut: see `ingest.kick`.
    """
    async with connection.transaction():
        await db.gateways.lock_revocations(connection)
        await _revoke(connection, unit, gateway)
        city = await db.gateways.revoke_certificates(connection, unit, gateway, now)
        revoked = await db.gateways.list_revoked_certificates(connection)
        ours.write_revocations(revoked, now)
        await _write_access(connection, ours)
        return city, unit, gateway


async def _revoke(connection: Connection, unit: str, gateway: str) -> None:
    if not await db.gateways.revoke(connection, unit, gateway):
        raise Refusal(f"unit {unit} has no gateway {gateway}; see `nenghao gateways list`")
