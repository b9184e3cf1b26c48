"""Owns the `contacts` file: who is written to when a region, or a unit in it, is in alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

import db.contacts
from app.imports import places
from app.imports.fields import Email, Line, Name, RegionCode
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.contacts import ContactRow
from db.pool import Connection


class ContactLine(Line):
    region: RegionCode
    name: Name
    email: Email
    language: Literal["zh", "en"]
    minimum_level: Annotated[int, Field(ge=1, le=3)] = 1


class ContactSheet(Sheet[ContactLine, ContactRow]):
    """Contacts by region and address."""

    kind = Kind.CONTACTS
    key = ("region", "email")
    line = ContactLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: ContactLine, row: Row, findings: Findings) -> ContactRow:
        return ContactRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            name=line.name,
            email=line.email,
            language=line.language,
            minimum_level=line.minimum_level,
        )

    async def stored(
        self, connection: Connection, records: Sequence[ContactRow]
    ) -> list[ContactRow]:
        return await db.contacts.list_contacts(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[ContactRow],
        changes: Sequence[Change[ContactRow]],
    ) -> None:
        contacts = [*new, *(change.new for change in changes)]
        await db.contacts.upsert_contacts(connection, contacts)


async def sheet(connection: Connection) -> ContactSheet:
    return ContactSheet(await places.fetch(connection))
