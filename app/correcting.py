"""Owns stating and withdrawing corrections: what holds, its hours and the ledger, all together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import db.changes
import db.corrections
from db.changes import Author
from db.corrections import CorrectionRow, Target
from db.pool import Connection


async def state(
    connection: Connection,
    author: Author,
    corrections: Sequence[tuple[CorrectionRow, Target]],
    now: datetime,
) -> int:
    """Let corrections hold from now on; return how many are new facts.

    One that its author stated last with the same words is left as it is, so that a request which
    was sent twice is one fact.
    """
    subjects = [row.subject for row, _ in corrections]
    newest = {
        change.fact.subject: change
        for change in await db.changes.list_newest(connection, db.corrections.NOUN, subjects)
    }
    new = [
        (row, target)
        for row, target in corrections
        if (before := newest.get(row.subject)) is None
        or (before.author, before.fact) != (author, row.fact())
    ]
    if new:
        await db.corrections.upsert(connection, [(target, row.value) for row, target in new])
        await db.changes.record(connection, author, [row.fact() for row, _ in new], now)
    return len(new)


async def withdraw(
    connection: Connection, author: Author, row: CorrectionRow, target: Target, now: datetime
) -> bool:
    """Let the reading itself hold again; False: no correction held."""
    if not await db.corrections.delete(connection, target):
        return False
    await db.changes.record(connection, author, [row.withdrawal()], now)
    return True
