"""Owns stating production over HTTP, and taking it back: whole, in the ledger with its author.

The same statement again changes nothing; another figure under the same key restates it, and needs
a reason. Both are one transaction of the caller, in turn with imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import db.changes
import db.production
import db.products
import db.registry
import db.withdrawals
from app import approval, statements, vouching
from app.approval import Deed
from app.depends import Caller
from app.errors import ApiError, Fault, InvalidParameter, NotFound
from app.imports.kinds import Kind
from app.imports.sheet import fact
from db.changes import Author, Fact
from db.production import NOUN, ProductionRow
from db.products import Product

FIRST_REASON = "first statement"


class Outcome(StrEnum):
    """What became of a statement."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    RESTATED = "restated"


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement and what became of it."""

    row: ProductionRow
    outcome: Outcome


async def state(
    caller: Caller, rows: Sequence[ProductionRow], reason: str | None, evidence: str
) -> list[Stated]:
    """Store what differs from what is known. Raises NotFound for a unit that is not the caller's.

    Raises ApiError with every fault of every row, or where a restatement has no reason; then
    nothing is stored.
    """
    await db.registry.lock_imports(caller.connection)
    units = sorted({row.unit for row in rows})
    seen = await db.production.list_visible_units(caller.connection, caller.scope, units)
    if seen != {*units}:
        raise NotFound("unit")
    stored = await db.production.list_by_unit(caller.connection, units)
    products = await db.products.list_products(caller.connection)
    found = _faults(caller, rows, stored, products)
    if found:
        detail = "; ".join(f"{fault.parameter}: {fault.detail}" for fault in found)
        raise ApiError("invalid_statement", detail, errors=found)
    known = {row.key: row for row in stored}
    outcomes = [Stated(row, _outcome(row, known.get(row.key))) for row in rows]
    if reason is None and any(each.outcome is Outcome.RESTATED for each in outcomes):
        raise InvalidParameter(
            "reason", "is required: this restates what was stated before", code="reason_required"
        )
    news = [each.row for each in outcomes if each.outcome is not Outcome.UNCHANGED]
    standing = [fact(NOUN, row.key, known[row.key]) for row in news if row.key in known]
    vouched = await vouching.list_vouched(caller.connection, standing)
    await db.production.upsert(caller.connection, news)
    await db.changes.record_over(
        caller.connection,
        Author(caller.actor, reason or FIRST_REASON, evidence),
        standing,
        [fact(NOUN, row.key, row) for row in news],
        vouched,
        caller.now,
    )
    return outcomes


async def withdraw(
    caller: Caller, unit: str, product: str, starts_at: datetime, author: Author
) -> ProductionRow:
    """Let a statement hold no longer; return it. Raises NotFound if none of the caller's does."""
    row = await _visible(caller, unit, product, starts_at)
    standing = fact(NOUN, row.key, row)
    vouched = await vouching.list_vouched(caller.connection, [standing])
    await db.withdrawals.delete(caller.connection, NOUN, [unit, product, starts_at])
    gone = Fact(NOUN, standing.subject, None)
    author = approval.told(author, Deed.WITHDRAWAL, Kind.PRODUCTION)
    await db.changes.record_over(caller.connection, author, [standing], [gone], vouched, caller.now)
    return row


async def visible_key(caller: Caller, unit: str, product: str, starts_at: datetime) -> str:
    """Return the key of a statement in the ledger. Raises NotFound if it is not the caller's."""
    row = await _visible(caller, unit, product, starts_at)
    return fact(NOUN, row.key, row).subject


async def _visible(caller: Caller, unit: str, product: str, starts_at: datetime) -> ProductionRow:
    await db.registry.lock_imports(caller.connection)
    if not await db.production.list_visible_units(caller.connection, caller.scope, [unit]):
        raise NotFound("unit")
    for row in await db.production.list_by_unit(caller.connection, [unit]):
        if (row.product, row.starts_at) == (product, starts_at):
            return row
    raise NotFound("statement")


def _outcome(row: ProductionRow, known: ProductionRow | None) -> Outcome:
    if known is None:
        return Outcome.STORED
    return Outcome.UNCHANGED if row == known else Outcome.RESTATED


def _faults(
    caller: Caller,
    rows: Sequence[ProductionRow],
    stored: Sequence[ProductionRow],
    products: Mapping[str, Product],
) -> list[Fault]:
    """Return what is wrong, row by row: `items[0].uom`."""
    places = {row.key: index for index, row in enumerate(rows)}
    found = [
        Fault(parameter=f"items[{index}].{fault.column}", detail=fault.reason)
        for index, row in enumerate(rows)
        for fault in statements.faults(row, products, caller.now)
    ]
    found += [
        Fault(parameter=f"items[{index}].from", detail="is stated twice in this request")
        for index, row in enumerate(rows)
        if places[row.key] != index
    ]
    found += [
        Fault(parameter=f"items[{places[row.key]}].from", detail=reason)
        for row, reason in statements.overlaps(stored, rows)
    ]
    return found
