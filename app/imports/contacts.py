"""Owns the `contacts` file: who is written to when a region, or a unit in it, is in alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

import db.contacts
from alerts.webhooks import parse_name
from app.imports import places
from app.imports.fields import EMAIL_LENGTH_MAX, Line, Name, RegionCode, parse_email
from app.imports.kinds import Kind
from app.imports.places import ANYWHERE, Places
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.contacts import ContactRow
from db.pool import Connection


class ContactLine(Line):
    region: RegionCode
    name: Name
    email: Annotated[str, Field(max_length=EMAIL_LENGTH_MAX)]
    language: Literal["zh", "en"]
    minimum_level: Annotated[int, Field(ge=1, le=3)] = 1
    channel: Literal["email", "webhook", "wecom", "dingtalk", "feishu"] = "email"


class ContactSheet(Sheet[ContactLine, ContactRow]):
    """Contacts by region and address; that of a webhook is the name it has in the settings."""

    kind = Kind.CONTACTS
    key = ("region", "email")
    line = ContactLine

    def __init__(self, regions: Places) -> None:
        self._regions = regions

    def record(self, line: ContactLine, row: Row, findings: Findings) -> ContactRow:
        email = line.email
        try:
            email = parse_email(email) if line.channel == "email" else parse_name(email)
        except ValueError as error:
            findings.problem(row, "email", str(error))
        return ContactRow(
            region=self._regions.resolve(line.region, row, findings, ANYWHERE),
            name=line.name,
            email=email,
            language=line.language,
            minimum_level=line.minimum_level,
            channel=line.channel,
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
