"""Owns API keys: made and shown once, kept as a hash, checked on every request."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import db.catalogue
import db.keys
from app.errors import Unauthorized
from app.resolve import Refusal
from db.pool import Connection
from db.scope import Scope

PREFIX = "nh_"
"""Makes a key that was published by mistake findable."""

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks: the label of their key, what they may see, whether they may state facts."""

    label: str
    scope: Scope
    may_state: bool


async def create_key(
    connection: Connection,
    *,
    label: str,
    region: str,
    unit: str | None,
    expires_at: datetime | None,
    may_state: bool = False,
) -> str:
    """Make a key for all of `region` or for one `unit` in it; return it, seen this once.

    With `may_state` its holder may state facts, under the label as the actor.
    """
    known = await db.catalogue.fetch_region(connection, region)
    if known is None:
        raise Refusal(f"region {region} is not registered; use a GB/T 2260 code such as 450200")
    if unit is not None:
        scope = Scope.of_region(known)
        if await db.catalogue.fetch_unit(connection, scope, unit) is None:
            raise Refusal(f"unit {unit} is not registered in region {known}")
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    await db.keys.insert_key(
        connection,
        sha256=digest(key),
        label=label,
        region=known,
        unit=unit,
        expires_at=expires_at,
        may_state=may_state,
    )
    return key


async def fetch_holder(connection: Connection, key: str, now: datetime) -> Holder:
    """Return who holds `key` and what they may. Raises Unauthorized with what to do."""
    found = await db.keys.fetch_key(connection, digest(key))
    if found is None:
        raise Unauthorized("invalid_key", "This API key is not known. Check that it is complete.")
    if found.revoked_at is not None:
        raise Unauthorized("revoked_key", "This API key was revoked. Ask for a new one.")
    if found.expires_at is not None and found.expires_at <= now:
        raise Unauthorized("expired_key", "This API key has expired. Ask for a new one.")
    return Holder(found.label, Scope.of_region(found.region, found.unit), found.may_state)


def digest(key: str) -> bytes:
    """A key is 32 random bytes: one plain hash is enough, there is nothing to guess."""
    return hashlib.sha256(key.encode()).digest()
