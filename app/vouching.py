"""Owns which facts that the ledger never heard of were known all the same, on every day before.

The release ships them, or somebody sealed them as they stand. Ask before they are written over.
"""

from __future__ import annotations

from collections.abc import Sequence

import db.changes
from app import reference
from app.imports.kinds import Kind
from app.verification import SEAL
from db.changes import Fact
from db.pool import Connection


async def list_vouched(connection: Connection, standing: Sequence[Fact]) -> set[str]:
    """Return the subjects of facts of one kind that stand as they were shipped or sealed."""
    if not standing:
        return set()
    kind = Kind(standing[0].noun)
    seals = await db.changes.list_newest(
        connection, SEAL, [f"{kind}/{fact.subject}" for fact in standing]
    )
    sealed = {each.fact.subject.partition("/")[2]: each.fact.content for each in seals}
    same = {fact.subject for fact in standing if sealed.get(fact.subject) == fact.content}
    if any(table.kind is kind for table in reference.TABLES):
        same |= await reference.list_as_shipped(connection, kind)
    return same
