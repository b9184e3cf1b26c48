"""Owns who is written to: the warning contacts of each region, as the import reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ContactRow:
    """`minimum_level` is the mildest level this contact is written to; 1 is the worst.

    `email` of another channel than `email` is the name of a webhook.
    """

    region: str
    name: str
    email: str
    language: str
    minimum_level: int
    channel: str = "email"


@dataclass(frozen=True, slots=True)
class Reached:
    """A contact, and what became of the newest letter that was tried.

    `state` None: none was tried. `error`: what was said to it, if it is not sent.
    """

    contact: ContactRow
    state: str | None
    at: datetime | None
    error: str | None


async def find_name(connection: Connection, regions: Sequence[str], email: str) -> str | None:
    """Return the name and region of the contact with an address, of the first region that has it;
    None: none has.
    """
    name: str | None = await connection.fetchval(
        """
        SELECT contacts.name || '（' || regions.name || '）'
          FROM contacts
          JOIN regions USING (region)
         WHERE region = ANY ($1)
           AND lower(email) = lower($2)
         ORDER BY array_position($1, region)
         LIMIT 1
        """,
        regions,
        email,
    )
    return name


async def list_regions(connection: Connection, email: str) -> list[str]:
    """Return the regions that have a contact with an address, the widest first."""
    rows = await connection.fetch(
        """
        SELECT region
          FROM contacts
         WHERE lower(email) = lower($1)
         GROUP BY region
         ORDER BY length(rtrim(region, '0')), region
        """,
        email,
    )
    return [row["region"] for row in rows]


async def list_contacts(connection: Connection) -> list[ContactRow]:
    rows = await connection.fetch(
        """
        SELECT region, name, email, language, minimum_level, channel
          FROM contacts
         ORDER BY region, email
        """
    )
    return [ContactRow(**row) for row in rows]


async def list_levels(connection: Connection) -> dict[str, int]:
    """Return, by region, the mildest level that a contact there is written to."""
    rows = await connection.fetch(
        "SELECT region, max(minimum_level) AS level FROM contacts GROUP BY region ORDER BY region"
    )
    return {row["region"]: row["level"] for row in rows}


async def list_reached(connection: Connection, region_prefix: str) -> list[Reached]:
    """Return the contacts of a region and of what is in it, and how letters reached them."""
    rows = await connection.fetch(
        """
        SELECT region, name, email, language, minimum_level, contacts.channel, tried.state,
               coalesce(sent_at, due_at) AS at, last_error AS error
          FROM contacts
          LEFT JOIN LATERAL (SELECT state, sent_at, due_at, last_error
                               FROM outbox
                              WHERE recipient_email = email
                                AND state IN ('waiting', 'sent', 'failed')
                                AND (state <> 'waiting' OR last_error IS NOT NULL)
                              ORDER BY created_at DESC, letter_id DESC
                              LIMIT 1) AS tried
            ON true
         WHERE region LIKE $1 || '%'
         ORDER BY region, email
        """,
        region_prefix,
    )
    return [_reached(dict(row)) for row in rows]


async def upsert_contacts(connection: Connection, contacts: Sequence[ContactRow]) -> None:
    await connection.execute(
        """
        INSERT INTO contacts (region, name, email, language, minimum_level, channel)
        SELECT *
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[])
            ON CONFLICT (region, email)
            DO UPDATE SET name = excluded.name,
                          language = excluded.language,
                          minimum_level = excluded.minimum_level,
                          channel = excluded.channel
        """,
        [row.region for row in contacts],
        [row.name for row in contacts],
        [row.email for row in contacts],
        [row.language for row in contacts],
        [row.minimum_level for row in contacts],
        [row.channel for row in contacts],
    )


def _reached(values: dict[str, Any]) -> Reached:
    tried = {name: values.pop(name) for name in ("state", "at", "error")}
    return Reached(ContactRow(**values), **tried)
