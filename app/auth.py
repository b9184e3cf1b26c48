"""Owns who asks: the holder of an API key, made and shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import db.catalogue
import db.keys
from app import roles
from app.errors import Unauthorized
from app.resolve import Refusal
from app.roles import Act, Role
from db.pool import Connection
from db.scope import Scope

PREFIX = "nh_"
"""Makes a key that was published by mistake findable."""

KEY_BYTES = 32

USE_NOTED_WITHIN = timedelta(minutes=10)
"""A key that is used all the time costs one write in so long."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks: their name in what they state, what they are, may see and may do.

    `key_id` is that of their API key; None: they have none.
    """

    label: str
    role: Role
    scope: Scope
    acts: frozenset[Act]
    key_id: int | None = None
    last_used_at: datetime | None = None

    @property
    def identity(self) -> str:
        """Return what tells them from all others."""
        return self.label if self.key_id is None else f"key {self.key_id}"

    def use_is_news(self, now: datetime) -> bool:
        """Return whether it is worth a write that the key is used now."""
        return self.key_id is not None and (
            self.last_used_at is None or self.last_used_at <= now - USE_NOTED_WITHIN
        )


async def create_key(
    connection: Connection,
    *,
    label: str,
    region: str,
    unit: str | None,
    expires_at: datetime | None,
    role: Role | None = None,
    may_state: bool = False,
) -> str:
    """Make a key for all of `region` or for one `unit` in it; return it, seen this once.

    Without a `role` it is that of the region's desk, or of the enterprise. With `may_state` its
    holder may do all that the role may, under the label as the actor; without only look.
    """
    known = await db.catalogue.fetch_region(connection, region)
    if known is None:
        raise Refusal(f"region {region} is not registered; use a GB/T 2260 code such as 450200")
    role = role or roles.natural(known, unit)
    try:
        roles.place(role, known, unit)
    except roles.Misplaced as error:
        raise Refusal(str(error)) from None
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
        role=role,
        may_state=may_state,
    )
    return key


async def fetch_holder(
    connection: Connection, key: str, now: datetime, meet: Callable[[Holder], None]
) -> Holder:
    """Return who holds `key` and what they may. Raises Unauthorized with what to do.

    `meet` is told whose key it is even when it holds no longer: the audit log is to know.
    """
    found = await db.keys.fetch_key(connection, digest(key))
    if found is None:
        raise Unauthorized("invalid_key", "This API key is not known. Check that it is complete.")
    role = Role(found.role)
    holder = Holder(
        found.label,
        role,
        Scope.of_region(found.region, found.unit),
        roles.acts(role, may_state=found.may_state),
        found.key_id,
        found.last_used_at,
    )
    meet(holder)
    if found.revoked_at is not None:
        raise Unauthorized("revoked_key", "This API key was revoked. Ask for a new one.")
    if found.expires_at is not None and found.expires_at <= now:
        raise Unauthorized("expired_key", "This API key has expired. Ask for a new one.")
    return holder


def digest(key: str) -> bytes:
    """A key is 32 random bytes: one plain hash is enough, there is nothing to guess."""
    return hashlib.sha256(key.encode()).digest()
