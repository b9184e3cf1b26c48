"""Owns who is written to: the warning contacts of each region, as the import reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ContactRow:
    """`minimum_level` is the mildest level this contact is written to; 1 is the worst."""

    region: str
    name: str
    email: str
    language: str
    minimum_level: int


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


async def list_contacts(connection: Connection) -> list[ContactRow]:
    rows = await connection.fetch(
        """
        SELECT region, name, email, language, minimum_level
          FROM contacts
         ORDER BY region, email
        """
    )
    return [ContactRow(**row) for row in rows]


async def upsert_contacts(connection: Connection, contacts: Sequence[ContactRow]) -> None:
    await connection.execute(
        """
        INSERT INTO contacts (region, name, email, language, minimum_level)
        SELECT *
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[])
            ON CONFLICT (region, email)
            DO UPDATE SET name = excluded.name,
                          language = excluded.language,
                          minimum_level = excluded.minimum_level
        """,
        [row.region for row in contacts],
        [row.name for row in contacts],
        [row.email for row in contacts],
        [row.language for row in contacts],
        [row.minimum_level for row in contacts],
    )
