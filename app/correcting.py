"""Owns stating and withdrawing corrections: what holds, its hours and the ledger, all together.

A correction is held to what a gateway's reading is held to: a register shows no less than zero and
less than its rollover, and no meter shows what is no number of its own (`energy.values`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import db.changes
import db.corrections
import db.metering
from app import approval
from app.approval import Deed
from app.imports.kinds import Kind
from app.resolve import Refusal
from db.changes import Author
from db.corrections import CorrectionRow, Target
from db.pool import Connection
from energy import registers, values


class OutOfRangeError(Refusal):
    """A meter cannot have shown the value that is to hold. The message says which, and why."""


async def range_faults(
    connection: Connection, corrections: Sequence[tuple[CorrectionRow, Target]]
) -> dict[str, str]:
    """Return why values cannot hold, by subject; those that can are left out."""
    unit_ids = sorted({target.unit_id for _, target in corrections})
    meters = {each.meter_id: each for each in await db.metering.list_meters(connection, unit_ids)}
    found: dict[str, str] = {}
    for row, target in corrections:
        meter = meters[target.meter_id]
        if row.value is None:
            continue
        fault = values.fault(row.value)
        if fault is None and meter.kind is registers.Kind.REGISTER:
            fault = registers.range_fault(registers.of_register(meter.epochs), row.value, row.time)
        if fault is not None:
            found[row.subject] = fault
    return found


async def state(
    connection: Connection,
    author: Author,
    corrections: Sequence[tuple[CorrectionRow, Target]],
    now: datetime,
) -> int:
    """Let corrections hold from now on; return how many are new facts.

    One that its author stated last with the same words is left as it is, so that a request which
    was sent twice is one fact. Raises OutOfRangeError if a meter cannot have shown one.
    """
    faults = await range_faults(connection, corrections)
    for row, _ in corrections:
        if fault := faults.get(row.subject):
            raise OutOfRangeError(
                f"{row.value} of meter {row.meter} at {row.time.isoformat()}: {fault}"
            )
    author = approval.told(author, Deed.CORRECTION, Kind.CORRECTIONS)
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
    author = approval.told(author, Deed.WITHDRAWAL, Kind.CORRECTIONS)
    await db.changes.record(connection, author, [row.withdrawal()], now)
    return True
