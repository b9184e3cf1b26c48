"""Owns API keys as they are stored: the SHA-256 of a key, never the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is known of a key: whose it is, what it may see and state, until when."""

    key_id: int
    label: str
    region: str
    unit: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    role: str
    may_state: bool


async def insert_key(
    connection: Connection,
    *,
    sha256: bytes,
    label: str,
    region: str,
    unit: str | None,
    expires_at: datetime | None,
    role: str,
    may_state: bool,
) -> int:
    """Insert a key; return its key_id."""
    key_id: int = await connection.fetchval(
        """
        INSERT INTO api_keys (sha256, label, region, unit, expires_at, role, may_state)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING key_id
        """,
        sha256,
        label,
        region,
        unit,
        expires_at,
        role,
        may_state,
    )
    return key_id


async def fetch_key(connection: Connection, sha256: bytes) -> KeyRow | None:
    row = await connection.fetchrow(
        """
        SELECT key_id, label, region, unit, created_at, expires_at, revoked_at, last_used_at,
               role, may_state
          FROM key_of($1)
        """,
        sha256,
    )
    return None if row is None else KeyRow(**row)


async def is_label(
    connection: Connection, label: str, regions: Sequence[str], unit: str | None, now: datetime
) -> bool:
    """Return whether a key in force of one of the regions, or of the unit, has a label."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT
                         FROM api_keys
                        WHERE label = $1
                          AND region = ANY ($2)
                          AND (unit IS NULL OR unit = $3)
                          AND revoked_at IS NULL
                          AND (expires_at IS NULL OR expires_at > $4))
        """,
        label,
        regions,
        unit,
        now,
    )
    return found


async def list_keys(connection: Connection) -> list[KeyRow]:
    rows = await connection.fetch(
        """
        SELECT key_id, label, region, unit, created_at, expires_at, revoked_at, last_used_at,
               role, may_state
          FROM api_keys
         ORDER BY key_id
        """
    )
    return [KeyRow(**row) for row in rows]


async def revoke(connection: Connection, key_id: int) -> bool:
    """Make a key useless from now on; False: there is no such key."""
    revoked: int | None = await connection.fetchval(
        """
        UPDATE api_keys
           SET revoked_at = coalesce(revoked_at, now())
         WHERE key_id = $1
        RETURNING key_id
        """,
        key_id,
    )
    return revoked is not None


async def mark_used(
    connection: Connection, key_id: int, now: datetime, *, within: timedelta
) -> None:
    """Note that a key is used, unless that was noted less than `within` ago.

    Nor is it while another transaction notes it: nobody waits for that one to end.
    """
    await connection.execute(
        """
        UPDATE api_keys
           SET last_used_at = $2
         WHERE key_id = (SELECT key_id
                           FROM api_keys
                          WHERE key_id = $1
                            AND (last_used_at IS NULL
                                 OR last_used_at <= $2::timestamptz - $3::interval)
                            FOR NO KEY UPDATE SKIP LOCKED)
        """,
        key_id,
        now,
        within,
    )
